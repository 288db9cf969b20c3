//! A core's store is driven at random and crashed at random, in the middle of whatever is under way; then it is
//! recovered, sometimes crashed while that is going on, and compared with what had been appended and acknowledged.
//!
//! `CRASH_SEED=n` runs one seed; `CRASH_SEEDS=n` runs so many.

mod support;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use engine::append::AppendBatch;
use engine::disk::Disk;
use engine::journal::writer::JournalDone;
use engine::log::{Log, LogConfig, Read};
use engine::memory_disk::{MemoryDisk, OnePoll, Random};
use engine::recovery::{Recovery, recover};
use engine::segment::names::{FileKind, parse_file_name};
use engine::store::{AppendError, BackgroundDone, Store, StoreConfig, StoreEvent};
use wire::batch::{Batch, BatchBuilder, BatchHeader, BatchOptions, batches};
use wire::records::producer::ProducerEntry;
use wire::{TopicPartitionId, Uuid};

use support::data_dir;

const STEPS: usize = 1500;
const SEEDS: u64 = 60;
const PRODUCERS: i64 = 200;

type TestDisk = MemoryDisk<OnePoll>;

enum Done {
    Journal(JournalDone),
    Background(BackgroundDone<TestDisk>),
}

type Job = Pin<Box<dyn Future<Output = Done>>>;

/// What one log must hold.
#[derive(Default)]
struct Model {
    name: String,
    /// Base offset and bytes, as stored, of every batch that was appended.
    issued: Vec<(i64, Vec<u8>)>,
    end: i64,
    flushed: i64,
    log_start_durable: i64,
    log_start_asked: i64,
    /// Its deletion was begun: it may be gone.
    deleted: bool,
    /// What each batch tells of its producer, in the order of their offsets.
    sequenced: Vec<ProducerEntry>,
}

impl Model {
    /// The last batch below `end_offset` of each producer.
    fn producers(&self, end_offset: i64) -> BTreeMap<i64, ProducerEntry> {
        let below = self.sequenced.iter().filter(|entry| entry.last_offset < end_offset);
        below.map(|entry| (entry.producer_id, *entry)).collect()
    }

    fn snapshot(&self) -> Vec<ProducerEntry> {
        self.producers(self.flushed).into_values().collect()
    }
}

/// What has happened, over all seeds: a test in which something of this never happens shows nothing.
#[derive(Default, Debug)]
struct Tally {
    crashes: Cell<u64>,
    crashes_in_recovery: Cell<u64>,
    clean_stops: Cell<u64>,
    batches_checked: Cell<u64>,
    torn_groups: Cell<u64>,
    bytes_rewritten: Cell<u64>,
    starts_with_removed_segments: Cell<u64>,
    producers_without_batches: Cell<u64>,
    reads_from_files: Cell<u64>,
    refused_when_full: Cell<u64>,
    times_space_came_back: Cell<u64>,
}

fn add(cell: &Cell<u64>, value: u64) {
    cell.set(cell.get() + value);
}

struct World<'a> {
    disk: TestDisk,
    random: Random,
    models: BTreeMap<TopicPartitionId, Model>,
    created: u64,
    leader_epoch: i32,
    now_ms: i64,
    tally: &'a Tally,
}

fn config(salt: u64) -> StoreConfig {
    StoreConfig { salt, reserve_bytes: 16 << 10, ..support::config() }
}

fn log_config() -> LogConfig {
    LogConfig { segment_bytes: 48 << 10, retention_bytes: Some(200 << 10), ..LogConfig::default() }
}

/// Polls to the end; with `crashes_per_thousand` polls it gives up in the middle.
fn drive<F: Future>(future: F, random: &mut Random, crashes_per_thousand: u64) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        if random.below(1000) < crashes_per_thousand {
            return None;
        }
    }
}

/// Polls to the end.
fn finish<F: Future>(future: F) -> F::Output {
    drive(future, &mut Random::new(0), 0).expect("no crash was asked for")
}

