//! A full disk: a file that reserves some space is removed, so that checkpoints and deletions still work, and appends
//! are refused until it can be made again and as much is free besides.

use std::path::{Path, PathBuf};

use crate::checkpoint;
use crate::disk::{Disk, DiskError, File, OpenMode};
use crate::error::EngineError;

/// Time between two looks for space, in ms.
const LOOK_INTERVAL_MS: i64 = 200;

/// The state of a store whose disk is full.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FullState {
    /// Whether the reserve has been given up.
    pub released: bool,
    last_look_ms: Option<i64>,
    /// Whether it is time to look for space.
    pub look: bool,
    /// Whether a checkpoint did not fit even into what the reserve has left.
    pub checkpoint_failed: bool,
    /// Whether a snapshot did not fit that a removal needs: removals wait for the next look, or for the reserve to be given up.
    pub snapshot_failed: bool,
}

impl FullState {
    /// Somebody would like space: looks again, if the last look is a while ago.
    pub(super) fn appends_refused(&mut self, now_ms: i64) {
        let due = self.last_look_ms.is_none_or(|last| now_ms >= last + LOOK_INTERVAL_MS || now_ms < last);
        if due && self.released {
            self.last_look_ms = Some(now_ms);
            self.look = true;
        }
    }
}

/// Giving up the reserve, or trying to have it again.
pub struct ReserveJob<D: Disk> {
    disk: D,
    path: PathBuf,
    bytes: u64,
    take: bool,
}

/// How a [`ReserveJob`] ended.
#[derive(Debug)]
pub struct ReserveDone {
    pub(super) took: bool,
    pub(super) result: Result<(), EngineError>,
}

impl<D: Disk> ReserveJob<D> {
    pub(super) fn new(disk: &D, data_dir: &Path, core: u16, bytes: u64, take: bool) -> Self {
        let path = checkpoint::dir(data_dir).join(format!("reserve-{core}"));
        ReserveJob { disk: disk.clone(), path, bytes, take }
    }

    /// Does it.
    pub async fn perform(self) -> ReserveDone {
        let result = if self.take { self.take().await } else { self.release().await };
        ReserveDone { took: self.take, result: result.map_err(EngineError::disk(&self.path)) }
    }

    async fn take(&self) -> Result<(), DiskError> {
        let file = self.disk.open(&self.path, OpenMode::Create).await?;
        let taken = match file.allocate(0, self.bytes).await {
            Ok(()) if self.disk.free_bytes(&self.path).await? < self.bytes => Err(DiskError::Full),
            taken => taken,
        };
        if taken.is_err() {
            self.release().await?;
        }
        taken
    }

    async fn release(&self) -> Result<(), DiskError> {
        match self.disk.remove_file(&self.path).await {
            Err(DiskError::NotFound) => Ok(()),
            removed => removed,
        }
    }
}
