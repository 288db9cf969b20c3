//! The tail of a segment: its newest bytes, in memory.
//!
//! Appends copy once, into chunks of block-aligned memory whose addresses are those of the file positions modulo
//! [`BLOCK`], so that whole blocks go to the file as they lie. Readers and writes get slices of the same memory.
//! What is filed stays as a read cache until it is evicted, oldest first; the last block, when partial, always stays.
//!
//! Chunks grow with the load: from one block, which is all that an idle partition holds, by doubling.
//! Invariant: chunks are contiguous, all but the last are full, and the first begins at [`Tail::start`].

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

use crate::disk::{BLOCK, block_ceil, block_floor};
use crate::memory::{Chunk, ChunkSlice, HUGE_PAGE};

/// Bytes of the largest chunk.
pub const CHUNK_BYTES_MAX: usize = HUGE_PAGE;
const _: () = assert!(CHUNK_BYTES_MAX.is_multiple_of(BLOCK));

struct TailChunk {
    position: u64,
    chunk: Chunk,
}

impl TailChunk {
    fn end(&self) -> u64 {
        self.position + self.chunk.len() as u64
    }

    fn capacity_end(&self) -> u64 {
        self.position + self.chunk.capacity() as u64
    }
}

/// Where a batch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchStart {
    /// Its base offset.
    pub base_offset: i64,
    /// Its position in the segment.
    pub position: u64,
}

/// See the module.
pub struct Tail {
    chunks: VecDeque<TailChunk>,
    /// The first batch start of every block in memory that has one, in order: finds offsets without the file.
    starts: VecDeque<BatchStart>,
    start: u64,
    end: u64,
    memory_bytes: usize,
    pool: ChunkPool,
}

/// Chunks of the largest size that a core's tails use again, because the first touch of fresh memory costs more than
/// what is written to it. A handle: clones share the chunks.
#[derive(Clone)]
pub struct ChunkPool {
    free: Rc<RefCell<Vec<Chunk>>>,
    chunks_max: usize,
}

impl ChunkPool {
    /// An empty pool that keeps at most `bytes` of unused memory.
    pub fn new(bytes: usize) -> Self {
        Self { free: Rc::default(), chunks_max: bytes / CHUNK_BYTES_MAX }
    }

    fn take(&self, capacity: usize) -> Chunk {
        let used_before = if capacity == CHUNK_BYTES_MAX { self.free.borrow_mut().pop() } else { None };
        used_before.unwrap_or_else(|| Chunk::new(capacity))
    }

    /// Takes a chunk back, unless somebody still reads it: its memory is freed then when they are done.
    fn give(&self, mut chunk: Chunk) {
        let mut free = self.free.borrow_mut();
        if chunk.capacity() == CHUNK_BYTES_MAX && free.len() < self.chunks_max && chunk.try_clear() {
            free.push(chunk);
        }
    }
}

impl Tail {
    /// The tail of a segment of `position` bytes whose last block, when partial, begins with `block`.
    ///
    /// # Panics
    /// If `block` is not what `position` leaves of a block.
    pub fn new(position: u64, block: &[u8], pool: &ChunkPool) -> Self {
        let start = block_floor(position);
        assert_eq!(start + block.len() as u64, position);
        let mut tail = Self::evicted(start, pool);
        tail.append(block);
        tail
    }

    /// The tail of a closed segment of `size` bytes, none of them in memory.
    pub fn evicted(size: u64, pool: &ChunkPool) -> Self {
        let (chunks, starts) = (VecDeque::new(), VecDeque::new());
        Self { chunks, starts, start: size, end: size, memory_bytes: 0, pool: pool.clone() }
    }

    /// From now on takes chunks from `pool`, and gives them back to it.
    pub fn set_pool(&mut self, pool: &ChunkPool) {
        self.pool = pool.clone();
    }

    /// Position of the first byte in memory.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Position behind the last byte.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Bytes of memory held, written or not.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Appends a batch in two parts.
    pub fn append_batch(&mut self, base_offset: i64, parts: [&[u8]; 2]) {
        let position = self.end;
        if self.starts.back().is_none_or(|last| block_floor(last.position) < block_floor(position)) {
            self.starts.push_back(BatchStart { base_offset, position });
        }
        self.reserve(parts[0].len() + parts[1].len());
        for part in parts {
            self.append(part);
        }
    }

    /// The last batch start in memory, of those known, whose base offset is at or below `offset`.
    pub fn start_at_or_below(&self, offset: i64) -> Option<BatchStart> {
        let after = self.starts.partition_point(|start| start.base_offset <= offset);
        self.starts.get(after.checked_sub(1)?).copied()
    }

