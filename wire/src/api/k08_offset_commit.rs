//! OffsetCommit: v2–v10.
//! Behaviour: stores offsets for a group; acknowledged once durable.
//! Deviations: none.   Versions: v3 throttle; v5 no retention time; v6 leader epoch; v7 static members; v8
//! flexible; v9 member epoch (KIP-848); v10 topic ids only.

use std::ops::RangeInclusive;

use crate::codec::Uuid;
use crate::message::{Api, message};

impl Api for OffsetCommitRequest {
    const KEY: i16 = 8;
    const VERSIONS: RangeInclusive<i16> = 2..=10;
    type Response = OffsetCommitResponse;
}

message! {
    /// Commits a group's offsets.
    pub struct OffsetCommitRequest: flexible 8.. {
        /// Group id.
        group_id: String,
        /// Group generation (classic) or member epoch (KIP-848); −1 outside a group.
        generation_id_or_member_epoch: i32 = -1,
        /// Member id that the coordinator has assigned.
        member_id: String,
        /// Static member's id (KIP-345), or null.
        group_instance_id: Option<String> [7..],
        /// How long to keep the offsets, in milliseconds; −1: the broker's default.
        retention_time_ms: i64 [..=4] = -1,
        /// The topics.
        topics: Vec<OffsetCommitRequestTopic>,
    }

    /// A topic and its partitions.
    pub struct OffsetCommitRequestTopic {
        /// Topic name.
        name: String [..=9],
        /// Topic id.
        topic_id: Uuid [10..],
        /// The partitions.
        partitions: Vec<OffsetCommitRequestPartition>,
    }

    /// A partition and its offset.
    pub struct OffsetCommitRequestPartition {
        /// Partition index.
        partition_index: i32,
        /// Offset of the next record to consume.
        committed_offset: i64,
        /// Leader epoch of the last consumed record, or −1.
        committed_leader_epoch: i32 [6..] = -1,
        /// Whatever the client wants kept beside the offset.
        committed_metadata: Option<String>,
    }
}

message! {
    /// An error code for each partition.
    pub struct OffsetCommitResponse: flexible 8.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32 [3..],
        /// The topics.
        topics: Vec<OffsetCommitResponseTopic>,
    }

    /// A topic's answers.
    pub struct OffsetCommitResponseTopic {
        /// Topic name.
        name: String [..=9],
        /// Topic id.
        topic_id: Uuid [10..],
        /// The partitions.
        partitions: Vec<OffsetCommitResponsePartition>,
    }

    /// A partition and what became of its offset.
    pub struct OffsetCommitResponsePartition {
        /// Partition index.
        partition_index: i32,
        /// Error code; 0 is success.
        error_code: i16,
    }
}
