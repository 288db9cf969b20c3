//! Making filed bytes durable, for a checkpoint.

use std::path::Path;
use std::rc::Rc;

use wire::TopicPartitionId;

use super::Log;
use crate::append::Mark;
use crate::disk::{Disk, File};
use crate::error::EngineError;
use crate::segment::SegmentFiles;
use crate::segment::names::FileKind;

/// What to sync so that the log's files are complete up to [`SyncPlan::mark`].
pub struct SyncPlan<D: Disk> {
    key: TopicPartitionId,
    mark: Mark,
    filings: u64,
    disk: D,
    dir: Rc<Path>,
    files: Vec<Rc<SegmentFiles<D>>>,
}

/// The outcome of a [`SyncPlan`] that succeeded, for [`Log::handle_synced`].
#[derive(Debug, Clone, Copy)]
pub struct Synced {
    /// The log it belongs to.
    pub key: TopicPartitionId,
    /// What lies before this is on stable storage, in the segments' files.
    pub mark: Mark,
    filings: u64,
}

impl<D: Disk> SyncPlan<D> {
    /// The log it belongs to.
    pub fn key(&self) -> TopicPartitionId {
        self.key
    }

    /// What lies before this will be on stable storage, in the segments' files.
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// Whether there is nothing to sync: it is on stable storage already.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Does it. An error must end the process: bytes may be lost that a second sync would not report.
    pub async fn perform(self) -> Result<Synced, EngineError> {
        for files in &self.files {
            let file = files.writer().await?;
            probe::mutation!(SkipSegmentSync => continue);
            file.sync().await.map_err(EngineError::disk(&files.path(FileKind::Log)))?;
        }
        if !self.files.is_empty() {
            self.disk.sync_dir(&self.dir).await.map_err(EngineError::disk(&self.dir))?;
        }
        Ok(Synced { key: self.key, mark: self.mark, filings: self.filings })
    }
}

impl<D: Disk> Log<D> {
    /// What to sync so that all that is filed now is on stable storage.
    pub fn sync_plan(&self) -> SyncPlan<D> {
        let unsynced = self.not_closed().filter(|segment| segment.unsynced.is_some());
        SyncPlan {
            key: self.key,
            mark: self.filed_mark(),
            filings: self.filings,
            disk: self.disk.clone(),
            dir: Rc::clone(&self.dir),
            files: unsynced.map(|segment| Rc::clone(&segment.files)).collect(),
        }
    }

    /// Notes that a plan was carried out.
    pub fn handle_synced(&mut self, synced: &Synced) {
        let first = self.first_open();
        for segment in self.segments.range_mut(first..) {
            segment.unsynced.take_if(|filing| *filing <= synced.filings);
        }
    }

    /// Notes that a checkpoint with that mark is on stable storage: no replay begins before it any more, so segments
    /// before it may be removed.
    pub fn set_checkpointed(&mut self, mark: Mark) {
        self.checkpointed_base = self.checkpointed_base.max(mark.segment_base);
    }

    /// All below is in the segments' files, though maybe not synced yet. A batch boundary; never in a segment behind
    /// one that is not closed.
    pub fn filed_mark(&self) -> Mark {
        self.segments[self.first_open()].filed_mark
    }
}