impl World<'_> {
    fn new(seed: u64, tally: &Tally) -> World<'_> {
        let mut random = Random::new(seed);
        let disk = MemoryDisk::new(random.draw(), OnePoll);
        disk.set_unreadable_percent(30);
        finish(async {
            disk.create_dir(&data_dir()).await.expect("the disk is fine");
            disk.sync_dir(Path::new("/")).await.expect("the disk is fine");
        });
        World { disk, random, models: BTreeMap::new(), created: 0, leader_epoch: 0, now_ms: 0, tally }
    }

    /// Recovers, crashing on the way now and then; then checks that everything is as it must be.
    fn recovered(&mut self) -> Recovery {
        let data_dir = data_dir();
        let journal_dir = data_dir.join("journal");
        loop {
            let crashes = if self.random.chance(40) { 15 } else { 0 };
            let Some(recovery) = drive(recover(&self.disk, &data_dir, &journal_dir), &mut self.random, crashes) else {
                add(&self.tally.crashes_in_recovery, 1);
                self.disk.crash();
                continue;
            };
            let recovery = recovery.unwrap_or_else(|error| panic!("recovery refuses: {error}"));
            add(&self.tally.torn_groups, recovery.report.torn.len() as u64);
            add(&self.tally.bytes_rewritten, recovery.report.bytes_written);
            self.check(&recovery);
            let again = finish(recover(&self.disk, &data_dir, &journal_dir)).expect("a recovered folder recovers");
            assert_eq!(again.report.bytes_written, 0, "a second recovery has nothing to write");
            let ends = |recovery: &Recovery| -> Vec<_> {
                recovery.logs.iter().map(|log| (log.key, log.end, log.trusted.log_start)).collect()
            };
            assert_eq!(ends(&again), ends(&recovery));
            return again;
        }
    }

    fn check(&mut self, recovery: &Recovery) {
        let found: BTreeMap<_, _> = recovery.logs.iter().map(|log| (log.key, log)).collect();
        self.models.retain(|key, model| found.contains_key(key) || !model.deleted);
        for (key, model) in &mut self.models {
            let log = found.get(key).unwrap_or_else(|| panic!("{} is gone", model.name));
            model.deleted = false;
            let end = log.end.offset;
            assert!(end >= model.flushed, "{}: acknowledged to {}, found to {end}", model.name, model.flushed);
            assert!(end <= model.end, "{}: appended to {}, found to {end}", model.name, model.end);
            let log_start = log.trusted.log_start;
            assert!((model.log_start_durable..=model.log_start_asked).contains(&log_start), "{}", model.name);
            model.issued.retain(|(base, _)| *base < end);
            model.sequenced.retain(|entry| entry.last_offset < end);
            model.end = end;
            model.flushed = end;
            model.log_start_durable = log_start;
            model.log_start_asked = log_start;
            let mut segments: Vec<(i64, Vec<u8>)> = Vec::new();
            for entry in finish(self.disk.list(&log.dir)).expect("the folder is there") {
                if let Some((base, FileKind::Log)) = parse_file_name(&entry.name) {
                    segments.push((base, self.disk.contents(&log.dir.join(&entry.name)).expect("it is readable")));
                }
            }
            let first = segments.first().map_or(end, |(base, _)| *base);
            assert!(first <= log_start, "{}: begins at {first}, not {log_start}", model.name);
            add(&self.tally.starts_with_removed_segments, u64::from(first > 0 && first < end));
            let stored: Vec<u8> = segments.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
            let kept = model.issued.iter().filter(|(base, _)| *base >= first);
            let expected: Vec<u8> = kept.clone().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
            assert!(stored == expected, "{}: bytes differ from offset {first} on", model.name);
            add(&self.tally.batches_checked, kept.count() as u64);
        }
    }

    /// What every producer has written last is known, be its records deleted or not.
    async fn check_producers(&self, log: &mut Log<TestDisk>) {
        let Some(model) = self.models.get(&log.key()) else { return };
        let snapshot = log.producer_snapshot().map_or(&[][..], |(_, entries)| entries);
        let mut found: BTreeMap<i64, ProducerEntry> =
            snapshot.iter().map(|entry| (entry.producer_id, *entry)).collect();
        let mut offset = log.producers_from();
        while offset < log.log_end() {
            let bytes = match log.read_left(offset, 1 << 20).expect("it is in range") {
                Read::Ready(read) => read.concat(),
                Read::Job(job) => job.perform().await.expect("the file is well").concat(),
            };
            for batch in batches(&bytes) {
                let header = batch.expect("it is whole").header;
                offset = header.last_offset() + 1;
                if header.has_producer_id() {
                    found.insert(header.producer_id, producer_entry(&header));
                }
            }
        }
        let expected = model.producers(model.end);
        assert_eq!(found, expected, "{}: producers, from offset {} on", model.name, log.producers_from());
        let without = expected.values().filter(|entry| log.read_left(entry.last_offset, 1).is_err()).count();
        add(&self.tally.producers_without_batches, without as u64);
        if log.wants_producer_snapshot() {
            log.set_producer_snapshot(model.end, expected.into_values().collect());
        }
    }

    /// One start: recovery, some work, and its end by a crash or a clean stop.
    fn life(&mut self, steps: usize) {
        let recovery = self.recovered();
        self.leader_epoch += 1;
        let salt = self.random.draw();
        let store = finish(async {
            let mut logs = Vec::new();
            for log in &recovery.logs {
                let mut log =
                    Log::open(&self.disk, &data_dir(), &log.topic, log.key, log_config(), log.trusted).await?;
                self.check_producers(&mut log).await;
                logs.push(log);
            }
            Store::open(self.disk.clone(), config(salt), 0, logs).await
        });
        let mut store = store.expect("the disk is fine");
        let mut jobs: Vec<Job> = Vec::new();
        let alive = (0..steps).all(|_| self.step(&mut store, &mut jobs));
        self.disk.set_capacity(u64::MAX);
        if alive && self.random.chance(25) {
            while !jobs.is_empty() {
                self.poll_one(&mut store, &mut jobs);
            }
            for (key, model) in &self.models {
                store.set_producer_snapshot(*key, model.flushed, model.snapshot());
            }
            finish(store.close()).expect("the disk is fine");
            for model in self.models.values_mut() {
                model.flushed = model.end;
                model.log_start_durable = model.log_start_asked;
            }
            add(&self.tally.clean_stops, 1);
        } else {
            add(&self.tally.crashes, 1);
        }
        drop(jobs);
        self.disk.crash();
    }

    /// False when it has to end in a crash.
    fn step(&mut self, store: &mut Store<TestDisk>, jobs: &mut Vec<Job>) -> bool {
        match self.random.below(1000) {
            0..450 => self.append(store),
            450..560 => {
                if let Some(job) = store.poll_journal() {
                    jobs.push(Box::pin(async move { Done::Journal(job.perform().await) }));
                }
            }
            560..680 => {
                if let Some(job) = store.poll_background() {
                    jobs.push(Box::pin(async move { Done::Background(job.perform().await) }));
                }
            }
            680..980 => self.poll_one(store, jobs),
            980..984 => return self.create(store),
            984..990 => self.delete_records(store),
            990..997 => {
                store.retain(0);
                for log in store.logs() {
                    if let Some(model) = self.models.get_mut(&log.key()) {
                        model.log_start_asked = log.log_start();
                    }
                }
            }
            997 => return self.delete(store, jobs),
            998 => self.disk.set_capacity(self.disk.used() + self.random.below(100 << 10)),
            _ => self.disk.set_capacity(u64::MAX),
        }
        true
    }

    fn poll_one(&mut self, store: &mut Store<TestDisk>, jobs: &mut Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let index = self.random.below(jobs.len() as u64) as usize;
        let Poll::Ready(done) = jobs[index].as_mut().poll(&mut Context::from_waker(Waker::noop())) else { return };
        drop(jobs.swap_remove(index));
        match done {
            Done::Journal(done) => store.handle_journal(done).expect("the disk is fine"),
            Done::Background(done) => store.handle_background(done).expect("the disk is fine"),
        }
        while let Some(event) = store.poll_event() {
            match event {
                StoreEvent::Flushed { key, end_offset } => {
                    let Some(model) = self.models.get_mut(&key) else { continue };
                    assert!(end_offset > model.flushed, "flushed ends rise");
                    model.flushed = end_offset;
                }
                StoreEvent::LogStartMoved { key, log_start } => {
                    let Some(model) = self.models.get_mut(&key) else { continue };
                    model.log_start_durable = model.log_start_durable.max(log_start);
                    if store.log(key).is_some_and(Log::wants_producer_snapshot) {
                        store.set_producer_snapshot(key, model.flushed, model.snapshot());
                    }
                }
                StoreEvent::Full => {}
                StoreEvent::SpaceBack => add(&self.tally.times_space_came_back, 1),
                other => panic!("{other:?}"),
            }
        }
    }

    fn append(&mut self, store: &mut Store<TestDisk>) {
        let alive: Vec<_> = self.models.iter().filter(|(_, model)| !model.deleted).map(|(key, _)| *key).collect();
        if alive.is_empty() {
            return;
        }
        // A few logs get most.
        let index = self.random.below(alive.len() as u64).min(self.random.below(alive.len() as u64));
        let key = alive[index as usize];
        let records = 1 + self.random.below(3);
        let size = if self.random.chance(90) { self.random.below(600) } else { self.random.below(9000) };
        let mut builder = BatchBuilder::new();
        for _ in 0..records {
            let value = self.random.bytes((size / records) as usize);
            builder.append(1000, None, Some(&value), &[]).expect("it is small");
        }
        let mut bytes = Vec::new();
        let model = self.models.get_mut(&key).expect("it is alive");
        let base_offset = model.end;
        // Few batches are of a producer, so that some producers have none left when segments go.
        let producer_id = self.random.below(1000) as i64;
        let producer_id = if producer_id < PRODUCERS { producer_id } else { -1 };
        let base_sequence = if producer_id < 0 { -1 } else { base_offset as i32 };
        let options = BatchOptions { producer_id, producer_epoch: 0, base_sequence, ..BatchOptions::default() };
        builder.build(&options, &mut bytes).expect("it has records");
        let batch = AppendBatch {
            bytes: &bytes,
            base_offset,
            leader_epoch: self.leader_epoch,
            last_offset: base_offset + records as i64 - 1,
            max_timestamp: 1000,
            max_timestamp_offset: base_offset,
        };
        self.now_ms += 100;
        let segments = |store: &Store<TestDisk>| store.log(key).map(Log::segment_count);
        let segments_before = segments(store);
        match store.append(key, batch, self.now_ms) {
            Ok(appended) => {
                assert_eq!(appended.end_offset, batch.last_offset + 1);
                let (first, rest) = batch.patched();
                let stored = [&first, rest].concat();
                if producer_id >= 0 {
                    let header = Batch::parse(&stored).expect("it is whole").header;
                    model.sequenced.push(producer_entry(&header));
                }
                model.issued.push((base_offset, stored));
                model.end = appended.end_offset;
                if segments(store) != segments_before {
                    store.set_producer_snapshot(key, model.flushed, model.snapshot());
                }
            }
            Err(AppendError::Busy) => {}
            Err(AppendError::Full) => add(&self.tally.refused_when_full, 1),
            Err(error) => panic!("{error}"),
        }
        self.read_back(store, key);
    }

    /// What was appended is read from memory, or from the file, as it was given.
    fn read_back(&mut self, store: &Store<TestDisk>, key: TopicPartitionId) {
        let model = &self.models[&key];
        let from = model.issued.partition_point(|(base, _)| *base < model.log_start_asked);
        let readable = &model.issued[from..];
        if readable.is_empty() || !self.random.chance(10) {
            return;
        }
        let (offset, expected) = &readable[self.random.below(readable.len() as u64) as usize];
        let read = store.log(key).expect("the log is here").read(*offset, 1, model.end, true).expect("it is in range");
        let read = match read {
            Read::Ready(read) => read,
            Read::Job(job) => {
                add(&self.tally.reads_from_files, 1);
                finish(job.perform()).expect("the file is well")
            }
        };
        assert!(read.concat() == *expected, "{} at {offset}", model.name);
    }

    fn create(&mut self, store: &mut Store<TestDisk>) -> bool {
        if self.models.len() >= 5 {
            return true;
        }
        self.created += 1;
        let key = TopicPartitionId { topic: Uuid::from_u128(u128::from(self.created) + 100), partition: 0 };
        let name = format!("topic{}", self.created);
        let data_dir = data_dir();
        let creating = Log::create(&self.disk, &data_dir, &name, key, log_config());
        let Some(log) = drive(creating, &mut self.random, 20) else { return false };
        match log {
            Err(error) if error.is_full() => return true,
            log => store.insert(log.expect("the disk is fine")),
        }
        self.models.insert(key, Model { name, ..Model::default() });
        true
    }

    fn delete(&mut self, store: &mut Store<TestDisk>, jobs: &mut Vec<Job>) -> bool {
        while !jobs.is_empty() {
            self.poll_one(store, jobs);
        }
        let Some((key, model)) = self.models.iter_mut().find(|(_, model)| !model.deleted) else { return true };
        let key = *key;
        model.deleted = true;
        let log = store.remove(key).expect("the log is here");
        // The store goes on meanwhile, and perhaps it ends here: the log still has its name.
        for _ in 0..self.random.below(100) {
            if let Some(job) = store.poll_background() {
                jobs.push(Box::pin(async move { Done::Background(job.perform().await) }));
            }
            self.poll_one(store, jobs);
        }
        if self.random.chance(25) {
            return false;
        }
        let unique = u128::from(self.random.draw());
        let Some(deleted) = drive(log.delete(unique), &mut self.random, 100) else { return false };
        deleted.expect("the disk is fine");
        store.removed();
        true
    }

    fn delete_records(&mut self, store: &mut Store<TestDisk>) {
        let Some((key, model)) = self.models.iter_mut().filter(|(_, model)| !model.deleted).last() else { return };
        let span = (model.flushed - model.log_start_asked).max(1) as u64;
        let offset = model.log_start_asked + self.random.below(span) as i64;
        if store.delete_records(*key, offset).is_ok() {
            model.log_start_asked = model.log_start_asked.max(offset);
        }
    }
}

