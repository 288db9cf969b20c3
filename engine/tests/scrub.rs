//! Scrubbing finds what the device has damaged, in a bounded time and at a bounded rate, and changes nothing.

mod support;

use std::path::{Path, PathBuf};

use engine::disk::Disk;
use engine::log::Read;
use engine::memory_disk::MemoryDisk;
use engine::scrub::ScrubConfig;
use engine::segment::Rotten;
use engine::segment::names::{FileKind, parse_file_name};
use engine::store::{BackgroundJob, Store, StoreEvent};
use support::{Core, config, data_dir, disk, key, run};

const BYTES_PER_SECOND: u64 = 1 << 20;
const INTERVAL_MS: i64 = 10_000;

/// A core with two logs of several closed segments each, all of it on disk.
fn filled(disk: &MemoryDisk, scrub: ScrubConfig) -> Core {
    let mut core = Core::start(disk, 0);
    run(std::mem::replace(&mut core.store, store(disk, scrub)).close()).expect("the disk is fine");
    core.store = store(disk, scrub);
    for number in [1, 2] {
        core.create(number);
        for _ in 0..90 {
            core.append_durably(number, 2000);
            core.settle().expect("the disk is fine");
        }
    }
    core
}

fn store(disk: &MemoryDisk, scrub: ScrubConfig) -> Store<MemoryDisk> {
    let config = engine::store::StoreConfig { scrub, ..config() };
    run(Store::open(disk.clone(), config, 0, Vec::new())).expect("the disk is fine")
}

fn on() -> ScrubConfig {
    ScrubConfig { bytes_per_second: BYTES_PER_SECOND, interval_ms: INTERVAL_MS }
}

/// The files of all closed segments.
fn closed_segments(disk: &MemoryDisk) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for number in [1, 2] {
        let dir = data_dir().join(format!("topic{number}-0"));
        let entries = run(disk.list(&dir)).expect("it is there");
        let logs = entries.iter().filter(|entry| matches!(parse_file_name(&entry.name), Some((_, FileKind::Log))));
        let logs: Vec<PathBuf> = logs.map(|entry| dir.join(&entry.name)).collect();
        assert!(logs.len() > 3, "{logs:?}");
        paths.extend_from_slice(&logs[..logs.len() - 1]);
    }
    paths
}

/// Scrubs until that many passes are done; returns what was found, and the time it took in ms.
fn scrub(core: &mut Core, passes: u64) -> (Vec<(PathBuf, Rotten)>, i64) {
    let mut found = Vec::new();
    let began_ms = core.now_ms;
    while core.store.scrub_stats().passes < passes {
        let next_ms = core.store.scrub(core.now_ms);
        core.settle().expect("the disk is fine");
        for event in core.events.drain(..) {
            if let StoreEvent::Rotten { path, rotten, .. } = event {
                found.push((path, rotten));
            }
        }
        assert!(next_ms > core.now_ms, "time goes on");
        core.now_ms = next_ms;
    }
    (found, core.now_ms - began_ms)
}

#[test]
fn every_closed_segment_is_read_once_a_pass_at_the_rate_that_was_set() {
    let disk = disk(1);
    let mut core = filled(&disk, on());
    let bytes: usize = closed_segments(&disk).iter().map(|path| disk.contents(path).expect("it is there").len()).sum();
    let (found, took_ms) = scrub(&mut core, 1);
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(core.store.scrub_stats().bytes, bytes as u64);
    assert!(took_ms >= bytes as i64 * 1000 / BYTES_PER_SECOND as i64, "{took_ms} ms for {bytes} bytes");
    let (_, took_ms) = scrub(&mut core, 3);
    assert!(took_ms >= 2 * INTERVAL_MS - 2000, "passes keep their distance: {took_ms} ms");
    assert_eq!(core.store.scrub_stats().bytes, 3 * bytes as u64);
}

