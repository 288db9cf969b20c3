//! The file that a cleaning writes, with its indexes: `<base>.log.cleaned` until it takes the place of others.

use std::path::{Path, PathBuf};

use wire::batch::batches;

use crate::disk::{BLOCK, Disk, Durability, File, OpenMode, block_ceil};
use crate::error::EngineError;
use crate::log::SEGMENT_BYTES_LIMIT;
use crate::memory::Chunk;
use crate::segment::names::cleaned_file_name;
use crate::segment::{Indexes, indexed_batch};

/// Bytes of one write.
const WRITE_BYTES: usize = 1 << 20;
const _: () = assert!(WRITE_BYTES.is_multiple_of(BLOCK));

/// See the module.
pub(super) struct Output<D: Disk> {
    file: D::File,
    path: PathBuf,
    /// What is to be written next, at `written`.
    chunk: Chunk,
    written: u64,
    indexes: Indexes,
    interval_bytes: u64,
}

impl<D: Disk> Output<D> {
    pub(super) async fn create(
        disk: &D,
        dir: &Path,
        base_offset: i64,
        interval_bytes: u64,
    ) -> Result<Self, EngineError> {
        let path = dir.join(cleaned_file_name(base_offset));
        let file = disk.open(&path, OpenMode::Create).await.map_err(EngineError::disk(&path))?;
        let (chunk, indexes) = (Chunk::new(WRITE_BYTES), Indexes::new(base_offset));
        Ok(Output { file, path, chunk, written: 0, indexes, interval_bytes })
    }

    /// Bytes so far.
    pub(super) fn size(&self) -> u64 {
        self.written + self.chunk.len() as u64
    }

    /// Appends whole batches.
    ///
    /// # Errors
    /// The disk's; a segment that grows beyond what one may have, as recompression may make it.
    pub(super) async fn append(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        let start = self.size();
        if start + bytes.len() as u64 > SEGMENT_BYTES_LIMIT {
            return Err(EngineError::corrupted(&self.path, start, "the cleaned segment grows beyond 2 GiB"));
        }
        let mut walk = batches(bytes);
        while let at = start + walk.position() as u64
            && let Some(batch) = walk.next()
        {
            let batch = batch.expect("what the filter wrote is whole");
            self.indexes.push(indexed_batch(&batch.header, at), self.interval_bytes);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(self.chunk.remaining()));
            self.chunk.append(now);
            rest = later;
            if self.chunk.remaining() == 0 {
                self.write_chunk().await?;
            }
        }
        Ok(())
    }

    /// Writes the rest, cuts the file to its size and syncs it.
    pub(super) async fn finish(&mut self) -> Result<(), EngineError> {
        let size = self.size();
        if !self.chunk.is_empty() {
            let len = self.chunk.len();
            self.chunk.append_zeros(block_ceil(len as u64) as usize - len);
            self.write_chunk().await?;
        }
        self.written = size;
        self.indexes.finish();
        let finished = async {
            self.file.truncate(size).await?;
            self.file.sync().await
        };
        finished.await.map_err(EngineError::disk(&self.path))
    }

    pub(super) fn into_indexes(self) -> Indexes {
        self.indexes
    }

    async fn write_chunk(&mut self) -> Result<(), EngineError> {
        let chunk = std::mem::replace(&mut self.chunk, Chunk::new(WRITE_BYTES));
        let slices = vec![chunk.slice(0..chunk.len())];
        let written = self.file.write(self.written, slices, Durability::Volatile).await;
        written.map_err(EngineError::disk(&self.path))?;
        self.written += chunk.len() as u64;
        Ok(())
    }
}
