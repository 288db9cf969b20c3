//! The files of one segment: opened when needed, shared by the log and by the jobs that read or write them.
//!
//! A job that holds the segment keeps its open file, so that a segment that is removed meanwhile stays readable to it.
//! The cells hold caches, and are never borrowed over an await.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::names::{FileKind, deleted_file_name, file_name};
use super::view::SegmentView;
use super::{
    IndexedBatch, Indexes, OFFSET_ENTRY_BYTES, OffsetIndex, Stretch, Survey, TIME_ENTRY_BYTES, TimeEntry, TimeIndex,
};
use crate::disk::{Disk, DiskError, File, OpenMode};
use crate::error::EngineError;
use crate::files::{read_file, write_file};

/// Bytes of an index file at most: beyond any that a 2 GiB segment can need.
const INDEX_BYTES_MAX: usize = 64 << 20;
/// Entry distance of an index that is made anew, in bytes: Kafka's default for `index.interval.bytes`.
const REBUILT_INTERVAL_BYTES: u64 = 4096;

/// How long what readers open stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Residence {
    /// As long as a reader needs it.
    Transient,
    /// Until [`SegmentFiles::release`].
    Resident,
    /// As long as anybody holds the segment: its name may be another's by now.
    Pinned,
}

/// See the module.
pub struct SegmentFiles<D: Disk> {
    disk: D,
    dir: Rc<Path>,
    base_offset: i64,
    log: RefCell<Option<D::File>>,
    indexes: RefCell<Option<Rc<Indexes>>>,
    residence: Cell<Residence>,
}

impl<D: Disk> SegmentFiles<D> {
    /// Those of the segment with that base offset in a partition's folder. They need not exist yet.
    pub fn new(disk: &D, dir: &Rc<Path>, base_offset: i64) -> Rc<Self> {
        Rc::new(Self {
            disk: disk.clone(),
            dir: Rc::clone(dir),
            base_offset,
            log: RefCell::new(None),
            indexes: RefCell::new(None),
            residence: Cell::new(Residence::Transient),
        })
    }

    /// The base offset that names them.
    pub fn base_offset(&self) -> i64 {
        self.base_offset
    }

    /// The path of one of them.
    pub fn path(&self, kind: FileKind) -> PathBuf {
        self.dir.join(file_name(self.base_offset, kind))
    }

    /// The log file, to read.
    pub async fn reader(&self) -> Result<D::File, EngineError> {
        if let Some(file) = self.log.borrow().clone() {
            return Ok(file);
        }
        let path = self.path(FileKind::Log);
        let mut opened = self.disk.open(&path, OpenMode::Read).await;
        if matches!(opened, Err(DiskError::NotFound)) {
            let deleted = self.dir.join(deleted_file_name(self.base_offset, FileKind::Log));
            opened = self.disk.open(&deleted, OpenMode::Read).await;
        }
        let opened = opened.map_err(EngineError::disk(&path));
        if self.residence.get() == Residence::Pinned
            && let Some(pinned) = self.log.borrow().clone()
        {
            // It was pinned meanwhile, and what has been opened may be another's.
            return Ok(pinned);
        }
        let file = opened?;
        if self.residence.get() != Residence::Transient {
            *self.log.borrow_mut() = Some(file.clone());
        }
        Ok(file)
    }

    /// The log file, to write; made when it does not exist.
    pub async fn writer(&self) -> Result<D::File, EngineError> {
        if let Some(file) = self.log.borrow().clone() {
            return Ok(file);
        }
        let path = self.path(FileKind::Log);
        let file = self.disk.open(&path, OpenMode::Create).await.map_err(EngineError::disk(&path))?;
        *self.log.borrow_mut() = Some(file.clone());
        Ok(file)
    }

    /// From now on keeps what readers open and load.
    pub fn retain(&self) {
        if self.residence.get() == Residence::Transient {
            self.residence.set(Residence::Resident);
        }
    }

    /// Forgets the open file and the indexes, and keeps none, unless they are pinned; both come back when they are
    /// needed. Only for closed segments.
    pub fn release(&self) {
        if self.residence.get() != Residence::Pinned {
            self.forget();
        }
    }

    /// Opens the log file and loads the indexes, and keeps both as long as anybody holds the segment: afterwards its
    /// files may be replaced, and those who read it go on with what it was.
    pub async fn pin(&self, view: &SegmentView<D>) -> Result<(), EngineError> {
        let file = self.reader().await?;
        let indexes = self.indexes(view).await?;
        *self.log.borrow_mut() = Some(file);
        self.keep_indexes(&indexes);
        self.residence.set(Residence::Pinned);
        Ok(())
    }

    /// Takes a pin back: the files were not replaced.
    pub fn unpin(&self) {
        self.forget();
    }

    fn forget(&self) {
        self.residence.set(Residence::Transient);
        *self.log.borrow_mut() = None;
        *self.indexes.borrow_mut() = None;
    }

