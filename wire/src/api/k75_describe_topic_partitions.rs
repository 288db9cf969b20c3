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
        /// Maximum number of partitions included in the response.
        response_partition_limit: i32 = 2000,
        /// First topic and partition index to fetch details for.
        cursor: Option<Cursor>,
    }

    /// Topics to fetch details for.
    pub struct TopicRequest {
        /// Topic name.
        name: String,
    }

    /// First topic and partition index to fetch details for.
    pub struct Cursor {
        /// Name for the first topic to process.
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
        /// Next topic and partition index to fetch details for.
        next_cursor: Option<Cursor>,
    }

    /// Topic in the response.
    pub struct DescribeTopicPartitionsResponseTopic {
        /// Error code; 0 is success.
        error_code: i16,
        /// Topic name.
        name: Option<String>,
        /// Topic id.
        topic_id: Uuid,
        /// True if the topic is internal.
        is_internal: bool,
        /// The partitions.
        partitions: Vec<DescribeTopicPartitionsResponsePartition>,
        /// Bit field of the operations that the client may do on the topic; i32::MIN when not asked for.
        topic_authorized_operations: i32 = i32::MIN,
    }

    /// Partition in the topic.
    pub struct DescribeTopicPartitionsResponsePartition {
        /// Error code; 0 is success.
        error_code: i16,
        /// Partition index.
        partition_index: i32,
        /// Leader's node id, or −1 when unknown.
        leader_id: i32,
        /// Leader epoch, or −1 when unknown.
        leader_epoch: i32 = -1,
        /// Set of all nodes that host this partition.
        replica_nodes: Vec<i32>,
        /// Set of nodes that are in sync with the leader for this partition.
        isr_nodes: Vec<i32>,
        /// New eligible leader replicas otherwise.
        eligible_leader_replicas: Option<Vec<i32>>,
        /// Last known ELR.
        last_known_elr: Option<Vec<i32>>,
        /// Set of offline replicas of this partition.
        offline_replicas: Vec<i32>,
    }
}
