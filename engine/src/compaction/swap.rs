//! How a cleaned segment takes the place of those that it was made of, whatever instant a crash comes at.
//!
//! | step | on disk | after a crash |
//! |---|---|---|
//! | written and synced | `<base>.log.cleaned` | dropped |
//! | renamed, folder synced: decided | `<base>-<end>.swap` | completed |
//! | old indexes and other segments removed, folder synced | `<base>-<end>.swap` | completed |
//! | renamed, folder synced | `<base>.log` without indexes | indexes are rebuilt |
//!
//! The name says what the segment stands for: all from its base offset up to the end. So nothing has to be read to
//! complete it, and doing it again changes nothing. Kafka's own suffixes mean the same but for the end, which Kafka
//! reads from the segment.

use std::path::Path;

use crate::disk::{DirEntry, Disk, DiskError};
use crate::error::EngineError;
use crate::segment::names::{
    FileKind, cleaned_file_name, file_name, parse_file_name, parse_swap_file_name, swap_file_name,
};

/// A cleaned segment with the offsets that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swap {
    /// The base offset that names it, and the first of the segments that it replaces.
    pub base_offset: i64,
    /// One past its last offset: segments below go.
    pub end_offset: i64,
}

impl Swap {
    /// Decides it: from here on a restart completes it.
    pub async fn decide<D: Disk>(self, disk: &D, dir: &Path) -> Result<(), EngineError> {
        let cleaned = dir.join(cleaned_file_name(self.base_offset));
        let swap = dir.join(swap_file_name(self.base_offset, self.end_offset));
        disk.rename(&cleaned, &swap).await.map_err(EngineError::disk(&cleaned))?;
        probe::mutation!(SwapUnsynced => return Ok(()));
        disk.sync_dir(dir).await.map_err(EngineError::disk(dir))
    }

    /// Completes it: removes the files of the segments `replaced` and puts the new one in their place, without indexes.
    pub async fn complete<D: Disk>(
        self,
        disk: &D,
        dir: &Path,
        replaced: impl IntoIterator<Item = i64>,
    ) -> Result<(), EngineError> {
        for base_offset in replaced {
            for kind in [FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::Log] {
                if (base_offset, kind) != (self.base_offset, FileKind::Log) {
                    remove_if_there(disk, &dir.join(file_name(base_offset, kind))).await?;
                }
            }
        }
        // An index of what was there before must not outlive it.
        disk.sync_dir(dir).await.map_err(EngineError::disk(dir))?;
        let swap = dir.join(swap_file_name(self.base_offset, self.end_offset));
        let path = dir.join(file_name(self.base_offset, FileKind::Log));
        disk.rename(&swap, &path).await.map_err(EngineError::disk(&swap))?;
        disk.sync_dir(dir).await.map_err(EngineError::disk(dir))
    }
}

/// Completes the swaps that a crash cut short, in a partition's folder with these entries. Returns how many there were.
pub async fn complete_swaps<D: Disk>(disk: &D, dir: &Path, entries: &[DirEntry]) -> Result<usize, EngineError> {
    let named: Vec<i64> = entries.iter().filter_map(|entry| Some(parse_file_name(&entry.name)?.0)).collect();
    let mut completed = 0;
    for entry in entries {
        let Some((base_offset, end_offset)) = parse_swap_file_name(&entry.name) else { continue };
        let within = named.iter().copied().filter(|offset| (base_offset..end_offset).contains(offset));
        Swap { base_offset, end_offset }.complete(disk, dir, within).await?;
        completed += 1;
    }
    Ok(completed)
}

/// Removes a file, if there is one.
pub async fn remove_if_there<D: Disk>(disk: &D, path: &Path) -> Result<(), EngineError> {
    match disk.remove_file(path).await {
        Ok(()) | Err(DiskError::NotFound) => Ok(()),
        Err(error) => Err(EngineError::disk(path)(error)),
    }
}

#[cfg(test)]
mod tests;
