//! Filing: moving the tail's bytes into the segments' files, and closing segments.
//!
//! Writes are large, block-aligned, unsynced, into extents that are allocated ahead. Segments are filed in order. One
//! that was rolled is closed: the rest filed, the file cut to its exact size and synced, its indexes written, and with
//! them the leader epochs and the producer state that the shard has set.

use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;
use wire::TopicPartitionId;

use super::Log;
use super::segment::{Segment, Stage};
use super::snapshots::SnapshotWrite;
use crate::append::{Mark, Urgency};
use crate::disk::{BLOCK, Disk, DiskError, Durability, File, block_ceil, block_floor};
use crate::error::EngineError;
use crate::files::write_file;
use crate::leader_epochs::LEADER_EPOCH_FILE;
use crate::memory::{Chunk, ChunkSlice};
use crate::segment::names::FileKind;
use crate::segment::{Indexes, Pieces, SegmentFiles};
use crate::tail::BatchStart;

/// Bytes that are worth a write when there is no hurry.
pub const FILING_BYTES_MIN: u64 = 256 << 10;
/// Bytes of one write at most.
pub const FILING_BYTES_MAX: u64 = 4 << 20;
/// Extents are allocated ahead in steps that double from this many bytes …
const ALLOCATION_BYTES_MIN: u64 = 1 << 20;
/// … up to this many.
const ALLOCATION_BYTES_MAX: u64 = 64 << 20;
const _: () = assert!(FILING_BYTES_MIN >= BLOCK as u64 && FILING_BYTES_MAX.is_multiple_of(BLOCK as u64));

/// A write of a log's bytes into a segment's file, and maybe the segment's closing.
pub struct FilingJob<D: Disk> {
    key: TopicPartitionId,
    files: Rc<SegmentFiles<D>>,
    position: u64,
    slices: Vec<ChunkSlice>,
    filed_end: u64,
    extents: Option<Extents>,
    closing: Option<Closing<D>>,
}

/// Extents that a write needs, and those that are wanted ahead of it.
struct Extents {
    allocated_end: u64,
    needed_end: u64,
    wanted_end: u64,
}

struct Closing<D: Disk> {
    disk: D,
    dir: Rc<Path>,
    size: u64,
    indexes: Rc<Indexes>,
    epochs: String,
    snapshot: Option<SnapshotWrite>,
}

/// The outcome of a [`FilingJob`], for [`Log::handle_filed`].
pub struct FilingDone {
    key: TopicPartitionId,
    segment_base: i64,
    filed_end: u64,
    allocated_end: Option<u64>,
    closed: bool,
    snapshot_offset: Option<i64>,
    result: Result<(), EngineError>,
}

impl FilingDone {
    /// The log it belongs to.
    pub fn key(&self) -> TopicPartitionId {
        self.key
    }

    /// Whether a snapshot was to be written with it.
    pub fn has_snapshot(&self) -> bool {
        self.snapshot_offset.is_some()
    }
}

impl<D: Disk> FilingJob<D> {
    /// The log it belongs to.
    pub fn key(&self) -> TopicPartitionId {
        self.key
    }

    /// Bytes that it writes.
    pub fn len(&self) -> usize {
        self.slices.iter().map(|slice| slice.len()).sum()
    }

    /// Whether it writes no bytes: it closes a segment whose bytes are filed.
    pub fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// Does it.
    pub async fn perform(mut self) -> FilingDone {
        let mut done = FilingDone {
            key: self.key,
            segment_base: self.files.base_offset(),
            filed_end: self.filed_end,
            allocated_end: None,
            closed: self.closing.is_some(),
            snapshot_offset: self
                .closing
                .as_ref()
                .and_then(|closing| closing.snapshot.as_ref())
                .map(|write| write.offset),
            result: Ok(()),
        };
        done.result = self.run(&mut done.allocated_end).await;
        done
    }

