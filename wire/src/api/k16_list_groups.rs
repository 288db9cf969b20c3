//! ListGroups: v0–v5.
//! Behaviour: lists the groups that this broker coordinates.
//! Deviations: none.   Versions: v1 throttle; v3 flexible; v4 state filter; v5 type filter.

use std::ops::RangeInclusive;

use crate::message::{Api, message};

impl Api for ListGroupsRequest {
    const KEY: i16 = 16;
    const VERSIONS: RangeInclusive<i16> = 0..=5;
    type Response = ListGroupsResponse;
}

message! {
    /// Asks for the groups of a broker.
    pub struct ListGroupsRequest: flexible 3.. {
        /// States wanted; empty: all.
        states_filter: Vec<String> [4..],
        /// Types wanted; empty: all.
        types_filter: Vec<String> [5..],
    }
}

message! {
    /// The groups that match.
    pub struct ListGroupsResponse: flexible 3.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32 [1..],
        /// Error code; 0 is success.
        error_code: i16,
        /// The groups.
        groups: Vec<ListedGroup>,
    }

    /// A group.
    pub struct ListedGroup {
        /// Group id.
        group_id: String,
        /// Class of protocols, such as `consumer`.
        protocol_type: String,
        /// State, such as `Stable`.
        group_state: String [4..],
        /// Type, such as `Classic`.
        group_type: String [5..],
    }
}
