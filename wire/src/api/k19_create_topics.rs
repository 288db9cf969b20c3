//! CreateTopics: v2–v7.
//! Behaviour: creates topics; −1 partitions or replicas mean the broker's defaults (KIP-464).
//! Deviations: none.   Versions: v4 defaults; v5 flexible, configs in the answer; v6 throttling error; v7 topic id.

use std::ops::RangeInclusive;

use crate::codec::Uuid;
use crate::message::{Api, message};

impl Api for CreateTopicsRequest {
    const KEY: i16 = 19;
    const VERSIONS: RangeInclusive<i16> = 2..=7;
    type Response = CreateTopicsResponse;
}

message! {
    /// Creates topics.
    pub struct CreateTopicsRequest: flexible 5.. {
        /// The topics.
        topics: Vec<CreatableTopic>,
        /// How long to wait for it to complete, in milliseconds.
        timeout_ms: i32 = 60000,
        /// Only check; change nothing.
        validate_only: bool,
    }

    /// Topics to create.
    pub struct CreatableTopic {
        /// Topic name.
        name: String,
        /// Number of partitions to create in the topic, or -1 if we are either specifying a manual partition
        /// assignment or using the default partitions.
        num_partitions: i32,
        /// Number of replicas to create for each partition in the topic, or -1 if we are either specifying a manual
        /// partition assignment or using the default replication factor.
        replication_factor: i16,
        /// Manual partition assignment, or the empty array if we are using automatic assignment.
        assignments: Vec<CreatableReplicaAssignment>,
        /// Custom topic configurations to set.
        configs: Vec<CreatableTopicConfig>,
    }

    /// Manual partition assignment, or the empty array if we are using automatic assignment.
    pub struct CreatableReplicaAssignment {
        /// Partition index.
        partition_index: i32,
        /// Brokers to place the partition on.
        broker_ids: Vec<i32>,
    }

    /// Custom topic configurations to set.
    pub struct CreatableTopicConfig {
        /// Configuration name.
        name: String,
        /// Configuration value.
        value: Option<String>,
    }
}

message! {
    /// What became of each topic.
    pub struct CreateTopicsResponse: flexible 5.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// The topics.
        topics: Vec<CreatableTopicResult>,
    }

    /// Results for each topic we tried to create.
    pub struct CreatableTopicResult {
        /// Topic name.
        name: String,
        /// Topic id.
        topic_id: Uuid [7..],
        /// Error code; 0 is success.
        error_code: i16,
        /// What went wrong, for people; null for the standard text.
        error_message: Option<String>,
        /// Optional topic config error returned if configs are not returned in the response.
        topic_config_error_code: i16 [5.., tag 0],
        /// Number of partitions of the topic.
        num_partitions: i32 [5..] = -1,
        /// Replication factor of the topic.
        replication_factor: i16 [5..] = -1,
        /// Configuration of the topic.
        configs: Option<Vec<CreatableTopicConfigs>> [5..],
    }

    /// Configuration of the topic.
    pub struct CreatableTopicConfigs {
        /// Configuration name.
        name: String,
        /// Configuration value.
        value: Option<String>,
        /// True if the configuration is read-only.
        read_only: bool,
        /// Configuration source.
        config_source: i8 = -1,
        /// True if this configuration is sensitive.
        is_sensitive: bool,
    }
}
