//! What a job sees of a segment: the file's part that is filed, and the rest from memory, as of one moment.

use std::ops::ControlFlow;
use std::rc::Rc;

use bytes::Bytes;
use wire::batch::BatchHeader;

use super::files::{SegmentFiles, indexed_batch};
use super::names::FileKind;
use super::pieces::Pieces;
use super::{Indexes, OffsetIndex};
use crate::disk::{BLOCK, Disk, File, block_floor};
use crate::error::EngineError;
use crate::memory::ChunkSlice;

/// Bytes that a walk over headers reads at a time.
const WALK_WINDOW_BYTES: u64 = 256 << 10;

/// See the module.
pub struct SegmentView<D: Disk> {
    files: Rc<SegmentFiles<D>>,
    end_offset: i64,
    size: u64,
    memory_start: u64,
    memory: Vec<ChunkSlice>,
    /// Where to begin to look, when the indexes in memory know it.
    from: Option<u64>,
}

impl<D: Disk> SegmentView<D> {
    /// A view of a segment of `size` bytes and offsets below `end_offset`; what lies at `memory_start` and beyond is in
    /// `memory`, the rest in the file. `from` is a batch start at or before what the job is to find.
    pub fn new(
        files: &Rc<SegmentFiles<D>>,
        end_offset: i64,
        size: u64,
        (memory_start, memory): (u64, Vec<ChunkSlice>),
        from: Option<u64>,
    ) -> Self {
        Self { files: Rc::clone(files), end_offset, size, memory_start, memory, from }
    }

    /// The base offset that names it.
    pub fn base_offset(&self) -> i64 {
        self.files.base_offset()
    }

    /// Bytes of the segment.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// One past its last offset.
    pub fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// The log file's path, for errors.
    pub fn path(&self) -> std::path::PathBuf {
        self.files.path(FileKind::Log)
    }

    /// A batch start at or before what the job is to find; `find` answers from a closed segment's indexes.
    pub async fn start(&self, find: impl FnOnce(&OffsetIndex, &Indexes) -> u64) -> Result<u64, EngineError> {
        if let Some(from) = self.from {
            return Ok(from);
        }
        let indexes = self.files.indexes(self).await?;
        Ok(find(&indexes.offsets, &indexes))
    }

    /// The bytes from `position` on: `len` of them, or what there is.
    pub async fn read(&self, position: u64, len: u64) -> Result<Pieces, EngineError> {
        let end = position.saturating_add(len).min(self.size);
        let mut parts = Vec::new();
        if position < end.min(self.memory_start) {
            let wanted = (end.min(self.memory_start) - position) as usize;
            let file = self.files.reader().await?;
            let bytes = file.read(position, wanted).await.map_err(EngineError::disk(&self.path()))?;
            if bytes.len() < wanted {
                let what = format!("the file ends before the segment's {} bytes", self.size);
                return Err(EngineError::corrupted(&self.path(), position + bytes.len() as u64, what));
            }
            parts.push(bytes);
        }
        let mut at = self.memory_start;
        for slice in &self.memory {
            let (from, to) = (position.max(at), end.min(at + slice.len() as u64));
            if from < to {
                parts.push(Bytes::from(slice.slice((from - at) as usize..(to - at) as usize)));
            }
            at += slice.len() as u64;
        }
        Ok(Pieces::new(position, parts))
    }

    /// As [`SegmentView::read`], in one piece; what cannot be read, or is not there, is zeros, and why comes with it.
    ///
    /// # Errors
    /// The file is not there, or cannot be opened.
    pub async fn read_what_there_is(&self, position: u64, len: u64) -> Result<(Bytes, Option<String>), EngineError> {
        let end = position.saturating_add(len).min(self.size);
        match self.read(position, end - position).await {
            Ok(pieces) => return Ok((pieces.contiguous(position..end), None)),
            Err(error) if error.is_not_found() => return Err(error),
            Err(_) => {}
        }
        let mut bytes = Vec::with_capacity((end - position) as usize);
        let mut reason = None;
        let mut at = position;
        while at < end {
            let block_end = block_floor(at + BLOCK as u64).min(end);
            match self.read(at, block_end - at).await {
                Ok(block) => bytes.extend_from_slice(&block.contiguous(at..block_end)),
                Err(error) if error.is_not_found() => return Err(error),
                Err(error) => {
                    bytes.resize((block_end - position) as usize, 0);
                    reason.get_or_insert(error.to_string());
                }
            }
            at = block_end;
        }
        Ok((bytes.into(), reason))
    }

    /// Walks over the headers from the batch start `from` until `visit` breaks. Records are read only where they lie
    /// between small batches.
    ///
    /// # Errors
    /// The disk's, and [`EngineError::Corrupted`] where no whole batch is.
    pub async fn walk(
        &self,
        from: u64,
        mut visit: impl FnMut(u64, &BatchHeader) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        let path = self.path();
        let mut position = from;
        while position < self.size {
            let window = self.read(position, WALK_WINDOW_BYTES).await?;
            let window_start = position;
            while let Some(header) = window.header(position, &path)? {
                if position + header.size() as u64 > self.size {
                    break;
                }
                if visit(position, &header).is_break() {
                    return Ok(());
                }
                position += header.size() as u64;
                if position >= window.end() {
                    break;
                }
            }
            if position == window_start {
                return Err(EngineError::corrupted(&path, position, "the segment ends within a batch"));
            }
        }
        Ok(())
    }

    /// Adds to `indexes` all batches from `from` on, showing each header to `note` too.
    ///
    /// # Errors
    /// As for [`SegmentView::walk`], and [`EngineError::Corrupted`] where offsets do not rise.
    pub async fn index_from(
        &self,
        from: u64,
        indexes: &mut Indexes,
        interval_bytes: u64,
        mut note: impl FnMut(&BatchHeader),
    ) -> Result<(), EngineError> {
        let mut next_offset = self.files.base_offset();
        let mut fallen = None;
        self.walk(from, |position, header| {
            let last_offset = header.last_offset();
            let fits = header.base_offset >= next_offset
                && last_offset >= header.base_offset
                && u32::try_from(last_offset - self.files.base_offset()).is_ok()
                && u32::try_from(position).is_ok();
            if !fits {
                fallen = Some(position);
                return ControlFlow::Break(());
            }
            next_offset = last_offset + 1;
            indexes.push(indexed_batch(header, position), interval_bytes);
            note(header);
            ControlFlow::Continue(())
        })
        .await?;
        match fallen {
            Some(position) => Err(EngineError::corrupted(&self.path(), position, "offsets do not rise")),
            None => Ok(()),
        }
    }
}
