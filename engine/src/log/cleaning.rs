//! What of a log compaction may clean, how much that is worth, and taking in what it made.
//!
//! As Kafka's `LogCleanerManager` decides it: cleanable are closed segments from the first dirty offset on, below what
//! readers may see and older than `min.compaction.lag.ms`; here also below the last checkpoint, because a replay begins
//! there. A log is due when the cleanable bytes are more than `min.cleanable.dirty.ratio` of all that a cleaning goes over,
//! or when the oldest of them has waited for `max.compaction.lag.ms`.
//! Deviation: what a segment has waited is counted from its newest record, where only that is known after a restart.

use std::rc::Rc;

use super::Log;
use super::segment::{Segment, Stage};
use crate::compaction::{CleaningDone, CleaningError, CleaningInput, CleaningJob, Source};
use crate::disk::Disk;
use crate::scrub::ScrubSource;

/// A topic's settings for compaction. The names are Kafka's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompactionConfig {
    /// `delete.retention.ms`: how long a tombstone stays after a cleaning has met it, in ms.
    pub delete_retention_ms: i64,
    /// `min.compaction.lag.ms`: how long a record stays whatever comes after it, in ms.
    pub min_lag_ms: i64,
    /// `max.compaction.lag.ms`: how long a record waits for a cleaning at most, in ms.
    pub max_lag_ms: i64,
    /// `min.cleanable.dirty.ratio`: the share of dirty bytes from which on a cleaning is worth it, 0 to 1.
    pub min_dirty_ratio: f64,
}

impl Default for CompactionConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self { delete_retention_ms: 24 * 60 * 60 * 1000, min_lag_ms: 0, max_lag_ms: i64::MAX, min_dirty_ratio: 0.5 }
    }
}

/// What a cleaning of a log would go over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dirtiness {
    /// Bytes of segments that are clean.
    pub clean_bytes: u64,
    /// Bytes of dirty segments that may be cleaned now.
    pub cleanable_bytes: u64,
    /// Whether a cleaning is due.
    pub is_due: bool,
}

impl Dirtiness {
    /// The share of the cleanable bytes, 0 to 1.
    pub fn ratio(&self) -> f64 {
        let total = self.clean_bytes + self.cleanable_bytes;
        if total == 0 { 0.0 } else { self.cleanable_bytes as f64 / total as f64 }
    }
}

impl<D: Disk> Log<D> {
    /// How dirty a compacted log is below `visible_end`; `None` for one that is not compacted, that is being cleaned, or
    /// that cannot be.
    pub fn dirtiness(&self, visible_end: i64, now_ms: i64) -> Option<Dirtiness> {
        self.dirtiness_below(self.checkpointed_base, visible_end, now_ms)
    }

    /// Whether a cleaning would be due if there were a checkpoint now.
    pub fn awaits_checkpoint(&self, visible_end: i64, now_ms: i64) -> bool {
        self.dirtiness_below(i64::MAX, visible_end, now_ms).is_some_and(|dirtiness| dirtiness.is_due)
    }

    fn dirtiness_below(&self, checkpointed_base: i64, visible_end: i64, now_ms: i64) -> Option<Dirtiness> {
        let compaction = self.config.compaction.filter(|_| !self.uncleanable && self.cleaning.is_none())?;
        let (mut clean_bytes, mut cleanable_bytes, mut waiting_since) = (0, 0, i64::MAX);
        for segment in self.cleanable(checkpointed_base, visible_end, now_ms) {
            if segment.end_offset <= self.first_dirty() {
                clean_bytes += segment.size();
            } else {
                cleanable_bytes += segment.size();
                let newest = segment.largest_timestamp().map(|entry| entry.timestamp);
                waiting_since = waiting_since.min(segment.first_timestamp.or(newest).unwrap_or(i64::MAX));
            }
        }
        let mut dirtiness = Dirtiness { clean_bytes, cleanable_bytes, is_due: false };
        let is_late = now_ms.saturating_sub(waiting_since) > compaction.max_lag_ms;
        dirtiness.is_due = cleanable_bytes > 0 && (is_late || dirtiness.ratio() > compaction.min_dirty_ratio);
        Some(dirtiness)
    }

    /// A cleaning of all that may be cleaned; `None` when there is nothing dirty.
    pub fn poll_cleaning(&mut self, input: CleaningInput) -> Option<CleaningJob<D>> {
        let dirtiness = self.dirtiness(input.visible_end, input.now_ms)?;
        if dirtiness.cleanable_bytes == 0 {
            return None;
        }
        let source = |segment: &Segment<D>| Source {
            files: Rc::clone(&segment.files),
            end_offset: segment.end_offset,
            size: segment.size(),
        };
        let sources = self.cleanable(self.checkpointed_base, input.visible_end, input.now_ms).map(source).collect();
        let stopped = Rc::default();
        self.cleaning = Some(Rc::clone(&stopped));
        Some(CleaningJob {
            key: self.key,
            disk: self.disk.clone(),
            dir: Rc::clone(&self.dir),
            config: self.config.clone(),
            sources,
            first_dirty: self.first_dirty(),
            successor: Rc::clone(&self.active().files),
            input,
            stopped,
        })
    }

