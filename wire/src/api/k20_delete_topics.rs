//! DeleteTopics: v1–v6.
//! Behaviour: deletes topics by name or id.
//! Deviations: none.   Versions: v1 throttle; v4 flexible; v5 error message; v6 topic ids.

use std::ops::RangeInclusive;

use crate::codec::Uuid;
use crate::message::{Api, message};

impl Api for DeleteTopicsRequest {
    const KEY: i16 = 20;
    const VERSIONS: RangeInclusive<i16> = 1..=6;
    type Response = DeleteTopicsResponse;
}

message! {
    /// Deletes topics.
    pub struct DeleteTopicsRequest: flexible 4.. {
        /// The topics.
        topics: Vec<DeleteTopicState> [6..],
        /// Topic names.
        topic_names: Vec<String> [..=5],
        /// How long to wait for it to complete, in milliseconds.
        timeout_ms: i32,
    }

    /// A topic by name, or by id when the name is null.
    pub struct DeleteTopicState {
        /// Topic name.
        name: Option<String>,
        /// Topic id.
        topic_id: Uuid,
    }
}

message! {
    /// What became of each topic.
    pub struct DeleteTopicsResponse: flexible 4.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// The answers, topic by topic.
        responses: Vec<DeletableTopicResult>,
    }

    /// What became of a topic.
    pub struct DeletableTopicResult {
        /// Topic name.
        name: Option<String> [.., nullable 6..],
        /// Topic id.
        topic_id: Uuid [6..],
        /// Error code; 0 is success.
        error_code: i16,
        /// What went wrong, for people; null for the standard text.
        error_message: Option<String> [5..],
    }
}
