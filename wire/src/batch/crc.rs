//! Checksum and copy in one go.

/// Bytes checksummed and then copied at a time: small enough that the copy reads them out of the
/// first-level cache, large enough that the hardware checksum runs at its full speed.
pub(super) const CHUNK_BYTES: usize = 16 * 1024;

/// Copies `source` to `target` and returns the CRC-32C of it, continued from `crc` (0 to begin with), so
/// that the bytes come from memory once. Pieces in a row give the checksum of the whole.
///
/// # Panics
/// If the lengths differ.
pub fn crc_copy(mut crc: u32, source: &[u8], target: &mut [u8]) -> u32 {
    assert_eq!(source.len(), target.len(), "the copy must be as long as its source");
    for (source, target) in source.chunks(CHUNK_BYTES).zip(target.chunks_mut(CHUNK_BYTES)) {
        crc = crc32c::crc32c_append(crc, source);
        target.copy_from_slice(source);
    }
    crc
}