    /// The last batch start in memory, of those known, whose position is at or below `position`.
    pub fn start_before(&self, position: u64) -> Option<BatchStart> {
        let after = self.starts.partition_point(|start| start.position <= position);
        self.starts.get(after.checked_sub(1)?).copied()
    }

    /// The memory of a range of positions, in order.
    ///
    /// # Panics
    /// If it is not all in memory.
    pub fn slices(&self, range: Range<u64>) -> Vec<ChunkSlice> {
        assert!(range.start >= self.start && range.end <= self.end, "{range:?} of {}..{}", self.start, self.end);
        let first = self.chunks.partition_point(|chunk| chunk.end() <= range.start);
        let overlapping = self.chunks.iter().skip(first).take_while(|chunk| chunk.position < range.end);
        overlapping
            .map(|chunk| {
                let from = range.start.max(chunk.position) - chunk.position;
                let to = range.end.min(chunk.end()) - chunk.position;
                chunk.chunk.slice(from as usize..to as usize)
            })
            .collect()
    }

    /// Frees at least `bytes` of memory if there is as much whose bytes the file holds (all below `filed_end`), oldest
    /// first. Returns the bytes freed.
    pub fn evict(&mut self, bytes: usize, filed_end: u64) -> usize {
        let filed_end = probe::mutated!(filed_end, EvictUnfiled => u64::MAX);
        let before = self.memory_bytes;
        let wanted = before.saturating_sub(bytes);
        while self.memory_bytes > wanted
            && let Some(first) = self.chunks.pop_front_if(|first| first.capacity_end() <= filed_end.min(self.end))
        {
            self.start = first.capacity_end();
            self.memory_bytes -= first.chunk.capacity();
            self.pool.give(first.chunk);
        }
        if self.memory_bytes > wanted {
            self.shrink(filed_end);
        }
        while self.starts.front().is_some_and(|start| start.position < self.start) {
            self.starts.pop_front();
        }
        before - self.memory_bytes
    }

    /// Frees all memory of a segment that is filed and takes no more appends. Returns the bytes freed.
    pub fn evict_all(&mut self) -> usize {
        let freed = std::mem::take(&mut self.memory_bytes);
        for chunk in self.chunks.drain(..) {
            self.pool.give(chunk.chunk);
        }
        self.starts.clear();
        self.start = self.end;
        freed
    }

    /// Moves the partial last block out of a larger chunk whose other bytes are filed, or drops it when there is none.
    fn shrink(&mut self, filed_end: u64) {
        let last_block = block_floor(self.end);
        if self.chunks.len() != 1 || last_block > filed_end {
            return;
        }
        let Some(only) = self.chunks.pop_front_if(|only| only.chunk.capacity() > BLOCK || only.end() == last_block)
        else {
            return;
        };
        self.memory_bytes = 0;
        let block = &only.chunk[(last_block - only.position) as usize..];
        if !block.is_empty() {
            let mut chunk = Chunk::new(BLOCK);
            chunk.append(block);
            self.chunks.push_back(TailChunk { position: last_block, chunk });
            self.memory_bytes = BLOCK;
        }
        self.start = last_block;
        self.pool.give(only.chunk);
    }

