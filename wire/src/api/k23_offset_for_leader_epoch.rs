//! OffsetForLeaderEpoch: v2–v4.
//! Behaviour: returns the end offset of the largest epoch that is not above the one asked for (KIP-101, KIP-279).
//! Deviations: none.   Versions: v3 replica id; v4 flexible.

use std::ops::RangeInclusive;

use crate::message::{Api, message};

impl Api for OffsetForLeaderEpochRequest {
    const KEY: i16 = 23;
    const VERSIONS: RangeInclusive<i16> = 2..=4;
    type Response = OffsetForLeaderEpochResponse;
}

message! {
    /// Asks where leader epochs end.
    pub struct OffsetForLeaderEpochRequest: flexible 4.. {
        /// Node id of the follower that asks, or −1 for a consumer.
        replica_id: i32 [3..] = -2,
        /// The topics.
        topics: Vec<OffsetForLeaderTopic>,
    }

    /// A topic and its partitions.
    pub struct OffsetForLeaderTopic {
        /// Topic name.
        topic: String,
        /// The partitions.
        partitions: Vec<OffsetForLeaderPartition>,
    }

    /// A partition and the epoch asked for.
    pub struct OffsetForLeaderPartition {
        /// Partition index.
        partition: i32,
        /// Leader epoch that the client knows; −1 skips the fencing check.
        current_leader_epoch: i32 = -1,
        /// Leader epoch, or −1 when unknown.
        leader_epoch: i32,
    }
}

message! {
    /// End offset of each epoch asked for.
    pub struct OffsetForLeaderEpochResponse: flexible 4.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// The topics.
        topics: Vec<OffsetForLeaderTopicResult>,
    }

    /// A topic's answers.
    pub struct OffsetForLeaderTopicResult {
        /// Topic name.
        topic: String,
        /// The partitions.
        partitions: Vec<EpochEndOffset>,
    }

    /// A partition's answer.
    pub struct EpochEndOffset {
        /// Error code; 0 is success.
        error_code: i16,
        /// Partition index.
        partition: i32,
        /// Leader epoch, or −1 when unknown.
        leader_epoch: i32 = -1,
        /// Offset after the epoch's last record.
        end_offset: i64 = -1,
    }
}