    async fn run(&mut self, allocated_end: &mut Option<u64>) -> Result<(), EngineError> {
        let path = self.files.path(FileKind::Log);
        let file = self.files.writer().await?;
        let written = async {
            if let Some(extents) = &self.extents {
                *allocated_end = Some(extents.allocate(&file).await?);
            }
            if !self.slices.is_empty() {
                file.write(self.position, std::mem::take(&mut self.slices), Durability::Volatile).await?;
            }
            if let Some(closing) = &self.closing {
                file.truncate(closing.size).await?;
                probe::mutation!(SkipClosingSync => return Ok(()));
                file.sync().await?;
            }
            Ok(())
        };
        written.await.map_err(EngineError::disk(&path))?;
        match &self.closing {
            Some(closing) => closing.write_derived(&self.files).await,
            None => Ok(()),
        }
    }
}

impl Extents {
    /// Allocates ahead, or on a nearly full disk just what is needed.
    async fn allocate<F: File>(&self, file: &F) -> Result<u64, DiskError> {
        match file.allocate(self.allocated_end, self.wanted_end - self.allocated_end).await {
            Ok(()) => Ok(self.wanted_end),
            Err(DiskError::Full) if self.needed_end < self.wanted_end => {
                file.allocate(self.allocated_end, self.needed_end - self.allocated_end).await?;
                Ok(self.needed_end)
            }
            Err(error) => Err(error),
        }
    }
}

impl<D: Disk> Closing<D> {
    async fn write_derived(&self, files: &SegmentFiles<D>) -> Result<(), EngineError> {
        // Epochs first: where the indexes are whole, the start does not look for epochs.
        write_file(&self.disk, &self.dir.join(LEADER_EPOCH_FILE), self.epochs.as_bytes()).await?;
        files.write_indexes(&self.indexes).await?;
        match &self.snapshot {
            Some(write) => write.perform(&self.disk, &self.dir).await,
            None => Ok(()),
        }
    }
}

impl<D: Disk> Log<D> {
    /// The next write that is worth it, oldest bytes first; `None` while one is in flight. The closing of a rolled
    /// segment is always worth it.
    pub fn poll_filing(&mut self, urgency: Urgency) -> Option<FilingJob<D>> {
        if self.filing_in_flight {
            return None;
        }
        let index = self.first_open();
        if self.segments[index].rewrite_after.is_some_and(|offset| offset > self.flushed_end) {
            return None;
        }
        let segment = &self.segments[index];
        let from = block_floor(segment.filed_end);
        let whole_end = block_floor(segment.size());
        let end = match (segment.stage, urgency) {
            _ if whole_end - from > FILING_BYTES_MAX => from + FILING_BYTES_MAX,
            (Stage::Closing, _) => segment.size(),
            (_, Urgency::Relaxed) if whole_end - from < FILING_BYTES_MIN => return None,
            (_, Urgency::Relaxed | Urgency::WholeBlocks) => whole_end,
            (_, Urgency::Everything) => segment.size(),
        };
        let closes = segment.stage == Stage::Closing && end == segment.size();
        if end <= segment.filed_end && !closes {
            return None;
        }
        let mut job = FilingJob {
            key: self.key,
            files: Rc::clone(&segment.files),
            position: from,
            slices: if end > segment.filed_end { blocks(segment, from, end) } else { Vec::new() },
            filed_end: end,
            extents: self.extents(segment, end, closes),
            closing: None,
        };
        if closes {
            job.closing = Some(self.closing(index));
        }
        self.segments[index].rewrite_after = None;
        self.filing_in_flight = true;
        Some(job)
    }

    /// Takes the outcome of a filing.
    ///
    /// # Errors
    /// The disk's: the bytes stay in memory and the filing is due again. Only [`EngineError::is_full`] heals by itself;
    /// after any other failure the process must not go on acknowledging.
    pub fn handle_filed(&mut self, done: FilingDone) -> Result<(), EngineError> {
        assert!(self.filing_in_flight && done.key == self.key);
        self.filing_in_flight = false;
        self.filings += 1;
        let filings = self.filings;
        if let Some(offset) = done.snapshot_offset {
            self.snapshots.ended(offset, done.result.is_ok());
        }
        let segment = self.segment_mut(done.segment_base).expect("a segment with a filing in flight stays");
        segment.allocated_end = done.allocated_end.unwrap_or(segment.allocated_end);
        done.result?;
        // What was appended meanwhile will have a partial block rewritten: its bytes count as filed only then, so that
        // the journal keeps them.
        segment.filed_end = if done.filed_end == segment.size() { done.filed_end } else { block_floor(done.filed_end) };
        segment.filed_mark = segment.mark_of_filed();
        segment.unsynced = Some(filings);
        if done.closed {
            segment.unsynced = None;
            segment.stage = Stage::Closed;
            segment.largest = segment.largest_timestamp();
            segment.indexes = None;
            let files = Rc::clone(&segment.files);
            self.touch(&files);
        }
        Ok(())
    }

