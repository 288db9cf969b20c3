//! One segment as its log sees it.

use std::rc::Rc;

use crate::append::Mark;
use crate::disk::Disk;
use crate::segment::{Indexes, SegmentFiles, SegmentView, TimeEntry};
use crate::tail::{ChunkPool, Tail};

/// How far a segment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Takes appends.
    Active,
    /// Complete in memory; its file is not.
    Closing,
    /// Its file is cut to size and synced, its indexes are written.
    Closed,
}

pub(super) struct Segment<D: Disk> {
    pub(super) base_offset: i64,
    /// One past the last offset; for a closed one the next segment's base offset, if that is all that is known.
    pub(super) end_offset: i64,
    pub(super) stage: Stage,
    pub(super) tail: Tail,
    /// The file holds everything below. Within a block when a partial one was filed.
    pub(super) filed_end: u64,
    /// Filing waits until the flushed end is here: it rewrites a block whose beginning the journal must hold first.
    pub(super) rewrite_after: Option<i64>,
    /// The last batch boundary known at or below `filed_end`.
    pub(super) filed_mark: Mark,
    /// The file has extents up to here.
    pub(super) allocated_end: u64,
    /// The filing (counted by the log) that wrote last and is not synced yet.
    pub(super) unsynced: Option<u64>,
    /// While it is not closed; then they belong to `files`.
    pub(super) indexes: Option<Rc<Indexes>>,
    /// The largest timestamp of a closed one.
    pub(super) largest: Option<TimeEntry>,
    /// Max timestamp of the first batch: what `segment.ms` counts from.
    pub(super) first_timestamp: Option<i64>,
    /// When the first batch was appended, in ms since the epoch; `None` when that was before this start.
    pub(super) first_append_ms: Option<i64>,
    pub(super) files: Rc<SegmentFiles<D>>,
}

impl<D: Disk> Segment<D> {
    /// An empty active segment, whose file does not exist yet.
    pub(super) fn empty(files: Rc<SegmentFiles<D>>, pool: &ChunkPool) -> Self {
        let base_offset = files.base_offset();
        Self {
            base_offset,
            end_offset: base_offset,
            stage: Stage::Active,
            tail: Tail::evicted(0, pool),
            filed_end: 0,
            rewrite_after: None,
            filed_mark: Mark { segment_base: base_offset, position: 0, offset: base_offset },
            allocated_end: 0,
            unsynced: None,
            indexes: Some(Rc::new(Indexes::new(base_offset))),
            largest: None,
            first_timestamp: None,
            first_append_ms: None,
            files,
        }
    }

    /// A closed segment of `size` bytes, as found at the start.
    pub(super) fn closed(files: Rc<SegmentFiles<D>>, end_offset: i64, size: u64, pool: &ChunkPool) -> Self {
        Self {
            end_offset,
            stage: Stage::Closed,
            tail: Tail::evicted(size, pool),
            filed_end: size,
            filed_mark: Mark { segment_base: files.base_offset(), position: size, offset: end_offset },
            allocated_end: size,
            indexes: None,
            ..Self::empty(files, pool)
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.tail.end()
    }

    pub(super) fn end_mark(&self) -> Mark {
        Mark { segment_base: self.base_offset, position: self.size(), offset: self.end_offset }
    }

    pub(super) fn largest_timestamp(&self) -> Option<TimeEntry> {
        self.indexes.as_ref().map_or(self.largest, |indexes| indexes.largest_timestamp())
    }

    /// What a job sees of it now; `from` as for [`SegmentView::new`].
    pub(super) fn view(&self, from: Option<u64>) -> SegmentView<D> {
        let memory = self.tail.slices(self.tail.start()..self.tail.end());
        SegmentView::new(&self.files, self.end_offset, self.size(), (self.tail.start(), memory), from)
    }

    pub(super) fn evict(&mut self, bytes: usize) -> usize {
        let freed = self.tail.evict(bytes, self.filed_end);
        if freed >= bytes || self.stage != Stage::Closed {
            return freed;
        }
        freed + self.tail.evict_all()
    }
}
