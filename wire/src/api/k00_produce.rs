//! Produce: v3–v13.
//! Behaviour: appends one record batch per partition; acks=0 gets no response.
//! Deviations: none (v0–v2 are advertised but never served, as in Kafka).   Versions: v3 magic 2 only; v7 zstd; v9 flexible; v10 leader hints (KIP-951); v13 topic ids.

use std::ops::RangeInclusive;

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
        /// Transactional id, or null outside transactions.
        transactional_id: Option<String>,
        /// Acknowledgements asked for: 0, 1, or −1 for all in-sync replicas.
        acks: i16,
        /// How long to wait for it to complete, in milliseconds.
        timeout_ms: i32,
        /// The topics.
        topic_data: Vec<TopicProduceData>,
    }

    /// A topic and its partitions.
    pub struct TopicProduceData {
        /// Topic name.
        name: String [..=12],
        /// Topic id.
        topic_id: Uuid [13..],
        /// The partitions.
        partition_data: Vec<PartitionProduceData>,
    }

    /// A partition and its records.
    pub struct PartitionProduceData {
        /// Partition index.
        index: i32,
        /// The record batch.
        records: Option<Records>,
    }
}

message! {
    /// Where each batch landed.
    pub struct ProduceResponse: flexible 9.. {
        /// The answers, topic by topic.
        responses: Vec<TopicProduceResponse>,
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// Addresses of the leaders that the partitions' current_leader names (KIP-951).
        node_endpoints: Vec<NodeEndpoint> [10.., tag 0],
    }

    /// A topic's answers.
    pub struct TopicProduceResponse {
        /// Topic name.
        name: String [..=12],
        /// Topic id.
        topic_id: Uuid [13..],
        /// The answers, partition by partition.
        partition_responses: Vec<PartitionProduceResponse>,
    }

    /// A partition and what became of its batch.
    pub struct PartitionProduceResponse {
        /// Partition index.
        index: i32,
        /// Error code; 0 is success.
        error_code: i16,
        /// Offset of the batch's first record; −1 on an error.
        base_offset: i64,
        /// When the broker appended it, in milliseconds since the epoch; −1 with CreateTime.
        log_append_time_ms: i64 = -1,
        /// Log start offset, or −1 when unknown.
        log_start_offset: i64 [5..] = -1,
        /// The records for which the batch was refused (KIP-467).
        record_errors: Vec<BatchIndexAndErrorMessage> [8..],
        /// What went wrong, for people; null for the standard text.
        error_message: Option<String> [8..],
        /// Leader to turn to instead (KIP-951).
        current_leader: LeaderIdAndEpoch [10.., tag 0],
    }

    /// The records for which the batch was refused (KIP-467).
    pub struct BatchIndexAndErrorMessage {
        /// Position of the record within its batch.
        batch_index: i32,
        /// What is wrong with the record, or null.
        batch_index_error_message: Option<String>,
    }

    /// Leader to turn to instead (KIP-951).
    pub struct LeaderIdAndEpoch {
        /// Leader's node id, or −1 when unknown.
        leader_id: i32 = -1,
        /// Leader epoch, or −1 when unknown.
        leader_epoch: i32 = -1,
    }

    /// Where a leader listens.
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
