//! Reading stretches of a log: batch by batch, record by record, and by timestamp.

use super::{BatchError, BatchHeader, HEADER_BYTES, LOG_OVERHEAD, NO_TIMESTAMP, Records, TimestampType};
use crate::compression::{Compression, decompress};

/// A whole batch, borrowed. Its CRC is not checked by reading it: see [`Batch::check_crc`].
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// The header's fields.
    pub header: BatchHeader,
    /// All of its bytes, header and all.
    pub bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// The batch at the front of `bytes`.
    ///
    /// # Errors
    /// Those of [`BatchHeader::parse`], and [`BatchError::NoBatch`] when the records are cut.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let header = BatchHeader::parse(bytes)?;
        let bytes = bytes.get(..header.size()).ok_or(BatchError::NoBatch)?;
        Ok(Self { header, bytes })
    }

    /// Compares the header's CRC to the bytes.
    ///
    /// # Errors
    /// [`BatchError::BadCrc`].
    pub fn check_crc(&self) -> Result<(), BatchError> {
        let stored = self.header.crc;
        let computed = crc32c::crc32c(&self.bytes[super::ATTRIBUTES_AT..]);
        if stored == computed { Ok(()) } else { Err(BatchError::BadCrc { stored, computed }) }
    }

    /// The records' bytes, compressed as they are.
    pub fn records_bytes(&self) -> &'a [u8] {
        &self.bytes[HEADER_BYTES..]
    }

    /// The records, borrowed from the log itself; `None` when they are compressed: see [`records`].
    pub fn plain_records(&self) -> Option<Records<'a>> {
        let is_plain = matches!(self.header.compression(), Ok(Compression::None));
        is_plain.then(|| Records::new(self.records_bytes(), self.header.record_count))
    }
}

/// The whole batches of a stretch of a log that begins at a batch's start. A last batch that is cut, as a
/// fetch may leave it, ends the iteration; an impossible one is an error and ends it too.
pub fn batches(log: &[u8]) -> Batches<'_> {
    Batches { log, position: 0, failed: false }
}

/// See [`batches`].
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    log: &'a [u8],
    position: usize,
    failed: bool,
}

impl Batches<'_> {
    /// Bytes of the whole batches yielded so far: where the next one begins.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.log[self.position..];
        if self.failed || rest.len() < LOG_OVERHEAD {
            return None;
        }
        match Batch::parse(rest) {
            Ok(batch) => {
                self.position += batch.bytes.len();
                Some(Ok(batch))
            }
            Err(BatchError::NoBatch) => None,
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}

/// The records of a batch: borrowed from it when they are not compressed, else decompressed into `scratch`
/// (whose old content goes), to at most `limit` bytes.
///
/// # Errors
/// [`BatchError::Compression`], [`BatchError::UnknownCompression`].
pub fn records<'a>(batch: &Batch<'a>, limit: usize, scratch: &'a mut Vec<u8>) -> Result<Records<'a>, BatchError> {
    let bytes = match batch.header.compression()? {
        Compression::None => batch.records_bytes(),
        codec => {
            scratch.clear();
            decompress(codec, batch.records_bytes(), limit, scratch)?;
            scratch.as_slice()
        }
    };
    Ok(Records::new(bytes, batch.header.record_count))
}

/// A record's place in the log and in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampedOffset {
    /// The record's offset.
    pub offset: i64,
    /// The record's timestamp, in ms since the epoch.
    pub timestamp: i64,
}

/// The first record at `start_offset` or above whose timestamp is `timestamp` or later (Kafka's
/// `FileRecords.searchForTimestamp`, for one batch). Opens the records only if the header's max timestamp
/// says that there is one.
///
/// # Errors
/// Those of [`records`] and of malformed records.
pub fn first_at_or_after(
    batch: &Batch<'_>,
    timestamp: i64,
    start_offset: i64,
    limit: usize,
) -> Result<Option<TimestampedOffset>, BatchError> {
    if batch.header.max_timestamp < timestamp || batch.header.last_offset() < start_offset {
        return Ok(None);
    }
    find(batch, limit, |at| at.timestamp >= timestamp && at.offset >= start_offset)
}

/// The first record that has the batch's max timestamp (Kafka's `DefaultRecordBatch.offsetOfMaxTimestamp`);
/// `None` for a batch without timestamps.
///
/// # Errors
/// Those of [`records`] and of malformed records.
pub fn first_with_max_timestamp(batch: &Batch<'_>, limit: usize) -> Result<Option<TimestampedOffset>, BatchError> {
    let max_timestamp = batch.header.max_timestamp;
    if max_timestamp == NO_TIMESTAMP {
        return Ok(None);
    }
    find(batch, limit, |at| at.timestamp == max_timestamp)
}

fn find(
    batch: &Batch<'_>,
    limit: usize,
    wanted: impl Fn(&TimestampedOffset) -> bool,
) -> Result<Option<TimestampedOffset>, BatchError> {
    let header = &batch.header;
    let mut scratch = Vec::new();
    for record in records(batch, limit, &mut scratch)? {
        let record = record?;
        let timestamp = match header.timestamp_type() {
            TimestampType::CreateTime => header.base_timestamp.wrapping_add(record.timestamp_delta),
            TimestampType::LogAppendTime => header.max_timestamp,
        };
        let offset = header.base_offset.wrapping_add(i64::from(record.offset_delta));
        let at = TimestampedOffset { offset, timestamp };
        if wanted(&at) {
            return Ok(Some(at));
        }
    }
    Ok(None)
}
