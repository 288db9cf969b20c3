//! Checksum and copy in one go.

/// Bytes checksummed and then copied at a time: a piece stays in the first-level cache between the two.
/// Measured on one core, out of memory: 0.094 CPU-s/GB, against 0.11 with pieces of 16 KiB and 0.15 when a
/// whole 64 KiB or more is checksummed before it is copied.
const PIECE_BYTES: usize = 4 * 1024;

/// Copies `source` to `target` and returns the CRC-32C of it, continued from `crc` (0 to begin with), so
/// that the bytes come from memory once. Pieces in a row give the checksum of the whole.
///
/// # Panics
/// If the lengths differ.
pub fn crc_copy(mut crc: u32, source: &[u8], target: &mut [u8]) -> u32 {
    assert_eq!(source.len(), target.len(), "the copy must be as long as its source");
    for (source, target) in source.chunks(PIECE_BYTES).zip(target.chunks_mut(PIECE_BYTES)) {
        crc = crc32c::crc32c_append(crc, source);
        target.copy_from_slice(source);
    }
    crc
}
