//! One core's store on a disk in memory, driven to rest after each step.
#![allow(dead_code, reason = "each test file uses its part")]

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use engine::append::AppendBatch;
use engine::disk::Disk;
use engine::journal::writer::JournalConfig;
use engine::log::{Log, LogConfig};
use engine::memory_disk::{MemoryDisk, NoLatency};
use engine::recovery::{Recovery, RecoveryError, recover};
use engine::store::{AppendError, Appended, Fatal, Store, StoreConfig, StoreEvent};
use wire::batch::{BatchBuilder, BatchOptions};
use wire::{TopicPartitionId, Uuid};

pub const SALT: u64 = 0x5eed;

/// The future's output; nothing in a `MemoryDisk` without latency waits.
pub fn run<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing would wake it"),
    }
}

pub fn data_dir() -> PathBuf {
    PathBuf::from("/data")
}

pub fn config() -> StoreConfig {
    let journal = JournalConfig {
        first_file_bytes: 64 << 10,
        file_bytes_max: 128 << 10,
        total_bytes_max: 448 << 10,
        group_bytes: 32 << 10,
    };
    StoreConfig {
        journal,
        batch_bytes_max: 48 << 10,
        memory_bytes_max: 512 << 10,
        reserve_bytes: 64 << 10,
        jobs_max: 3,
        ..StoreConfig::new(data_dir(), SALT)
    }
}

pub fn log_config() -> LogConfig {
    LogConfig { segment_bytes: 48 << 10, retention_bytes: Some(100 << 10), ..LogConfig::default() }
}

pub fn key(number: u128) -> TopicPartitionId {
    TopicPartitionId { topic: Uuid::from_u128(number + 100), partition: 0 }
}

/// A batch of one record with a value of `len` bytes, as producers send it.
pub fn batch(len: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    builder.append(1000, None, Some(&vec![len as u8; len]), &[]).expect("it is small");
    let mut bytes = Vec::new();
    builder.build(&BatchOptions::default(), &mut bytes).expect("it has a record");
    bytes
}

pub struct Core {
    pub disk: MemoryDisk,
    pub store: Store<MemoryDisk>,
    pub events: Vec<StoreEvent>,
    pub now_ms: i64,
}

/// A disk with a synced data folder.
pub fn disk(seed: u64) -> MemoryDisk {
    let disk = MemoryDisk::new(seed, NoLatency);
    run(disk.create_dir(&data_dir())).expect("the disk is fine");
    run(disk.sync_dir(Path::new("/"))).expect("the disk is fine");
    disk
}

pub fn recovered(disk: &MemoryDisk) -> Result<Recovery, RecoveryError> {
    run(recover(disk, &data_dir(), &data_dir().join("journal")))
}

impl Core {
    /// Recovers and starts core `core`.
    pub fn start(disk: &MemoryDisk, core: u16) -> Core {
        let recovery = recovered(disk).unwrap_or_else(|error| panic!("{error}"));
        let logs = recovery.logs.iter().map(|log| {
            let data_dir = data_dir();
            let opening = Log::open(disk, &data_dir, &log.topic, log.key, log_config(), log.trusted);
            let mut log = run(opening).expect("it is recovered");
            if log.wants_producer_snapshot() {
                log.set_producer_snapshot(log.log_end(), Vec::new());
            }
            log
        });
        let store = run(Store::open(disk.clone(), config(), core, logs.collect())).expect("the disk is fine");
        Core { disk: disk.clone(), store, events: Vec::new(), now_ms: 0 }
    }

    /// Starts another core of the same broker, without logs.
    pub fn start_another(disk: &MemoryDisk, core: u16) -> Core {
        let store = run(Store::open(disk.clone(), config(), core, Vec::new())).expect("the disk is fine");
        Core { disk: disk.clone(), store, events: Vec::new(), now_ms: 0 }
    }

    pub fn create(&mut self, number: u128) {
        let name = format!("topic{number}");
        let log = run(Log::create(&self.disk, &data_dir(), &name, key(number), log_config()));
        self.store.insert(log.expect("the disk is fine"));
    }

    pub fn append(&mut self, number: u128, len: usize) -> Result<Appended, AppendError> {
        let base_offset = self.store.log(key(number)).expect("the log is here").log_end();
        let bytes = batch(len);
        let batch = AppendBatch {
            bytes: &bytes,
            base_offset,
            leader_epoch: 3,
            last_offset: base_offset,
            max_timestamp: 1000,
            max_timestamp_offset: base_offset,
        };
        self.now_ms += 1000;
        self.store.append(key(number), batch, self.now_ms)
    }

    /// Writes the open group.
    pub fn flush(&mut self) -> Result<(), Fatal> {
        while let Some(job) = self.store.poll_journal() {
            self.store.handle_journal(run(job.perform()))?;
        }
        self.take_events();
        Ok(())
    }

    /// Does all background work there is.
    pub fn settle(&mut self) -> Result<(), Fatal> {
        self.take_events();
        let mut jobs = 0;
        while let Some(job) = self.store.poll_background() {
            self.store.handle_background(run(job.perform()))?;
            jobs += 1;
            assert!(jobs < 10_000, "background work comes to an end");
        }
        self.take_events();
        Ok(())
    }

    /// Appends, and makes it durable.
    pub fn append_durably(&mut self, number: u128, len: usize) -> i64 {
        let appended = self.append(number, len).expect("there is room");
        self.flush().expect("the disk is fine");
        appended.end_offset
    }

    fn take_events(&mut self) {
        while let Some(event) = self.store.poll_event() {
            // There are no producers, but somebody has to say so before segments go.
            if let StoreEvent::LogStartMoved { key, .. } = event
                && let Some(log) = self.store.log(key)
                && log.wants_producer_snapshot()
            {
                self.store.set_producer_snapshot(key, log.flushed_end(), Vec::new());
            }
            self.events.push(event);
        }
    }
}

/// Three groups of one batch each, of one block, two and one, none of it filed; then the power goes.
pub fn crashed() -> MemoryDisk {
    let disk = disk(1);
    let mut core = Core::start(&disk, 0);
    core.create(1);
    for len in [100, 5000, 100] {
        core.append_durably(1, len);
    }
    disk.crash();
    disk
}

/// Twelve batches that were cleanly closed, and two more in the journal; then the power goes.
pub fn checkpointed() -> MemoryDisk {
    let disk = disk(2);
    let mut core = Core::start(&disk, 0);
    core.create(1);
    for _ in 0..12 {
        core.append_durably(1, 3000);
    }
    run(core.store.close()).expect("the disk is fine");
    let mut core = Core::start(&disk, 0);
    core.append_durably(1, 3000);
    core.append_durably(1, 3000);
    disk.crash();
    disk
}
