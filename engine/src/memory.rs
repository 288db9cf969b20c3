//! Block-aligned memory that one owner appends to while others read what is written already.
//!
//! Invariant: bytes below the owner's written length never change while a slice of the chunk exists, and no slice
//! reaches beyond that length. So readers on other cores, and the kernel, need no lock.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, Range};
use std::ptr::NonNull;
use std::sync::Arc;

use bytes::Bytes;
use wire::batch::crc_copy;

use crate::disk::BLOCK;

/// A huge page of x86-64 and of ARM with 4 KiB pages. Chunks of at least this size are aligned to it and ask for huge pages:
/// a direct write pins each page that it writes from, which was an eighth of the CPU of producing in large batches.
pub const HUGE_PAGE: usize = 2 << 20;

/// The allocation behind a chunk and its slices: `capacity` initialised bytes, aligned to [`BLOCK`].
struct Memory {
    start: NonNull<u8>,
    capacity: usize,
}

// SAFETY: the memory is plain bytes, freed by whichever thread drops the last handle. Only the `Chunk`, which is unique
// and needs `&mut self`, writes, and only to bytes that no slice covers.
unsafe impl Send for Memory {}
// SAFETY: as above: shared handles read only bytes that are no longer written.
unsafe impl Sync for Memory {}

impl Memory {
    fn layout(capacity: usize) -> Layout {
        let align = if capacity < HUGE_PAGE { BLOCK } else { HUGE_PAGE };
        Layout::from_size_align(capacity, align).expect("a chunk's capacity is bounded by its caller")
    }

    fn new(capacity: usize) -> Memory {
        assert!(capacity > 0 && capacity.is_multiple_of(BLOCK), "a chunk is whole blocks: {capacity}");
        let layout = Memory::layout(capacity);
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        if capacity >= HUGE_PAGE {
            // SAFETY: the range is this allocation, whole pages of it. A kernel without huge pages refuses, which is well.
            let _ = unsafe { libc::madvise(start.as_ptr().cast(), capacity, libc::MADV_HUGEPAGE) };
        }
        // SAFETY: the allocation has `capacity` bytes.
        unsafe { start.as_ptr().write_bytes(0, capacity) };
        Memory { start, capacity }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: `start` came from `alloc` with this very layout and is freed once.
        unsafe { dealloc(self.start.as_ptr(), Memory::layout(self.capacity)) }
    }
}

/// Memory with one owner, who appends.
pub struct Chunk {
    memory: Arc<Memory>,
    written: usize,
}

impl Chunk {
    /// An empty chunk of `capacity` bytes, a multiple of [`BLOCK`].
    pub fn new(capacity: usize) -> Chunk {
        Chunk { memory: Arc::new(Memory::new(capacity)), written: 0 }
    }

    /// A chunk that holds `bytes` followed by zeros up to a whole block (at least one).
    pub fn padded(bytes: &[u8]) -> Chunk {
        let mut chunk = Chunk::new(bytes.len().max(1).next_multiple_of(BLOCK));
        chunk.append(bytes);
        chunk.append_zeros(chunk.remaining());
        chunk
    }

    /// Bytes that it holds when full.
    pub fn capacity(&self) -> usize {
        self.memory.capacity
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.written
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.written == 0
    }

    /// Bytes that still fit.
    pub fn remaining(&self) -> usize {
        self.memory.capacity - self.written
    }

