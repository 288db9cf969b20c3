//! Appending: where a batch goes, and when a new segment begins.

use std::rc::Rc;

use super::segment::{Segment, Stage};
use super::{Log, SEGMENT_BYTES_LIMIT};
use crate::append::{AppendBatch, Mark};
use crate::disk::{Disk, block_floor};
use crate::memory::ChunkSlice;
use crate::segment::{IndexedBatch, SegmentFiles};

/// A segment's size varies by one part in so many, up and down, so that logs filled at one rate do not roll at once.
const JITTER_FRACTION: u64 = 20;

/// Where a batch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The base offset that names its segment.
    pub segment_base: i64,
    /// Its position in the segment, in bytes.
    pub position: u64,
    /// Its size in bytes.
    pub len: usize,
    /// Whether it began a new segment.
    pub rolled: bool,
}

impl<D: Disk> Log<D> {
    /// Appends a checked batch: base offset and leader epoch are patched while it is copied, once, into the tail.
    ///
    /// # Panics
    /// If the batch's offsets are not behind those in the log.
    pub fn append(&mut self, batch: &AppendBatch<'_>, now_ms: i64) -> Placed {
        assert!(batch.base_offset >= self.log_end(), "offset {} of {}", batch.base_offset, self.log_end());
        assert!(batch.last_offset >= batch.base_offset);
        let rolled = self.must_roll(batch, now_ms);
        if rolled {
            self.roll(batch.base_offset);
        }
        let interval_bytes = self.config.index_interval_bytes;
        let segment = self.active_mut();
        if segment.filed_end > block_floor(segment.filed_end) {
            segment.filed_end = block_floor(segment.filed_end);
            segment.rewrite_after = Some(batch.last_offset + 1);
        }
        let position = segment.tail.end();
        let (first, rest) = batch.patched();
        let memory_before = segment.tail.memory_bytes();
        segment.tail.append_batch(batch.base_offset, [&first, rest]);
        let memory_grown = segment.tail.memory_bytes() - memory_before;
        let indexed = IndexedBatch {
            last_offset: batch.last_offset,
            max_timestamp: batch.max_timestamp,
            position,
            size: batch.bytes.len() as u64,
        };
        let indexes = segment.indexes.as_mut().expect("the active segment has indexes");
        Rc::make_mut(indexes).push(indexed, interval_bytes);
        segment.end_offset = batch.last_offset + 1;
        segment.first_timestamp.get_or_insert(batch.max_timestamp);
        segment.first_append_ms.get_or_insert(now_ms);
        let placed = Placed { segment_base: segment.base_offset, position, len: batch.bytes.len(), rolled };
        self.memory_bytes += memory_grown;
        self.size_bytes += batch.bytes.len() as u64;
        self.epochs.assign(batch.leader_epoch, batch.base_offset);
        placed
    }

    /// The bytes with which the active segment's last block begins, if the file holds them already, and where the
    /// block is. Ask before each append: that will have the block rewritten, so these bytes must go into the journal
    /// (as an entry of the kind `Block`) no later than the batch, lest a torn write takes their only durable copy.
    /// The rewrite waits until the flushed end is beyond the batch.
    pub fn filed_block(&self) -> Option<(Mark, Vec<ChunkSlice>)> {
        let segment = self.active();
        let position = block_floor(segment.filed_end);
        (position < segment.filed_end).then(|| {
            let mark = Mark { segment_base: segment.base_offset, position, offset: segment.end_offset };
            (mark, segment.tail.slices(position..segment.filed_end))
        })
    }

    /// Closes the active segment and begins one at `base_offset`.
    pub(super) fn roll(&mut self, base_offset: i64) {
        probe::reached!(SegmentRolled);
        let files = SegmentFiles::new(&self.disk, &self.dir, base_offset);
        let active = self.active_mut();
        assert!(base_offset >= active.end_offset && base_offset > active.base_offset);
        if active.size() > 0 {
            active.stage = Stage::Closing;
        } else {
            // Only a follower's log has such a gap: an empty segment leaves no trace but maybe its file.
            let empty = self.segments.pop_back();
            self.doomed.extend(empty.map(|empty| empty.files));
        }
        self.segments.push_back(Segment::empty(files, &self.pool));
    }

    /// As Kafka's `LogSegment.shouldRoll` decides it.
    fn must_roll(&self, batch: &AppendBatch<'_>, now_ms: i64) -> bool {
        let segment = self.active();
        if segment.size() == 0 {
            return batch.last_offset - segment.base_offset > i64::from(i32::MAX);
        }
        let indexes = segment.indexes.as_ref().expect("the active segment has indexes");
        segment.size() + batch.bytes.len() as u64 > self.segment_bytes_of(segment.base_offset)
            || self.age_ms(segment, batch.max_timestamp, now_ms) > self.roll_ms()
            || indexes.is_full(self.config.segment_index_bytes)
            || batch.last_offset - segment.base_offset > i64::from(i32::MAX)
    }

    /// As Kafka's `LogConfig.maxSegmentMs`: what is to be cleaned by a time must be closed by then.
    fn roll_ms(&self) -> i64 {
        let compaction = self.config.compaction;
        compaction.map_or(self.config.segment_ms, |compaction| self.config.segment_ms.min(compaction.max_lag_ms))
    }

    /// Record time counts when there are timestamps, else the time since the first append.
    fn age_ms(&self, segment: &Segment<D>, timestamp: i64, now_ms: i64) -> i64 {
        match segment.first_timestamp {
            Some(first) if first >= 0 => timestamp.saturating_sub(first),
            _ => segment.first_append_ms.map_or(0, |first| now_ms.saturating_sub(first)),
        }
    }

    /// The size at which the segment with that base offset is rolled: the configured one ± 5 %, always the same for
    /// the same segment.
    pub(super) fn segment_bytes_of(&self, base_offset: i64) -> u64 {
        let configured = self.config.segment_bytes;
        let span = configured / JITTER_FRACTION;
        let mut seed = [0; 28];
        seed[..16].copy_from_slice(&self.key.topic.0);
        seed[16..20].copy_from_slice(&self.key.partition.to_be_bytes());
        seed[20..].copy_from_slice(&base_offset.to_be_bytes());
        let share = u64::from(crc32c::crc32c(&seed));
        let jitter = (2 * span * share) >> u32::BITS;
        (configured - span + jitter).min(SEGMENT_BYTES_LIMIT)
    }
}
