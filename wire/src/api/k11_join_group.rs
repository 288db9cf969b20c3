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
        /// How long the member may stay silent before it is taken for dead, in milliseconds.
        session_timeout_ms: i32,
        /// How long a rebalance waits for the member to rejoin, in milliseconds.
        rebalance_timeout_ms: i32 [1..] = -1,
        /// Member id that the coordinator has assigned.
        member_id: String,
        /// Static member's id (KIP-345), or null.
        group_instance_id: Option<String> [5..],
        /// Class of protocols that the group speaks, such as `consumer`.
        protocol_type: String,
        /// What the member supports, its favourite first.
        protocols: Vec<JoinGroupRequestProtocol>,
        /// Why the member joins, for people (KIP-800).
        reason: Option<String> [8..],
    }

    /// A protocol that the member supports; the first is its favourite.
    pub struct JoinGroupRequestProtocol {
        /// Name of a protocol, such as `range`.
        name: String,
        /// The member's metadata for this protocol, opaque to the broker.
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
        /// Name of the selected protocol, such as `range`.
        protocol_type: Option<String> [7..],
        /// Name of the protocol that all members support, such as `range`.
        protocol_name: Option<String> [.., nullable 7..],
        /// Member id of the leader, who assigns.
        leader: String,
        /// Whether the leader keeps the assignment as it is (KIP-814).
        skip_assignment: bool [9..],
        /// Member id that the coordinator has assigned.
        member_id: String,
        /// The members.
        members: Vec<JoinGroupResponseMember>,
    }

    /// A member.
    pub struct JoinGroupResponseMember {
        /// Member id that the coordinator has assigned.
        member_id: String,
        /// Static member's id (KIP-345), or null.
        group_instance_id: Option<String> [5..],
        /// The member's metadata for the selected protocol.
        metadata: Bytes,
    }
}
