//! Groups reach the disk in order, whole, and within the journal's bounds.

use std::path::Path;

use wire::{TopicPartitionId, Uuid};

use super::*;
use crate::journal::format::{EntryKind, Place};
use crate::journal::reader::{Verdict, find_groups, judge, read_whole};
use crate::memory_disk::{MemoryDisk, NoLatency};
use crate::testing::run;

const IDENTITY: Identity = Identity { core: 0, boot_epoch: 1, salt: 2 };
const CONFIG: JournalConfig = JournalConfig {
    first_file_bytes: 32 << 10,
    file_bytes_max: 128 << 10,
    total_bytes_max: 320 << 10,
    group_bytes: 16 << 10,
};

fn dir() -> PathBuf {
    PathBuf::from("/data/journal/core-0")
}

async fn opened(seed: u64) -> (MemoryDisk, Journal<MemoryDisk>) {
    opened_with(seed, CONFIG).await
}

async fn opened_with(seed: u64, config: JournalConfig) -> (MemoryDisk, Journal<MemoryDisk>) {
    let disk = MemoryDisk::new(seed, NoLatency);
    disk.create_dir(Path::new("/data")).await.expect("the disk is fine");
    disk.sync_dir(Path::new("/")).await.expect("the disk is fine");
    let journal = Journal::open(disk.clone(), dir(), config, IDENTITY).await.expect("the disk is fine");
    (disk, journal)
}

fn append(journal: &mut Journal<MemoryDisk>, len: usize, fill: u8) -> Result<u64, NoRoom> {
    journal.admit(1, len)?;
    let entry = Entry {
        kind: EntryKind::Append,
        key: TopicPartitionId { topic: Uuid([1; 16]), partition: 0 },
        leader_epoch: 0,
        base_offset: i64::from(fill),
        place: Place { segment_base: 0, position: 0 },
        bytes: b"",
    };
    let bytes = vec![fill; len];
    let (first, rest) = bytes.split_at(len / 2);
    journal.push(&entry, [first, rest]);
    Ok(journal.open_sequence())
}

async fn write(journal: &mut Journal<MemoryDisk>) -> Option<u64> {
    let job = journal.poll()?;
    assert!(journal.poll().is_none(), "one group is in flight at a time");
    let done = job.perform().await;
    Some(journal.handle(done).expect("the disk is fine"))
}

async fn groups_on(disk: &MemoryDisk, head: Head) -> usize {
    let mut found = Vec::new();
    for (number, _) in growth::list_files(disk, &dir()).await.expect("the folder is there") {
        let bytes = read_whole(disk, &growth::file_path(&dir(), number)).await.expect("the file is there");
        found.extend(find_groups(number, &bytes));
    }
    match judge(IDENTITY, head, &found) {
        Verdict::Whole(chain) => chain.len(),
        Verdict::Empty => 0,
        other => panic!("{other:?}"),
    }
}

#[test]
fn entries_that_come_while_a_group_is_written_join_the_next() {
    run(async {
        let (disk, mut journal) = opened(1).await;
        assert!(journal.poll().is_none() && journal.is_idle());
        assert_eq!(append(&mut journal, 100, 1), Ok(1));
        let job = journal.poll().expect("an entry waits");
        assert_eq!(append(&mut journal, 100, 2), Ok(2));
        assert_eq!(append(&mut journal, 100, 3), Ok(2));
        assert!(journal.poll().is_none());
        let done = job.perform().await;
        assert_eq!(journal.handle(done), Ok(1));
        assert_eq!(write(&mut journal).await, Some(2));
        disk.crash();
        assert_eq!(groups_on(&disk, journal.head()).await, 2);
    });
}

#[test]
fn the_journal_grows_to_its_bound_and_then_waits_to_be_freed() {
    run(async {
        let (disk, mut journal) = opened(2).await;
        let mut written = 0;
        loop {
            match append(&mut journal, 10_000, written as u8) {
                Ok(sequence) => {
                    assert_eq!(write(&mut journal).await, Some(sequence));
                    written += 1;
                }
                Err(NoRoom) => match journal.poll_growth() {
                    Some(job) => journal.handle_growth(job.perform().await).expect("the disk is fine"),
                    None => break,
                },
            }
        }
        assert_eq!(disk.used(), (32 + 64 + 128 + 96) << 10);
        assert!(journal.used_percent() > 90);
        assert_eq!(groups_on(&disk, journal.head()).await, written);
        let head = journal.head_for(journal.current_file_start());
        journal.free_before(head);
        while append(&mut journal, 10_000, 0).is_ok() {
            write(&mut journal).await;
        }
        assert_eq!(groups_on(&disk, head).await as u64, journal.open_sequence() - head.sequence);
    });
}

#[test]
fn a_batch_larger_than_a_group_and_than_any_file_so_far_gets_both() {
    run(async {
        let (disk, mut journal) = opened(3).await;
        assert_eq!(append(&mut journal, 100_000, 1), Err(NoRoom));
        let job = journal.poll_growth().expect("a file that is long enough is wanted");
        journal.handle_growth(job.perform().await).expect("the disk is fine");
        assert_eq!(append(&mut journal, 100_000, 1), Ok(1));
        assert_eq!(append(&mut journal, 5000, 2), Err(NoRoom), "the group is full until it is written");
        assert_eq!(write(&mut journal).await, Some(1));
        assert_eq!(append(&mut journal, 100, 2), Ok(2));
        assert_eq!(write(&mut journal).await, Some(2));
        disk.crash();
        assert_eq!(groups_on(&disk, journal.head()).await, 2);
    });
}

