//! A data folder of format version 1, kept as it was written: every later release must recover it.
//!
//! `fixtures/v1` is what a core left that was killed with three partitions: of the first, some is filed and some is only
//! in the journal, behind the beginning of a block that was filed; the others are filed, and the third's log start has
//! moved. It was written by the ignored test below, and is never written again.

mod support;

use std::path::{Path, PathBuf};

use engine::disk::{Disk, Durability, File, OpenMode};
use engine::memory::Chunk;
use engine::memory_disk::MemoryDisk;
use engine::segment::names::{FileKind, file_name};
use support::{Core, batch, config, data_dir, disk, key, recovered, run};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1")
}

fn load(disk: &MemoryDisk, from: &Path, to: &Path) {
    run(disk.create_dir(to)).expect("the disk is fine");
    for entry in std::fs::read_dir(from).expect("the fixture is there") {
        let entry = entry.expect("it is readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("it is readable").is_dir() {
            load(disk, &entry.path(), &target);
            continue;
        }
        let bytes = std::fs::read(entry.path()).expect("it is readable");
        let file = run(disk.open(&target, OpenMode::Create)).expect("the disk is fine");
        let chunk = Chunk::padded(&bytes);
        run(file.write(0, vec![chunk.slice(0..chunk.len())], Durability::Durable)).expect("the disk is fine");
        run(file.truncate(bytes.len() as u64)).expect("the disk is fine");
    }
}

#[test]
fn a_data_folder_of_version_1_is_recovered() {
    let disk = disk(1);
    load(&disk, &fixture(), &data_dir());
    let recovery = recovered(&disk).expect("it is well");
    let found: Vec<(u128, i64, i64)> = recovery
        .logs
        .iter()
        .map(|log| (u128::from_be_bytes(log.key.topic.0) - 100, log.trusted.log_start, log.end.offset))
        .collect();
    assert_eq!(found, [(1, 0, 16), (2, 0, 3), (3, 2, 4)]);
    assert_eq!(recovery.report.journals, 1);
    assert!(recovery.report.bytes_written > 0, "something was only in the journal");
    for (number, lens) in [(1, vec![700; 16]), (2, vec![10, 5000, 30]), (3, vec![50; 4])] {
        let dir = data_dir().join(format!("topic{number}-0"));
        let stored = disk.contents(&dir.join(file_name(0, FileKind::Log))).expect("it is there");
        let batches: Vec<Vec<u8>> = lens.into_iter().map(batch).collect();
        let total: usize = batches.iter().map(Vec::len).sum();
        assert_eq!(stored.len(), total);
        let mut rest = &stored[..];
        for (offset, batch) in batches.iter().enumerate() {
            assert_eq!(rest[..8], (offset as i64).to_be_bytes());
            assert_eq!(rest[12..16], 3i32.to_be_bytes(), "the leader epoch");
            assert_eq!(rest[16..batch.len()], batch[16..]);
            rest = &rest[batch.len()..];
        }
    }
}

#[test]
#[ignore = "writes the fixture, which stays as it is"]
fn the_fixture_is_written() {
    let disk = disk(7);
    let recovery = recovered(&disk).expect("it is new");
    assert!(recovery.logs.is_empty());
    let mut config = config();
    config.journal.first_file_bytes = 48 << 10;
    let store = engine::store::Store::open(disk.clone(), config, 0, Vec::new());
    let store = run(store).expect("the disk is fine");
    let mut core = Core { disk: disk.clone(), store, events: Vec::new(), now_ms: 0 };
    for number in 1..=3 {
        core.create(number);
    }
    for len in [10, 5000, 30] {
        core.append_durably(2, len);
    }
    for _ in 0..4 {
        core.append(3, 50).expect("there is room");
    }
    for _ in 0..6 {
        core.append(1, 700).expect("there is room");
    }
    core.flush().expect("the disk is fine");
    core.store.delete_records(key(3), 2).expect("there is room");
    core.flush().expect("the disk is fine");
    core.settle().expect("the disk is fine");
    // Two more groups, which are in the journal only.
    for _ in 0..2 {
        for _ in 0..5 {
            core.append(1, 700).expect("there is room");
        }
        core.flush().expect("the disk is fine");
    }
    save(&disk, &data_dir(), &fixture());
}

fn save(disk: &MemoryDisk, from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("it can be made");
    for entry in run(disk.list(from)).expect("it is there") {
        let (source, target) = (from.join(&entry.name), to.join(&entry.name));
        if entry.is_dir {
            save(disk, &source, &target);
        } else if !entry.name.starts_with("reserve") {
            std::fs::write(target, disk.contents(&source).expect("it is readable")).expect("it can be written");
        }
    }
}
