//! Produce: v3–v13.
//! Behaviour: appends one record batch per partition; acks=0 gets no response.
//! Deviations: none (v0–v2 are advertised too but never served, as in Kafka: see ADVERTISED).   Versions: v3 magic
//! 2 only; v7 zstd; v9 flexible; v10 leader hints (KIP-951); v13 topic ids.

mod borrowed;

use std::ops::RangeInclusive;

pub use borrowed::{BorrowedPartition, BorrowedProduceRequest, BorrowedTopic};

use crate::codec::{Records, Uuid};
use crate::message::{Api, message};

impl Api for ProduceRequest {
    const KEY: i16 = 0;
    const VERSIONS: RangeInclusive<i16> = 3..=13;
    /// librdkafka < 2.11 silently turns compression off when v0 is missing (KAFKA-18659).
    const ADVERTISED: RangeInclusive<i16> = 0..=13;
    type Response = ProduceResponse;
}

message! {
    /// Appends record batches to partitions.
    pub struct ProduceRequest: flexible 9.. {
        /// Transactional ID, or null if the producer is not transactional.
        transactional_id: Option<String>,
        /// Number of acknowledgments the producer requires the leader to have received before considering a request
        /// complete.
        acks: i16,
        /// How long to wait for it to complete, in milliseconds.
        timeout_ms: i32,
        /// Topic to produce to.
        topic_data: Vec<TopicProduceData>,
    }

    /// Topic to produce to.
    pub struct TopicProduceData {
        /// Topic name.
        name: String [..=12],
        /// Topic id.
        topic_id: Uuid [13..],
        /// Partition to produce to.
        partition_data: Vec<PartitionProduceData>,
    }

    /// Partition to produce to.
    pub struct PartitionProduceData {
        /// Partition index.
        index: i32,
        /// Record data to be produced.
        records: Option<Records>,
    }
}

message! {
    /// Where each batch landed.
    pub struct ProduceResponse: flexible 9.. {
        /// Produce response.
        responses: Vec<TopicProduceResponse>,
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// Addresses of the leaders that the partitions' current_leader names (KIP-951).
        node_endpoints: Vec<NodeEndpoint> [10.., tag 0],
    }

    /// Produce response.
    pub struct TopicProduceResponse {
        /// Topic name.
        name: String [..=12],
        /// Topic id.
        topic_id: Uuid [13..],
        /// Partition that we produced to within the topic.
        partition_responses: Vec<PartitionProduceResponse>,
    }

    /// Partition that we produced to within the topic.
    pub struct PartitionProduceResponse {
        /// Partition index.
        index: i32,
        /// Error code; 0 is success.
        error_code: i16,
        /// Base offset.
        base_offset: i64,
        /// Timestamp returned by broker after appending the messages.
        log_append_time_ms: i64 = -1,
        /// Log start offset.
        log_start_offset: i64 [5..] = -1,
        /// Batch indices of records that caused the batch to be dropped.
        record_errors: Vec<BatchIndexAndErrorMessage> [8..],
        /// What went wrong, for people; null for the standard text.
        error_message: Option<String> [8..],
        /// Leader broker that the producer should use for future requests.
        current_leader: LeaderIdAndEpoch [10.., tag 0],
    }

    /// Batch indices of records that caused the batch to be dropped.
    pub struct BatchIndexAndErrorMessage {
        /// Batch index of the record that caused the batch to be dropped.
        batch_index: i32,
        /// Error message of the record that caused the batch to be dropped.
        batch_index_error_message: Option<String>,
    }

    /// Leader broker that the producer should use for future requests.
    pub struct LeaderIdAndEpoch {
        /// Leader's node id, or −1 when unknown.
        leader_id: i32 = -1,
        /// Leader epoch, or −1 when unknown.
        leader_epoch: i32 = -1,
    }

    /// Endpoints for all current-leaders enumerated in PartitionProduceResponses, with errors
    /// NOT_LEADER_OR_FOLLOWER.
    pub struct NodeEndpoint {
        /// Node id.
        node_id: i32,
        /// Host name.
        host: String,
        /// Port.
        port: i32,
        /// Rack, or null when none is set.
        rack: Option<String>,
    }
}
