//! Makes a new data folder of all that can still be read of a damaged one. The old one is only ever read.
//!
//! What recovery makes of the old folder is copied, batch by batch; damaged batches are left out, so that their offsets are
//! gaps, as compaction leaves them. Where recovery refuses, what is whole in the segments is taken, and behind it what is
//! whole in the journals. Checkpoint and names are written last, so that a copy that was cut short is none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use wire::{TopicPartitionId, Uuid};

use crate::append::Mark;
use crate::checkpoint::{self, Checkpoint, PartitionState, RECOVERED_CORE};
use crate::disk::{BLOCK, Disk, Durability, File, OpenMode, block_ceil};
use crate::error::EngineError;
use crate::files::{read_file, write_file};
use crate::inspect;
use crate::journal::growth::make_dir;
use crate::journal::ring::Head;
use crate::journal::writer::Identity;
use crate::leader_epochs::{LEADER_EPOCH_BYTES_MAX, LEADER_EPOCH_FILE, LeaderEpochs};
use crate::memory::Chunk;
use crate::overlay_disk::OverlayDisk;
use crate::partition_metadata::{self, PARTITION_METADATA_BYTES_MAX, PARTITION_METADATA_FILE};
use crate::producer_snapshot::{self, SNAPSHOT_BYTES_MAX};
use crate::recovery::{RecoveryError, recover};
use crate::segment::names::{FileKind, file_name, parse_file_name, parse_folder_name};
use crate::segment::{Rotten, Stretch, Survey};

mod salvage;

/// Bytes of one write.
const WRITE_BYTES: usize = 1 << 20;
const _: () = assert!(WRITE_BYTES.is_multiple_of(BLOCK));
/// Files at the top of a data folder that go along as they are, and the bytes they have at most.
const TOP_FILES: [&str; 2] = ["meta.properties", "bootstrap.checkpoint"];
const TOP_FILE_BYTES_MAX: usize = 64 << 10;

/// A partition's log in the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Its folder in the copy.
    pub dir: PathBuf,
    /// Where it begins.
    pub log_start: i64,
    /// Where it ends.
    pub end_offset: i64,
    /// Batches that were copied.
    pub batches: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// What was left out, by the file that it was in.
    pub left_out: Vec<(PathBuf, Rotten)>,
}

/// What has become of a data folder.
#[derive(Debug, Clone)]
pub struct Repaired {
    /// Its partitions, by name.
    pub partitions: Vec<Copied>,
    /// Why recovery refused the old folder, if it did.
    pub refusal: Option<RecoveryError>,
    /// Folders that are no partition's, with the reason; they are not copied.
    pub unclear: Vec<(PathBuf, String)>,
}

/// Where a partition is taken from.
struct Source {
    dir: PathBuf,
    key: TopicPartitionId,
    log_start: i64,
}

/// Copies `data_dir`, whose journals are in `journal_dir`, to `target_dir`, which must be new or empty.
///
/// # Errors
/// The disks', and that the target is not empty. The old folder is as it was in any case.
pub async fn repair<S: Disk, T: Disk>(
    source: &S,
    (data_dir, journal_dir): (&Path, &Path),
    target: &T,
    target_dir: &Path,
) -> Result<Repaired, EngineError> {
    make_dir(target, target_dir).await?;
    if !target.list(target_dir).await.map_err(EngineError::disk(target_dir))?.is_empty() {
        return Err(EngineError::corrupted(target_dir, 0, "the folder for the copy is not empty"));
    }
    let mut overlay = OverlayDisk::new(source.clone());
    let mut repaired = Repaired { partitions: Vec::new(), refusal: None, unclear: Vec::new() };
    let sources: Vec<Source> = match recover(&overlay, data_dir, journal_dir).await {
        Ok(recovery) => {
            let source = |log: &crate::recovery::RecoveredLog| Source {
                dir: log.dir.clone(),
                key: log.key,
                log_start: log.trusted.log_start,
            };
            recovery.logs.iter().map(source).collect()
        }
        Err(refusal) => {
            repaired.refusal = Some(refusal);
            overlay = OverlayDisk::new(source.clone());
            salvage::sources(&overlay, data_dir, journal_dir, &mut repaired.unclear).await?
        }
    };
    let mut states = Vec::with_capacity(sources.len());
    for from in &sources {
        let name = from.dir.file_name().unwrap_or_default();
        let (copied, mark) = copy_partition(&overlay, from, target, &target_dir.join(name)).await?;
        states.push(PartitionState { key: from.key, log_start: copied.log_start, mark });
        repaired.partitions.push(copied);
    }
    target.sync_dir(target_dir).await.map_err(EngineError::disk(target_dir))?;
    finish(&overlay, data_dir, target, target_dir, states).await?;
    Ok(repaired)
}

