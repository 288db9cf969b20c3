//! DescribeGroups: v0–v6.
//! Behaviour: shows state and members of classic groups.
//! Deviations: a client may ask to have each group explained, in a tagged field of Partita's own, and only then the
//! response has one too. Kafka skips the field.   Versions: v1 throttle; v3 authorized operations; v4 static members;
//! v5 flexible; v6 error message, GROUP_ID_NOT_FOUND.

use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::message::{Api, message};

/// The tagged field in which groups are explained, in request and response: Partita's own, out of the way of Kafka's, which
/// count from 0.
pub const EXPLAIN_TAG: u32 = 10_000;

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
        /// Whether to list the operations that the client may do on each group.
        include_authorized_operations: bool [3..],
        /// Whether to say why each group does or does not move.
        explain: bool [5.., tag EXPLAIN_TAG],
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

    /// A group.
    pub struct DescribedGroup {
        /// Error code; 0 is success.
        error_code: i16,
        /// What went wrong, for people; null for the standard text.
        error_message: Option<String> [6..],
        /// Group id.
        group_id: String,
        /// State, such as `Stable`, or empty on an error.
        group_state: String,
        /// Class of protocols, such as `consumer`, or empty.
        protocol_type: String,
        /// Name of the selected protocol, or empty.
        protocol_data: String,
        /// The members.
        members: Vec<DescribedGroupMember>,
        /// Bit field of the operations that the client may do on the group; i32::MIN when not asked for.
        authorized_operations: i32 [3..] = i32::MIN,
        /// What explains the group, the most telling first; never empty when that was asked for and the group could be.
        findings: Vec<GroupFinding> [5.., tag EXPLAIN_TAG],
    }

    /// Something that explains why a group does or does not move.
    pub struct GroupFinding {
        /// What kind of thing, for programs, such as `MEMBER_NOT_REJOINED`.
        kind: String,
        /// Whether it keeps the group, or a part of it, from moving.
        blocks: bool,
        /// What has happened, for people.
        what: String,
        /// What that means.
        meaning: String,
        /// What to do about it; empty where there is nothing to do.
        advice: String,
        /// What it is about, for programs.
        facts: Vec<GroupFact>,
    }

    /// One fact of a finding.
    pub struct GroupFact {
        /// Such as `member_id`. Times end in `_ms` and are in ms since the epoch.
        name: String,
        /// Its value.
        value: String,
    }

    /// A member.
    pub struct DescribedGroupMember {
        /// Member id that the coordinator has assigned.
        member_id: String,
        /// Static member's id (KIP-345), or null.
        group_instance_id: Option<String> [4..],
        /// Client id in the member's last JoinGroup.
        client_id: String,
        /// Address that the client connects from.
        client_host: String,
        /// The member's metadata for the selected protocol.
        member_metadata: Bytes,
        /// What the leader has assigned to the member.
        member_assignment: Bytes,
    }
}
