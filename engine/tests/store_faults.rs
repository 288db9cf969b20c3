//! A store whose disk is full, or fails.

mod support;

use std::path::Path;

use engine::disk::{Disk, DiskError};
use engine::log::Read;
use engine::memory_disk::{Fault, Operation};
use engine::store::{AppendError, StoreEvent};
use support::{Core, batch, data_dir, disk, key, recovered, run};

/// Appends until the store refuses; what it says then.
fn fill(core: &mut Core) -> AppendError {
    for _ in 0..10_000 {
        match core.append(1, 2000) {
            Ok(_) => core.flush().expect("the journal's files are there already"),
            Err(AppendError::Busy) => core.settle().expect("a full disk is not fatal"),
            Err(error) => return error,
        }
    }
    panic!("the disk never fills");
}

#[test]
fn a_full_disk_refuses_appends_serves_reads_deletes_and_heals() {
    let disk = disk(1);
    let mut core = Core::start(&disk, 0);
    core.create(1);
    disk.set_capacity(disk.used() + (1000 << 10));
    assert_eq!(fill(&mut core), AppendError::Full);
    assert!(core.events.iter().any(|event| matches!(event, StoreEvent::Full)));
    let end = core.store.log(key(1)).expect("the log is here").flushed_end();
    assert!(end > 100);

    let read = core.store.log(key(1)).expect("the log is here").read(0, 1, end, true).expect("it is in range");
    let first = match read {
        Read::Ready(read) => read,
        Read::Job(job) => run(job.perform()).expect("reads go on"),
    };
    assert_eq!(first.concat().len(), batch(2000).len());

    core.settle().expect("a full disk is not fatal");
    assert_eq!(core.append(1, 2000), Err(AppendError::Full));
    core.settle().expect("a full disk is not fatal");
    assert!(core.store.is_full(), "nothing has become free");

    let used = disk.used();
    core.store.retain(core.now_ms);
    core.flush().expect("the journal's files are there already");
    core.settle().expect("a full disk is not fatal");
    assert!(core.store.log(key(1)).expect("the log is here").log_start() > 0);
    assert!(disk.used() < used - (300 << 10), "retention frees space on a full disk: {} of {used}", disk.used());

    assert_eq!(core.append(1, 2000), Err(AppendError::Full), "the store has not looked yet");
    core.settle().expect("there is space");
    assert!(core.events.iter().any(|event| matches!(event, StoreEvent::SpaceBack)));
    core.append_durably(1, 2000);
    core.settle().expect("there is space");
    disk.crash();
    let recovery = recovered(&disk).expect("nothing is lost");
    assert_eq!(recovery.logs[0].end.offset, end + 1);
}

#[test]
fn a_journal_that_cannot_grow_on_a_full_disk_loses_nothing() {
    let disk = disk(2);
    let mut core = Core::start(&disk, 0);
    core.create(1);
    disk.set_capacity(disk.used());
    assert_eq!(fill(&mut core), AppendError::Full);
    let end = core.store.log(key(1)).expect("the log is here").flushed_end();
    disk.crash();
    disk.set_capacity(u64::MAX);
    assert_eq!(recovered(&disk).expect("nothing is lost").logs[0].end.offset, end);
}

