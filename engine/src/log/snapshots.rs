//! The files that keep what a partition's producers have written: which there are, and what is to be written next.
//!
//! A snapshot tells of all batches below its offset. It is written when a segment closes, so that a start need not read what
//! is older, and before segments are removed, as far as none has been yet that tells of them.
//!
//! Invariants: a segment is removed only when a snapshot at its end, or beyond, is on stable storage, so that producers
//! outlive their records; one snapshot is written at a time.

use std::path::Path;
use std::rc::Rc;

use wire::TopicPartitionId;
use wire::records::producer::ProducerEntry;

use super::{Log, ProducerSnapshot};
use crate::disk::{Disk, DiskError};
use crate::error::EngineError;
use crate::files::{read_file, write_file};
use crate::producer_snapshot::{self, SNAPSHOT_BYTES_MAX};
use crate::segment::names::{FileKind, file_name};

/// Snapshot files of a log that are kept.
const SNAPSHOTS_KEPT: usize = 2;

/// See the module.
#[derive(Default)]
pub(super) struct Snapshots {
    /// Offsets of the files, in order.
    files: Vec<i64>,
    /// The newest that was whole at the start.
    found: Option<ProducerSnapshot>,
    pending: Option<(i64, Rc<[ProducerEntry]>)>,
    is_writing: bool,
}

/// The write of one snapshot, which ends with [`Snapshots::ended`].
pub(super) struct SnapshotWrite {
    pub(super) offset: i64,
    entries: Rc<[ProducerEntry]>,
    stale: Vec<i64>,
}

/// The write of a snapshot that segments wait for to be removed.
pub struct SnapshotJob<D: Disk> {
    key: TopicPartitionId,
    disk: D,
    dir: Rc<Path>,
    write: SnapshotWrite,
}

/// The outcome of a [`SnapshotJob`], for [`Log::handle_snapshot`].
#[derive(Debug)]
pub struct SnapshotDone {
    key: TopicPartitionId,
    offset: i64,
    result: Result<(), EngineError>,
}

impl SnapshotDone {
    /// The log it belongs to.
    pub fn key(&self) -> TopicPartitionId {
        self.key
    }

    /// Whether it did not fail.
    pub fn is_written(&self) -> bool {
        self.result.is_ok()
    }
}

impl<D: Disk> SnapshotJob<D> {
    /// Does it.
    pub async fn perform(self) -> SnapshotDone {
        let result = self.write.perform(&self.disk, &self.dir).await;
        SnapshotDone { key: self.key, offset: self.write.offset, result }
    }
}

impl SnapshotWrite {
    pub(super) async fn perform<D: Disk>(&self, disk: &D, dir: &Path) -> Result<(), EngineError> {
        let path = dir.join(file_name(self.offset, FileKind::ProducerSnapshot));
        write_file(disk, &path, &producer_snapshot::encode(&self.entries)).await?;
        for stale in &self.stale {
            let path = dir.join(file_name(*stale, FileKind::ProducerSnapshot));
            match disk.remove_file(&path).await {
                Ok(()) | Err(DiskError::NotFound) => {}
                Err(error) => return Err(EngineError::Disk { path, error }),
            }
        }
        Ok(())
    }
}

impl Snapshots {
    /// Those in a folder, at these offsets in order; what is beyond the log's end goes.
    pub(super) async fn open<D: Disk>(
        disk: &D,
        dir: &Path,
        offsets: Vec<i64>,
        log_end: i64,
    ) -> Result<Self, EngineError> {
        let (usable, beyond): (Vec<i64>, Vec<i64>) = offsets.into_iter().partition(|offset| *offset <= log_end);
        for offset in beyond {
            let path = dir.join(file_name(offset, FileKind::ProducerSnapshot));
            disk.remove_file(&path).await.map_err(EngineError::disk(&path))?;
        }
        let mut snapshots = Snapshots { files: usable, ..Snapshots::default() };
        for offset in snapshots.files.iter().rev() {
            let path = dir.join(file_name(*offset, FileKind::ProducerSnapshot));
            let bytes = read_file(disk, &path, SNAPSHOT_BYTES_MAX).await?;
            if let Ok(entries) = producer_snapshot::decode(&bytes) {
                snapshots.found = Some((*offset, entries));
                break;
            }
        }
        Ok(snapshots)
    }

