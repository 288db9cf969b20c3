//! Snappy in the framing of Java's `SnappyOutputStream` (snappy-java), which is what Kafka's Java client
//! writes, or as one bare block, which is what librdkafka writes.
//!
//! Framing: magic, version and lowest compatible version (both big-endian i32, 1), then chunks of
//! {big-endian i32 length, bare snappy block}.

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::{Compression, CompressionError};

const CODEC: Compression = Compression::Snappy;
const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
const HEADER_BYTES: usize = MAGIC.len() + VERSIONS.len();
/// Plain bytes in a chunk: the default of `SnappyOutputStream`.
const CHUNK_BYTES: usize = 32 * 1024;

pub(super) fn compress(source: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSIONS);
    let mut encoder = Encoder::new();
    for plain in source.chunks(CHUNK_BYTES) {
        let length_at = out.len();
        let block_at = length_at + size_of::<i32>();
        out.resize(block_at + max_compress_len(plain.len()), 0);
        let block_bytes =
            encoder.compress(plain, &mut out[block_at..]).map_err(|error| CompressionError::failed(CODEC, error))?;
        out.truncate(block_at + block_bytes);
        let length = i32::try_from(block_bytes).expect("a chunk of 32 KiB stays far below 2 GiB");
        out[length_at..block_at].copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

pub(super) fn decompress(source: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    if !source.starts_with(&MAGIC) {
        return block(source, limit, limit, out);
    }
    let mut rest = source.get(HEADER_BYTES..).ok_or_else(|| malformed("the header is cut"))?;
    let mut left = limit;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk().ok_or_else(|| malformed("a chunk's length is cut"))?;
        let length =
            usize::try_from(i32::from_be_bytes(*length)).map_err(|_| malformed("a chunk's length is negative"))?;
        let (chunk, after) = after.split_at_checked(length).ok_or_else(|| malformed("a chunk is cut"))?;
        let before = out.len();
        block(chunk, left, limit, out)?;
        left -= out.len() - before;
        rest = after;
    }
    Ok(())
}

/// Appends one bare block of at most `left` plain bytes.
fn block(source: &[u8], left: usize, limit: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let plain_bytes = decompress_len(source).map_err(malformed)?;
    if plain_bytes > left {
        return Err(CompressionError::TooLarge { codec: CODEC, limit });
    }
    let before = out.len();
    out.resize(before + plain_bytes, 0);
    Decoder::new().decompress(source, &mut out[before..]).map_err(malformed)?;
    Ok(())
}

fn malformed(reason: impl ToString) -> CompressionError {
    CompressionError::malformed(CODEC, reason)
}
