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

    /// A topic to create.
    pub struct CreatableTopic {
        /// Topic name.
        name: String,
        /// Number of partitions; −1 with `assignments`, or for the broker's default.
        num_partitions: i32,
        /// Replicas of each partition; −1 with `assignments`, or for the broker's default.
        replication_factor: i16,
        /// Placement by hand; empty leaves it to the controller.
        assignments: Vec<CreatableReplicaAssignment>,
        /// The settings.
        configs: Vec<CreatableTopicConfig>,
    }

    /// Placement by hand; empty leaves it to the controller.
    pub struct CreatableReplicaAssignment {
        /// Partition index.
        partition_index: i32,
        /// Brokers that host the partition, the preferred leader first.
        broker_ids: Vec<i32>,
    }

    /// Settings that differ from the defaults.
    pub struct CreatableTopicConfig {
        /// Name of the setting.
        name: String,
        /// Value, or null when it is secret or unset.
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

    /// What became of a topic.
    pub struct CreatableTopicResult {
        /// Topic name.
        name: String,
        /// Topic id.
        topic_id: Uuid [7..],
        /// Error code; 0 is success.
        error_code: i16,
        /// What went wrong, for people; null for the standard text.
        error_message: Option<String>,
        /// Why `configs` are missing: an error code.
        topic_config_error_code: i16 [5.., tag 0],
        /// Number of partitions.
        num_partitions: i32 [5..] = -1,
        /// Replicas of each partition.
        replication_factor: i16 [5..] = -1,
        /// The settings.
        configs: Option<Vec<CreatableTopicConfigs>> [5..],
    }

    /// The topic's settings.
    pub struct CreatableTopicConfigs {
        /// Name of the setting.
        name: String,
        /// Value, or null when it is secret or unset.
        value: Option<String>,
        /// Whether it cannot be changed while the broker runs.
        read_only: bool,
        /// Where the value comes from: 1 topic, 2 broker, 3 all brokers, 4 broker's file, 5 default, 6 broker logger,
        /// 7 client metrics, 8 group.
        config_source: i8 = -1,
        /// Whether the value is secret.
        is_sensitive: bool,
    }
}
