//! Tests of a partition's log on a disk in memory, beside a naive model: the batches as they must be stored.

mod filing;
mod opening;
mod reading;
mod removal;
mod rolling;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use wire::batch::{Batch, BatchBuilder, BatchOptions};
use wire::compression::Compression;
use wire::{TopicPartitionId, Uuid};

use super::*;
use crate::append::{AppendBatch, Urgency};
use crate::memory::ChunkSlice;
use crate::memory_disk::{MemoryDisk, NoLatency, Random};
use crate::segment::names::{FileKind, file_name};
use crate::testing::run;

const KEY: TopicPartitionId = TopicPartitionId { topic: Uuid::from_u128(77), partition: 3 };
const DATA_DIR: &str = "/data";
/// What of the wall clock a test's appends see.
const NOW: i64 = 1_700_000_000_000;

/// A batch as it is stored.
#[derive(Clone)]
struct Stored {
    bytes: Vec<u8>,
    base_offset: i64,
    last_offset: i64,
    records: Vec<(i64, i64)>,
    leader_epoch: i32,
    segment_base: i64,
}

/// A log and what must be in it.
struct Tested {
    disk: MemoryDisk,
    log: Log<MemoryDisk>,
    stored: Vec<Stored>,
}

/// Small enough that a few batches fill a segment.
fn small_config() -> LogConfig {
    LogConfig { segment_bytes: 40_000, index_interval_bytes: 1000, ..LogConfig::default() }
}

impl Tested {
    fn new(config: LogConfig) -> Self {
        let disk = MemoryDisk::new(1, NoLatency);
        let log = run(Log::create(&disk, Path::new(DATA_DIR), "topic", KEY, config)).expect("an empty disk takes it");
        Self { disk, log, stored: Vec::new() }
    }

    fn path(&self, base_offset: i64, kind: FileKind) -> PathBuf {
        self.log.dir().join(file_name(base_offset, kind))
    }

    fn file(&self, base_offset: i64, kind: FileKind) -> Option<Vec<u8>> {
        self.disk.contents(&self.path(base_offset, kind))
    }

    /// Appends one batch of records with these timestamps and `value_bytes` of value each, and flushes it.
    fn append(&mut self, timestamps: &[i64], value_bytes: usize, leader_epoch: i32, now_ms: i64) -> Placed {
        self.append_compressed(timestamps, value_bytes, leader_epoch, now_ms, Compression::None)
    }

    fn append_compressed(
        &mut self,
        timestamps: &[i64],
        value_bytes: usize,
        leader_epoch: i32,
        now_ms: i64,
        compression: Compression,
    ) -> Placed {
        let base_offset = self.log.log_end();
        let last_offset = base_offset + timestamps.len() as i64 - 1;
        let value = vec![base_offset as u8; value_bytes];
        let build = |options: &BatchOptions| {
            let mut builder = BatchBuilder::new();
            for timestamp in timestamps {
                builder.append(*timestamp, None, Some(&value), &[]).expect("a small record");
            }
            let mut bytes = Vec::new();
            builder.build(options, &mut bytes).expect("a small batch");
            bytes
        };
        let sent = build(&BatchOptions { compression, ..BatchOptions::default() });
        let bytes = build(&BatchOptions {
            compression,
            base_offset,
            partition_leader_epoch: leader_epoch,
            ..BatchOptions::default()
        });
        let max_timestamp = timestamps.iter().copied().max().expect("a batch has a record");
        let batch = AppendBatch {
            bytes: &sent,
            base_offset,
            leader_epoch,
            last_offset,
            max_timestamp,
            max_timestamp_offset: last_offset,
        };
        let placed = self.log.append(&batch, now_ms);
        let in_tail = self.log.active().tail.slices(placed.position..placed.position + placed.len as u64);
        assert_eq!(bytes_of(&in_tail), bytes, "the tail holds the batch, patched");
        self.log.set_flushed_end(last_offset + 1);
        self.check_counters();
        let records = timestamps.iter().enumerate().map(|(at, time)| (base_offset + at as i64, *time)).collect();
        let segment_base = placed.segment_base;
        self.stored.push(Stored { bytes, base_offset, last_offset, records, leader_epoch, segment_base });
        placed
    }

    /// What is counted along the way is what counting it anew gives.
    fn check_counters(&self) {
        let segments = &self.log.segments;
        assert_eq!(self.log.size_bytes(), segments.iter().map(Segment::size).sum::<u64>());
        assert_eq!(self.log.memory_bytes(), segments.iter().map(|segment| segment.tail.memory_bytes()).sum::<usize>());
        let unfiled = segments.iter().map(|segment| segment.size() - segment.filed_end).sum::<u64>();
        assert_eq!(self.log.unfiled_bytes(), unfiled);
    }