    fn append(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            self.reserve(bytes.len());
            let last = self.chunks.back_mut().expect("space was reserved");
            let (now, later) = bytes.split_at(bytes.len().min(last.chunk.remaining()));
            last.chunk.append(now);
            self.end += now.len() as u64;
            bytes = later;
        }
    }

    /// Makes sure that the last chunk has room, for `len` bytes if it must be a new one.
    fn reserve(&mut self, len: usize) {
        let doubled = match self.chunks.back() {
            Some(last) if last.chunk.remaining() > 0 => return,
            Some(last) => last.chunk.capacity() * 2,
            None => BLOCK,
        };
        let capacity = doubled.max(block_ceil(len as u64) as usize).min(CHUNK_BYTES_MAX);
        self.memory_bytes += capacity;
        self.chunks.push_back(TailChunk { position: self.end, chunk: self.pool.take(capacity) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tail: &Tail, range: Range<u64>) -> Vec<u8> {
        tail.slices(range).iter().flat_map(|slice| slice.to_vec()).collect()
    }

    fn filled(bytes: &[u8]) -> Tail {
        let mut tail = Tail::new(0, &[], &ChunkPool::new(0));
        for (index, part) in bytes.chunks(100).enumerate() {
            tail.append_batch(index as i64, [&part[..part.len() / 2], &part[part.len() / 2..]]);
        }
        tail
    }

    fn sample(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 7 % 251) as u8).collect()
    }

    #[test]
    fn every_range_reads_as_written_and_whole_blocks_are_aligned() {
        let bytes = sample(50_000);
        let tail = filled(&bytes);
        for (from, to) in [(0, 50_000), (0, 0), (4095, 4097), (4096, 12_288), (49_999, 50_000)] {
            assert_eq!(read(&tail, from..to), bytes[from as usize..to as usize]);
        }
        for slice in tail.slices(4096..block_floor(50_000)) {
            assert!(slice.as_ptr().addr().is_multiple_of(BLOCK) && slice.len().is_multiple_of(BLOCK));
        }
    }

    #[test]
    fn an_idle_tail_shrinks_to_its_partial_last_block() {
        let bytes = sample(50_000);
        let mut tail = filled(&bytes);
        assert_eq!(tail.evict(usize::MAX, 4096), 4096, "only the first chunk is filed");
        tail.evict(usize::MAX, block_floor(50_000));
        assert_eq!(tail.memory_bytes(), BLOCK);
        assert_eq!(tail.start(), block_floor(50_000));
        assert_eq!(read(&tail, tail.start()..50_000), bytes[tail.start() as usize..]);
        tail.append_batch(500, [b"more", b""]);
        assert_eq!(read(&tail, 50_000..50_004), b"more");
    }

    #[test]
    fn a_tail_that_ends_on_a_block_is_evicted_whole_and_grows_again() {
        let bytes = sample(8192);
        let mut tail = filled(&bytes);
        tail.evict(usize::MAX, 8192);
        assert_eq!((tail.memory_bytes(), tail.start(), tail.end()), (0, 8192, 8192));
        tail.append_batch(82, [b"more", b""]);
        assert_eq!(read(&tail, 8192..8196), b"more");
        assert_eq!(tail.memory_bytes(), BLOCK);
    }

    #[test]
    fn eviction_frees_no_more_chunks_than_asked_and_slices_outlive_it() {
        let bytes = sample(50_000);
        let mut tail = filled(&bytes);
        let held = tail.slices(0..100);
        assert_eq!(tail.evict(1, 50_000), 4096);
        assert_eq!(tail.start(), 4096);
        assert_eq!(&*held[0], &bytes[..100]);
    }

    #[test]
    fn a_tail_opened_in_a_block_continues_it() {
        let mut tail = Tail::new(4100, b"abcd", &ChunkPool::new(0));
        tail.append_batch(9, [b"ef", b"g"]);
        assert_eq!(read(&tail, 4096..4103), b"abcdefg");
        assert_eq!(tail.start_at_or_below(9), Some(BatchStart { base_offset: 9, position: 4100 }));
        assert_eq!(tail.start_at_or_below(8), None);
    }

    #[test]
    fn large_chunks_are_used_again_once_nobody_reads_them() {
        let pool = ChunkPool::new(2 * CHUNK_BYTES_MAX);
        let large = vec![7; 6 * CHUNK_BYTES_MAX];
        let mut tail = Tail::new(0, &[], &pool);
        tail.append_batch(0, [&large, &[]]);
        let last = large.len() as u64;
        let held = tail.slices(0..1);
        assert_eq!(tail.evict_all(), 6 * CHUNK_BYTES_MAX);
        assert_eq!(pool.free.borrow().len(), 2, "no more than the pool may keep, and not the one that is read");
        assert_eq!((tail.start(), tail.end(), tail.memory_bytes()), (last, last, 0));
        let mut other = Tail::new(0, &[], &pool);
        other.append_batch(0, [&sample(2 * CHUNK_BYTES_MAX), &[]]);
        assert!(pool.free.borrow().is_empty());
        assert_eq!(read(&other, 0..5000), sample(5000));
        assert_eq!(&*held[0], [7]);
    }

    #[test]
    fn batch_starts_are_found_only_in_memory() {
        let mut tail = filled(&sample(50_000));
        assert_eq!(tail.start_before(4095), Some(BatchStart { base_offset: 0, position: 0 }));
        assert_eq!(tail.start_before(8191), Some(BatchStart { base_offset: 41, position: 4100 }));
        tail.evict(4096, 50_000);
        assert_eq!(tail.start_at_or_below(40), None);
        assert_eq!(tail.start_at_or_below(41), Some(BatchStart { base_offset: 41, position: 4100 }));
    }
}
