//! Record batches of magic 2: the bytes that producers send, segments hold and consumers are given.
//!
//! A batch is a 61-byte [`BatchHeader`] and its records, which are compressed together or not at all. Its
//! CRC-32C covers everything from the attributes on, so that base offset and leader epoch can be patched
//! without touching it. Nothing here knows I/O; every length is checked against the bytes there are before
//! it is used.
//!
//! - [`validate_produce`]: what a broker checks before it takes a batch.
//! - [`batches`], [`records`]: reading a stretch of a log.
//! - [`first_at_or_after`], [`first_with_max_timestamp`]: what ListOffsets asks.
//! - [`BatchBuilder`]: writing batches, as a producer or for an internal log.
//! - [`recompress`]: a batch in the topic's own codec.
//! - [`retain`], [`retain_empty`]: what compaction keeps of a batch.

mod builder;
mod crc;
mod header;
mod reader;
mod recompress;
mod record;
mod refused;
mod retain;
mod validate;
mod varint;

pub use builder::{BatchBuilder, BatchOptions, BuildError, Header};
pub use crc::crc_copy;
pub use header::{
    ATTRIBUTES_AT, BASE_OFFSET_AT, BASE_SEQUENCE_AT, BASE_TIMESTAMP_AT, BATCH_LENGTH_AT, BatchHeader, CRC_AT,
    HEADER_BYTES, LAST_OFFSET_DELTA_AT, LOG_OVERHEAD, MAGIC, MAGIC_AT, MAX_TIMESTAMP_AT, PARTITION_LEADER_EPOCH_AT,
    PRODUCER_EPOCH_AT, PRODUCER_ID_AT, RECORD_COUNT_AT, TimestampType, set_base_offset, set_max_timestamp,
    set_partition_leader_epoch,
};
pub use reader::{Batch, Batches, TimestampedOffset, batches, first_at_or_after, first_with_max_timestamp, records};
pub use recompress::recompress;
pub use record::{ControlRecord, Record, RecordHeader, RecordHeaders, Records};
pub use refused::{RefusalReason, RefusedRecord};
pub use retain::{retain, retain_empty};
pub use validate::{BatchSummary, ProduceRules, validate_produce};

use crate::ErrorCode;
use crate::compression::CompressionError;

/// No timestamp: what a producer sends that has none (Kafka's `RecordBatch.NO_TIMESTAMP`).
pub const NO_TIMESTAMP: i64 = -1;
/// No producer id: the batch of a producer that is not idempotent.
pub const NO_PRODUCER_ID: i64 = -1;
/// The producer epoch that goes with [`NO_PRODUCER_ID`].
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// The base sequence that goes with [`NO_PRODUCER_ID`].
pub const NO_SEQUENCE: i32 = -1;
/// No leader epoch: what a producer sends.
pub const NO_PARTITION_LEADER_EPOCH: i32 = -1;

/// What is wrong with a batch. [`BatchError::code`] says what Kafka answers.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// Not one whole batch is there.
    #[error("there is no whole record batch")]
    NoBatch,
    /// More than the one batch that a partition of a Produce request may hold.
    #[error("a produce request holds exactly one record batch a partition")]
    SeveralBatches,
    /// The length field is below what any batch has, or negative.
    #[error("record batch length {length} is impossible")]
    BadLength {
        /// The value of the length field.
        length: i32,
    },
    /// A magic that Kafka has never used.
    #[error("unknown record batch magic {magic}")]
    UnknownMagic {
        /// The value of the magic field.
        magic: i8,
    },
    /// The message sets of magic 0 and 1, which Kafka 4 no longer takes.
    #[error("record batch magic {magic} is no longer supported")]
    OldMagic {
        /// The value of the magic field.
        magic: i8,
    },
    /// The checksum does not match the bytes.
    #[error("record batch checksum is {stored:#010x} but its bytes give {computed:#010x}")]
    BadCrc {
        /// The checksum in the header.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// A batch beyond `max.message.bytes`.
    #[error("record batch of {size} bytes is larger than the {limit} allowed")]
    TooLarge {
        /// Size of the whole batch, in bytes.
        size: usize,
        /// What the topic allows, in bytes.
        limit: usize,
    },
    /// A producer's base offset is 0, always.
    #[error("the base offset of a produced batch must be 0, not {base_offset}")]
    BaseOffsetNotZero {
        /// The value of the base offset field.
        base_offset: i64,
    },
    /// Record count and last offset delta disagree, or there is no record.
    #[error("record count {record_count} does not go with last offset delta {last_offset_delta}")]
    BadCount {
        /// The value of the record count field.
        record_count: i32,
        /// The value of the last offset delta field.
        last_offset_delta: i32,
    },
    /// Control batches are written by brokers only.
    #[error("clients may not write control batches")]
    ControlBatch,
    /// A producer id goes with sequences.
    #[error("the batch of producer {producer_id} has no sequence")]
    NoSequence {
        /// The value of the producer id field.
        producer_id: i64,
    },
    /// The producer claims the broker's timestamp type.
    #[error("producers may not set the timestamp type LogAppendTime")]
    LogAppendTimeFromClient,
    /// The batch is sound, but the topic takes some of its records not; none of it is appended.
    #[error("{} of the batch's records are refused; the first, {}", records.len(), records[0])]
    RecordsRefused {
        /// Which and why, in order; at least one.
        records: Vec<RefusedRecord>,
    },
    /// Offset deltas inside a compressed batch must be 0, 1, 2 …
    #[error("offset delta {found} in a compressed batch where {expected} is due")]
    OffsetDeltaOutOfOrder {
        /// The delta due.
        expected: i32,
        /// The delta there.
        found: i32,
    },
    /// A compression id that nobody has defined.
    #[error("unknown compression id {id}")]
    UnknownCompression {
        /// The value of the attributes' compression bits.
        id: u8,
    },
    /// The records' bytes are not records.
    #[error("malformed record: {0}")]
    MalformedRecord(&'static str),
    /// Bytes are left after the last record that the header counts.
    #[error("{bytes} bytes are left after the last record")]
    RecordsRemaining {
        /// How many bytes.
        bytes: usize,
    },
    /// The compressed records cannot be opened.
    #[error(transparent)]
    Compression(#[from] CompressionError),
}

impl BatchError {
    /// What Kafka answers a Produce request with.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::BadLength { .. } | Self::UnknownMagic { .. } | Self::BadCrc { .. } => ErrorCode::CorruptMessage,
            Self::TooLarge { .. } => ErrorCode::MessageTooLarge,
            Self::LogAppendTimeFromClient => ErrorCode::InvalidTimestamp,
            Self::RecordsRefused { records } if records.iter().any(RefusedRecord::is_out_of_time) => {
                ErrorCode::InvalidTimestamp
            }
            Self::UnknownCompression { .. } => ErrorCode::UnsupportedCompressionType,
            _ => ErrorCode::InvalidRecord,
        }
    }
}
