//! SyncGroup: v0–v5.
//! Behaviour: the leader hands in the assignment, each member gets its own.
//! Deviations: none.   Versions: v1 throttle; v3 static members; v4 flexible; v5 protocol type and name.

use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::message::{Api, message};

impl Api for SyncGroupRequest {
    const KEY: i16 = 14;
    const VERSIONS: RangeInclusive<i16> = 0..=5;
    type Response = SyncGroupResponse;
}

message! {
    /// Hands in (leader) or asks for an assignment.
    pub struct SyncGroupRequest: flexible 4.. {
        /// Group id.
        group_id: String,
        /// Group generation.
        generation_id: i32,
        /// Member id that the coordinator has assigned.
        member_id: String,
        /// Static member's id (KIP-345), or null.
        group_instance_id: Option<String> [3..],
        /// Class of protocols, such as `consumer`.
        protocol_type: Option<String> [5..],
        /// Name of the selected protocol, such as `range`.
        protocol_name: Option<String> [5..],
        /// The members' assignments; empty unless the leader asks.
        assignments: Vec<SyncGroupRequestAssignment>,
    }

    /// The members' assignments; empty unless the leader asks.
    pub struct SyncGroupRequestAssignment {
        /// Member id that the coordinator has assigned.
        member_id: String,
        /// What the member is to do, opaque to the broker.
        assignment: Bytes,
    }
}

message! {
    /// The member's assignment.
    pub struct SyncGroupResponse: flexible 4.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32 [1..],
        /// Error code; 0 is success.
        error_code: i16,
        /// Class of protocols, such as `consumer`.
        protocol_type: Option<String> [5..],
        /// Name of the selected protocol, such as `range`.
        protocol_name: Option<String> [5..],
        /// What the member is to do, opaque to the broker.
        assignment: Bytes,
    }
}
