//! The disk keeps what was promised and loses, for some seed, whatever was not.

use super::*;
use crate::memory::Chunk;
use crate::testing::run;

fn path() -> &'static Path {
    Path::new("/data/file")
}

async fn prepared(seed: u64) -> (MemoryDisk, MemoryFile<NoLatency>) {
    let disk = MemoryDisk::new(seed, NoLatency);
    disk.create_dir(Path::new("/data")).await.unwrap();
    let file = disk.open(path(), OpenMode::Create).await.unwrap();
    disk.sync_dir(Path::new("/")).await.unwrap();
    disk.sync_dir(Path::new("/data")).await.unwrap();
    (disk, file)
}

fn block(byte: u8) -> Vec<ChunkSlice> {
    let chunk = Chunk::padded(&[byte; BLOCK]);
    vec![chunk.slice(0..BLOCK)]
}

#[test]
fn durable_and_synced_writes_survive_every_crash() {
    for seed in 0..200 {
        run(async {
            let (disk, file) = prepared(seed).await;
            file.write(0, block(1), Durability::Volatile).await.unwrap();
            file.sync().await.unwrap();
            file.write(BLOCK as u64, block(2), Durability::Volatile).await.unwrap();
            file.write(BLOCK as u64, block(3), Durability::Durable).await.unwrap();
            disk.crash();
            let contents = disk.contents(path()).unwrap();
            assert!(contents[..BLOCK].iter().all(|byte| *byte == 1), "seed {seed}");
            assert!(contents[BLOCK..2 * BLOCK].iter().all(|byte| *byte == 3), "seed {seed}");
            assert!(file.len().await.is_err(), "a handle from before the crash is dead");
        });
    }
}

#[test]
fn a_kill_keeps_what_was_completed_and_ends_what_is_under_way() {
    #[derive(Clone, Copy)]
    struct Never;
    impl Latency for Never {
        async fn wait(&self, _operation: Operation, _path: &Path) {
            std::future::pending().await
        }
    }
    let (mut done, mut lost) = (0, 0);
    for seed in 0..50 {
        let (disk, file) = run(prepared(seed));
        run(file.write(0, block(1), Durability::Volatile)).unwrap();
        let slow = MemoryFile {
            disk: disk.with_latency(Never),
            file: file.file,
            path: file.path.clone(),
            life: 0,
            mode: file.mode,
        };
        assert!(crate::testing::poll_once(slow.write(BLOCK as u64, block(2), Durability::Durable)).is_none());
        disk.kill();
        assert!(run(file.len()).is_err(), "a handle from before the kill is dead");
        let contents = disk.contents(path()).unwrap();
        assert!(contents[..BLOCK].iter().all(|byte| *byte == 1), "seed {seed}");
        if contents.len() > BLOCK {
            done += 1
        } else {
            lost += 1
        }
        disk.crash();
        let after = disk.contents(path()).unwrap();
        assert!(
            after.iter().all(|byte| *byte < 3),
            "an abandoned write leaves no garbage in a later crash: seed {seed}"
        );
    }
    assert!(done > 0 && lost > 0, "{done} done, {lost} lost");
}

#[test]
fn volatile_writes_survive_crashes_wholly_partly_or_not_at_all() {
    let mut seen = [0u32; 3];
    for seed in 0..200 {
        run(async {
            let (disk, file) = prepared(seed).await;
            file.write(0, block(1), Durability::Durable).await.unwrap();
            file.write(0, block(2), Durability::Volatile).await.unwrap();
            disk.crash();
            let contents = disk.contents(path()).unwrap();
            let new = contents.iter().filter(|byte| **byte == 2).count();
            seen[if new == 0 {
                0
            } else if new == BLOCK {
                2
            } else {
                1
            }] += 1;
        });
    }
    assert!(seen.iter().all(|count| *count > 0), "none, part, all: {seen:?}");
}

#[test]
fn names_survive_crashes_only_once_their_folder_is_synced() {
    let (mut kept, mut lost) = (0, 0);
    for seed in 0..100 {
        run(async {
            let (disk, _) = prepared(seed).await;
            disk.rename(path(), Path::new("/data/renamed")).await.unwrap();
            disk.crash();
            let there = disk.contents(Path::new("/data/renamed")).is_some();
            assert_ne!(there, disk.contents(path()).is_some(), "a rename is atomic");
            if there {
                kept += 1
            } else {
                lost += 1
            }
            disk.create_dir(Path::new("/data/inner")).await.unwrap();
            disk.sync_dir(Path::new("/data")).await.unwrap();
            disk.crash();
            let entries = disk.list(Path::new("/data")).await.unwrap();
            assert!(entries.iter().any(|entry| entry.name == "inner" && entry.is_dir));
        });
    }
    assert!(kept > 0 && lost > 0, "{kept} kept, {lost} lost");
}

#[test]
fn a_full_disk_refuses_growth_and_allows_rewrites() {
    run(async {
        let (disk, file) = prepared(1).await;
        file.write(0, block(1), Durability::Durable).await.unwrap();
        disk.set_capacity(disk.used());
        assert_eq!(file.write(BLOCK as u64, block(1), Durability::Durable).await, Err(DiskError::Full));
        assert_eq!(file.allocate(0, 2 * BLOCK as u64).await, Err(DiskError::Full));
        file.write(0, block(2), Durability::Durable).await.unwrap();
        assert_eq!(disk.free_bytes(path()).await, Ok(0));
    });
}

#[test]
fn an_injected_fault_is_counted_and_hits_only_what_it_names() {
    run(async {
        let (disk, file) = prepared(1).await;
        let error = DiskError::Io("broken".into());
        let operation = Operation::Write;
        disk.inject(Fault { operation, path_part: "file".into(), error: error.clone(), after: 1, times: 1 });
        assert_eq!(file.write(0, block(1), Durability::Durable).await, Ok(()));
        assert_eq!(file.sync().await, Ok(()));
        assert_eq!(file.write(0, block(1), Durability::Durable).await, Err(error));
        assert_eq!(file.write(0, block(1), Durability::Durable).await, Ok(()));
        assert_eq!(disk.faults_hit(), 1);
    });
}