    /// Takes the outcome of a cleaning: what it has replaced is gone for new readers.
    ///
    /// # Errors
    /// Why it ended early, unless it was stopped. After [`CleaningError::Given`] with anything but a full disk, the log is
    /// not cleaned any more until it is opened again.
    pub fn handle_cleaned(&mut self, done: CleaningDone<D>) -> Result<(), CleaningError> {
        assert!(done.key() == self.key && self.cleaning.take().is_some());
        for replacement in done.replacements {
            let base_offset = replacement.files.base_offset();
            let first = self.segments.partition_point(|segment| segment.base_offset < base_offset);
            let count = self.segments.iter().skip(first).take_while(|s| s.end_offset <= replacement.end_offset).count();
            let largest = replacement.indexes.largest_timestamp();
            let files = replacement.files;
            let cleaned = Segment::closed(files, replacement.end_offset, replacement.size, &self.pool);
            let old: Vec<Segment<D>> = self.segments.drain(first..first + count).collect();
            assert_eq!(old.first().map(|segment| segment.base_offset), Some(base_offset));
            let first_timestamp = old.iter().find_map(|segment| segment.first_timestamp);
            for segment in old {
                self.size_bytes -= segment.size();
                self.memory_bytes -= segment.tail.memory_bytes();
                self.resident.borrow_mut().retain(|other| !Rc::ptr_eq(other, &segment.files));
            }
            self.size_bytes += replacement.size;
            self.segments.insert(first, Segment { largest, first_timestamp, ..cleaned });
            // Those in memory are always the last ones: see `Log::evict`.
            for segment in self.segments.range_mut(..first) {
                self.memory_bytes -= segment.evict(usize::MAX);
            }
        }
        self.first_dirty = self.first_dirty.max(done.first_dirty);
        self.uncleanable = matches!(&done.result, Err(CleaningError::Given(error)) if !error.is_full());
        match done.result {
            Err(CleaningError::Stopped) => Ok(()),
            result => result,
        }
    }

    /// The first closed segment from that base offset on, for scrubbing.
    pub(crate) fn scrub_source(&self, base_offset: i64) -> Option<ScrubSource<D>> {
        let first = self.segments.partition_point(|segment| segment.base_offset < base_offset);
        let segment = self.segments.get(first).filter(|segment| segment.stage == Stage::Closed)?;
        Some(ScrubSource { files: Rc::clone(&segment.files), end_offset: segment.end_offset, size: segment.size() })
    }

    /// Whether a segment with that base offset is there.
    pub(crate) fn has_segment(&self, base_offset: i64) -> bool {
        self.segments.binary_search_by_key(&base_offset, |segment| segment.base_offset).is_ok()
    }

    /// Lets a cleaning that is under way end soon, with what it has replaced so far.
    pub fn stop_cleaning(&self) {
        if let Some(stopped) = &self.cleaning {
            stopped.set(true);
        }
    }

    /// Whether compaction has given this log up, until it is opened again.
    pub fn is_uncleanable(&self) -> bool {
        self.uncleanable
    }

    /// The first offset that no cleaning has been over.
    pub fn first_dirty(&self) -> i64 {
        self.first_dirty.max(self.log_start)
    }

    /// The segments that may be cleaned, in order.
    fn cleanable(&self, checkpointed_base: i64, visible_end: i64, now_ms: i64) -> impl Iterator<Item = &Segment<D>> {
        let checkpointed_base = probe::mutated!(checkpointed_base, CompactionAboveCheckpoint => i64::MAX);
        let min_lag_ms = self.config.compaction.map_or(0, |compaction| compaction.min_lag_ms);
        let is_old_enough = move |segment: &Segment<D>| {
            min_lag_ms == 0
                || segment
                    .largest_timestamp()
                    .is_none_or(|newest| newest.timestamp <= now_ms.saturating_sub(min_lag_ms))
        };
        self.segments.iter().skip_while(|segment| segment.end_offset <= self.log_start).take_while(move |segment| {
            segment.stage == Stage::Closed
                    && segment.base_offset < checkpointed_base
                    && segment.end_offset <= visible_end
                    // What is clean has waited long enough before.
                    && (segment.end_offset <= self.first_dirty() || is_old_enough(segment))
        })
    }
}