    /// Whether a file tells of all below `end_offset`.
    pub(super) fn cover(&self, end_offset: i64) -> bool {
        self.files.last().is_some_and(|newest| *newest >= end_offset)
    }

    /// Whether one does, or will.
    fn will_cover(&self, end_offset: i64) -> bool {
        self.cover(end_offset) || self.pending.as_ref().is_some_and(|(offset, _)| *offset >= end_offset)
    }

    /// The write of what is pending, unless one is under way.
    pub(super) fn begin(&mut self) -> Option<SnapshotWrite> {
        if self.is_writing {
            return None;
        }
        let (offset, entries) = self.pending.clone()?;
        self.is_writing = true;
        Some(SnapshotWrite { offset, entries, stale: self.stale(offset) })
    }

    /// A write has ended.
    pub(super) fn ended(&mut self, offset: i64, is_written: bool) {
        assert!(std::mem::take(&mut self.is_writing), "a write ends that has begun");
        if !is_written {
            return;
        }
        self.pending.take_if(|(pending, _)| *pending == offset);
        let stale = self.stale(offset);
        self.files.retain(|other| !stale.contains(other) && *other != offset);
        self.files.push(offset);
        self.files.sort_unstable();
    }

    /// Those to be removed when that of `offset` is written.
    fn stale(&self, offset: i64) -> Vec<i64> {
        let others: Vec<i64> = self.files.iter().copied().filter(|other| *other != offset).collect();
        others[..others.len().saturating_sub(SNAPSHOTS_KEPT - 1)].to_vec()
    }
}

impl<D: Disk> Log<D> {
    /// The newest producer state that was found at the start: the shard loads it, and replays what follows from
    /// [`Log::producers_from`] on.
    pub fn producer_snapshot(&self) -> Option<&ProducerSnapshot> {
        self.snapshots.found.as_ref()
    }

    /// From where on batches tell what [`Log::producer_snapshot`] does not; maybe from below the log's start.
    pub fn producers_from(&self) -> i64 {
        let first = self.segments[0].base_offset;
        self.producer_snapshot().map_or(first, |(offset, _)| first.max(*offset))
    }

    /// Whether segments cannot be removed before [`Log::set_producer_snapshot`] is given the producers at the log's start or
    /// beyond.
    pub fn wants_producer_snapshot(&self) -> bool {
        self.deleted_end().is_some_and(|end_offset| !self.snapshots.will_cover(end_offset))
    }

    /// What all batches below `offset`, at most the flushed end, tell of their producers: to be written when a segment
    /// closes next, or is to be removed, or the log closes.
    pub fn set_producer_snapshot(&mut self, offset: i64, entries: Vec<ProducerEntry>) {
        assert!(offset <= self.flushed_end, "what a crash takes is in no snapshot");
        self.snapshots.pending = Some((offset, entries.into()));
    }

    /// The write of the snapshot that segments wait for to be removed.
    pub fn poll_snapshot(&mut self) -> Option<SnapshotJob<D>> {
        if self.deleted_end().is_none_or(|end_offset| self.snapshots.cover(end_offset)) {
            return None;
        }
        let write = self.snapshots.begin()?;
        Some(SnapshotJob { key: self.key, disk: self.disk.clone(), dir: Rc::clone(&self.dir), write })
    }

    /// Takes the outcome of a snapshot's write.
    ///
    /// # Errors
    /// The disk's: the write is due again.
    pub fn handle_snapshot(&mut self, done: SnapshotDone) -> Result<(), EngineError> {
        self.snapshots.ended(done.offset, done.result.is_ok());
        done.result
    }

    /// Where the last of the segments ends that lie wholly below the log's start.
    fn deleted_end(&self) -> Option<i64> {
        let begun = self.segments.partition_point(|segment| segment.base_offset <= self.log_start);
        Some(self.segments.get(begun.checked_sub(2)?)?.end_offset)
    }
}