fn producer_entry(header: &BatchHeader) -> ProducerEntry {
    ProducerEntry {
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        last_sequence: header.base_sequence + header.last_offset_delta,
        last_offset: header.last_offset(),
        offset_delta: header.last_offset_delta,
        timestamp: header.max_timestamp,
        coordinator_epoch: -1,
        current_txn_first_offset: -1,
    }
}

fn run_seed(seed: u64, tally: &Tally) {
    println!("seed {seed}");
    let mut world = World::new(seed, tally);
    let mut steps = STEPS;
    while steps > 0 {
        let some = 1 + world.random.below(600) as usize;
        world.life(some);
        steps = steps.saturating_sub(some);
    }
    world.recovered();
}

#[test]
fn whatever_was_acknowledged_survives_crashes_at_any_moment() {
    let number = |variable: &str| std::env::var(variable).ok().and_then(|number| number.parse().ok());
    let tally = Tally::default();
    if let Some(seed) = number("CRASH_SEED") {
        return run_seed(seed, &tally);
    }
    for seed in 0..number("CRASH_SEEDS").unwrap_or(SEEDS) {
        run_seed(seed, &tally);
    }
    println!("{tally:?}");
    let Tally { crashes, crashes_in_recovery, clean_stops, .. } = &tally;
    let Tally { batches_checked, torn_groups, bytes_rewritten, .. } = &tally;
    let Tally { starts_with_removed_segments, producers_without_batches, reads_from_files, .. } = &tally;
    let Tally { refused_when_full, times_space_came_back, .. } = &tally;
    let all = [crashes, crashes_in_recovery, clean_stops, batches_checked, torn_groups, bytes_rewritten];
    let more = [
        starts_with_removed_segments,
        producers_without_batches,
        reads_from_files,
        refused_when_full,
        times_space_came_back,
    ];
    let happened = all.into_iter().chain(more).all(|cell| cell.get() > 0);
    assert!(happened, "the test is not valid: {tally:?}");
}
