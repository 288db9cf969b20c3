//! What passes between the store, the journal and a partition's log when a batch is appended.

/// Bytes of a batch that end with its leader epoch: base offset, batch length, leader epoch.
pub const PATCHED_BYTES: usize = 16;

/// A checked record batch with the place that it takes in its log.
#[derive(Debug, Clone, Copy)]
pub struct AppendBatch<'a> {
    /// The whole batch, magic 2. Its base offset and leader epoch are replaced by those below, outside the batch's CRC.
    pub bytes: &'a [u8],
    /// The log end offset: what the batch's first record gets.
    pub base_offset: i64,
    /// Of the leader that appends it.
    pub leader_epoch: i32,
    /// What the batch's last record gets.
    pub last_offset: i64,
    /// The greatest timestamp in the batch, in ms since the epoch.
    pub max_timestamp: i64,
    /// The offset of the first record that has it, as far as known without decompressing; else the last offset.
    pub max_timestamp_offset: i64,
}

impl<'a> AppendBatch<'a> {
    /// The batch's bytes as they are stored: the first [`PATCHED_BYTES`], and the rest.
    pub fn patched(&self) -> ([u8; PATCHED_BYTES], &'a [u8]) {
        let (first, rest) = self.bytes.split_first_chunk::<PATCHED_BYTES>().expect("a checked batch has a header");
        let mut first = *first;
        first[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        first[12..16].copy_from_slice(&self.leader_epoch.to_be_bytes());
        (first, rest)
    }
}

/// A batch boundary: everything below `offset` lies in earlier segments or below `position` of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The base offset that names the segment.
    pub segment_base: i64,
    /// Bytes from the segment's start.
    pub position: u64,
    /// The next offset.
    pub offset: i64,
}

/// How much of a tail is worth a write now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// When a large piece has come together.
    Relaxed,
    /// All whole blocks, because the journal or memory run short.
    WholeBlocks,
    /// The partial last block too, because the journal cannot be freed before.
    Everything,
}
