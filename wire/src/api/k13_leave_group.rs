//! LeaveGroup: v0–v5.
//! Behaviour: removes members from a classic group.
//! Deviations: none.   Versions: v1 throttle; v3 several members, static ones too; v4 flexible; v5 reason.

use std::ops::RangeInclusive;

use crate::message::{Api, message};

impl Api for LeaveGroupRequest {
    const KEY: i16 = 13;
    const VERSIONS: RangeInclusive<i16> = 0..=5;
    type Response = LeaveGroupResponse;
}

message! {
    /// Leaves a classic group.
    pub struct LeaveGroupRequest: flexible 4.. {
        /// Group id.
        group_id: String,
        /// Member id that the coordinator has assigned.
        member_id: String [..=2],
        /// The members.
        members: Vec<MemberIdentity> [3..],
    }

    /// A member that leaves.
    pub struct MemberIdentity {
        /// Member id that the coordinator has assigned.
        member_id: String,
        /// Static member's id (KIP-345), or null.
        group_instance_id: Option<String>,
        /// Why the member leaves, for people (KIP-800).
        reason: Option<String> [5..],
    }
}

message! {
    /// An error code for the request and for each member.
    pub struct LeaveGroupResponse: flexible 4.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32 [1..],
        /// Error code; 0 is success.
        error_code: i16,
        /// The members.
        members: Vec<MemberResponse> [3..],
    }

    /// What became of a member that leaves.
    pub struct MemberResponse {
        /// Member id that the coordinator has assigned.
        member_id: String,
        /// Static member's id (KIP-345), or null.
        group_instance_id: Option<String>,
        /// Error code; 0 is success.
        error_code: i16,
    }
}
