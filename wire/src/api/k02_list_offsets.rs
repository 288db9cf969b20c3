//! ListOffsets: v1–v11.
//! Behaviour: looks up an offset by timestamp, or one of the special ones (−1 latest, −2 earliest, −3 max timestamp,
//! −4 earliest local, −5 latest tiered, −6 earliest pending upload).
//! Deviations: none.   Versions: v2 isolation; v4 leader epoch; v6 flexible; v7 max timestamp; v8 earliest local;
//! v9 latest tiered; v10 timeout; v11 pending upload.

use std::ops::RangeInclusive;

use crate::message::{Api, message};

impl Api for ListOffsetsRequest {
    const KEY: i16 = 2;
    const VERSIONS: RangeInclusive<i16> = 1..=11;
    type Response = ListOffsetsResponse;
}

message! {
    /// Asks for offsets by time.
    pub struct ListOffsetsRequest: flexible 6.. {
        /// Node id of the broker that asks, or −1 for a client.
        replica_id: i32,
        /// 0 reads uncommitted records, 1 only committed ones.
        isolation_level: i8 [2..],
        /// The topics.
        topics: Vec<ListOffsetsTopic>,
        /// How long to wait for it to complete, in milliseconds.
        timeout_ms: i32 [10..],
    }

    /// A topic and its partitions.
    pub struct ListOffsetsTopic {
        /// Topic name.
        name: String,
        /// The partitions.
        partitions: Vec<ListOffsetsPartition>,
    }

    /// A partition and the timestamp asked for.
    pub struct ListOffsetsPartition {
        /// Partition index.
        partition_index: i32,
        /// Leader epoch that the client knows; −1 skips the fencing check.
        current_leader_epoch: i32 [4..] = -1,
        /// Timestamp asked for, in milliseconds since the epoch, or one of the special ones.
        timestamp: i64,
    }
}

message! {
    /// One offset per partition.
    pub struct ListOffsetsResponse: flexible 6.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32 [2..],
        /// The topics.
        topics: Vec<ListOffsetsTopicResponse>,
    }

    /// A topic's answers.
    pub struct ListOffsetsTopicResponse {
        /// Topic name.
        name: String,
        /// The partitions.
        partitions: Vec<ListOffsetsPartitionResponse>,
    }

    /// A partition and what was asked of it.
    pub struct ListOffsetsPartitionResponse {
        /// Partition index.
        partition_index: i32,
        /// Error code; 0 is success.
        error_code: i16,
        /// Timestamp of the record found, or −1.
        timestamp: i64 = -1,
        /// Offset found, or −1.
        offset: i64 = -1,
        /// Leader epoch, or −1 when unknown.
        leader_epoch: i32 [4..] = -1,
    }
}
