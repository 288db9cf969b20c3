//! Why single records of a sound batch are refused: what Produce responses tell record by record (KIP-467).

use std::fmt;

/// A record that the topic does not take, by its place in the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedRecord {
    /// The record's place in its batch, from 0.
    pub index: i32,
    /// Why.
    pub reason: RefusalReason,
}

/// Why a record is refused. Shown in Kafka's words (`LogValidator`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// A compacted topic takes no record without a key.
    NullKey,
    /// The timestamp is further from the broker's clock than the topic allows. All in ms since the epoch.
    TimestampOutOfRange {
        /// The record's.
        timestamp: i64,
        /// The earliest allowed.
        earliest: i64,
        /// The latest allowed.
        latest: i64,
    },
}

impl RefusedRecord {
    /// Whether it is the record's time that is wrong, which has an error code of its own.
    pub(super) fn is_out_of_time(&self) -> bool {
        matches!(self.reason, RefusalReason::TimestampOutOfRange { .. })
    }
}

impl fmt::Display for RefusedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            RefusalReason::NullKey => f.write_str("Compacted topic cannot accept message without key"),
            RefusalReason::TimestampOutOfRange { timestamp, earliest, latest } => write!(
                f,
                "Timestamp {timestamp} of message with offset {} is out of range. \
                 The timestamp should be within [{earliest}, {latest}]",
                self.index
            ),
        }
    }
}
