//! What can be had of a data folder that recovery refuses: whole batches of the segments, and behind them those of the
//! journals' whole groups, wherever one is damaged or missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{Folders, Source, folders};
use crate::append::Mark;
use crate::checkpoint::{self, Checkpoint, RECOVERED_CORE};
use crate::disk::{Disk, File, OpenMode};
use crate::error::EngineError;
use crate::inspect;
use crate::journal::format::{Entry, EntryKind, GroupHeader, decode_group};
use crate::journal::growth::{file_path, list_files};
use crate::journal::reader::{find_groups, read_whole};
use crate::overlay_disk::OverlayDisk;
use crate::recovery::write_pieces;
use crate::segment::names::{FileKind, file_name};
use crate::segment::{Stretch, Survey};

/// Puts what the journals hold behind what the segments hold, in the overlay, and says where to copy from.
pub(super) async fn sources<D: Disk>(
    disk: &OverlayDisk<D>,
    data_dir: &Path,
    journal_dir: &Path,
    unclear: &mut Vec<(PathBuf, String)>,
) -> Result<Vec<Source>, EngineError> {
    let folders = folders(disk, data_dir, unclear).await?;
    let mut log_starts = log_starts(disk, data_dir).await;
    let mut ends = BTreeMap::new();
    for (key, dir) in &folders {
        ends.insert(*key, end(disk, dir).await?);
    }
    for core_dir in disk.list(journal_dir).await.unwrap_or_default().iter().filter(|entry| entry.is_dir) {
        let dir = journal_dir.join(&core_dir.name);
        for (file, position) in whole_groups(disk, &dir).await? {
            let bytes = read_whole(disk, &file_path(&dir, file)).await?;
            let Some(group) = bytes.get(position as usize..).and_then(|bytes| decode_group(bytes).ok()) else {
                continue;
            };
            for entry in &group.entries {
                if entry.kind == EntryKind::LogStart {
                    let log_start = log_starts.entry(entry.key).or_insert(0);
                    *log_start = entry.base_offset.max(*log_start);
                } else if let (Some(dir), Some(end)) = (folders.get(&entry.key), ends.get_mut(&entry.key)) {
                    append(disk, dir, end, entry).await?;
                }
            }
        }
    }
    let source = |(key, dir): (&_, &PathBuf)| Source {
        dir: dir.clone(),
        key: *key,
        log_start: log_starts.get(key).copied().unwrap_or(0),
    };
    Ok(Folders::iter(&folders).map(source).collect())
}

/// The log starts of those checkpoints that can be read.
async fn log_starts<D: Disk>(disk: &D, data_dir: &Path) -> BTreeMap<wire::TopicPartitionId, i64> {
    let mut log_starts = BTreeMap::new();
    let entries = disk.list(&checkpoint::dir(data_dir)).await.unwrap_or_default();
    let cores = entries.iter().filter_map(|entry| checkpoint::core_of_name(&entry.name)).chain([RECOVERED_CORE]);
    for core in cores {
        if let Ok(Some(checkpoint)) = Checkpoint::load(disk, data_dir, core).await {
            for state in checkpoint.partitions {
                let log_start = log_starts.entry(state.key).or_insert(0);
                *log_start = state.log_start.max(*log_start);
            }
        }
    }
    log_starts
}

/// Where the last whole batch of a partition's segments ends.
async fn end<D: Disk>(disk: &D, dir: &Path) -> Result<Mark, EngineError> {
    let shared: Rc<Path> = dir.into();
    let mut end = Mark { segment_base: 0, position: 0, offset: 0 };
    for segment in inspect::segments(disk, dir).await?.into_iter().rev() {
        let view = inspect::view(disk, &shared, segment);
        let mut survey = Survey::new(&view, 0, segment.0);
        while let Some(stretch) = survey.next().await? {
            if let Stretch::Whole { position, header } = stretch {
                let position = position + header.size() as u64;
                end = Mark { segment_base: segment.0, position, offset: header.last_offset() + 1 };
            }
        }
        if end.position > 0 {
            break;
        }
    }
    Ok(end)
}

/// File and position of the whole groups of a core's last start, in order.
async fn whole_groups<D: Disk>(disk: &D, dir: &Path) -> Result<Vec<(u32, u64)>, EngineError> {
    let mut found = Vec::new();
    for (number, _) in list_files(disk, dir).await? {
        let bytes = read_whole(disk, &file_path(dir, number)).await?;
        found.extend(find_groups(number, &bytes).into_iter().filter(|group| group.state.is_ok()));
    }
    let newest = found.iter().map(|group| group.header.boot_epoch).max();
    found.retain(|group| Some(group.header.boot_epoch) == newest);
    found.sort_by_key(|group| {
        let GroupHeader { sequence, .. } = group.header;
        sequence
    });
    Ok(found.iter().map(|group| (group.slot.file, group.slot.position)).collect())
}

/// Writes a batch at its place if it goes behind all that is there; what lacks before it stays zeros.
async fn append<D: Disk>(
    disk: &OverlayDisk<D>,
    dir: &Path,
    end: &mut Mark,
    entry: &Entry<'_>,
) -> Result<(), EngineError> {
    let place = entry.place;
    let is_behind = (place.segment_base, place.position) >= (end.segment_base, end.position);
    if entry.kind != EntryKind::Append || entry.base_offset < end.offset || !is_behind {
        return Ok(());
    }
    let path = dir.join(file_name(place.segment_base, FileKind::Log));
    let file = disk.open(&path, OpenMode::Create).await.map_err(EngineError::disk(&path))?;
    if file.len().await.map_err(EngineError::disk(&path))? < place.position {
        file.truncate(place.position).await.map_err(EngineError::disk(&path))?;
    }
    write_pieces(disk, dir, &[(place, entry.bytes)]).await?;
    let position = place.position + entry.bytes.len() as u64;
    let Ok(batch) = wire::batch::Batch::parse(entry.bytes) else { return Ok(()) };
    *end = Mark { segment_base: place.segment_base, position, offset: batch.header.last_offset() + 1 };
    Ok(())
}