    /// The indexes of a closed segment: from memory, from the files, or rebuilt when those are missing or wrong.
    pub async fn indexes(&self, view: &SegmentView<D>) -> Result<Rc<Indexes>, EngineError> {
        if let Some(indexes) = self.indexes.borrow().clone() {
            return Ok(indexes);
        }
        let loaded = self.load_indexes(view.size(), view.end_offset()).await;
        if let Some(pinned) = self.pinned_indexes() {
            // As for the log file.
            return Ok(pinned);
        }
        let indexes = match loaded? {
            Some(indexes) => indexes,
            None => {
                let indexes = self.rebuild_indexes(view).await?;
                if let Some(pinned) = self.pinned_indexes() {
                    return Ok(pinned);
                }
                self.write_indexes(&indexes).await?;
                indexes
            }
        };
        let indexes = Rc::new(indexes);
        if self.residence.get() == Residence::Resident {
            self.keep_indexes(&indexes);
        }
        Ok(indexes)
    }

    /// From the headers alone; where those are damaged, from the batches that are whole.
    pub(crate) async fn rebuild_indexes(&self, view: &SegmentView<D>) -> Result<Indexes, EngineError> {
        let mut indexes = Indexes::new(self.base_offset);
        match view.index_from(0, &mut indexes, REBUILT_INTERVAL_BYTES, |_| ()).await {
            Err(EngineError::Corrupted { .. }) => {
                indexes = Indexes::new(self.base_offset);
                let mut survey = Survey::new(view, 0, self.base_offset);
                while let Some(stretch) = survey.next().await? {
                    if let Stretch::Whole { position, header } = stretch {
                        indexes.push(indexed_batch(&header, position), REBUILT_INTERVAL_BYTES);
                    }
                }
            }
            walked => walked?,
        }
        indexes.finish();
        Ok(indexes)
    }

    fn pinned_indexes(&self) -> Option<Rc<Indexes>> {
        let is_pinned = self.residence.get() == Residence::Pinned;
        if is_pinned { self.indexes.borrow().clone() } else { None }
    }

    /// Remembers the indexes of a segment that closes.
    pub fn keep_indexes(&self, indexes: &Rc<Indexes>) {
        *self.indexes.borrow_mut() = Some(Rc::clone(indexes));
    }

    /// The indexes in the files, if both are there and can be those of a segment of `size` bytes.
    pub async fn load_indexes(&self, size: u64, end_offset: i64) -> Result<Option<Indexes>, EngineError> {
        let offsets = self.read_index(FileKind::OffsetIndex).await?;
        let times = self.read_index(FileKind::TimeIndex).await?;
        let (Some(offsets), Some(times)) = (offsets, times) else { return Ok(None) };
        let offsets = OffsetIndex::decode(self.base_offset, &offsets, size, end_offset);
        let times = TimeIndex::decode(self.base_offset, &times, end_offset);
        Ok(offsets.zip(times).map(|(offsets, times)| Indexes::from_parts(offsets, times)))
    }

    /// Writes both index files, whole.
    pub async fn write_indexes(&self, indexes: &Indexes) -> Result<(), EngineError> {
        write_file(&self.disk, &self.path(FileKind::OffsetIndex), &indexes.offsets.encode()).await?;
        write_file(&self.disk, &self.path(FileKind::TimeIndex), &indexes.times.encode()).await
    }

    /// The largest timestamp of a closed segment whose index files have these lengths: the end of its time index,
    /// which is all that is read. `None` when the lengths cannot be right.
    pub async fn read_largest_timestamp(
        &self,
        (offset_bytes, time_bytes): (u64, u64),
    ) -> Result<Option<Option<TimeEntry>>, EngineError> {
        let whole = offset_bytes.is_multiple_of(OFFSET_ENTRY_BYTES as u64)
            && time_bytes.is_multiple_of(TIME_ENTRY_BYTES as u64);
        if !whole || time_bytes == 0 {
            return Ok((whole && offset_bytes == 0).then_some(None));
        }
        let path = self.path(FileKind::TimeIndex);
        let file = self.disk.open(&path, OpenMode::Read).await.map_err(EngineError::disk(&path))?;
        let last = file.read(time_bytes - TIME_ENTRY_BYTES as u64, TIME_ENTRY_BYTES).await;
        let last = last.map_err(EngineError::disk(&path))?;
        Ok(TimeIndex::decode(self.base_offset, &last, i64::MAX).map(|index| index.last()))
    }

    async fn read_index(&self, kind: FileKind) -> Result<Option<bytes::Bytes>, EngineError> {
        match read_file(&self.disk, &self.path(kind), INDEX_BYTES_MAX).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.is_not_found() || matches!(error, EngineError::Corrupted { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What the indexes need to know of the batch with that header at `position`.
pub fn indexed_batch(header: &wire::batch::BatchHeader, position: u64) -> IndexedBatch {
    IndexedBatch {
        last_offset: header.last_offset(),
        max_timestamp: header.max_timestamp,
        position,
        size: header.size() as u64,
    }
}
