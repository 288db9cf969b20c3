//! The partitions' folders in a data folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wire::TopicPartitionId;

use super::{Code, RecoveryError, Report};
use crate::compaction::swap::complete_swaps;
use crate::disk::Disk;
use crate::error::EngineError;
use crate::files::read_file;
use crate::partition_metadata::{self, PARTITION_METADATA_BYTES_MAX, PARTITION_METADATA_FILE};
use crate::segment::names::{FileKind, file_name, is_deleted_folder, parse_file_name, parse_folder_name};

/// One partition's folder.
pub struct Folder {
    /// The topic's name.
    pub topic: String,
    /// Where it is.
    pub dir: PathBuf,
    /// Lengths of the segments' files, by base offset.
    pub segments: BTreeMap<i64, u64>,
}

impl Folder {
    /// The path of a segment's file.
    pub fn segment_path(&self, base_offset: i64) -> PathBuf {
        self.dir.join(file_name(base_offset, FileKind::Log))
    }
}

/// Finds the folders of all partitions. Those of deleted ones go, and those whose making a crash cut short.
pub async fn find<D: Disk>(
    disk: &D,
    data_dir: &Path,
    report: &mut Report,
) -> Result<BTreeMap<TopicPartitionId, Folder>, RecoveryError> {
    let failed = RecoveryError::of(Code::Disk);
    let mut folders: BTreeMap<TopicPartitionId, Folder> = BTreeMap::new();
    let entries = disk.list(data_dir).await.map_err(EngineError::disk(data_dir)).map_err(&failed)?;
    for entry in entries.iter().filter(|entry| entry.is_dir) {
        let dir = data_dir.join(&entry.name);
        let parsed = parse_folder_name(&entry.name);
        let found = match parsed {
            Some((topic, partition)) => open(disk, &dir, (topic, partition), report).await?,
            None => None,
        };
        if let Some((key, folder)) = found {
            if let Some(other) = folders.insert(key, folder) {
                let what = format!("it is of the same topic id and partition as {}", other.dir.display());
                return Err(RecoveryError::new(Code::FolderUnclear, &dir, 0, what));
            }
        } else if parsed.is_some() || is_deleted_folder(&entry.name) {
            disk.remove_dir(&dir).await.map_err(EngineError::disk(&dir)).map_err(&failed)?;
            probe::reached!(FolderRemovedAtStart);
            report.folders_removed += 1;
        }
    }
    Ok(folders)
}

/// Completes what compaction had decided there. `None` for a folder that never got its metadata, and so never took an append.
async fn open<D: Disk>(
    disk: &D,
    dir: &Path,
    (topic, partition): (&str, i32),
    report: &mut Report,
) -> Result<Option<(TopicPartitionId, Folder)>, RecoveryError> {
    let failed = RecoveryError::of(Code::FolderUnclear);
    let mut entries = disk.list(dir).await.map_err(EngineError::disk(dir)).map_err(&failed)?;
    let swaps = complete_swaps(disk, dir, &entries).await.map_err(&failed)?;
    if swaps > 0 {
        probe::reached!(SwapCompletedAtStart);
        report.swaps_completed += swaps;
        entries = disk.list(dir).await.map_err(EngineError::disk(dir)).map_err(&failed)?;
    }
    let segment = |name: &str| parse_file_name(name).filter(|(_, kind)| *kind == FileKind::Log);
    let segments: BTreeMap<i64, u64> =
        entries.iter().filter_map(|entry| Some((segment(&entry.name)?.0, entry.len))).collect();
    let path = dir.join(PARTITION_METADATA_FILE);
    let topic_id = match read_file(disk, &path, PARTITION_METADATA_BYTES_MAX).await {
        Ok(bytes) => partition_metadata::decode(&bytes),
        Err(error) if error.is_not_found() && segments.is_empty() => return Ok(None),
        Err(error) if error.is_not_found() => {
            let what = "it is missing, but the folder has segments";
            return Err(RecoveryError::new(Code::FolderUnclear, &path, 0, what));
        }
        Err(error) => return Err(failed(error)),
    };
    let topic_id = topic_id.map_err(|error| RecoveryError::new(Code::FolderUnclear, &path, 0, error.to_string()))?;
    let key = TopicPartitionId { topic: topic_id, partition };
    Ok(Some((key, Folder { topic: topic.to_owned(), dir: dir.to_path_buf(), segments })))
}
