//! Groups as an administrator sees them: listed from every broker, each asked of its coordinator.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use wire::ErrorCode;
use wire::api::k15_describe_groups::{DescribedGroup, DescribedGroupMember};
use wire::api::{DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest};
use wire::message::Api;
use wire::records::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};

use super::admin::unmentioned;
use super::{Broker, Client, ClientError, TopicPartition, check};

/// Pause between attempts while a coordinator is not ready.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// A group in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its name.
    pub group: String,
    /// Its class of protocols, such as `consumer`; empty for a group that only commits offsets.
    pub protocol_type: String,
    /// Its state, such as `Stable`, if the broker is new enough to tell (Kafka 2.6).
    pub state: Option<String>,
    /// Its type, `classic` or `consumer` among others, if the broker is new enough to tell (Kafka 3.8).
    pub kind: Option<String>,
}

/// A group and who is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its name.
    pub group: String,
    /// Its state, such as `Stable`.
    pub state: String,
    /// Its type: `classic` or `consumer`.
    pub kind: &'static str,
    /// Its class of protocols, such as `consumer`; empty for a group that only commits offsets.
    pub protocol_type: String,
    /// Who decides which member gets what; empty while that is open.
    pub assignor: String,
    /// The broker that coordinates it.
    pub coordinator: Broker,
    /// Its members, by id.
    pub members: Vec<MemberDescription>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDescription {
    /// Its id.
    pub member_id: String,
    /// What a static member calls itself over its lives (KIP-345).
    pub instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// The address that its client connects from.
    pub host: String,
    /// The topics that it wants, where that can be known.
    pub topics: Vec<String>,
    /// The partitions that it has.
    pub assignment: Vec<TopicPartition>,
}

/// The state of a group that is not there.
const DEAD: &str = "Dead";
/// The protocol type whose metadata and assignments can be read.
const CONSUMER: &str = "consumer";

impl Client {
    /// Lists the groups of all brokers in these states and of these types (empty: all), by name. Letters' case does not
    /// count.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with a broker's word, once it is clear that waiting does not help.
    pub fn groups(&mut self, states: &[String], kinds: &[String]) -> Result<Vec<ListedGroup>, ClientError> {
        let request = ListGroupsRequest { states_filter: states.to_vec(), types_filter: kinds.to_vec() };
        let brokers: Vec<i32> = self.brokers().map(|broker| broker.id).collect();
        let mut listed = BTreeMap::new();
        for broker in brokers {
            let answer = self.retried(|client| {
                let answer = client.call_node(broker, &request)?;
                check(answer.error_code, None, || format!("listing the groups of broker {broker}"))?;
                Ok(answer)
            })?;
            for found in answer.groups {
                let told = |text: String| Some(text).filter(|text| !text.is_empty());
                let group = ListedGroup {
                    group: found.group_id,
                    protocol_type: found.protocol_type,
                    state: told(found.group_state),
                    kind: told(found.group_type),
                };
                listed.insert(group.group.clone(), group);
            }
        }
        Ok(listed.into_values().collect())
    }

    /// Describes a group.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the coordinator's word: GROUP_ID_NOT_FOUND when there is no such group.
    pub fn group(&mut self, group: &str) -> Result<GroupDescription, ClientError> {
        let what = || format!("describing group {group}");
        let request = DescribeGroupsRequest { groups: vec![group.to_owned()], include_authorized_operations: false };
        self.retried(|client| {
            let coordinator = client.coordinator(group)?;
            let answer = client.call_node(coordinator, &request)?;
            let described = answer.groups.into_iter().next().ok_or_else(|| unmentioned(what()))?;
            check(described.error_code, described.error_message.as_deref(), what)?;
            if described.group_state == DEAD {
                check(ErrorCode::GroupIdNotFound.code(), None, what)?;
            }
            let coordinator = client.broker(coordinator).cloned().ok_or_else(|| unmentioned(what()))?;
            classic_description(described, coordinator)
        })
    }

    /// Deletes a group and its offsets.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the coordinator's word: NON_EMPTY_GROUP when it has members.
    pub fn delete_group(&mut self, group: &str) -> Result<(), ClientError> {
        let what = || format!("deleting group {group}");
        let request = DeleteGroupsRequest { groups_names: vec![group.to_owned()] };
        self.retried(|client| {
            let answer = client.call_coordinator(group, &request)?;
            let result = answer.results.into_iter().next().ok_or_else(|| unmentioned(what()))?;
            check(result.error_code, None, what)
        })
    }

    /// Asks a group's coordinator.
    pub(super) fn call_coordinator<A: Api>(&mut self, group: &str, request: &A) -> Result<A::Response, ClientError> {
        let coordinator = self.coordinator(group)?;
        self.call_node(coordinator, request)
    }

    /// Repeats a question while the answer is that a coordinator is not ready, for as long as an answer may take.
    pub(super) fn retried<R>(
        &mut self,
        mut ask: impl FnMut(&mut Client) -> Result<R, ClientError>,
    ) -> Result<R, ClientError> {
        let deadline = Instant::now() + self.timeout();
        loop {
            match ask(self) {
                Err(error) if error.is_retriable() && Instant::now() < deadline => sleep(RETRY_PAUSE),
                answer => return answer,
            }
        }
    }
}

fn classic_description(described: DescribedGroup, coordinator: Broker) -> Result<GroupDescription, ClientError> {
    let is_readable = described.protocol_type == CONSUMER;
    let members = described.members.into_iter().map(|member| classic_member(member, is_readable));
    Ok(GroupDescription {
        members: members.collect::<Result<_, _>>()?,
        group: described.group_id,
        state: described.group_state,
        kind: "classic",
        protocol_type: described.protocol_type,
        assignor: described.protocol_data,
        coordinator,
    })
}

/// Metadata and assignment are told once the group is stable; they are empty before.
fn classic_member(member: DescribedGroupMember, is_readable: bool) -> Result<MemberDescription, ClientError> {
    let (mut topics, mut assignment) = (Vec::new(), Vec::new());
    if is_readable && !member.member_metadata.is_empty() {
        let wanted =
            ConsumerProtocolSubscription::from_bytes(&member.member_metadata).map_err(ClientError::Protocol)?;
        topics = wanted.topics;
    }
    if is_readable && !member.member_assignment.is_empty() {
        let own = ConsumerProtocolAssignment::from_bytes(&member.member_assignment).map_err(ClientError::Protocol)?;
        assignment = TopicPartition::from_protocol(own.assigned_partitions);
    }
    Ok(MemberDescription {
        member_id: member.member_id,
        instance_id: member.group_instance_id,
        client_id: member.client_id,
        host: member.client_host,
        topics,
        assignment,
    })
}
