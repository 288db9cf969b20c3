//! DeleteRecords: v0–v2.
//! Behaviour: moves the log start offset forward; −1 means the high watermark.
//! Deviations: none.   Versions: v2 flexible.

use std::ops::RangeInclusive;

use crate::message::{Api, message};

impl Api for DeleteRecordsRequest {
    const KEY: i16 = 21;
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    type Response = DeleteRecordsResponse;
}

message! {
    /// Deletes the records before given offsets.
    pub struct DeleteRecordsRequest: flexible 2.. {
        /// The topics.
        topics: Vec<DeleteRecordsTopic>,
        /// How long to wait for it to complete, in milliseconds.
        timeout_ms: i32,
    }

    /// A topic and its partitions.
    pub struct DeleteRecordsTopic {
        /// Topic name.
        name: String,
        /// The partitions.
        partitions: Vec<DeleteRecordsPartition>,
    }

    /// A partition and the first offset to keep.
    pub struct DeleteRecordsPartition {
        /// Partition index.
        partition_index: i32,
        /// The first offset to keep; −1 means the high watermark.
        offset: i64,
    }
}

message! {
    /// The new log start of each partition.
    pub struct DeleteRecordsResponse: flexible 2.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// The topics.
        topics: Vec<DeleteRecordsTopicResult>,
    }

    /// A topic's answers.
    pub struct DeleteRecordsTopicResult {
        /// Topic name.
        name: String,
        /// The partitions.
        partitions: Vec<DeleteRecordsPartitionResult>,
    }

    /// A partition and what became of it.
    pub struct DeleteRecordsPartitionResult {
        /// Partition index.
        partition_index: i32,
        /// New log start offset, or −1 on an error.
        low_watermark: i64,
        /// Error code; 0 is success.
        error_code: i16,
    }
}
