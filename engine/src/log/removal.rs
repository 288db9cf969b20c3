//! Where a log begins: retention, deleted records, and the removal of what lies before.

use std::path::Path;
use std::rc::Rc;

use wire::TopicPartitionId;

use super::Log;
use super::segment::{Segment, Stage};
use crate::disk::{Disk, DiskError};
use crate::error::EngineError;
use crate::retention::{Limits, RetainedSegment, expired};
use crate::segment::SegmentFiles;
use crate::segment::names::{FileKind, deleted_file_name, file_name};

/// What goes with a segment. Snapshots do not: they outlive the records that they tell of.
const REMOVED: [FileKind; 4] = [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TransactionIndex];

/// The removal of one segment's files. Readers that hold the segment keep reading.
pub struct RemovalJob<D: Disk> {
    key: TopicPartitionId,
    disk: D,
    dir: Rc<Path>,
    files: Rc<SegmentFiles<D>>,
    /// The active segment, whose file is made first: a folder without any would have forgotten where the log ends.
    successor: Rc<SegmentFiles<D>>,
}

impl<D: Disk> RemovalJob<D> {
    /// The log it belongs to.
    pub fn key(&self) -> TopicPartitionId {
        self.key
    }

    /// Does it: the files are renamed to `<name>.deleted`, then removed. What a failure leaves goes at the next start.
    pub async fn perform(self) -> Result<(), EngineError> {
        self.successor.writer().await?;
        if Rc::strong_count(&self.files) > 1 {
            // A reader that has not opened the file yet could not find it afterwards.
            match self.files.reader().await {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        let base = self.files.base_offset();
        for kind in REMOVED {
            let (from, to) = (self.dir.join(file_name(base, kind)), self.dir.join(deleted_file_name(base, kind)));
            ignore_missing(self.disk.rename(&from, &to).await).map_err(EngineError::disk(&from))?;
        }
        self.disk.sync_dir(&self.dir).await.map_err(EngineError::disk(&self.dir))?;
        for kind in REMOVED {
            let path = self.dir.join(deleted_file_name(base, kind));
            ignore_missing(self.disk.remove_file(&path).await).map_err(EngineError::disk(&path))?;
        }
        Ok(())
    }
}

fn ignore_missing(result: Result<(), DiskError>) -> Result<(), DiskError> {
    match result {
        Err(DiskError::NotFound) => Ok(()),
        result => result,
    }
}

impl<D: Disk> Log<D> {
    /// Moves the log's start past what retention lets go at `now_ms`, as Kafka does: an expired active segment is
    /// rolled, so that it can go too. Nothing goes that reaches beyond `visible_end`, the high watermark. Returns the
    /// new log start, if it moved: it must be made durable before the removal is polled.
    pub fn retain(&mut self, visible_end: i64, now_ms: i64) -> Option<i64> {
        if !self.config.cleanup_delete {
            return None;
        }
        let first =
            self.segments.iter().take_while(|segment| segment.end_offset <= self.log_start && segment.size() > 0);
        let first = first.count();
        let segments: Vec<RetainedSegment> = self.segments.iter().skip(first).map(Segment::retained).collect();
        let limits = Limits { bytes: self.config.retention_bytes, ms: self.config.retention_ms };
        let go = expired(&segments, limits, visible_end, now_ms);
        if go == 0 {
            return None;
        }
        if go == segments.len() {
            self.roll(self.log_end());
        }
        let start = self.segments[first + go].base_offset;
        self.set_log_start(start).then_some(start)
    }

    /// Moves the log's start to `offset`, unless it is there already. True if it moved.
    ///
    /// # Panics
    /// If `offset` is beyond the log's end.
    pub fn set_log_start(&mut self, offset: i64) -> bool {
        assert!(offset <= self.log_end(), "log start {offset} of {}", self.log_end());
        let moves = offset > self.log_start;
        if moves {
            self.log_start = offset;
            self.epochs.truncate_start(offset);
        }
        moves
    }

    /// The removal of a segment that lies wholly below the log's start, the last checkpoint, and the newest snapshot.
    pub fn poll_removal(&mut self) -> Option<RemovalJob<D>> {
        while self.cleaning.is_none()
            && let Some(next) = self.segments.get(1)
            && next.base_offset <= self.log_start
            && self.segments[0].stage == Stage::Closed
            && self.segments[0].base_offset < probe::mutated!(self.checkpointed_base, RemoveAboveCheckpoint => i64::MAX)
            && self.snapshots.cover(self.segments[0].end_offset)
        {
            if let Some(first) = self.segments.pop_front() {
                self.size_bytes -= first.size();
                self.memory_bytes -= first.tail.memory_bytes();
                self.doomed.push_back(first.files);
            }
        }
        let files = self.doomed.pop_front()?;
        probe::reached!(SegmentRemoved);
        self.resident.borrow_mut().retain(|other| !Rc::ptr_eq(other, &files));
        Some(RemovalJob {
            key: self.key,
            disk: self.disk.clone(),
            dir: Rc::clone(&self.dir),
            files,
            successor: Rc::clone(&self.active().files),
        })
    }
}

impl<D: Disk> Segment<D> {
    fn retained(&self) -> RetainedSegment {
        RetainedSegment {
            size: self.size(),
            end_offset: self.end_offset,
            largest_timestamp: self.largest_timestamp().map(|entry| entry.timestamp),
        }
    }
}
