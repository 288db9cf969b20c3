//! LZ4 frames as Kafka writes them since batch v2: independent 64 KiB blocks, no checksums over content.

use std::io::Write;

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use super::{Compression, CompressionError, read_bounded};

pub(super) fn compress(source: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
    // Kafka's Java reader refuses linked blocks.
    let frame = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(frame, out);
    encoder.write_all(source).map_err(|error| CompressionError::failed(Compression::Lz4, error))?;
    encoder.finish().map_err(|error| CompressionError::failed(Compression::Lz4, error))?;
    Ok(())
}

pub(super) fn decompress(source: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    read_bounded(Compression::Lz4, FrameDecoder::new(source), limit, out)
}
