//! Metadata: v0–v13.
//! Behaviour: lists brokers, topics, partitions and leaders; every client starts here.
//! Deviations: none.   Versions: v1 null asks for all topics (v0: an empty list does); v4 auto creation; v9
//! flexible; v10 topic ids; v12 by id; v13 top-level error.

use std::ops::RangeInclusive;

use crate::codec::Uuid;
use crate::message::{Api, message};

impl Api for MetadataRequest {
    const KEY: i16 = 3;
    const VERSIONS: RangeInclusive<i16> = 0..=13;
    type Response = MetadataResponse;
}

message! {
    /// Asks for the cluster and some or all topics.
    pub struct MetadataRequest: flexible 9.. {
        /// The topics asked for; null asks for all, in v0 an empty list does.
        topics: Option<Vec<MetadataRequestTopic>> [.., nullable 1..] = Some(Vec::new()),
        /// Whether the broker may create missing topics, if it is set up to do so.
        allow_auto_topic_creation: bool [4..] = true,
        /// Whether to list the operations that the client may do on the cluster.
        include_cluster_authorized_operations: bool [8..=10],
        /// Whether to list the operations that the client may do on each topic.
        include_topic_authorized_operations: bool [8..],
    }

    /// A topic by name, or by id since v12.
    pub struct MetadataRequestTopic {
        /// Topic id.
        topic_id: Uuid [10..],
        /// Topic name.
        name: Option<String> [.., nullable 10..],
    }
}

message! {
    /// Brokers, topics, partitions.
    pub struct MetadataResponse: flexible 9.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32 [3..],
        /// The nodes.
        brokers: Vec<MetadataResponseBroker>,
        /// Cluster id.
        cluster_id: Option<String> [2..],
        /// Node id of the controller, or −1 when unknown.
        controller_id: i32 [1..] = -1,
        /// The topics.
        topics: Vec<MetadataResponseTopic>,
        /// Bit field of the operations that the client may do on the cluster; i32::MIN when not asked for.
        cluster_authorized_operations: i32 [8..=10] = i32::MIN,
        /// Error code; 0 is success.
        error_code: i16 [13..],
    }

    /// A broker that is alive.
    pub struct MetadataResponseBroker {
        /// Node id.
        node_id: i32,
        /// Host name.
        host: String,
        /// Port.
        port: i32,
        /// Rack, or null when none is set.
        rack: Option<String> [1..],
    }

    /// A topic's answers.
    pub struct MetadataResponseTopic {
        /// Error code; 0 is success.
        error_code: i16,
        /// Topic name.
        name: Option<String> [.., nullable 12..],
        /// Topic id.
        topic_id: Uuid [10..],
        /// Whether it is one of Kafka's own topics.
        is_internal: bool [1..],
        /// The partitions.
        partitions: Vec<MetadataResponsePartition>,
        /// Bit field of the operations that the client may do on the topic; i32::MIN when not asked for.
        topic_authorized_operations: i32 [8..] = i32::MIN,
    }

    /// A partition.
    pub struct MetadataResponsePartition {
        /// Error code; 0 is success.
        error_code: i16,
        /// Partition index.
        partition_index: i32,
        /// Leader's node id, or −1 when unknown.
        leader_id: i32,
        /// Leader epoch, or −1 when unknown.
        leader_epoch: i32 [7..] = -1,
        /// Replicas, the preferred leader first.
        replica_nodes: Vec<i32>,
        /// In-sync replicas.
        isr_nodes: Vec<i32>,
        /// Replicas that are not alive.
        offline_replicas: Vec<i32> [5..],
    }
}
