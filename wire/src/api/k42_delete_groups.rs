//! DeleteGroups: v0–v2.
//! Behaviour: deletes empty groups and their offsets.
//! Deviations: none.   Versions: v1 throttle; v2 flexible.

use std::ops::RangeInclusive;

use crate::message::{Api, message};

impl Api for DeleteGroupsRequest {
    const KEY: i16 = 42;
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    type Response = DeleteGroupsResponse;
}

message! {
    /// Deletes groups.
    pub struct DeleteGroupsRequest: flexible 2.. {
        /// Group ids.
        groups_names: Vec<String>,
    }
}

message! {
    /// An error code for each group.
    pub struct DeleteGroupsResponse: flexible 2.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// The answers.
        results: Vec<DeletableGroupResult>,
    }

    /// What became of each group.
    pub struct DeletableGroupResult {
        /// Group id.
        group_id: String,
        /// Error code; 0 is success.
        error_code: i16,
    }
}
