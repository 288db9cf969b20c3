//! The disk as the engine sees it: completion-based, with owned buffers, and a crash model that is stated.
//!
//! What a crash may leave behind: any subset of the volatile writes, of the renames, creations and removals whose folder
//! was not synced, and of the truncations and allocations of a file that was not synced. A durable write, and whatever
//! a completed `sync` or `sync_dir` covers, stays.

use std::path::Path;

use bytes::Bytes;
use thiserror::Error;

use crate::memory::ChunkSlice;

/// Bytes that every direct write's position, length and memory are multiples of.
pub const BLOCK: usize = 4096;

/// The first multiple of [`BLOCK`] at or above `len`.
pub const fn block_ceil(len: u64) -> u64 {
    len.next_multiple_of(BLOCK as u64)
}

/// The last multiple of [`BLOCK`] at or below `position`.
pub const fn block_floor(position: u64) -> u64 {
    position - position % BLOCK as u64
}

/// Why the disk said no. Everything here is an operating error, which the engine handles.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DiskError {
    /// ENOSPC or EDQUOT: heals when space returns.
    #[error("no space left on the device")]
    Full,
    /// The file or folder does not exist.
    #[error("no such file or folder")]
    NotFound,
    /// Anything else. What was being written may be on disk wholly, in part or not at all.
    #[error("{0}")]
    Io(String),
}

/// How [`Disk::open`] opens a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading; the file must exist.
    Read,
    /// For reading and writing; the file must exist.
    ReadWrite,
    /// For reading and writing; made, empty, when it does not exist.
    Create,
}

/// Whether a write is on stable storage when its future completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Lost in a crash unless [`File::sync`] completes after it.
    Volatile,
    /// On stable storage at completion (RWF_DSYNC). Says nothing about other writes.
    Durable,
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// Its last path component.
    pub name: String,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Bytes of a file; of no meaning for a folder.
    pub len: u64,
}

/// A file system. Cloning gives another handle to the same one.
///
/// Futures need not be `Send`: everything runs on the core that started it.
#[allow(async_fn_in_trait, reason = "static dispatch, one core: no caller needs to name or send the futures")]
pub trait Disk: Clone + 'static {
    /// An open file.
    type File: File;
    /// Opens a file.
    async fn open(&self, path: &Path, mode: OpenMode) -> Result<Self::File, DiskError>;
    /// Makes a folder and its parents; it may exist already.
    async fn create_dir(&self, path: &Path) -> Result<(), DiskError>;
    /// What a folder holds, sorted by name.
    async fn list(&self, dir: &Path) -> Result<Vec<DirEntry>, DiskError>;
    /// Renames a file or folder, replacing a file that is in the way.
    async fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError>;
    /// Removes a file.
    async fn remove_file(&self, path: &Path) -> Result<(), DiskError>;
    /// Removes a folder and all it holds.
    async fn remove_dir(&self, path: &Path) -> Result<(), DiskError>;
    /// Makes the creations, renames and removals directly in `dir` survive a crash.
    async fn sync_dir(&self, dir: &Path) -> Result<(), DiskError>;
    /// Bytes that can still be written to the file system that holds `path`.
    async fn free_bytes(&self, path: &Path) -> Result<u64, DiskError>;
}

/// An open file. Cloning gives another handle to the same one.
#[allow(clippy::len_without_is_empty, reason = "a length on disk is asked for, not held")]
#[allow(async_fn_in_trait, reason = "static dispatch, one core: no caller needs to name or send the futures")]
pub trait File: Clone + 'static {
    /// Writes the slices one after the other at `position`. Position, and every slice's length and memory, are
    /// multiples of [`BLOCK`]. The slices stay alive until the kernel is done, even if the future is dropped.
    async fn write(&self, position: u64, slices: Vec<ChunkSlice>, durability: Durability) -> Result<(), DiskError>;
    /// Reads at any position and of any length; shorter only at the end of the file.
    async fn read(&self, position: u64, len: usize) -> Result<Bytes, DiskError>;
    /// Makes all completed writes, allocations and truncations of this file survive a crash (fdatasync).
    async fn sync(&self) -> Result<(), DiskError>;
    /// Reserves extents, reading as zeros, and extends the file when the range ends beyond it (fallocate).
    async fn allocate(&self, position: u64, len: u64) -> Result<(), DiskError>;
    /// Cuts or extends (with zeros) the file to `len` bytes.
    async fn truncate(&self, len: u64) -> Result<(), DiskError>;
    /// The length in bytes.
    async fn len(&self) -> Result<u64, DiskError>;
}