/// What makes the copy a data folder.
async fn finish<S: Disk, T: Disk>(
    source: &S,
    data_dir: &Path,
    target: &T,
    target_dir: &Path,
    partitions: Vec<PartitionState>,
) -> Result<(), EngineError> {
    make_dir(target, &checkpoint::dir(target_dir)).await?;
    let recovered = Checkpoint {
        identity: Identity { core: RECOVERED_CORE, boot_epoch: 1, salt: 0 },
        clean: true,
        head: Head { file: 0, sequence: 0, previous_crc: 0 },
        partitions,
    };
    recovered.store(target, target_dir).await?;
    for name in TOP_FILES {
        match read_file(source, &data_dir.join(name), TOP_FILE_BYTES_MAX).await {
            Ok(bytes) => write_file(target, &target_dir.join(name), &bytes).await?,
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn copy_partition<S: Disk, T: Disk>(
    source: &S,
    from: &Source,
    target: &T,
    target_dir: &Path,
) -> Result<(Copied, Mark), EngineError> {
    target.create_dir(target_dir).await.map_err(EngineError::disk(target_dir))?;
    let shared: Rc<Path> = from.dir.as_path().into();
    let (batches, bytes, left_out) = Default::default();
    let dir = target_dir.to_path_buf();
    let mut copied = Copied { dir, log_start: from.log_start, end_offset: 0, batches, bytes, left_out };
    let mut mark = None;
    let segments = inspect::segments(source, &from.dir).await?;
    let last = segments.last().map(|(base_offset, ..)| *base_offset);
    for segment in segments {
        let view = inspect::view(source, &shared, segment);
        let mut survey = Survey::new(&view, 0, segment.0);
        let mut output = Output::new(target, target_dir.join(file_name(segment.0, FileKind::Log)));
        while let Some(stretch) = survey.next().await? {
            match stretch {
                Stretch::Whole { position, header } => {
                    let end = position + header.size() as u64;
                    output.copy(&view, position, end).await?;
                    copied.batches += 1;
                    let offset = header.last_offset() + 1;
                    mark = Some(Mark { segment_base: segment.0, position: output.position(), offset });
                }
                // The end of what a start would cut, or was never written.
                Stretch::Rotten(rotten)
                    if Some(segment.0) == last
                        && rotten.position + rotten.len == view.size()
                        && is_zeros(&view, &rotten).await? => {}
                Stretch::Rotten(rotten) => copied.left_out.push((view.path(), rotten)),
            }
        }
        copied.bytes += output.finish().await?;
    }
    let mark = mark.unwrap_or(Mark { segment_base: from.log_start, position: 0, offset: from.log_start });
    (copied.log_start, copied.end_offset) = (from.log_start.min(mark.offset), mark.offset);
    copy_derived(source, from, target, target_dir, mark.offset).await?;
    target.sync_dir(target_dir).await.map_err(EngineError::disk(target_dir))?;
    Ok((copied, mark))
}

async fn is_zeros<D: Disk>(view: &crate::segment::SegmentView<D>, rotten: &Rotten) -> Result<bool, EngineError> {
    let mut position = rotten.position;
    let end = rotten.position + rotten.len;
    while position < end {
        let (bytes, error) = view.read_what_there_is(position, (end - position).min(WRITE_BYTES as u64)).await?;
        if error.is_some() || bytes.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        position += bytes.len() as u64;
    }
    Ok(true)
}

/// Indexes are made anew by the first start.
async fn copy_derived<S: Disk, T: Disk>(
    source: &S,
    from: &Source,
    target: &T,
    target_dir: &Path,
    end_offset: i64,
) -> Result<(), EngineError> {
    let path = from.dir.join(LEADER_EPOCH_FILE);
    if let Ok(bytes) = read_file(source, &path, LEADER_EPOCH_BYTES_MAX).await
        && LeaderEpochs::decode(&bytes).is_ok()
    {
        write_file(target, &target_dir.join(LEADER_EPOCH_FILE), &bytes).await?;
    }
    for entry in source.list(&from.dir).await.map_err(EngineError::disk(&from.dir))? {
        let Some((offset, FileKind::ProducerSnapshot)) = parse_file_name(&entry.name) else { continue };
        if offset <= end_offset
            && let Ok(bytes) = read_file(source, &from.dir.join(&entry.name), SNAPSHOT_BYTES_MAX).await
            && producer_snapshot::decode(&bytes).is_ok()
        {
            write_file(target, &target_dir.join(&entry.name), &bytes).await?;
        }
    }
    let metadata = partition_metadata::encode(from.key.topic);
    write_file(target, &target_dir.join(PARTITION_METADATA_FILE), metadata.as_bytes()).await
}

/// A file that batches are copied to; made with the first.
struct Output<'a, T: Disk> {
    disk: &'a T,
    path: PathBuf,
    file: Option<T::File>,
    written: u64,
    chunk: Chunk,
}

impl<'a, T: Disk> Output<'a, T> {
    fn new(disk: &'a T, path: PathBuf) -> Self {
        Self { disk, path, file: None, written: 0, chunk: Chunk::new(WRITE_BYTES) }
    }

    fn position(&self) -> u64 {
        self.written + self.chunk.len() as u64
    }

    async fn copy<S: Disk>(
        &mut self,
        view: &crate::segment::SegmentView<S>,
        position: u64,
        end: u64,
    ) -> Result<(), EngineError> {
        let mut position = position;
        while position < end {
            let len = (end - position).min(self.chunk.remaining() as u64);
            let bytes = view.read(position, len).await?.contiguous(position..position + len);
            self.chunk.append(&bytes);
            position += len;
            if self.chunk.remaining() == 0 {
                self.write().await?;
            }
        }
        Ok(())
    }

    async fn write(&mut self) -> Result<(), EngineError> {
        if self.file.is_none() {
            let opened = self.disk.open(&self.path, OpenMode::Create).await;
            self.file = Some(opened.map_err(EngineError::disk(&self.path))?);
        }
        let Some(file) = &self.file else { return Ok(()) };
        let chunk = std::mem::replace(&mut self.chunk, Chunk::new(WRITE_BYTES));
        let slices = vec![chunk.slice(0..chunk.len())];
        let written = file.write(self.written, slices, Durability::Volatile).await;
        written.map_err(EngineError::disk(&self.path))?;
        self.written += chunk.len() as u64;
        Ok(())
    }

    /// Writes the rest, cuts the file to its size and syncs it. Returns its bytes.
    async fn finish(mut self) -> Result<u64, EngineError> {
        let size = self.position();
        if !self.chunk.is_empty() {
            let len = self.chunk.len();
            self.chunk.append_zeros(block_ceil(len as u64) as usize - len);
            self.write().await?;
        }
        if let Some(file) = &self.file {
            let finished = async {
                file.truncate(size).await?;
                file.sync().await
            };
            finished.await.map_err(EngineError::disk(&self.path))?;
        }
        Ok(size)
    }
}

/// The topic id that a partition's folder names.
async fn topic_id<D: Disk>(disk: &D, dir: &Path) -> Result<Uuid, EngineError> {
    let path = dir.join(PARTITION_METADATA_FILE);
    let bytes = read_file(disk, &path, PARTITION_METADATA_BYTES_MAX).await?;
    partition_metadata::decode(&bytes).map_err(|error| EngineError::corrupted(&path, 0, error.to_string()))
}

/// Partitions' folders by key.
type Folders = BTreeMap<TopicPartitionId, PathBuf>;

/// The folders of partitions in a data folder, as far as they can be told.
async fn folders<D: Disk>(
    disk: &D,
    data_dir: &Path,
    unclear: &mut Vec<(PathBuf, String)>,
) -> Result<Folders, EngineError> {
    let mut folders = Folders::new();
    for entry in disk.list(data_dir).await.map_err(EngineError::disk(data_dir))? {
        let Some((_, partition)) = parse_folder_name(&entry.name).filter(|_| entry.is_dir) else { continue };
        let dir = data_dir.join(&entry.name);
        match topic_id(disk, &dir).await {
            Ok(topic) => {
                if let Some(other) = folders.insert(TopicPartitionId { topic, partition }, dir) {
                    let what = "another folder is of the same topic id and partition".to_owned();
                    unclear.push((other, what));
                }
            }
            Err(error) => unclear.push((dir, error.to_string())),
        }
    }
    Ok(folders)
}
