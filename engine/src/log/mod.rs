//! One partition's log: its segments, its newest bytes in memory, and where it begins and ends.
//!
//! The driving contract: everything but [`Log::create`], [`Log::open`], [`Log::close`] and [`Log::delete`] is a
//! synchronous transition. What has to be done on the disk comes out of a `poll_*` or `read*` method as a job that owns
//! what it needs; its owner awaits `perform` and hands the outcome back with the `handle_*` method of the same name.
//! At most one filing is in flight; reads, syncs and removals may run beside it.
//!
//! Appended bytes are in memory only: whoever appends journals the same bytes (`AppendBatch::patched`) before it
//! acknowledges them. Filing (`filing.rs`) moves them to the segment's file without making them durable; a sync plan
//! does that, and says up to where.
//!
//! Invariants: there is always an active segment, the last one; segments before it are closing or closed and never
//! change, though compaction replaces closed ones; offsets rise; `log_start` ≤ `log_end`.

mod append;
mod cleaning;
mod filing;
mod lifecycle;
mod read;
mod removal;
mod segment;
mod snapshots;
mod sync;
mod timestamps;

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;

use wire::TopicPartitionId;
use wire::records::producer::ProducerEntry;

use crate::append::Mark;
use crate::disk::Disk;
use crate::leader_epochs::LeaderEpochs;
use crate::segment::SegmentFiles;
use crate::tail::ChunkPool;

pub use append::Placed;
pub use cleaning::{CompactionConfig, Dirtiness};
pub use filing::{FILING_BYTES_MIN, FilingDone, FilingJob};
pub use lifecycle::{Retired, Trusted};
pub use read::{Read, ReadError, ReadJob};
pub use removal::RemovalJob;
use segment::{Segment, Stage};
use snapshots::Snapshots;
pub use snapshots::{SnapshotDone, SnapshotJob};
pub use sync::{SyncPlan, Synced};
pub use timestamps::{FoundTimestamp, Lookup};

/// Closed segments of a log whose file and indexes stay open after use: those of a few readers of old data.
const RESIDENT_SEGMENTS_MAX: usize = 4;
/// Bytes of a segment at most: positions are 31 bits in Kafka's formats.
pub(crate) const SEGMENT_BYTES_LIMIT: u64 = i32::MAX as u64;

/// A topic's settings, as far as its logs care. The names are Kafka's.
#[derive(Debug, Clone, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment is rolled before it would exceed this (± 5 %).
    pub segment_bytes: u64,
    /// `segment.ms`: a segment is rolled when its records span more time, in ms.
    pub segment_ms: i64,
    /// `segment.index.bytes`: a segment is rolled when an index of its reaches this size.
    pub segment_index_bytes: u64,
    /// `index.interval.bytes`: distance of index entries.
    pub index_interval_bytes: u64,
    /// `retention.bytes`; `None` for Kafka's -1.
    pub retention_bytes: Option<u64>,
    /// `retention.ms`; `None` for Kafka's -1.
    pub retention_ms: Option<i64>,
    /// Whether `cleanup.policy` has `delete`: without it retention lets nothing go.
    pub cleanup_delete: bool,
    /// How the log is compacted, if `cleanup.policy` has `compact`.
    pub compaction: Option<CompactionConfig>,
}

impl Default for LogConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 60 * 60 * 1000,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_bytes: None,
            retention_ms: Some(7 * 24 * 60 * 60 * 1000),
            cleanup_delete: true,
            compaction: None,
        }
    }
}

/// Producer state as of an offset.
pub type ProducerSnapshot = (i64, Vec<ProducerEntry>);

/// See the module.
pub struct Log<D: Disk> {
    disk: D,
    dir: Rc<Path>,
    topic: String,
    key: TopicPartitionId,
    config: LogConfig,
    segments: VecDeque<Segment<D>>,
    /// Segments that are gone for readers and wait for their removal.
    doomed: VecDeque<Rc<SegmentFiles<D>>>,
    size_bytes: u64,
    memory_bytes: usize,
    pool: ChunkPool,
    log_start: i64,
    flushed_end: i64,
    epochs: LeaderEpochs,
    snapshots: Snapshots,
    filing_in_flight: bool,
    /// Counts completed filings, so that a sync knows which it covers.
    filings: u64,
    /// Segments with a base offset below this lie wholly below the last checkpoint.
    checkpointed_base: i64,
    /// What compaction has been over ends here, or at the log's start if that is later.
    first_dirty: i64,
    /// Stops the cleaning that is under way: until it ends, closed segments stay.
    cleaning: Option<Rc<Cell<bool>>>,
    /// A cleaning has failed in a way that another one would.
    uncleanable: bool,
    /// Closed segments used last; the oldest lose their open file and indexes.
    resident: RefCell<VecDeque<Rc<SegmentFiles<D>>>>,
}

