//! DescribeTopicPartitions: v0.
//! Behaviour: describes topics page by page (KIP-966).
//! Deviations: none.   Versions: v0 flexible.

use std::ops::RangeInclusive;

use crate::codec::Uuid;
use crate::message::{Api, message};

impl Api for DescribeTopicPartitionsRequest {
    const KEY: i16 = 75;
    const VERSIONS: RangeInclusive<i16> = 0..=0;
    type Response = DescribeTopicPartitionsResponse;
}

message! {
    /// Asks for topics from a cursor on.
    pub struct DescribeTopicPartitionsRequest: flexible 0.. {
        /// The topics.
        topics: Vec<TopicRequest>,
        /// Most partitions in the response.
        response_partition_limit: i32 = 2000,
        /// Where to go on; null begins at the first topic.
        cursor: Option<Cursor>,
    }

    /// A topic.
    pub struct TopicRequest {
        /// Topic name.
        name: String,
    }

    /// Where to go on; null begins at the first topic.
    pub struct Cursor {
        /// Topic to begin with.
        topic_name: String,
        /// Partition index.
        partition_index: i32,
    }
}

message! {
    /// A page of topics.
    pub struct DescribeTopicPartitionsResponse: flexible 0.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// The topics.
        topics: Vec<DescribeTopicPartitionsResponseTopic>,
        /// Where the next page begins; null after the last one.
        next_cursor: Option<Cursor>,
    }

    /// A topic's answers.
    pub struct DescribeTopicPartitionsResponseTopic {
        /// Error code; 0 is success.
        error_code: i16,
        /// Topic name.
        name: Option<String>,
        /// Topic id.
        topic_id: Uuid,
        /// Whether it is one of Kafka's own topics.
        is_internal: bool,
        /// The partitions.
        partitions: Vec<DescribeTopicPartitionsResponsePartition>,
        /// Bit field of the operations that the client may do on the topic; i32::MIN when not asked for.
        topic_authorized_operations: i32 = i32::MIN,
    }

    /// A partition.
    pub struct DescribeTopicPartitionsResponsePartition {
        /// Error code; 0 is success.
        error_code: i16,
        /// Partition index.
        partition_index: i32,
        /// Leader's node id, or −1 when unknown.
        leader_id: i32,
        /// Leader epoch, or −1 when unknown.
        leader_epoch: i32 = -1,
        /// Replicas, the preferred leader first.
        replica_nodes: Vec<i32>,
        /// In-sync replicas.
        isr_nodes: Vec<i32>,
        /// Replicas that may lead though they have left the in-sync set (KIP-966), or null.
        eligible_leader_replicas: Option<Vec<i32>>,
        /// Replicas that were eligible last, or null.
        last_known_elr: Option<Vec<i32>>,
        /// Replicas that are not alive.
        offline_replicas: Vec<i32>,
    }
}
