//! A compacted log is written, cleaned, crashed and opened again at random, and compared with all that was written: the
//! newest record of each key is there, nothing else is but what the log's dirty end still holds, and offsets keep their
//! records. A second test crashes one cleaning after each of its steps.
//!
//! `CRASH_SEED=n` runs one seed; `CRASH_SEEDS=n` runs so many.

mod support;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use engine::append::AppendBatch;
use engine::compaction::CleaningInput;
use engine::disk::Disk;
use engine::log::{CompactionConfig, Log, LogConfig, Read};
use engine::memory_disk::{MemoryDisk, OnePoll, Random};
use engine::recovery::{Report, recover};
use engine::store::{Store, StoreEvent};
use wire::batch::{Batch, BatchBuilder, BatchOptions, batches, records};
use wire::compression::Compression;
use wire::{TopicPartitionId, Uuid};

use support::data_dir;

const KEY: TopicPartitionId = TopicPartitionId { topic: Uuid::from_u128(9), partition: 0 };
const SEEDS: u64 = 12;
const STEPS: usize = 400;
const DELETE_RETENTION_MS: i64 = 60;
/// Memory for a map of 14 keys, so that it is full sometimes.
const SMALL_MAP_BYTES: usize = 16 * 25;

type TestDisk = MemoryDisk<OnePoll>;

/// Polls `polls` times at most.
fn drive<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
    }
    None
}

