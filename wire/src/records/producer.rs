//! What is kept of an idempotent producer beside a partition's log: the fields of Kafka's `ProducerSnapshot`.

/// One producer of a partition, as of an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerEntry {
    /// The producer's id.
    pub producer_id: i64,
    /// Its current epoch.
    pub producer_epoch: i16,
    /// Sequence of its last record; −1 when it has written none in this epoch.
    pub last_sequence: i32,
    /// Offset of that record; −1 when there is none.
    pub last_offset: i64,
    /// Records in its last batch, less one.
    pub offset_delta: i32,
    /// When it last appended, in ms since the epoch.
    pub timestamp: i64,
    /// Epoch of the coordinator that wrote its last transaction marker; −1 when there is none.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction; −1 when there is none.
    pub current_txn_first_offset: i64,
}