    /// Appends a batch of random size, time and epoch.
    fn append_random(&mut self, random: &mut Random) {
        let count = 1 + random.below(5) as usize;
        let timestamps: Vec<i64> = (0..count).map(|_| NOW + random.below(2000) as i64 + self.log.log_end()).collect();
        let value_bytes = if random.chance(10) { random.below(9000) } else { random.below(300) } as usize;
        let leader_epoch = self.log.leader_epochs().latest().map_or(0, |latest| latest.epoch);
        let leader_epoch = leader_epoch + i32::from(random.chance(5));
        let compression = if random.chance(20) { Compression::Lz4 } else { Compression::None };
        self.append_compressed(&timestamps, value_bytes, leader_epoch, NOW, compression);
    }

    /// Files all that is worth it.
    fn file_all(&mut self, urgency: Urgency) {
        while let Some(job) = self.log.poll_filing(urgency) {
            let done = run(job.perform());
            self.log.handle_filed(done).expect("the disk takes it");
        }
    }

    /// Syncs, and notes a checkpoint there.
    fn checkpoint(&mut self) {
        let synced = run(self.log.sync_plan().perform()).expect("the disk syncs");
        self.log.handle_synced(&synced);
        self.log.set_checkpointed(synced.mark);
    }

    /// Closes the log and opens it again.
    fn reopen(self, trusted: Trusted) -> Self {
        let Self { disk, log, stored } = self;
        let config = log.config().clone();
        run(log.close()).expect("the disk takes it");
        Self { log: open(&disk, config, trusted).expect("a closed log opens"), disk, stored }
    }

    fn read(&self, offset: i64, max_bytes: usize, end_offset: i64, at_least_one: bool) -> Vec<u8> {
        match self.log.read(offset, max_bytes, end_offset, at_least_one).expect("in range") {
            Read::Ready(parts) => parts.concat(),
            Read::Job(job) => run(job.perform()).expect("the disk reads").concat(),
        }
    }

    /// What [`Tested::read`] must give, by going through all batches.
    fn model_read(&self, offset: i64, max_bytes: usize, end_offset: i64, at_least_one: bool) -> Vec<u8> {
        let mut read = Vec::new();
        let mut segment = None;
        for batch in self.stored.iter().filter(|batch| batch.last_offset >= offset && batch.base_offset < end_offset) {
            let fits = read.len() + batch.bytes.len() <= max_bytes || (read.is_empty() && at_least_one);
            if !fits || *segment.get_or_insert(batch.segment_base) != batch.segment_base {
                break;
            }
            read.extend_from_slice(&batch.bytes);
        }
        read
    }

    /// All of the log, read from its start on.
    fn read_all(&self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut offset = self.log.log_start();
        while offset < self.log.log_end() {
            let part = Bytes::from(self.read(offset, 5000, i64::MAX, true));
            for batch in wire::batch::batches(&part) {
                offset = batch.expect("whole batches").header.last_offset() + 1;
            }
            all.extend_from_slice(&part);
        }
        all
    }

    fn stored_bytes(&self, segment_base: i64) -> Vec<u8> {
        let batches = self.stored.iter().filter(|batch| batch.segment_base == segment_base);
        batches.flat_map(|batch| batch.bytes.iter().copied()).collect()
    }

    fn segment_bases(&self) -> Vec<i64> {
        let mut bases: Vec<i64> = self.stored.iter().map(|batch| batch.segment_base).collect();
        bases.dedup();
        bases
    }
}

fn open(disk: &MemoryDisk, config: LogConfig, trusted: Trusted) -> Result<Log<MemoryDisk>, crate::error::EngineError> {
    run(Log::open(disk, Path::new(DATA_DIR), "topic", KEY, config, trusted))
}

/// Nothing moved and every segment was closed.
const ALL_CLOSED: Trusted = Trusted { log_start: 0, unclosed_from: i64::MAX };
/// Nothing moved, and no segment is known to have been closed.
const NONE_CLOSED: Trusted = Trusted { log_start: 0, unclosed_from: 0 };

/// The seed of a random test, printed so that a failure can be run again with `SEED`.
fn seed() -> u64 {
    let seed = match std::env::var("SEED") {
        Ok(seed) => seed.parse().expect("SEED is a number"),
        Err(_) => std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_nanos() as u64),
    };
    println!("SEED={seed}");
    seed
}

fn bytes_of(slices: &[ChunkSlice]) -> Vec<u8> {
    slices.iter().flat_map(|slice| slice.to_vec()).collect()
}

fn header_of(bytes: &[u8]) -> wire::batch::BatchHeader {
    Batch::parse(bytes).expect("a whole batch").header
}
