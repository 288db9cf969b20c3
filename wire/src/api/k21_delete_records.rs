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

    /// Topic that we want to delete records from.
    pub struct DeleteRecordsTopic {
        /// Topic name.
        name: String,
        /// The partitions.
        partitions: Vec<DeleteRecordsPartition>,
    }

    /// Partition that we want to delete records from.
    pub struct DeleteRecordsPartition {
        /// Partition index.
        partition_index: i32,
        /// Deletion offset. -1 means that records should be truncated to the high watermark.
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

    /// Topic that we wanted to delete records from.
    pub struct DeleteRecordsTopicResult {
        /// Topic name.
        name: String,
        /// The partitions.
        partitions: Vec<DeleteRecordsPartitionResult>,
    }

    /// Partition that we wanted to delete records from.
    pub struct DeleteRecordsPartitionResult {
        /// Partition index.
        partition_index: i32,
        /// Partition low water mark.
        low_watermark: i64,
        /// Error code; 0 is success.
        error_code: i16,
    }
}
