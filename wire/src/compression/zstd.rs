//! Zstandard (RFC 8878), streamed: Java's client writes frames that do not tell their content's size.

use std::io::Write;

use zstd::stream::read::Decoder;
use zstd::stream::write::Encoder;

use super::{Compression, CompressionError, read_bounded};

/// The largest window that a frame may ask for, as a power of two: 128 MiB, what level 22 of a client
/// that streams asks for, and zstd's own default. The decoder maps its window at once but touches it
/// only as output is made, so the caller's limit bounds what is really used.
const WINDOW_LOG_MAX: u32 = 27;

pub(super) fn compress(source: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let failed = |error| CompressionError::failed(Compression::Zstd, error);
    let mut encoder = Encoder::new(out, zstd::DEFAULT_COMPRESSION_LEVEL).map_err(failed)?;
    encoder.set_pledged_src_size(Some(source.len() as u64)).map_err(failed)?;
    encoder.write_all(source).map_err(failed)?;
    encoder.finish().map_err(failed)?;
    Ok(())
}

pub(super) fn decompress(source: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let malformed = |error| CompressionError::malformed(Compression::Zstd, error);
    let mut decoder = Decoder::with_buffer(source).map_err(malformed)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(malformed)?;
    read_bounded(Compression::Zstd, decoder, limit, out)
}
