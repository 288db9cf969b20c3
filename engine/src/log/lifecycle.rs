//! A log's coming and going: made, opened after recovery, closed at a clean stop, deleted.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use wire::TopicPartitionId;
use wire::batch::BatchHeader;

use super::segment::{Segment, Stage};
use super::snapshots::Snapshots;
use super::{Log, LogConfig};
use crate::append::{Mark, Urgency};
use crate::compaction::checkpoint;
use crate::disk::{Disk, File, block_floor};
use crate::error::EngineError;
use crate::files::{TEMPORARY_SUFFIX, read_file, write_file};
use crate::leader_epochs::{LEADER_EPOCH_BYTES_MAX, LEADER_EPOCH_FILE, LeaderEpochs};
use crate::partition_metadata::{self, PARTITION_METADATA_BYTES_MAX, PARTITION_METADATA_FILE};
use crate::segment::names::{
    FileKind, deleted_folder_name, folder_name, is_cleaned_file, is_deleted_file, parse_file_name,
};
use crate::segment::{Indexes, SegmentFiles};
use crate::tail::{ChunkPool, Tail};

/// What recovery vouches for in a partition's folder: every log file is on stable storage and ends with a whole batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trusted {
    /// The log's start, as last made durable; 0 when it never moved.
    pub log_start: i64,
    /// Segments with this base offset or a larger one may not have been closed: their index files may be missing or
    /// behind, and are brought up to date. 0 when it is not known.
    pub unclosed_from: i64,
}

/// What was found in a partition's folder: lengths of files, by offset and kind.
type Found = BTreeMap<(i64, FileKind), u64>;

/// A partition's folder under a name that no log has.
pub struct Retired<D: Disk> {
    disk: D,
    dir: PathBuf,
}

impl<D: Disk> Retired<D> {
    /// Removes the folder.
    ///
    /// # Errors
    /// The disk's. What is left goes at the next start.
    pub async fn remove(self) -> Result<(), EngineError> {
        self.disk.remove_dir(&self.dir).await.map_err(EngineError::disk(&self.dir))
    }
}

impl<D: Disk> Log<D> {
    /// Makes the folder of a new partition in `data_dir`. The first segment's file follows with its first bytes.
    ///
    /// # Errors
    /// The disk's. What is there then is overwritten by another attempt.
    pub async fn create(
        disk: &D,
        data_dir: &Path,
        topic: &str,
        key: TopicPartitionId,
        config: LogConfig,
    ) -> Result<Self, EngineError> {
        let dir: Rc<Path> = data_dir.join(folder_name(topic, key.partition)).into();
        disk.create_dir(&dir).await.map_err(EngineError::disk(&dir))?;
        let metadata = partition_metadata::encode(key.topic);
        write_file(disk, &dir.join(PARTITION_METADATA_FILE), metadata.as_bytes()).await?;
        disk.sync_dir(data_dir).await.map_err(EngineError::disk(data_dir))?;
        Ok(Self::new(disk, dir, topic, key, config))
    }

    /// Opens a partition's folder that recovery has been over. Closed segments are not read, but for the last entries
    /// of their time indexes; the others are read from their last index entry on.
    ///
    /// # Errors
    /// The disk's; [`EngineError::Corrupted`] when the folder belongs to another topic id, or a file is not what it
    /// must be.
    pub async fn open(
        disk: &D,
        data_dir: &Path,
        topic: &str,
        key: TopicPartitionId,
        config: LogConfig,
        trusted: Trusted,
    ) -> Result<Self, EngineError> {
        let dir: Rc<Path> = data_dir.join(folder_name(topic, key.partition)).into();
        let mut log = Self::new(disk, dir, topic, key, config);
        log.check_metadata().await?;
        let found = log.list_and_clean().await?;
        log.epochs = log.read_epochs().await?;
        log.open_segments(&found, trusted).await?;
        log.size_bytes = log.segments.iter().map(Segment::size).sum();
        log.memory_bytes = log.active().tail.memory_bytes();
        log.log_start = trusted.log_start.max(log.segments[0].base_offset).min(log.log_end());
        log.flushed_end = log.log_end();
        // Recovery leaves nothing to replay.
        log.checkpointed_base = log.active().base_offset;
        log.first_dirty = checkpoint::load(disk, &log.dir).await?.min(log.active().base_offset);
        log.epochs.truncate_end(log.log_end());
        log.epochs.truncate_start(log.log_start);
        let snapshots = found.keys().filter(|(_, kind)| *kind == FileKind::ProducerSnapshot).map(|(offset, _)| *offset);
        log.snapshots = Snapshots::open(disk, &log.dir, snapshots.collect(), log.log_end()).await?;
        Ok(log)
    }