#[test]
fn failed_writes_and_syncs_are_fatal_and_lose_nothing_that_was_acknowledged() {
    let cases = [
        (Operation::Write, ".journal", "a journal write", 3),
        (Operation::Write, ".log", "a filing", 3),
        (Operation::Sync, ".log", "a sync", 3),
        (Operation::Rename, "checkpoint", "a checkpoint", 3),
        (Operation::Rename, ".journal", "the journal's growth", 1),
    ];
    for (operation, path_part, name, places) in cases {
        for seed in 0..20 {
            let disk = disk(seed);
            let mut core = Core::start(&disk, 0);
            core.create(1);
            let mut acknowledged = core.append_durably(1, 100);
            let error = DiskError::Io("broken".into());
            disk.inject(Fault {
                operation,
                path_part: path_part.into(),
                error,
                after: (seed % places) as u32,
                times: 1,
            });
            let mut fatal = None;
            for _ in 0..500 {
                let outcome = match core.append(1, 2000) {
                    Ok(appended) => core.flush().map(|()| acknowledged = appended.end_offset),
                    Err(AppendError::Busy) => Ok(()),
                    Err(error) => panic!("{name}: {error}"),
                };
                if let Err(error) = outcome.and_then(|()| core.settle()) {
                    fatal = Some(error);
                    break;
                }
            }
            assert_eq!(disk.faults_hit(), 1, "{name}: the test is not valid");
            assert!(fatal.is_some(), "{name}: it went on");
            disk.crash();
            let recovery = recovered(&disk).unwrap_or_else(|error| panic!("{name}, seed {seed}: {error}"));
            let end = recovery.logs[0].end.offset;
            assert!(end == acknowledged || end == acknowledged + 1, "{name}, seed {seed}: {end} of {acknowledged}");
        }
    }
}

#[test]
fn a_segment_that_cannot_be_removed_is_reported_and_goes_after_the_next_start() {
    let disk = disk(3);
    let mut core = Core::start(&disk, 0);
    core.create(1);
    for _ in 0..200 {
        core.append_durably(1, 2000);
        core.settle().expect("the disk is fine");
    }
    let error = DiskError::Io("broken".into());
    disk.inject(Fault { operation: Operation::Rename, path_part: ".log".into(), error, after: 0, times: 1 });
    core.store.retain(0);
    core.flush().expect("the disk is fine");
    core.settle().expect("a failed removal is not fatal");
    assert_eq!(disk.faults_hit(), 1, "the test is not valid");
    assert!(core.events.iter().any(|event| matches!(event, StoreEvent::RemovalFailed { .. })));
    run(core.store.close()).expect("the disk is fine");
    let first_segment = Path::new("/data/topic1-0/00000000000000000000.log");
    assert!(disk.contents(first_segment).is_some());
    let mut core = Core::start(&disk, 0);
    core.settle().expect("the disk is fine");
    assert!(disk.contents(first_segment).is_none());
}

#[test]
fn a_clean_stop_leaves_exact_files_and_a_journal_that_is_not_needed() {
    let disk = disk(4);
    let mut core = Core::start(&disk, 0);
    core.create(1);
    for _ in 0..30 {
        core.append_durably(1, 3000);
        core.settle().expect("the disk is fine");
    }
    run(core.store.close()).expect("the disk is fine");
    disk.crash();
    let segments = run(disk.list(&data_dir().join("topic1-0"))).expect("the folder is there");
    let bytes: u64 = segments.iter().filter(|entry| entry.name.ends_with(".log")).map(|entry| entry.len).sum();
    assert_eq!(bytes, 30 * batch(3000).len() as u64);
    run(disk.remove_dir(&data_dir().join("journal"))).expect("it is there");
    let recovery = recovered(&disk).expect("the journal is not needed");
    assert_eq!((recovery.report.journals, recovery.logs[0].end.offset), (0, 30));
}

#[test]
fn the_journals_of_all_cores_are_replayed_whatever_their_number_now() {
    let disk = disk(5);
    let recovery = recovered(&disk).expect("it is new");
    assert!(recovery.logs.is_empty());
    let mut cores: Vec<Core> = Vec::new();
    for core in 0..3 {
        let store = engine::store::Store::open(disk.clone(), support::config(), core, Vec::new());
        let store = run(store).expect("the disk is fine");
        cores.push(Core { disk: disk.clone(), store, events: Vec::new(), now_ms: 0 });
    }
    for (number, core) in cores.iter_mut().enumerate() {
        core.create(number as u128);
        for _ in 0..=number {
            core.append_durably(number as u128, 100);
        }
    }
    drop(cores);
    disk.crash();
    let core = Core::start(&disk, 0);
    let ends: Vec<i64> = core.store.logs().map(|log| log.log_end()).collect();
    assert_eq!(ends, [1, 2, 3]);
}
