//! DescribeGroups: v0–v6.
//! Behaviour: shows state and members of classic groups.
//! Deviations: none.   Versions: v1 throttle; v3 authorized operations; v4 static members; v5 flexible; v6 error
//! message, GROUP_ID_NOT_FOUND.

use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::message::{Api, message};

impl Api for DescribeGroupsRequest {
    const KEY: i16 = 15;
    const VERSIONS: RangeInclusive<i16> = 0..=6;
    type Response = DescribeGroupsResponse;
}

message! {
    /// Asks about classic groups.
    pub struct DescribeGroupsRequest: flexible 5.. {
        /// The groups.
        groups: Vec<String>,
        /// Whether to include authorized operations.
        include_authorized_operations: bool [3..],
    }
}

message! {
    /// State and members of each group.
    pub struct DescribeGroupsResponse: flexible 5.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32 [1..],
        /// The groups.
        groups: Vec<DescribedGroup>,
    }

    /// Described group.
    pub struct DescribedGroup {
        /// Error code; 0 is success.
        error_code: i16,
        /// What went wrong, for people; null for the standard text.
        error_message: Option<String> [6..],
        /// Group id.
        group_id: String,
        /// Group state string, or the empty string.
        group_state: String,
        /// Group protocol type, or the empty string.
        protocol_type: String,
        /// Group protocol data, or the empty string.
        protocol_data: String,
        /// Group members.
        members: Vec<DescribedGroupMember>,
        /// Bit field of the operations that the client may do on the group; i32::MIN when not asked for.
        authorized_operations: i32 [3..] = i32::MIN,
    }

    /// Group members.
    pub struct DescribedGroupMember {
        /// Member id that the coordinator has assigned.
        member_id: String,
        /// Static member's id (KIP-345), or null.
        group_instance_id: Option<String> [4..],
        /// Client ID used in the member's latest join group request.
        client_id: String,
        /// Client host.
        client_host: String,
        /// Metadata corresponding to the current group protocol in use.
        member_metadata: Bytes,
        /// Current assignment provided by the group leader.
        member_assignment: Bytes,
    }
}
