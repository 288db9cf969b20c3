//! A produced batch in another codec: what a topic with a `compression.type` of its own keeps.

use super::builder::seal;
use super::header::COMPRESSION_MASK;
use super::{BatchError, BatchHeader, BatchSummary, HEADER_BYTES};
use crate::compression::{Compression, compress, decompress};

/// The batch that was found to be `summary`, with its records compressed by `codec`, and what it is now. Everything else stays,
/// but a wrong max timestamp is put right. `opened_bytes_max` is the most that the records may open to.
///
/// # Errors
/// A codec's failure, or a batch beyond 2 GiB.
pub fn recompress(
    batch: &[u8],
    summary: &BatchSummary,
    codec: Compression,
    opened_bytes_max: usize,
) -> Result<(Vec<u8>, BatchSummary), BatchError> {
    let header = BatchHeader::parse(batch)?;
    let mut opened = Vec::new();
    decompress(summary.compression, &batch[HEADER_BYTES..summary.size], opened_bytes_max, &mut opened)?;
    let mut out = vec![0; HEADER_BYTES];
    compress(codec, &opened, &mut out)?;
    let attributes = header.attributes & !COMPRESSION_MASK | i16::from(codec.id());
    let size = out.len();
    seal(BatchHeader { attributes, max_timestamp: summary.max_timestamp, ..header }, &mut out)
        .map_err(|_| BatchError::TooLarge { size, limit: i32::MAX as usize })?;
    let summary = BatchSummary { size, compression: codec, max_timestamp_is_wrong: false, ..*summary };
    Ok((out, summary))
}
