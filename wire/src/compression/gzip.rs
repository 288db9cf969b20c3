//! gzip (RFC 1952). Several members in a row are one stream, as for Java's `GZIPInputStream`.

use std::io::Write;

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::{Compression, CompressionError, read_bounded};

pub(super) fn compress(source: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let mut encoder = GzEncoder::new(out, flate2::Compression::default());
    encoder
        .write_all(source)
        .and_then(|()| encoder.try_finish())
        .map_err(|error| CompressionError::failed(Compression::Gzip, error))
}

pub(super) fn decompress(source: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    read_bounded(Compression::Gzip, MultiGzDecoder::new(source), limit, out)
}