fn finish<F: Future>(future: F) -> F::Output {
    drive(future, usize::MAX).expect("there are polls enough")
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Written {
    offset: i64,
    timestamp: i64,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

fn log_config() -> LogConfig {
    LogConfig {
        segment_bytes: 6000,
        index_interval_bytes: 500,
        cleanup_delete: false,
        compaction: Some(CompactionConfig { delete_retention_ms: DELETE_RETENTION_MS, ..Default::default() }),
        ..LogConfig::default()
    }
}

/// What has happened, over all seeds.
#[derive(Debug, Default)]
struct Tally {
    cleanings: u64,
    partial_cleanings: u64,
    bytes_dropped: u64,
    swaps_completed: usize,
    tombstones_gone: u64,
    empty_batches: u64,
    reads_across_a_swap: u64,
}

struct World {
    disk: TestDisk,
    store: Store<TestDisk>,
    random: Random,
    keys: u64,
    written: Vec<Written>,
    /// All below is on stable storage.
    flushed: i64,
    /// No cleaning has been begun of what lies at this offset or beyond.
    cleaned_max: i64,
    /// The last batch of each producer: base sequence, last offset.
    producers: BTreeMap<i64, (i32, i64)>,
    now_ms: i64,
    tally: Tally,
}

fn open(disk: &TestDisk) -> (Store<TestDisk>, Report) {
    let recovery = finish(recover(disk, &data_dir(), &data_dir().join("journal")));
    let recovery = recovery.unwrap_or_else(|error| panic!("{error}"));
    let logs = recovery.logs.iter().map(|log| {
        finish(Log::open(disk, &data_dir(), &log.topic, log.key, log_config(), log.trusted)).expect("it is recovered")
    });
    let store = finish(Store::open(disk.clone(), support::config(), 0, logs.collect())).expect("the disk is fine");
    (store, recovery.report)
}

impl World {
    fn new(seed: u64) -> World {
        let disk = MemoryDisk::new(seed, OnePoll);
        finish(disk.create_dir(&data_dir())).expect("the disk is fine");
        finish(disk.sync_dir(Path::new("/"))).expect("the disk is fine");
        let (mut store, _) = open(&disk);
        let log = finish(Log::create(&disk, &data_dir(), "compacted", KEY, log_config())).expect("the disk is fine");
        store.insert(log);
        let random = Random::new(seed);
        let (written, producers, tally) = Default::default();
        World {
            disk,
            store,
            random,
            keys: 25,
            written,
            flushed: 0,
            cleaned_max: 0,
            producers,
            now_ms: 1_000_000,
            tally,
        }
    }

    fn log(&self) -> &Log<TestDisk> {
        self.store.log(KEY).expect("the log is there")
    }

    fn append(&mut self) {
        let count = 1 + self.random.below(6) as i32;
        let base_offset = self.log().log_end();
        let mut builder = BatchBuilder::new();
        for index in 0..i64::from(count) {
            let key = format!("key-{}", self.random.below(self.keys)).into_bytes();
            let value = (self.random.below(5) > 0).then(|| vec![base_offset as u8; self.random.below(300) as usize]);
            let timestamp = self.now_ms - self.random.below(50) as i64;
            builder.append(timestamp, Some(&key), value.as_deref(), &[(b"h", Some(b"v"))]).expect("it is small");
            self.written.push(Written { offset: base_offset + index, timestamp, key, value });
        }
        let compression = Compression::ALL[self.random.below(8).min(4) as usize];
        let mut options = BatchOptions { compression, ..Default::default() };
        let last_offset = base_offset + i64::from(count) - 1;
        if self.random.below(3) == 0 {
            let id = self.random.below(4) as i64;
            let base_sequence = base_offset as i32;
            options = BatchOptions { producer_id: id, producer_epoch: 1, base_sequence, ..options };
            self.producers.insert(id, (base_sequence, last_offset));
        }
        let mut bytes = Vec::new();
        builder.build(&options, &mut bytes).expect("it has a record");
        let max_timestamp = Batch::parse(&bytes).expect("it is whole").header.max_timestamp;
        let batch = AppendBatch {
            bytes: &bytes,
            base_offset,
            leader_epoch: 3,
            last_offset,
            max_timestamp,
            max_timestamp_offset: last_offset,
        };
        self.store.append(KEY, batch, self.now_ms).expect("there is room");
    }

    fn flush(&mut self) {
        while let Some(job) = self.store.poll_journal() {
            self.store.handle_journal(finish(job.perform())).expect("the disk is fine");
        }
        self.flushed = self.log().flushed_end();
    }

    /// Does all background work, a cleaning's up to `polls` steps. False if it was not done with that.
    fn settle(&mut self, polls: usize) -> bool {
        while let Some(job) = self.store.poll_background() {
            let Some(done) = drive(job.perform(), polls) else { return false };
            self.store.handle_background(done).expect("the disk is fine");
        }
        while let Some(event) = self.store.poll_event() {
            if let StoreEvent::Cleaned { stats, error, .. } = event {
                assert!(error.is_none(), "{error:?}");
                self.tally.cleanings += 1;
                self.tally.partial_cleanings += u64::from(stats.is_partial);
                self.tally.bytes_dropped += stats.bytes_before.saturating_sub(stats.bytes_after);
            }
        }
        true
    }

    fn want_cleaning(&mut self) -> bool {
        let visible_end = self.flushed;
        let due = self.store.dirtiest(self.now_ms, |_| visible_end);
        let repeatable = self.producers.iter().map(|(id, (_, last_offset))| (*id, *last_offset)).collect();
        let map_bytes_max = if self.random.below(3) == 0 { SMALL_MAP_BYTES } else { 1 << 20 };
        let input = CleaningInput { now_ms: self.now_ms, visible_end, repeatable, map_bytes_max, secret: 5 };
        if let Some(key) = due {
            self.cleaned_max = visible_end;
            self.store.clean(key, input);
        }
        due.is_some()
    }

    /// Starts anew on what the disk has kept.
    fn restart(&mut self) {
        let (store, report) = open(&self.disk);
        self.store = store;
        self.tally.swaps_completed += report.swaps_completed;
        let end = self.log().log_end();
        assert!(end >= self.flushed, "offset {} was flushed, but the log ends at {end}", self.flushed);
        self.flushed = end;
        self.written.retain(|record| record.offset < end);
        self.producers.retain(|_, (_, last_offset)| *last_offset < end);
    }

    fn read_from(&self, offset: i64, max_bytes: usize) -> Vec<u8> {
        match self.log().read(offset, max_bytes, i64::MAX, true).expect("it is in range") {
            Read::Ready(parts) => parts.concat(),
            Read::Job(job) => finish(job.perform()).expect("the disk is fine").concat(),
        }
    }

    /// Reads all, and compares.
    fn check(&mut self) {
        let (mut found, mut sequences, mut scratch) = (Vec::new(), BTreeMap::new(), Vec::new());
        let mut offset = self.log().log_start();
        while offset < self.log().log_end() {
            let max_bytes = 1 + self.random.below(4000) as usize;
            let bytes = self.read_from(offset, max_bytes);
            for batch in batches(&bytes).map(|batch| batch.expect("it is a batch")) {
                batch.check_crc().expect("it is whole");
                assert!(batch.header.last_offset() >= offset, "a read begins with what was asked for");
                offset = batch.header.last_offset() + 1;
                self.tally.empty_batches += u64::from(batch.header.record_count == 0);
                if batch.header.has_producer_id() {
                    sequences.insert(batch.header.producer_id, (batch.header.base_sequence, offset - 1));
                }
                for record in records(&batch, 1 << 20, &mut scratch).expect("it opens") {
                    let record = record.expect("it is a record");
                    found.push(Written {
                        offset: batch.header.base_offset + i64::from(record.offset_delta),
                        timestamp: batch.header.base_timestamp + record.timestamp_delta,
                        key: record.key.expect("it has a key").to_vec(),
                        value: record.value.map(<[u8]>::to_vec),
                    });
                }
            }
        }
        let last_sequences = |id: &i64| self.producers.get(id).is_none_or(|last| sequences.get(id) == Some(last));
        assert!(self.producers.keys().all(last_sequences), "{:?} of {sequences:?}", self.producers);
        self.check_records(&found);
        self.check_times(&found);
    }

    fn check_records(&mut self, found: &[Written]) {
        let first_dirty = self.log().first_dirty();
        let mut by_offset: BTreeMap<i64, &Written> = found.iter().map(|record| (record.offset, record)).collect();
        assert_eq!(by_offset.len(), found.len());
        assert!(found.is_sorted_by_key(|record| record.offset));
        let newest_below = |end: i64| {
            let below = self.written.iter().filter(move |record| record.offset < end);
            below.map(|record| (&record.key, record.offset)).collect::<BTreeMap<_, _>>()
        };
        // A cleaning that a crash has cut short may have been over more than the log knows.
        let (newest_known, newest_seen) = (newest_below(first_dirty), newest_below(self.cleaned_max));
        let mut gone = 0;
        for record in &self.written {
            let Written { offset, key, .. } = record;
            if let Some(found) = by_offset.remove(offset) {
                assert_eq!(found, record);
                let is_superseded = newest_known.get(key).is_some_and(|newest| newest > offset);
                assert!(!is_superseded, "offset {offset} is superseded, and the log dirty only from {first_dirty} on");
            } else {
                let may_expire = record.value.is_none() && self.now_ms >= record.timestamp + DELETE_RETENTION_MS;
                let is_newest = newest_seen.get(key) == Some(offset);
                let is_beyond = *offset >= self.cleaned_max;
                assert!(
                    !is_beyond && (!is_newest || may_expire),
                    "the newest record of a key is gone, offset {offset}"
                );
                gone += u64::from(is_newest);
            }
        }
        assert!(by_offset.is_empty(), "{by_offset:?} was never written");
        self.tally.tombstones_gone += gone;
    }

    fn check_times(&mut self, found: &[Written]) {
        for _ in 0..5 {
            let time = self.now_ms - self.random.below(600) as i64;
            let lookup = finish(self.log().find_timestamp(time, i64::MAX).perform()).expect("the disk is fine");
            let linear = found.iter().find(|record| record.timestamp >= time);
            assert_eq!(lookup.map(|at| at.offset), linear.map(|record| record.offset), "time {time}");
        }
    }

    /// Begins to read all closed segments, cleans, and finishes to read what was there before.
    fn read_across_a_cleaning(&mut self) {
        let log = self.log();
        let reads: Vec<_> = (log.log_start()..log.log_end())
            .step_by(10)
            .filter_map(|offset| match log.read(offset, 500, i64::MAX, true) {
                Ok(Read::Job(job)) => Some((self.read_from(offset, 500), job)),
                _ => None,
            })
            .collect();
        let before = self.tally.bytes_dropped;
        if self.want_cleaning() {
            assert!(self.settle(usize::MAX));
        }
        if self.tally.bytes_dropped > before {
            self.tally.reads_across_a_swap += reads.len() as u64;
        }
        for (expected, job) in reads {
            assert_eq!(finish(job.perform()).expect("the files are held").concat(), expected);
        }
    }

    fn step(&mut self) {
        self.now_ms += self.random.below(30) as i64;
        match self.random.below(40) {
            0..30 => self.append(),
            30..34 => self.flush(),
            34..36 => assert!(self.settle(usize::MAX)),
            36 => self.read_across_a_cleaning(),
            37 => {
                self.flush();
                self.check();
            }
            38 => {
                let polls = self.random.below(80) as usize;
                if self.want_cleaning() && self.settle(polls) {
                    self.check();
                } else {
                    self.disk.crash();
                    self.restart();
                    self.check();
                }
            }
            _ => {
                self.flush();
                assert!(self.settle(usize::MAX));
                let store = std::mem::replace(&mut self.store, open(&MemoryDisk::new(1, OnePoll)).0);
                finish(store.close()).expect("the disk is fine");
                self.restart();
                self.check();
            }
        }
    }
}

#[test]
fn a_compacted_log_holds_the_newest_record_of_each_key_whatever_happens() {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match number("CRASH_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CRASH_SEEDS").unwrap_or(SEEDS),
    };
    let mut tallies = Vec::new();
    for seed in seeds.clone() {
        println!("CRASH_SEED={seed}");
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        tallies.push(world.tally);
    }
    if seeds.end - seeds.start < SEEDS {
        return;
    }
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    assert!(sum(|tally| tally.cleanings) > 0, "{tallies:?}");
    assert!(sum(|tally| tally.partial_cleanings) > 0, "{tallies:?}");
    assert!(sum(|tally| tally.bytes_dropped) > 0, "{tallies:?}");
    assert!(sum(|tally| tally.swaps_completed as u64) > 0, "no crash came between the decision and its completion");
    assert!(sum(|tally| tally.tombstones_gone) > 0, "{tallies:?}");
    assert!(sum(|tally| tally.empty_batches) > 0, "{tallies:?}");
    assert!(sum(|tally| tally.reads_across_a_swap) > 0, "{tallies:?}");
}

/// A log of some closed segments, opened anew.
fn ready_to_clean() -> World {
    let mut world = World::new(3);
    // Enough to stay that a wrong index would point into it.
    world.keys = 400;
    while world.log().segment_count() < 4 {
        world.append();
        world.flush();
        assert!(world.settle(usize::MAX));
    }
    assert!(world.settle(usize::MAX));
    world.disk.crash();
    world.restart();
    world
}

#[test]
fn a_crash_after_any_step_of_a_cleaning_leaves_all_as_it_was_or_as_it_will_be() {
    let (mut dropped, mut completed) = (0, 0);
    for polls in 0.. {
        let mut world = ready_to_clean();
        assert!(world.want_cleaning());
        let is_done = world.settle(polls);
        world.disk.crash();
        world.restart();
        let files = finish(world.disk.list(world.log().dir())).expect("the disk is fine");
        let is_left = |name: &str| name.ends_with(".cleaned") || name.ends_with(".swap");
        let left: Vec<_> = files.iter().filter(|file| is_left(&file.name)).collect();
        assert!(left.is_empty(), "after {polls} steps {left:?} is left");
        world.check();
        completed += world.tally.swaps_completed;
        dropped += usize::from(world.log().first_dirty() == 0);
        // What was not done is done now.
        while world.want_cleaning() {
            assert!(world.settle(usize::MAX));
        }
        world.check();
        assert!(world.log().first_dirty() > 0);
        if is_done {
            break;
        }
    }
    assert!(dropped > 0 && completed > 0, "{dropped} cleanings dropped, {completed} completed");
}