#[test]
fn the_only_file_long_enough_for_a_batch_is_left_early_when_there_may_be_no_other() {
    run(async {
        let (_, mut journal) = opened_with(6, JournalConfig { total_bytes_max: 160 << 10, ..CONFIG }).await;
        assert_eq!(append(&mut journal, 100_000, 1), Err(NoRoom));
        let job = journal.poll_growth().expect("a file that is long enough is wanted");
        journal.handle_growth(job.perform().await).expect("the disk is fine");
        assert_eq!(append(&mut journal, 100_000, 1), Ok(1));
        assert_eq!(write(&mut journal).await, Some(1));
        assert_eq!(append(&mut journal, 100_000, 2), Err(NoRoom));
        assert!(journal.poll_growth().is_none(), "the journal has its full size");
        assert!(journal.has_older_files(), "a checkpoint frees the file");
        journal.free_before(journal.head_for(2));
        assert_eq!(append(&mut journal, 100_000, 2), Ok(2));
        assert_eq!(write(&mut journal).await, Some(2));
    });
}

#[test]
fn the_name_of_a_file_that_a_killed_process_never_synced_survives_once_it_is_used() {
    for seed in 0..50 {
        run(async {
            let (disk, mut journal) = opened(seed).await;
            append(&mut journal, 20_000, 1).expect("there is room");
            write(&mut journal).await;
            let job = journal.poll_growth().expect("past the half");
            let error = DiskError::Io("killed".into());
            let operation = crate::memory_disk::Operation::SyncDir;
            disk.inject(crate::memory_disk::Fault { operation, path_part: "core-0".into(), error, after: 0, times: 1 });
            assert!(job.perform().await.into_result().is_err());
            disk.kill();
            Journal::open(disk.clone(), dir(), CONFIG, IDENTITY).await.expect("the disk is fine");
            disk.crash();
            let there = growth::list_files(&disk, &dir()).await.expect("the folder is there");
            assert_eq!(there.len(), 2, "seed {seed}");
        });
    }
}

#[test]
fn a_full_disk_stops_growth_and_leaves_nothing_behind() {
    run(async {
        let (disk, mut journal) = opened(4).await;
        disk.set_capacity(disk.used() + BLOCK_ROOM);
        while append(&mut journal, 10_000, 1).is_ok() {
            write(&mut journal).await;
        }
        let used = disk.used();
        let job = journal.poll_growth().expect("the journal runs short");
        let error = journal.handle_growth(job.perform().await).expect_err("the disk is full");
        assert!(error.is_full());
        assert_eq!(disk.used(), used);
        disk.set_capacity(u64::MAX);
        let job = journal.poll_growth().expect("it tries again");
        journal.handle_growth(job.perform().await).expect("space has returned");
        assert_eq!(append(&mut journal, 10_000, 1), Ok(3));
    });
}

const BLOCK_ROOM: u64 = 4096;

#[test]
fn a_failed_write_is_reported_and_nothing_counts_as_durable() {
    run(async {
        let (disk, mut journal) = opened(5).await;
        append(&mut journal, 10, 1).expect("there is room");
        let error = DiskError::Io("broken".into());
        let operation = crate::memory_disk::Operation::Write;
        let path_part = ".journal".into();
        disk.inject(crate::memory_disk::Fault { operation, path_part, error: error.clone(), after: 0, times: 1 });
        let done = journal.poll().expect("an entry waits").perform().await;
        assert_eq!(journal.handle(done), Err(error));
        assert_eq!(disk.faults_hit(), 1);
    });
}

#[test]
fn a_half_made_file_is_not_taken_for_a_journal() {
    for seed in 0..50 {
        run(async {
            let (disk, mut journal) = opened(seed).await;
            append(&mut journal, 20_000, 1).expect("there is room");
            write(&mut journal).await;
            let job = journal.poll_growth().expect("past the half");
            let dir_fault = crate::memory_disk::Operation::SyncDir;
            let error = DiskError::Io("broken".into());
            disk.inject(crate::memory_disk::Fault {
                operation: dir_fault,
                path_part: "core-0".into(),
                error,
                after: 0,
                times: 1,
            });
            assert!(journal.handle_growth(job.perform().await).is_err());
            disk.crash();
            disk.clear_faults();
            for (_, length) in growth::list_files(&disk, &dir()).await.expect("the folder is there") {
                assert!(length == 32 << 10 || length == 64 << 10, "seed {seed}: {length}");
            }
            let again = Journal::open(disk.clone(), dir(), CONFIG, Identity { boot_epoch: 2, ..IDENTITY }).await;
            assert!(again.is_ok(), "seed {seed}");
            assert!(disk.list(Path::new("/data/journal")).await.is_ok());
        });
    }
}