    /// Files everything, cuts the active segment's file to its exact size and syncs it, and writes indexes, leader
    /// epochs and producer state: afterwards Kafka's tools read every file. No job may be in flight.
    ///
    /// # Errors
    /// The disk's. The journal must then be kept.
    pub async fn close(mut self) -> Result<(), EngineError> {
        assert!(!self.filing_in_flight, "a log is closed when no job is in flight");
        for segment in &mut self.segments {
            segment.rewrite_after = None;
        }
        while let Some(job) = self.poll_filing(Urgency::Everything) {
            let done = job.perform().await;
            self.handle_filed(done)?;
        }
        self.filing_in_flight = true;
        let done = self.active_closing().perform().await;
        self.handle_filed(done)
    }

    /// Begins to remove the partition: its folder gets the name `<topic>-<partition>.<uuid>-delete`, durably, so that a
    /// crash does not leave half a log, and a new topic may have the name. `unique` tells it from earlier topics of that
    /// name. No job may be in flight: one that opens a file late would open the new topic's.
    ///
    /// # Errors
    /// The disk's.
    pub async fn retire(self, unique: u128) -> Result<Retired<D>, EngineError> {
        let data_dir = self.dir.parent().unwrap_or(Path::new("."));
        let deleted = data_dir.join(deleted_folder_name(&self.topic, self.key.partition, unique));
        self.disk.rename(&self.dir, &deleted).await.map_err(EngineError::disk(&self.dir))?;
        probe::mutation!(DeletionUnsynced => return Ok(Retired { disk: self.disk, dir: deleted }));
        self.disk.sync_dir(data_dir).await.map_err(EngineError::disk(data_dir))?;
        Ok(Retired { disk: self.disk, dir: deleted })
    }

    /// [`Log::retire`] and [`Retired::remove`].
    ///
    /// # Errors
    /// The disk's. What is left under the new name goes at the next start.
    pub async fn delete(self, unique: u128) -> Result<(), EngineError> {
        self.retire(unique).await?.remove().await
    }

    fn new(disk: &D, dir: Rc<Path>, topic: &str, key: TopicPartitionId, config: LogConfig) -> Self {
        // A log that belongs to no store keeps no unused memory.
        let pool = ChunkPool::new(0);
        let first = Segment::empty(SegmentFiles::new(disk, &dir, 0), &pool);
        Self {
            disk: disk.clone(),
            dir,
            topic: topic.to_owned(),
            key,
            config,
            segments: VecDeque::from([first]),
            doomed: VecDeque::new(),
            size_bytes: 0,
            memory_bytes: 0,
            pool,
            log_start: 0,
            flushed_end: 0,
            epochs: LeaderEpochs::default(),
            snapshots: Snapshots::default(),
            filing_in_flight: false,
            filings: 0,
            checkpointed_base: 0,
            first_dirty: 0,
            cleaning: None,
            uncleanable: false,
            resident: RefCell::default(),
        }
    }

    async fn check_metadata(&self) -> Result<(), EngineError> {
        let path = self.dir.join(PARTITION_METADATA_FILE);
        let bytes = read_file(&self.disk, &path, PARTITION_METADATA_BYTES_MAX).await?;
        match partition_metadata::decode(&bytes) {
            Ok(topic) if topic == self.key.topic => Ok(()),
            Ok(topic) => Err(EngineError::corrupted(
                &path,
                0,
                format!("the folder is of topic id {topic}, not {}", self.key.topic),
            )),
            Err(error) => Err(EngineError::corrupted(&path, 0, error.to_string())),
        }
    }

    /// What is in the folder; leftovers of removals and of unfinished replacements go.
    async fn list_and_clean(&self) -> Result<Found, EngineError> {
        let mut found = Found::new();
        for entry in self.disk.list(&self.dir).await.map_err(EngineError::disk(&self.dir))? {
            if let Some(named) = parse_file_name(&entry.name) {
                found.insert(named, entry.len);
            } else if is_leftover(&entry.name) {
                let path = self.dir.join(&entry.name);
                self.disk.remove_file(&path).await.map_err(EngineError::disk(&path))?;
            }
        }
        Ok(found)
    }

    async fn read_epochs(&self) -> Result<LeaderEpochs, EngineError> {
        let path = self.dir.join(LEADER_EPOCH_FILE);
        match read_file(&self.disk, &path, LEADER_EPOCH_BYTES_MAX).await {
            Ok(bytes) => {
                LeaderEpochs::decode(&bytes).map_err(|error| EngineError::corrupted(&path, 0, error.to_string()))
            }
            Err(error) if error.is_not_found() => Ok(LeaderEpochs::default()),
            Err(error) => Err(error),
        }
    }