    fn closing(&mut self, index: usize) -> Closing<D> {
        let segment = &mut self.segments[index];
        let indexes = segment.indexes.as_mut().expect("a segment has indexes until it is closed");
        Rc::make_mut(indexes).finish();
        let indexes = Rc::clone(indexes);
        let segment = &self.segments[index];
        segment.files.keep_indexes(&indexes);
        Closing {
            disk: self.disk.clone(),
            dir: Rc::clone(&self.dir),
            size: segment.size(),
            indexes,
            epochs: self.epochs.encode(),
            snapshot: self.snapshots.begin(),
        }
    }

    /// The active segment's closing at a clean stop: as at a roll, but it stays the active one.
    pub(super) fn active_closing(&mut self) -> FilingJob<D> {
        let closing = self.closing(self.segments.len() - 1);
        let segment = self.active();
        FilingJob {
            key: self.key,
            files: Rc::clone(&segment.files),
            position: segment.size(),
            slices: Vec::new(),
            filed_end: segment.size(),
            extents: None,
            closing: Some(closing),
        }
    }

    /// Extents to allocate before a write that ends at `end`.
    fn extents(&self, segment: &Segment<D>, end: u64, closes: bool) -> Option<Extents> {
        let (allocated_end, needed_end) = (segment.allocated_end, block_ceil(end));
        if needed_end <= allocated_end {
            return None;
        }
        let step = allocated_end.clamp(ALLOCATION_BYTES_MIN, ALLOCATION_BYTES_MAX);
        let segment_end = block_ceil(self.segment_bytes_of(segment.base_offset));
        let ahead = (allocated_end + step).min(segment_end);
        let wanted_end = if closes { needed_end } else { needed_end.max(ahead) };
        Some(Extents { allocated_end, needed_end, wanted_end })
    }
}

impl<D: Disk> Segment<D> {
    /// The last batch boundary at or below `filed_end`.
    fn mark_of_filed(&self) -> Mark {
        if self.filed_end == self.size() {
            return self.end_mark();
        }
        let Some(BatchStart { base_offset, position }) = self.tail.start_before(self.filed_end) else {
            return self.filed_mark;
        };
        let mut mark = Mark { segment_base: self.base_offset, position, offset: base_offset };
        // Known is the first batch of a block: the others follow it.
        let slices = self.tail.slices(position..self.filed_end);
        let pieces = Pieces::new(position, slices.into_iter().map(Bytes::from).collect());
        let path = self.files.path(FileKind::Log);
        while let Ok(Some(header)) = pieces.header(mark.position, &path) {
            let end = mark.position + header.size() as u64;
            if end > self.filed_end {
                break;
            }
            mark = Mark { position: end, offset: header.last_offset() + 1, ..mark };
        }
        mark.max(self.filed_mark)
    }
}

/// The memory of whole blocks from `from` on; the last is copied and padded when `end` is within it.
fn blocks<D: Disk>(segment: &Segment<D>, from: u64, end: u64) -> Vec<ChunkSlice> {
    let whole_end = block_floor(end);
    let mut slices = segment.tail.slices(from..whole_end);
    if whole_end < end {
        let mut last = Vec::with_capacity(BLOCK);
        for slice in segment.tail.slices(whole_end..end) {
            last.extend_from_slice(&slice);
        }
        let padded = Chunk::padded(&last);
        slices.push(padded.slice(0..padded.len()));
    }
    slices
}
