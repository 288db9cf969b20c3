//! The 61 bytes in front of a batch's records, and what may be patched in them.
//!
//! | at | field | at | field |
//! |---|---|---|---|
//! | 0 | base offset, i64 | 27 | base timestamp, i64 |
//! | 8 | length of what follows, i32 | 35 | max timestamp, i64 |
//! | 12 | partition leader epoch, i32 | 43 | producer id, i64 |
//! | 16 | magic, i8 | 51 | producer epoch, i16 |
//! | 17 | CRC-32C of all from 21 on, u32 | 53 | base sequence, i32 |
//! | 21 | attributes, i16 | 57 | record count, i32 |
//! | 23 | last offset delta, i32 | 61 | records |
//!
//! Source: Kafka's `DefaultRecordBatch`.

use super::BatchError;
use crate::compression::Compression;

/// Position of the base offset, i64.
pub const BASE_OFFSET_AT: usize = 0;
/// Position of the length, i32: bytes after this field.
pub const BATCH_LENGTH_AT: usize = 8;
/// Position of the partition leader epoch, i32.
pub const PARTITION_LEADER_EPOCH_AT: usize = 12;
/// Position of the magic, i8.
pub const MAGIC_AT: usize = 16;
/// Position of the CRC-32C, u32.
pub const CRC_AT: usize = 17;
/// Position of the attributes, i16: the first byte that the CRC covers.
pub const ATTRIBUTES_AT: usize = 21;
/// Position of the last record's offset, relative to the base offset, i32.
pub const LAST_OFFSET_DELTA_AT: usize = 23;
/// Position of the base timestamp, i64.
pub const BASE_TIMESTAMP_AT: usize = 27;
/// Position of the largest timestamp in the batch, i64.
pub const MAX_TIMESTAMP_AT: usize = 35;
/// Position of the producer id, i64.
pub const PRODUCER_ID_AT: usize = 43;
/// Position of the producer epoch, i16.
pub const PRODUCER_EPOCH_AT: usize = 51;
/// Position of the first record's sequence, i32.
pub const BASE_SEQUENCE_AT: usize = 53;
/// Position of the record count, i32.
pub const RECORD_COUNT_AT: usize = 57;
/// Size of the header: where the records begin.
pub const HEADER_BYTES: usize = 61;
/// Base offset and length: what stands before the bytes that the length counts.
pub const LOG_OVERHEAD: usize = 12;
/// The one magic that is written since Kafka 0.11.
pub const MAGIC: i8 = 2;

const _: () = assert!(LOG_OVERHEAD == BATCH_LENGTH_AT + size_of::<i32>());
const _: () = assert!(HEADER_BYTES == RECORD_COUNT_AT + size_of::<i32>());

pub(super) const COMPRESSION_MASK: i16 = 0b111;
pub(super) const LOG_APPEND_TIME_BIT: i16 = 1 << 3;
pub(super) const TRANSACTIONAL_BIT: i16 = 1 << 4;
pub(super) const CONTROL_BIT: i16 = 1 << 5;
pub(super) const DELETE_HORIZON_BIT: i16 = 1 << 6;

/// Where the timestamps of a batch come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TimestampType {
    /// From the producer, record by record.
    #[default]
    CreateTime,
    /// From the broker: each record has the batch's max timestamp.
    LogAppendTime,
}

