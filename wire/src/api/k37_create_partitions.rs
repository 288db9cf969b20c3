//! CreatePartitions: v0–v3.
//! Behaviour: adds partitions to topics.
//! Deviations: none.   Versions: v2 flexible; v3 throttling error.

use std::ops::RangeInclusive;

use crate::message::{Api, message};

impl Api for CreatePartitionsRequest {
    const KEY: i16 = 37;
    const VERSIONS: RangeInclusive<i16> = 0..=3;
    type Response = CreatePartitionsResponse;
}

message! {
    /// Adds partitions.
    pub struct CreatePartitionsRequest: flexible 2.. {
        /// The topics.
        topics: Vec<CreatePartitionsTopic>,
        /// How long to wait for it to complete, in milliseconds.
        timeout_ms: i32,
        /// Only check; change nothing.
        validate_only: bool,
    }

    /// A topic.
    pub struct CreatePartitionsTopic {
        /// Topic name.
        name: String,
        /// Number of partitions that the topic is to have.
        count: i32,
        /// Placement of the new partitions by hand; null leaves it to the controller.
        assignments: Option<Vec<CreatePartitionsAssignment>>,
    }

    /// Placement of the new partitions by hand; null leaves it to the controller.
    pub struct CreatePartitionsAssignment {
        /// Brokers that host the partition, the preferred leader first.
        broker_ids: Vec<i32>,
    }
}

message! {
    /// An error code for each topic.
    pub struct CreatePartitionsResponse: flexible 2.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// The answers.
        results: Vec<CreatePartitionsTopicResult>,
    }

    /// What became of a topic.
    pub struct CreatePartitionsTopicResult {
        /// Topic name.
        name: String,
        /// Error code; 0 is success.
        error_code: i16,
        /// What went wrong, for people; null for the standard text.
        error_message: Option<String>,
    }
}
