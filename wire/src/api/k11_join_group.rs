//! JoinGroup: v0–v9.
//! Behaviour: joins a classic group; answered when the rebalance is complete.
//! Deviations: none.   Versions: v1 rebalance timeout; v4 MEMBER_ID_REQUIRED; v5 static members; v6 flexible; v7
//! protocol type; v8 reason; v9 skip_assignment.

use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::message::{Api, message};

impl Api for JoinGroupRequest {
    const KEY: i16 = 11;
    const VERSIONS: RangeInclusive<i16> = 0..=9;
    type Response = JoinGroupResponse;
}

message! {
    /// Joins a classic group.
    pub struct JoinGroupRequest: flexible 6.. {
        /// Group id.
        group_id: String,
        /// Coordinator considers the consumer dead if it receives no heartbeat after this timeout in milliseconds.
        session_timeout_ms: i32,
        /// Maximum time in milliseconds that the coordinator will wait for each member to rejoin when rebalancing
        /// the group.
        rebalance_timeout_ms: i32 [1..] = -1,
        /// Member id that the coordinator has assigned.
        member_id: String,
        /// Static member's id (KIP-345), or null.
        group_instance_id: Option<String> [5..],
        /// Unique name the for class of protocols implemented by the group we want to join.
        protocol_type: String,
        /// List of protocols that the member supports.
        protocols: Vec<JoinGroupRequestProtocol>,
        /// Reason why the member (re-)joins the group.
        reason: Option<String> [8..],
    }

    /// List of protocols that the member supports.
    pub struct JoinGroupRequestProtocol {
        /// Protocol name.
        name: String,
        /// Protocol metadata.
        metadata: Bytes,
    }
}

message! {
    /// The generation, and to the leader the members' subscriptions.
    pub struct JoinGroupResponse: flexible 6.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32 [2..],
        /// Error code; 0 is success.
        error_code: i16,
        /// Group generation.
        generation_id: i32 = -1,
        /// Group protocol name.
        protocol_type: Option<String> [7..],
        /// Group protocol selected by the coordinator.
        protocol_name: Option<String> [.., nullable 7..],
        /// Leader of the group.
        leader: String,
        /// True if the leader must skip running the assignment.
        skip_assignment: bool [9..],
        /// Member id that the coordinator has assigned.
        member_id: String,
        /// Group members.
        members: Vec<JoinGroupResponseMember>,
    }

    /// Group members.
    pub struct JoinGroupResponseMember {
        /// Member id that the coordinator has assigned.
        member_id: String,
        /// Static member's id (KIP-345), or null.
        group_instance_id: Option<String> [5..],
        /// Group member metadata.
        metadata: Bytes,
    }
}