/// All header fields of a batch of magic 2, as they stand: nothing but magic and length is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record, or of where it was before compaction.
    pub base_offset: i64,
    /// Bytes after the length field; at least 49.
    pub length: i32,
    /// Epoch of the leader that took the batch; outside the CRC.
    pub partition_leader_epoch: i32,
    /// CRC-32C of all from the attributes on.
    pub crc: u32,
    /// The bit field, see the accessors.
    pub attributes: i16,
    /// Offset of the last record less the base offset; compaction keeps it.
    pub last_offset_delta: i32,
    /// What record timestamps are relative to, in ms since the epoch (or the delete horizon).
    pub base_timestamp: i64,
    /// The largest timestamp, in ms since the epoch; -1 when there is none.
    pub max_timestamp: i64,
    /// -1 without idempotence.
    pub producer_id: i64,
    /// -1 without idempotence.
    pub producer_epoch: i16,
    /// Sequence of the first record; -1 without idempotence.
    pub base_sequence: i32,
    /// How many records follow.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the front of `bytes`, of which there must be 61 at least; the records may be cut.
    ///
    /// # Errors
    /// [`BatchError::NoBatch`] when the header is cut, [`BatchError::OldMagic`], [`BatchError::UnknownMagic`],
    /// [`BatchError::BadLength`] when the length does not even hold the header.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(BatchError::NoBatch)?;
        check_magic(header[MAGIC_AT] as i8)?;
        let length = i32::from_be_bytes(field(header, BATCH_LENGTH_AT));
        if length < (HEADER_BYTES - LOG_OVERHEAD) as i32 {
            return Err(BatchError::BadLength { length });
        }
        Ok(Self {
            base_offset: i64::from_be_bytes(field(header, BASE_OFFSET_AT)),
            length,
            partition_leader_epoch: i32::from_be_bytes(field(header, PARTITION_LEADER_EPOCH_AT)),
            crc: u32::from_be_bytes(field(header, CRC_AT)),
            attributes: i16::from_be_bytes(field(header, ATTRIBUTES_AT)),
            last_offset_delta: i32::from_be_bytes(field(header, LAST_OFFSET_DELTA_AT)),
            base_timestamp: i64::from_be_bytes(field(header, BASE_TIMESTAMP_AT)),
            max_timestamp: i64::from_be_bytes(field(header, MAX_TIMESTAMP_AT)),
            producer_id: i64::from_be_bytes(field(header, PRODUCER_ID_AT)),
            producer_epoch: i16::from_be_bytes(field(header, PRODUCER_EPOCH_AT)),
            base_sequence: i32::from_be_bytes(field(header, BASE_SEQUENCE_AT)),
            record_count: i32::from_be_bytes(field(header, RECORD_COUNT_AT)),
        })
    }

    /// Writes the header over the first 61 bytes of a batch.
    pub(super) fn write(&self, header: &mut [u8; HEADER_BYTES]) {
        put(header, BASE_OFFSET_AT, self.base_offset.to_be_bytes());
        put(header, BATCH_LENGTH_AT, self.length.to_be_bytes());
        put(header, PARTITION_LEADER_EPOCH_AT, self.partition_leader_epoch.to_be_bytes());
        put(header, MAGIC_AT, MAGIC.to_be_bytes());
        put(header, CRC_AT, self.crc.to_be_bytes());
        put(header, ATTRIBUTES_AT, self.attributes.to_be_bytes());
        put(header, LAST_OFFSET_DELTA_AT, self.last_offset_delta.to_be_bytes());
        put(header, BASE_TIMESTAMP_AT, self.base_timestamp.to_be_bytes());
        put(header, MAX_TIMESTAMP_AT, self.max_timestamp.to_be_bytes());
        put(header, PRODUCER_ID_AT, self.producer_id.to_be_bytes());
        put(header, PRODUCER_EPOCH_AT, self.producer_epoch.to_be_bytes());
        put(header, BASE_SEQUENCE_AT, self.base_sequence.to_be_bytes());
        put(header, RECORD_COUNT_AT, self.record_count.to_be_bytes());
    }

    /// Size of the whole batch in bytes, header and all.
    pub const fn size(&self) -> usize {
        LOG_OVERHEAD + self.length as usize
    }

    /// Offset of the last record; wraps for nonsense that no validated batch has.
    pub const fn last_offset(&self) -> i64 {
        self.base_offset.wrapping_add(self.last_offset_delta as i64)
    }

    /// The codec of the records.
    ///
    /// # Errors
    /// [`BatchError::UnknownCompression`] for the ids 5–7.
    pub fn compression(&self) -> Result<Compression, BatchError> {
        let id = (self.attributes & COMPRESSION_MASK) as u8;
        Compression::from_id(id).ok_or(BatchError::UnknownCompression { id })
    }

    /// Where the timestamps come from.
    pub const fn timestamp_type(&self) -> TimestampType {
        if self.attributes & LOG_APPEND_TIME_BIT == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Part of a transaction: hidden from read_committed consumers until its marker.
    pub const fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Holds markers of the broker's own (transaction ends, leader changes) instead of records.
    pub const fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    /// When compaction may drop the batch's tombstones, in ms since the epoch; it then stands in the base
    /// timestamp field, and the record deltas were recomputed against it (KIP-534).
    pub const fn delete_horizon(&self) -> Option<i64> {
        if self.attributes & DELETE_HORIZON_BIT == 0 { None } else { Some(self.base_timestamp) }
    }

    /// Whether a producer with idempotence wrote the batch.
    pub const fn has_producer_id(&self) -> bool {
        self.producer_id > super::NO_PRODUCER_ID
    }
}

