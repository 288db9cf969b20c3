//! Writing batches: for producing clients, and for the internal logs that a broker writes itself.

use super::header::{CONTROL_BIT, LOG_APPEND_TIME_BIT, LOG_OVERHEAD, TRANSACTIONAL_BIT};
use super::varint::{len_i64, put_i32, put_i64};
use super::{
    ATTRIBUTES_AT, BatchHeader, CRC_AT, HEADER_BYTES, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID,
    NO_SEQUENCE, NO_TIMESTAMP, TimestampType,
};
use crate::compression::{Compression, CompressionError, compress};

/// A header to write: its key and its value, if any.
pub type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// What is said in a batch's header. The default is a producer's without idempotence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchOptions {
    /// Offset of the first record; producers write 0.
    pub base_offset: i64,
    /// -1 for producers.
    pub partition_leader_epoch: i32,
    /// How to compress the records.
    pub compression: Compression,
    /// Whose timestamps these are.
    pub timestamp_type: TimestampType,
    /// -1 without idempotence.
    pub producer_id: i64,
    /// -1 without idempotence.
    pub producer_epoch: i16,
    /// -1 without idempotence.
    pub base_sequence: i32,
    /// Part of a transaction.
    pub transactional: bool,
    /// The records are control records: see [`super::ControlRecord::key`].
    pub control: bool,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            base_offset: 0,
            partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
            compression: Compression::None,
            timestamp_type: TimestampType::CreateTime,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            transactional: false,
            control: false,
        }
    }
}

/// Why a batch could not be written.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The format's lengths are i32.
    #[error("a record batch of {bytes} bytes is larger than the format can hold")]
    TooLarge {
        /// What it would have come to.
        bytes: usize,
    },
    /// The format knows no empty batch but a compacted one.
    #[error("a record batch needs a record")]
    Empty,
    /// The codec failed.
    #[error(transparent)]
    Compression(#[from] CompressionError),
}

/// Gathers records, then writes them as one batch. It may be used again and keeps its memory.
#[derive(Debug, Clone, Default)]
pub struct BatchBuilder {
    records: Vec<u8>,
    record_count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl BatchBuilder {
    /// A builder without records.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many records wait.
    pub fn record_count(&self) -> i32 {
        self.record_count
    }

    /// What the batch would take uncompressed, in bytes.
    pub fn size(&self) -> usize {
        HEADER_BYTES + self.records.len()
    }

    /// Adds a record with a timestamp in ms since the epoch (or [`NO_TIMESTAMP`]).
    ///
    /// # Errors
    /// [`BuildError::TooLarge`] when the batch would pass 2 GiB; it is left as it was.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<(), BuildError> {
        if self.record_count == 0 {
            self.base_timestamp = timestamp;
            self.max_timestamp = NO_TIMESTAMP;
        }
        let deltas = (timestamp.wrapping_sub(self.base_timestamp), self.record_count);
        let headers = headers.iter().copied();
        let body_bytes = body_len(deltas, key, value, headers.clone());
        let bytes = self.size() + len_i64(body_bytes as i64) + body_bytes;
        if i32::try_from(bytes - LOG_OVERHEAD).is_err() {
            return Err(BuildError::TooLarge { bytes });
        }
        put_record(deltas, key, value, headers, &mut self.records);
        assert_eq!(self.size(), bytes, "a record must be as long as its length field says");
        self.record_count += 1;
        self.max_timestamp = self.max_timestamp.max(timestamp);
        Ok(())
    }

    /// Appends the batch to `out` and empties the builder.
    ///
    /// # Errors
    /// [`BuildError::Empty`]; a codec's failure, or compressed records beyond 2 GiB. `out` is then as it was,
    /// and the builder keeps its records.
    pub fn build(&mut self, options: &BatchOptions, out: &mut Vec<u8>) -> Result<(), BuildError> {
        if self.record_count == 0 {
            return Err(BuildError::Empty);
        }
        let start = out.len();
        out.resize(start + HEADER_BYTES, 0);
        let written = compress(options.compression, &self.records, out).map_err(BuildError::from);
        if let Err(error) = written.and_then(|()| self.seal(options, &mut out[start..])) {
            out.truncate(start);
            return Err(error);
        }
        self.records.clear();
        self.record_count = 0;
        Ok(())
    }

    /// Writes the header in front of the records in `batch`.
    fn seal(&self, options: &BatchOptions, batch: &mut [u8]) -> Result<(), BuildError> {
        let mut attributes = i16::from(options.compression.id());
        let flags = [
            (options.timestamp_type == TimestampType::LogAppendTime, LOG_APPEND_TIME_BIT),
            (options.transactional, TRANSACTIONAL_BIT),
            (options.control, CONTROL_BIT),
        ];
        for (_, bit) in flags.into_iter().filter(|(set, _)| *set) {
            attributes |= bit;
        }
        let header = BatchHeader {
            base_offset: options.base_offset,
            length: 0,
            partition_leader_epoch: options.partition_leader_epoch,
            crc: 0,
            attributes,
            last_offset_delta: self.record_count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: options.producer_id,
            producer_epoch: options.producer_epoch,
            base_sequence: options.base_sequence,
            record_count: self.record_count,
        };
        seal(header, batch)
    }
}

/// Writes the header in front of the records in `batch`, with their length and checksum.
pub(super) fn seal(header: BatchHeader, batch: &mut [u8]) -> Result<(), BuildError> {
    let bytes = batch.len();
    let length = i32::try_from(bytes - LOG_OVERHEAD).map_err(|_| BuildError::TooLarge { bytes })?;
    let space = batch.first_chunk_mut().expect("there is room for the header");
    BatchHeader { length, crc: 0, ..header }.write(space);
    let crc = crc32c::crc32c(&batch[ATTRIBUTES_AT..]);
    batch[CRC_AT..CRC_AT + size_of::<u32>()].copy_from_slice(&crc.to_be_bytes());
    Ok(())
}

/// Appends a record with these deltas of timestamp and offset, behind its length.
pub(super) fn put_record<'a>(
    deltas: (i64, i32),
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: impl ExactSizeIterator<Item = Header<'a>> + Clone,
    out: &mut Vec<u8>,
) {
    put_i64(body_len(deltas, key, value, headers.clone()) as i64, out);
    out.push(0);
    put_i64(deltas.0, out);
    put_i32(deltas.1, out);
    put_nullable(key, out);
    put_nullable(value, out);
    put_i64(headers.len() as i64, out);
    for (key, value) in headers {
        put_nullable(Some(key), out);
        put_nullable(value, out);
    }
}

/// Bytes of a record behind its length.
fn body_len<'a>(
    (timestamp_delta, offset_delta): (i64, i32),
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: impl ExactSizeIterator<Item = Header<'a>>,
) -> usize {
    1 + len_i64(timestamp_delta)
        + len_i64(i64::from(offset_delta))
        + nullable_len(key)
        + nullable_len(value)
        + len_i64(headers.len() as i64)
        + headers.map(|(key, value)| nullable_len(Some(key)) + nullable_len(value)).sum::<usize>()
}

fn nullable_len(bytes: Option<&[u8]>) -> usize {
    match bytes {
        None => len_i64(-1),
        Some(bytes) => len_i64(bytes.len() as i64) + bytes.len(),
    }
}

fn put_nullable(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    match bytes {
        None => put_i64(-1, out),
        Some(bytes) => {
            put_i64(bytes.len() as i64, out);
            out.extend_from_slice(bytes);
        }
    }
}
