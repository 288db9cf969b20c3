//! What compaction keeps of a batch, written as Kafka's `MemoryRecords.filterTo` writes it.
//!
//! Base offset, last offset delta, leader epoch, producer and sequences stay those of the original, so that offsets keep
//! their places, with gaps between them, and a producer's last sequence can be read from a batch without records.
//! Compressed records are compressed again, by the same codec.
//! Deviation: the base timestamp stays too, where Kafka makes it that of the first record kept.

use super::builder::{put_record, seal};
use super::header::{COMPRESSION_MASK, DELETE_HORIZON_BIT};
use super::{BatchHeader, BuildError, HEADER_BYTES, NO_TIMESTAMP, Record, TimestampType};
use crate::compression::compress;

/// Appends to `out` the batch with nothing but `records`, which are some of its own, in order. With `delete_horizon`, in
/// ms since the epoch, the batch says when its tombstones may go (KIP-534); without, it says what it said before.
///
/// # Errors
/// A codec's failure, or a batch beyond 2 GiB; `out` is then as it was.
///
/// # Panics
/// If there are no records: [`retain_empty`] is for that.
pub fn retain(
    header: &BatchHeader,
    records: &[Record<'_>],
    delete_horizon: Option<i64>,
    out: &mut Vec<u8>,
) -> Result<(), BuildError> {
    assert!(!records.is_empty(), "a batch without records is written by retain_empty");
    let base_timestamp = delete_horizon.unwrap_or(header.base_timestamp);
    let mut max_timestamp = NO_TIMESTAMP;
    let mut bytes = Vec::new();
    for record in records {
        let timestamp = header.base_timestamp.wrapping_add(record.timestamp_delta);
        max_timestamp = max_timestamp.max(timestamp);
        let headers = record.headers.map(|header| (header.key, header.value));
        let delta = timestamp.wrapping_sub(base_timestamp);
        put_record((delta, record.offset_delta), record.key, record.value, headers, &mut bytes);
    }
    if header.timestamp_type() == TimestampType::LogAppendTime {
        max_timestamp = header.max_timestamp;
    }
    let horizon_bit = if delete_horizon.is_some() { DELETE_HORIZON_BIT } else { 0 };
    let header = BatchHeader {
        attributes: header.attributes | horizon_bit,
        base_timestamp,
        max_timestamp,
        record_count: i32::try_from(records.len()).map_err(|_| BuildError::TooLarge { bytes: bytes.len() })?,
        ..*header
    };
    let start = out.len();
    out.resize(start + HEADER_BYTES, 0);
    let codec = header.compression().unwrap_or_default();
    let written = compress(codec, &bytes, out).map_err(BuildError::from);
    let sealed = written.and_then(|()| seal(header, &mut out[start..]));
    sealed.inspect_err(|_| out.truncate(start))
}

/// Appends to `out` the batch without any record: what keeps the last sequence of a producer, and the last offset of a
/// segment.
pub fn retain_empty(header: &BatchHeader, out: &mut Vec<u8>) {
    let header = BatchHeader {
        attributes: header.attributes & !(COMPRESSION_MASK | DELETE_HORIZON_BIT),
        base_timestamp: NO_TIMESTAMP,
        record_count: 0,
        ..*header
    };
    let start = out.len();
    out.resize(start + HEADER_BYTES, 0);
    seal(header, &mut out[start..]).expect("a header alone is short");
}
