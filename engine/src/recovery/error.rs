//! Why recovery refuses to start: a code, a place, and what to do.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::verdict::Refusal;
use crate::error::EngineError;

/// The kinds of refusal. Each has a page, `docs/errors/<code>.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A checkpoint is damaged.
    CheckpointDamaged,
    /// A file was written by a newer release.
    TooNew,
    /// A journal file that is needed is missing.
    JournalMissing,
    /// Groups are missing or damaged that were acknowledged.
    JournalDamaged,
    /// A partition's files and its journal entries do not fit together.
    LogIncomplete,
    /// A partition's files are damaged where they were trusted.
    LogDamaged,
    /// A partition's folder cannot be told.
    FolderUnclear,
    /// The disk failed while recovering.
    Disk,
}

impl Code {
    /// The code, which never changes.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::CheckpointDamaged => "P0101",
            Code::TooNew => "P0102",
            Code::JournalMissing => "P0103",
            Code::JournalDamaged => "P0104",
            Code::LogIncomplete => "P0105",
            Code::LogDamaged => "P0106",
            Code::FolderUnclear => "P0107",
            Code::Disk => "P0108",
        }
    }

    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Code::CheckpointDamaged => {
                "The device has changed stored bytes. Restore the data folder from a replica or a backup."
            }
            Code::TooNew => "Start the release that wrote the file, or a newer one.",
            Code::JournalMissing => {
                "Mount the device that holds the journal folder, or correct `journal_dir`, and start again."
            }
            Code::JournalDamaged | Code::LogIncomplete | Code::LogDamaged => {
                "Acknowledged records are lost on this disk. Check the device, and restore the partition from a replica or a \
                 backup; to go on without the lost records, move the named file away after copying the data folder."
            }
            Code::FolderUnclear => "Move the folder that does not belong there out of the data folder.",
            Code::Disk => "Correct what the disk reports (space, permissions, health) and start again.",
        }
    }
}

/// Recovery's refusal. Nothing that was acknowledged has been changed.
#[derive(Debug, Clone, Error)]
#[error("{code}: {path}, byte {position}: {what}. {advice}", code = code.as_str(), path = path.display(), advice = code.advice())]
pub struct RecoveryError {
    /// Which kind.
    pub code: Code,
    /// The file or folder.
    pub path: PathBuf,
    /// Where in it, in bytes.
    pub position: u64,
    /// What is wrong.
    pub what: String,
}

impl RecoveryError {
    pub(super) fn new(code: Code, path: &Path, position: u64, what: impl Into<String>) -> Self {
        RecoveryError { code, path: path.to_path_buf(), position, what: what.into() }
    }

    /// For `map_err`: what is corrupted is of this kind.
    pub(super) fn of(code: Code) -> impl Fn(EngineError) -> RecoveryError {
        move |error| match error {
            EngineError::Disk { path, error } => RecoveryError::new(Code::Disk, &path, 0, error.to_string()),
            EngineError::Corrupted { path, position, what } => RecoveryError { code, path, position, what },
            EngineError::Rotten { path, rotten } => RecoveryError::new(code, &path, rotten.position, rotten.what),
            EngineError::TooNew { ref path, .. } => RecoveryError::new(Code::TooNew, path, 0, error.to_string()),
        }
    }

    pub(super) fn refused(segment: &Path, refusal: Refusal) -> Self {
        let position = match refusal {
            Refusal::Gap { found } => found.position,
            Refusal::SegmentMissing { .. } => 0,
            Refusal::SegmentShort { len, .. } => len,
        };
        RecoveryError::new(Code::LogIncomplete, segment, position, refusal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_page() {
        let codes = [
            Code::CheckpointDamaged,
            Code::TooNew,
            Code::JournalMissing,
            Code::JournalDamaged,
            Code::LogIncomplete,
            Code::LogDamaged,
            Code::FolderUnclear,
            Code::Disk,
        ];
        for code in codes.map(Code::as_str) {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/errors/{code}.md"));
            let page = std::fs::read_to_string(path).expect("the page is there");
            assert!(page.starts_with(&format!("# {code}: ")) && page.contains("## What to do"), "{code}");
        }
    }
}