/// Tells apart what is not magic 2.
pub(super) fn check_magic(magic: i8) -> Result<(), BatchError> {
    match magic {
        MAGIC => Ok(()),
        0 | 1 => Err(BatchError::OldMagic { magic }),
        _ => Err(BatchError::UnknownMagic { magic }),
    }
}

/// Sets the offset of the first record; the CRC does not cover it.
///
/// # Panics
/// If `batch` is shorter than a header, as do all patches.
pub fn set_base_offset(batch: &mut [u8], base_offset: i64) {
    put(header_of(batch), BASE_OFFSET_AT, base_offset.to_be_bytes());
}

/// Sets the leader's epoch; the CRC does not cover it.
pub fn set_partition_leader_epoch(batch: &mut [u8], epoch: i32) {
    put(header_of(batch), PARTITION_LEADER_EPOCH_AT, epoch.to_be_bytes());
}

/// Sets the max timestamp (ms since the epoch), and whether it is the broker's. The CRC is carried over by
/// what changed in the header, without reading the records again: a batch whose CRC was right keeps a right
/// one, and a damaged batch stays detectably damaged. `batch` is the whole batch, nothing else.
pub fn set_max_timestamp(batch: &mut [u8], timestamp_type: TimestampType, max_timestamp: i64) {
    let records_bytes = batch.len().saturating_sub(HEADER_BYTES);
    let header = header_of(batch);
    let before = crc32c::crc32c(&header[ATTRIBUTES_AT..]);
    let mut attributes = i16::from_be_bytes(field(header, ATTRIBUTES_AT)) & !LOG_APPEND_TIME_BIT;
    if timestamp_type == TimestampType::LogAppendTime {
        attributes |= LOG_APPEND_TIME_BIT;
    }
    put(header, ATTRIBUTES_AT, attributes.to_be_bytes());
    put(header, MAX_TIMESTAMP_AT, max_timestamp.to_be_bytes());
    let after = crc32c::crc32c(&header[ATTRIBUTES_AT..]);
    // A CRC is linear over XOR: what changed in front reaches the end as if zeros followed it.
    let change = crc32c::crc32c_combine(before ^ after, 0, records_bytes);
    let crc = u32::from_be_bytes(field(header, CRC_AT)) ^ change;
    put(header, CRC_AT, crc.to_be_bytes());
}

fn header_of(batch: &mut [u8]) -> &mut [u8; HEADER_BYTES] {
    batch.first_chunk_mut().expect("a batch to patch has a whole header")
}

fn field<const N: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[at..at + N]);
    bytes
}

fn put<const N: usize>(header: &mut [u8; HEADER_BYTES], at: usize, bytes: [u8; N]) {
    header[at..at + N].copy_from_slice(&bytes);
}
