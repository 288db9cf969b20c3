//! FindCoordinator: v0–v6.
//! Behaviour: names the broker that coordinates a group, a transactional id or a share partition.
//! Deviations: none.   Versions: v1 key type; v3 flexible; v4 several keys at once; v5 transactions v2; v6 share
//! groups.

use std::ops::RangeInclusive;

use crate::message::{Api, message};

impl Api for FindCoordinatorRequest {
    const KEY: i16 = 10;
    const VERSIONS: RangeInclusive<i16> = 0..=6;
    type Response = FindCoordinatorResponse;
}

message! {
    /// Asks who coordinates something.
    pub struct FindCoordinatorRequest: flexible 3.. {
        /// Group id, transactional id or share partition.
        key: String [..=3],
        /// What the keys are: 0 group, 1 transactional id, 2 share partition.
        key_type: i8 [1..],
        /// Group ids, transactional ids or share partitions.
        coordinator_keys: Vec<String> [4..],
    }
}

message! {
    /// The coordinators.
    pub struct FindCoordinatorResponse: flexible 3.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32 [1..],
        /// Error code; 0 is success.
        error_code: i16 [..=3],
        /// What went wrong, for people; null for the standard text.
        error_message: Option<String> [1..=3],
        /// Node id.
        node_id: i32 [..=3],
        /// Host name.
        host: String [..=3],
        /// Port.
        port: i32 [..=3],
        /// The coordinators.
        coordinators: Vec<Coordinator> [4..],
    }

    /// The coordinator of one key.
    pub struct Coordinator {
        /// Group id, transactional id or share partition.
        key: String,
        /// Node id.
        node_id: i32,
        /// Host name.
        host: String,
        /// Port.
        port: i32,
        /// Error code; 0 is success.
        error_code: i16,
        /// What went wrong, for people; null for the standard text.
        error_message: Option<String>,
    }
}
