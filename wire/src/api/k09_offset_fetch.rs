//! OffsetFetch: v1–v10.
//! Behaviour: returns committed offsets; −1 where nothing is committed.
//! Deviations: none.   Versions: v2 null asks for all topics; v5 leader epoch; v6 flexible; v7 require_stable; v8
//! several groups; v9 member epoch (KIP-848); v10 topic ids only.

use std::ops::RangeInclusive;

use crate::codec::Uuid;
use crate::message::{Api, message};

impl Api for OffsetFetchRequest {
    const KEY: i16 = 9;
    const VERSIONS: RangeInclusive<i16> = 1..=10;
    type Response = OffsetFetchResponse;
}

message! {
    /// Asks for committed offsets of one group (≤ v7) or several (≥ v8).
    pub struct OffsetFetchRequest: flexible 6.. {
        /// Group id.
        group_id: String [..=7],
        /// The topics asked for; null asks for all that have an offset.
        topics: Option<Vec<OffsetFetchRequestTopic>> [..=7, nullable 2..=7] = Some(Vec::new()),
        /// The groups.
        groups: Vec<OffsetFetchRequestGroup> [8..],
        /// Whether to refuse offsets that an open transaction may change (KIP-447).
        require_stable: bool [7..],
    }

    /// A topic and its partitions.
    pub struct OffsetFetchRequestTopic {
        /// Topic name.
        name: String,
        /// Partition indexes.
        partition_indexes: Vec<i32>,
    }

    /// One group and what is asked of it.
    pub struct OffsetFetchRequestGroup {
        /// Group id.
        group_id: String,
        /// Member id that the coordinator has assigned.
        member_id: Option<String> [9..],
        /// Member epoch (KIP-848), or −1 outside of it.
        member_epoch: i32 [9..] = -1,
        /// The topics asked for; null asks for all that have an offset.
        topics: Option<Vec<OffsetFetchRequestTopics>> = Some(Vec::new()),
    }

    /// A topic and its partitions.
    pub struct OffsetFetchRequestTopics {
        /// Topic name.
        name: String [..=9],
        /// Topic id.
        topic_id: Uuid [10..],
        /// Partition indexes.
        partition_indexes: Vec<i32>,
    }
}

message! {
    /// Committed offsets.
    pub struct OffsetFetchResponse: flexible 6.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32 [3..],
        /// The topics.
        topics: Vec<OffsetFetchResponseTopic> [..=7],
        /// Error code; 0 is success.
        error_code: i16 [2..=7],
        /// The groups.
        groups: Vec<OffsetFetchResponseGroup> [8..],
    }

    /// A topic's answers.
    pub struct OffsetFetchResponseTopic {
        /// Topic name.
        name: String,
        /// The partitions.
        partitions: Vec<OffsetFetchResponsePartition>,
    }

    /// A partition's answer.
    pub struct OffsetFetchResponsePartition {
        /// Partition index.
        partition_index: i32,
        /// Committed offset, or −1 when there is none.
        committed_offset: i64,
        /// Leader epoch of the last consumed record, or −1.
        committed_leader_epoch: i32 [5..] = -1,
        /// What the client wanted kept beside the offset.
        metadata: Option<String>,
        /// Error code; 0 is success.
        error_code: i16,
    }

    /// A group's answers.
    pub struct OffsetFetchResponseGroup {
        /// Group id.
        group_id: String,
        /// The topics.
        topics: Vec<OffsetFetchResponseTopics>,
        /// Error code; 0 is success.
        error_code: i16,
    }

    /// A topic's answers.
    pub struct OffsetFetchResponseTopics {
        /// Topic name.
        name: String [..=9],
        /// Topic id.
        topic_id: Uuid [10..],
        /// The partitions.
        partitions: Vec<OffsetFetchResponsePartitions>,
    }

    /// A partition's answer.
    pub struct OffsetFetchResponsePartitions {
        /// Partition index.
        partition_index: i32,
        /// Committed offset, or −1 when there is none.
        committed_offset: i64,
        /// Leader epoch of the last consumed record, or −1.
        committed_leader_epoch: i32 = -1,
        /// What the client wanted kept beside the offset.
        metadata: Option<String>,
        /// Error code; 0 is success.
        error_code: i16,
    }
}