#[test]
fn damage_is_found_with_its_place_in_each_pass_and_known_until_its_segment_goes() {
    let disk = disk(1);
    let mut core = filled(&disk, on());
    let paths = closed_segments(&disk);
    let damaged = [&paths[1], &paths[paths.len() - 1]];
    let before: Vec<_> = damaged.iter().map(|path| disk.contents(path)).collect();
    for path in damaged {
        disk.damage(path, 5000, &[0x55; 3]);
    }
    let changed: Vec<_> = damaged.iter().map(|path| disk.contents(path)).collect();
    assert_ne!(before, changed);
    for pass in 1..=2 {
        let (mut found, _) = scrub(&mut core, pass);
        found.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found.iter().map(|(path, _)| path).collect::<Vec<_>>(), damaged);
        for (_, rotten) in &found {
            assert!((rotten.position..rotten.position + rotten.len).contains(&5000), "{rotten:?}");
            assert_eq!(rotten.offsets.end - rotten.offsets.start, 1);
        }
        assert_eq!(core.store.rotten().count(), 2);
        assert_eq!(core.store.scrub_stats().found, 2 * pass);
    }
    assert_eq!(damaged.iter().map(|path| disk.contents(path)).collect::<Vec<_>>(), changed, "nothing is changed");

    let log = core.store.log(key(1)).expect("the log is here");
    let end = log.log_end();
    core.store.delete_records(key(1), end).expect("there is room");
    core.flush().expect("the disk is fine");
    core.settle().expect("the disk is fine");
    assert_eq!(core.store.rotten().count(), 1, "what has gone is not known to be damaged");
}

#[test]
fn what_a_reader_meets_first_is_told_once() {
    let disk = disk(1);
    let mut core = filled(&disk, on());
    disk.damage(&closed_segments(&disk)[0], 2100, &[0x55; 3]);
    for read in 0..3 {
        let log = core.store.log_mut(key(1)).expect("the log is here");
        log.evict(usize::MAX);
        let Ok(Read::Job(job)) = log.read(1, 100, 90, true) else { panic!("it is read from the file") };
        let Err(engine::error::EngineError::Rotten { path, rotten }) = run(job.perform()) else {
            panic!("it is damaged")
        };
        core.store.note_rotten(key(1), path, *rotten);
        let events = std::iter::from_fn(|| core.store.poll_event());
        assert_eq!(events.filter(|event| matches!(event, StoreEvent::Rotten { .. })).count(), usize::from(read == 0));
    }
    assert_eq!(core.store.rotten().count(), 1);
    let (found, _) = scrub(&mut core, 1);
    assert_eq!((found.len(), core.store.rotten().count()), (1, 1));
}

#[test]
fn it_is_turned_off_by_a_rate_of_0_and_waits_for_everything_else() {
    let disk = disk(1);
    let mut core = filled(&disk, ScrubConfig { bytes_per_second: 0, interval_ms: 0 });
    assert_eq!(core.store.scrub(core.now_ms), i64::MAX);
    assert!(core.store.poll_background().is_none());

    let disk = support::disk(2);
    let mut core = filled(&disk, on());
    core.store.scrub(core.now_ms);
    for _ in 0..15 {
        core.append_durably(1, 2000);
    }
    let mut order = Vec::new();
    while let Some(job) = core.store.poll_background() {
        order.push(matches!(job, BackgroundJob::Scrub(_)));
        let done = run(job.perform());
        core.store.handle_background(done).expect("the disk is fine");
    }
    let first = order.iter().position(|is_scrub| *is_scrub).expect("it comes");
    assert_eq!((first, first > 0), (order.len() - 1, true), "{order:?}");
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_it() {
    let disk = disk(1);
    let mut core = filled(&disk, on());
    core.now_ms = 1_700_000_000_000;
    scrub(&mut core, 1);
    core.now_ms = 1_600_000_000_000;
    let (_, took_ms) = scrub(&mut core, 2);
    assert!(took_ms < 2 * INTERVAL_MS, "{took_ms}");
}

#[test]
fn a_segment_whose_file_has_gone_does_not_stop_it() {
    let disk = disk(1);
    let mut core = filled(&disk, on());
    let paths = closed_segments(&disk);
    run(disk.remove_file(Path::new(&paths[0]))).expect("it is there");
    disk.damage(&paths[1], 100, &[0x55]);
    core.store.log_mut(key(1)).expect("the log is here").evict(usize::MAX);
    let (found, _) = scrub(&mut core, 1);
    assert_eq!(found.len(), 1);
}
