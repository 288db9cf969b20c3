//! What can go wrong in the engine, as one type; recovery's refusals are in `recovery`.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::disk::DiskError;
use crate::segment::Rotten;

/// An operating error of the engine.
#[derive(Debug, Clone, Error)]
pub enum EngineError {
    /// The disk refused.
    #[error("{path}: {error}", path = path.display())]
    Disk {
        /// The file or folder it was about.
        path: PathBuf,
        /// What the disk said.
        error: DiskError,
    },
    /// A file does not hold what it must.
    #[error("{path} at byte {position}: {what}", path = path.display())]
    Corrupted {
        /// The file.
        path: PathBuf,
        /// Where in it, in bytes.
        position: u64,
        /// What is wrong.
        what: String,
    },
    /// A segment holds no whole batch where one must be, because the device has changed it or cannot read it.
    #[error(
        "{path} at byte {position}: {what}; offsets {first} to {last} cannot be read",
        path = path.display(), position = rotten.position, what = rotten.what,
        first = rotten.offsets.start, last = rotten.offsets.end - 1
    )]
    Rotten {
        /// The segment's file.
        path: PathBuf,
        /// What is wrong with it.
        rotten: Box<Rotten>,
    },
    /// A file was written by a newer release.
    #[error("{path}: format version {found} is newer than {supported}, the newest that this release reads", path = path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that this release reads.
        supported: u32,
    },
}

impl EngineError {
    /// For `map_err`: the disk's refusal about `path`.
    pub fn disk(path: &Path) -> impl FnOnce(DiskError) -> EngineError {
        let path = path.to_path_buf();
        move |error| EngineError::Disk { path, error }
    }

    /// A file that does not hold what it must.
    pub fn corrupted(path: &Path, position: u64, what: impl Into<String>) -> EngineError {
        EngineError::Corrupted { path: path.to_path_buf(), position, what: what.into() }
    }

    /// Whether it is that the disk is full, which heals by itself.
    pub fn is_full(&self) -> bool {
        matches!(self, EngineError::Disk { error: DiskError::Full, .. })
    }

    /// Whether it is that the file or folder does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, EngineError::Disk { error: DiskError::NotFound, .. })
    }
}