    /// Copies `bytes` behind what is written. They must fit.
    pub fn append(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.remaining(), "{} bytes do not fit into {}", bytes.len(), self.remaining());
        // SAFETY: the range lies within the allocation (asserted), and no slice covers bytes at or beyond `written`.
        unsafe {
            let target = self.memory.start.as_ptr().add(self.written);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len());
        }
        self.written += bytes.len();
    }

    /// As [`Chunk::append`], and returns the CRC-32C of the bytes, continued from `crc`: they come from memory once.
    pub fn append_with_crc(&mut self, bytes: &[u8], crc: u32) -> u32 {
        assert!(bytes.len() <= self.remaining(), "{} bytes do not fit into {}", bytes.len(), self.remaining());
        // SAFETY: the range lies within the allocation (asserted), whose bytes are all initialised, and no slice covers
        // bytes at or beyond `written`.
        let target =
            unsafe { std::slice::from_raw_parts_mut(self.memory.start.as_ptr().add(self.written), bytes.len()) };
        self.written += bytes.len();
        crc_copy(crc, bytes, target)
    }

    /// Writes `len` zeros behind what is written. They must fit.
    pub fn append_zeros(&mut self, len: usize) {
        assert!(len <= self.remaining(), "{len} bytes do not fit into {}", self.remaining());
        // SAFETY: as in `append`.
        unsafe { std::ptr::write_bytes(self.memory.start.as_ptr().add(self.written), 0, len) }
        self.written += len;
    }

    /// What is written, to be changed in place; `None` while slices of the chunk exist.
    pub fn written_mut(&mut self) -> Option<&mut [u8]> {
        let memory = Arc::get_mut(&mut self.memory)?;
        // SAFETY: the handle is the only one, `written` bytes are initialised and within the allocation.
        Some(unsafe { std::slice::from_raw_parts_mut(memory.start.as_ptr(), self.written) })
    }

    /// Empties the chunk so that it can be used again; false, and unchanged, while slices of it exist.
    pub fn try_clear(&mut self) -> bool {
        let unique = Arc::get_mut(&mut self.memory).is_some();
        if unique {
            self.written = 0;
        }
        unique
    }

    /// A handle to a range of what is written.
    pub fn slice(&self, range: Range<usize>) -> ChunkSlice {
        assert!(range.start <= range.end && range.end <= self.written, "{range:?} of {} written", self.written);
        ChunkSlice { memory: Arc::clone(&self.memory), start: range.start, end: range.end }
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `written` bytes are initialised and only changed through `&mut self`.
        unsafe { std::slice::from_raw_parts(self.memory.start.as_ptr(), self.written) }
    }
}

impl std::fmt::Debug for Chunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chunk({} of {})", self.written, self.capacity())
    }
}

/// A handle to written bytes of a chunk; keeps the memory alive. Cheap to clone, free to send.
#[derive(Clone)]
pub struct ChunkSlice {
    memory: Arc<Memory>,
    start: usize,
    end: usize,
}

impl ChunkSlice {
    /// A part of this slice.
    pub fn slice(&self, range: Range<usize>) -> ChunkSlice {
        assert!(range.start <= range.end && range.end <= self.len(), "{range:?} of {}", self.len());
        ChunkSlice { memory: Arc::clone(&self.memory), start: self.start + range.start, end: self.start + range.end }
    }
}

impl Deref for ChunkSlice {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the range was below the written length when the slice was made; those bytes are initialised and do
        // not change while the slice holds the memory (`written_mut` and `try_clear` need the only handle).
        unsafe { std::slice::from_raw_parts(self.memory.start.as_ptr().add(self.start), self.end - self.start) }
    }
}

impl AsRef<[u8]> for ChunkSlice {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<ChunkSlice> for Bytes {
    fn from(slice: ChunkSlice) -> Bytes {
        Bytes::from_owner(slice)
    }
}

impl std::fmt::Debug for ChunkSlice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChunkSlice({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_keeps_its_bytes_while_the_owner_appends_and_drops() {
        let mut chunk = Chunk::new(BLOCK);
        chunk.append(b"one");
        let slice = chunk.slice(0..3);
        chunk.append(b"two");
        assert_eq!(&*slice, b"one");
        assert_eq!(&*chunk, b"onetwo");
        drop(chunk);
        assert_eq!(Bytes::from(slice), &b"one"[..]);
    }

    #[test]
    fn memory_is_not_changed_or_reused_under_a_slice() {
        let mut chunk = Chunk::new(BLOCK);
        chunk.append(b"one");
        let slice = chunk.slice(1..3);
        assert!(chunk.written_mut().is_none());
        assert!(!chunk.try_clear());
        drop(slice);
        chunk.written_mut().expect("no slice is left")[0] = b'O';
        assert_eq!(&*chunk, b"One");
        assert!(chunk.try_clear());
        assert!(chunk.is_empty());
    }

    #[test]
    fn padding_fills_whole_blocks_with_zeros() {
        let chunk = Chunk::padded(b"abc");
        assert_eq!(chunk.len(), BLOCK);
        assert_eq!(&chunk[..4], b"abc\0");
        assert!(chunk.as_ptr().addr().is_multiple_of(BLOCK));
        assert_eq!(Chunk::padded(b"").len(), BLOCK);
        assert_eq!(Chunk::padded(&[1; BLOCK + 1]).len(), 2 * BLOCK);
    }

    #[test]
    #[should_panic(expected = "do not fit")]
    fn appending_beyond_the_capacity_panics() {
        Chunk::new(BLOCK).append(&[0; BLOCK + 1]);
    }
}
