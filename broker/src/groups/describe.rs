//! DescribeGroups (v0–v6) and ListGroups (v0–v5).
//! Behaviour: metadata and assignments are shown once the group is stable. A group that is not there is `Dead`.
//! Deviations: none.   Versions: DescribeGroups v6 GROUP_ID_NOT_FOUND; ListGroups v4 state filter, v5 type filter.

use wire::ErrorCode;
use wire::api::ListGroupsRequest;
use wire::api::k15_describe_groups::DescribedGroup;
use wire::api::k16_list_groups::ListedGroup;

use super::classic_group::{ClassicGroup, State};
use super::group::Group;

const DEAD: &str = "Dead";
const CLASSIC: &str = "classic";
const CONSUMER: &str = "consumer";
/// From here on it is an error to describe a group that is not there.
const GROUP_ID_NOT_FOUND_VERSION: i16 = 6;

impl ClassicGroup {
    pub fn describe(&self) -> DescribedGroup {
        let protocol = self.protocol_name.as_deref().filter(|_| self.state == State::Stable);
        DescribedGroup {
            group_id: self.id.to_string(),
            group_state: self.state.name().to_owned(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol_data: protocol.unwrap_or_default().to_owned(),
            members: self.members.values().map(|member| member.describe(protocol)).collect(),
            ..DescribedGroup::default()
        }
    }
}

impl Group {
    /// The group's line in a listing, if the filters let it pass.
    pub fn list(&self, request: &ListGroupsRequest) -> Option<ListedGroup> {
        let passes = |filter: &[String], value: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        let (group_type, state, protocol_type) = match self {
            Group::Classic(group) => (CLASSIC, group.state.name(), group.protocol_type.clone().unwrap_or_default()),
            Group::Consumer(group) => (CONSUMER, group.state().name(), CONSUMER.to_owned()),
        };
        (passes(&request.states_filter, state) && passes(&request.types_filter, group_type)).then(|| ListedGroup {
            group_id: self.id().to_string(),
            protocol_type,
            group_state: state.to_owned(),
            group_type: group_type.to_owned(),
        })
    }
}

/// The description of a group that is not there, or not a classic one, as `reason` says.
pub(super) fn describe_missing(group_id: String, version: i16, reason: &str) -> DescribedGroup {
    let is_error = version >= GROUP_ID_NOT_FOUND_VERSION;
    DescribedGroup {
        error_code: if is_error { ErrorCode::GroupIdNotFound } else { ErrorCode::None }.code(),
        error_message: is_error.then(|| format!("Group {group_id} {reason}.")),
        group_id,
        group_state: DEAD.to_owned(),
        ..DescribedGroup::default()
    }
}

/// The description of a group that cannot be asked.
pub(super) fn describe_error(group_id: String, error: ErrorCode) -> DescribedGroup {
    DescribedGroup { error_code: error.code(), group_id, ..DescribedGroup::default() }
}