impl<D: Disk> Log<D> {
    /// Which partition it is.
    pub fn key(&self) -> TopicPartitionId {
        self.key
    }

    /// The topic's name.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The topic's settings.
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Changes the settings; a smaller segment size takes effect with the next append.
    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// The first offset that may be read.
    pub fn log_start(&self) -> i64 {
        self.log_start
    }

    /// The offset that the next record gets.
    pub fn log_end(&self) -> i64 {
        self.active().end_offset
    }

    /// One past the last offset that is on stable storage.
    pub fn flushed_end(&self) -> i64 {
        self.flushed_end
    }

    /// Notes that everything below `offset` is on stable storage. It never goes back.
    pub fn set_flushed_end(&mut self, offset: i64) {
        assert!(offset <= self.log_end());
        self.flushed_end = self.flushed_end.max(offset);
    }

    /// Bytes of all segments that readers can see.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// How many segments readers can see.
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// Which leader wrote from where on.
    pub fn leader_epochs(&self) -> &LeaderEpochs {
        &self.epochs
    }

    /// The largest epoch at or below `leader_epoch`, and where it ended; see [`LeaderEpochs::end_offset_for`].
    pub fn end_offset_for_epoch(&self, leader_epoch: i32) -> (i32, i64) {
        self.epochs.end_offset_for(leader_epoch, self.log_end())
    }

    /// Bytes of memory that the tails hold.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Bytes that are in memory only, of the files' point of view.
    pub fn unfiled_bytes(&self) -> u64 {
        self.not_closed().map(|segment| segment.size() - segment.filed_end).sum()
    }

    /// Frees at least `bytes` of memory if the files hold as much, oldest first. Returns the bytes freed.
    pub fn evict(&mut self, bytes: usize) -> usize {
        // Eviction goes from the oldest on, so that what is in memory are the last segments.
        let in_memory = |segment: &&Segment<D>| segment.stage != Stage::Closed || segment.tail.memory_bytes() > 0;
        let first = self.segments.len() - self.segments.iter().rev().take_while(in_memory).count();
        let mut freed = 0;
        for segment in self.segments.range_mut(first..) {
            if freed >= bytes {
                break;
            }
            freed += segment.evict(bytes - freed);
        }
        self.memory_bytes -= freed;
        freed
    }

    /// From now on the tails' memory comes from `pool`, which a core's logs share.
    pub fn set_chunk_pool(&mut self, pool: &ChunkPool) {
        self.pool = pool.clone();
        for segment in &mut self.segments {
            segment.tail.set_pool(pool);
        }
    }

    /// Where the log ends.
    pub fn end_mark(&self) -> Mark {
        self.active().end_mark()
    }

    /// Index of the first segment that is not closed: those are the last ones.
    fn first_open(&self) -> usize {
        let open = self.segments.iter().rev().take_while(|segment| segment.stage != Stage::Closed);
        self.segments.len() - open.count()
    }

    fn not_closed(&self) -> impl Iterator<Item = &Segment<D>> {
        self.segments.range(self.first_open()..)
    }

    fn active(&self) -> &Segment<D> {
        self.segments.back().expect("a log has an active segment")
    }

    fn active_mut(&mut self) -> &mut Segment<D> {
        self.segments.back_mut().expect("a log has an active segment")
    }

    fn segment_mut(&mut self, base_offset: i64) -> Option<&mut Segment<D>> {
        let index = self.segments.binary_search_by_key(&base_offset, |segment| segment.base_offset).ok()?;
        self.segments.get_mut(index)
    }

    /// Keeps a closed segment's file and indexes open, at the cost of the one that was used longest ago.
    fn touch(&self, files: &Rc<SegmentFiles<D>>) {
        let mut resident = self.resident.borrow_mut();
        resident.retain(|other| !Rc::ptr_eq(other, files));
        files.retain();
        resident.push_back(Rc::clone(files));
        if resident.len() > RESIDENT_SEGMENTS_MAX
            && let Some(oldest) = resident.pop_front()
        {
            oldest.release();
        }
    }
}