    async fn open_segments(&mut self, found: &Found, trusted: Trusted) -> Result<(), EngineError> {
        let logs = found.iter().filter(|((_, kind), _)| *kind == FileKind::Log);
        let logs: Vec<(i64, u64)> = logs.map(|((base_offset, _), size)| (*base_offset, *size)).collect();
        let Some(((active_base, active_size), earlier)) = logs.split_last() else {
            self.segments = VecDeque::from([Segment::empty(self.files(trusted.log_start), &self.pool)]);
            return Ok(());
        };
        self.segments.clear();
        let nexts = logs.iter().skip(1).map(|(base_offset, _)| *base_offset);
        for ((base_offset, size), next) in earlier.iter().zip(nexts) {
            let files = self.files(*base_offset);
            if *size == 0 {
                // Its first bytes never came, or recovery cut them off.
                self.doomed.push_back(files);
                continue;
            }
            let lens = [FileKind::OffsetIndex, FileKind::TimeIndex].map(|kind| found.get(&(*base_offset, kind)));
            let segment = self.open_earlier(files, *size, next, lens, trusted).await?;
            self.segments.push_back(segment);
        }
        let active = self.open_active(*active_base, *active_size).await?;
        self.segments.push_back(active);
        Ok(())
    }

    /// A segment that is not the last.
    async fn open_earlier(
        &mut self,
        files: Rc<SegmentFiles<D>>,
        size: u64,
        end_offset: i64,
        index_lens: [Option<&u64>; 2],
        trusted: Trusted,
    ) -> Result<Segment<D>, EngineError> {
        if files.base_offset() < trusted.unclosed_from
            && let [Some(offset_bytes), Some(time_bytes)] = index_lens
            && let Some(largest) = files.read_largest_timestamp((*offset_bytes, *time_bytes)).await?
        {
            return Ok(Segment { largest, ..Segment::closed(files, end_offset, size, &self.pool) });
        }
        probe::reached!(IndexRebuilt);
        let segment = Segment::closed(Rc::clone(&files), end_offset, size, &self.pool);
        let indexes = match self.catch_up(&segment).await {
            Ok((mut indexes, _)) => {
                indexes.finish();
                indexes
            }
            // Readers are told of the damage when they come there.
            Err(EngineError::Corrupted { .. }) => files.rebuild_indexes(&segment.view(Some(0))).await?,
            Err(error) => return Err(error),
        };
        files.write_indexes(&indexes).await?;
        Ok(Segment { largest: indexes.largest_timestamp(), ..segment })
    }

    async fn open_active(&mut self, base_offset: i64, size: u64) -> Result<Segment<D>, EngineError> {
        let files = self.files(base_offset);
        if size == 0 {
            return Ok(Segment::empty(files, &self.pool));
        }
        let path = files.path(FileKind::Log);
        let file = files.writer().await?;
        let mut segment = Segment::closed(Rc::clone(&files), i64::MAX, size, &self.pool);
        let (indexes, last) = self.catch_up(&segment).await?;
        let Some(last) = last else {
            return Err(EngineError::corrupted(&path, 0, "the segment holds no batch"));
        };
        let block_start = block_floor(size);
        let block = file.read(block_start, (size - block_start) as usize).await.map_err(EngineError::disk(&path))?;
        segment.first_timestamp = segment
            .view(Some(0))
            .read(0, wire::batch::HEADER_BYTES as u64)
            .await?
            .header(0, &path)?
            .map(|header| header.max_timestamp);
        segment.stage = Stage::Active;
        segment.end_offset = last.last_offset() + 1;
        segment.filed_mark = Mark { segment_base: base_offset, position: size, offset: segment.end_offset };
        segment.tail = Tail::new(size, &block, &self.pool);
        segment.indexes = Some(Rc::new(indexes));
        Ok(segment)
    }

    /// The indexes of a segment whose index files may be behind, missing or wrong: what they hold is kept if its last
    /// entry is true, and the rest is read. Leader epochs are noted too. The last header read comes with them.
    async fn catch_up(&mut self, segment: &Segment<D>) -> Result<(Indexes, Option<BatchHeader>), EngineError> {
        let view = segment.view(Some(0));
        let interval_bytes = self.config.index_interval_bytes;
        let mut indexes = Indexes::new(segment.base_offset);
        let mut from = 0;
        if let Some(stored) = segment.files.load_indexes(segment.size(), segment.end_offset).await?
            && let Some((_, position)) = stored.offsets.last()
            && let header = view.read(position, wire::batch::HEADER_BYTES as u64).await?
            && let Ok(Some(header)) = header.header(position, &view.path())
            && let Some(known) = stored.up_to_last_entry(&header)
        {
            indexes = known;
            from = position;
        }
        let mut last = None;
        let epochs = &mut self.epochs;
        view.index_from(from, &mut indexes, interval_bytes, |header| {
            epochs.assign(header.partition_leader_epoch, header.base_offset);
            last = Some(*header);
        })
        .await?;
        Ok((indexes, last))
    }

    fn files(&self, base_offset: i64) -> Rc<SegmentFiles<D>> {
        SegmentFiles::new(&self.disk, &self.dir, base_offset)
    }
}

/// Whether a file is what a removal, a replacement or a cleaning has left unfinished.
fn is_leftover(name: &str) -> bool {
    is_deleted_file(name) || is_cleaned_file(name) || name.ends_with(TEMPORARY_SUFFIX)
}
