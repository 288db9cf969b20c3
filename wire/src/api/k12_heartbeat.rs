//! Heartbeat: v0–v4.
//! Behaviour: keeps a classic group's member alive and tells it of a rebalance.
//! Deviations: none.   Versions: v1 throttle; v3 static members; v4 flexible.

use std::ops::RangeInclusive;

use crate::message::{Api, message};

impl Api for HeartbeatRequest {
    const KEY: i16 = 12;
    const VERSIONS: RangeInclusive<i16> = 0..=4;
    type Response = HeartbeatResponse;
}

message! {
    /// Keeps a member alive.
    pub struct HeartbeatRequest: flexible 4.. {
        /// Group id.
        group_id: String,
        /// Group generation.
        generation_id: i32,
        /// Member id that the coordinator has assigned.
        member_id: String,
        /// Static member's id (KIP-345), or null.
        group_instance_id: Option<String> [3..],
    }
}

message! {
    /// Whether the member is still in its generation.
    pub struct HeartbeatResponse: flexible 4.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32 [1..],
        /// Error code; 0 is success.
        error_code: i16,
    }
}
