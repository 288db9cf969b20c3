//! Who is in a group: asked for as a consumer group (KIP-848) first and as a classic one then, as Kafka's admin client does.

use wire::ErrorCode;
use wire::api::{
    ConsumerGroupDescribeRequest, DescribeGroupsRequest, k15_describe_groups, k69_consumer_group_describe,
};
use wire::records::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};

use super::admin::unmentioned;
use super::{Broker, Client, ClientError, TopicPartition, check};

/// The state of a group that is not there.
const DEAD: &str = "Dead";
/// The protocol type whose metadata and assignments can be read.
const CONSUMER: &str = "consumer";

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
    /// The epochs of a consumer group; a classic one's generation is not told.
    pub epochs: Option<GroupEpochs>,
    /// The broker that coordinates it.
    pub coordinator: Broker,
    /// Its members, by id.
    pub members: Vec<MemberDescription>,
}

/// How far a consumer group has got in dealing with changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupEpochs {
    /// Grows with each change of members, subscriptions or topics.
    pub group: i32,
    /// The group epoch that the target assignment was made for.
    pub assignment: i32,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDescription {
    /// Its id.
    pub member_id: String,
    /// What a static member calls itself over its lives (KIP-345).
    pub instance_id: Option<String>,
    /// Its rack, if it has told, in a consumer group.
    pub rack_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// The address that its client connects from.
    pub host: String,
    /// The topics that it wants, where that can be known.
    pub topics: Vec<String>,
    /// The regular expression of the topics that it wants, in a consumer group.
    pub topic_regex: Option<String>,
    /// The group epoch that it has caught up with, in a consumer group.
    pub epoch: Option<i32>,
    /// The partitions that it has.
    pub assignment: Vec<TopicPartition>,
    /// The partitions that it is to have, in a consumer group.
    pub target: Option<Vec<TopicPartition>>,
}

impl Client {
    /// Describes a group of either type.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the coordinator's word: GROUP_ID_NOT_FOUND when there is no such group.
    pub fn group(&mut self, group: &str) -> Result<GroupDescription, ClientError> {
        self.retried(|client| {
            let id = client.coordinator(group)?;
            let coordinator = client.broker(id).cloned().ok_or_else(|| unmentioned(what(group)))?;
            match client.consumer_group(group, &coordinator) {
                Err(ClientError::Unsupported { .. }) => client.classic_group(group, coordinator),
                Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => {
                    client.classic_group(group, coordinator)
                }
                described => described,
            }
        })
    }

    fn consumer_group(&mut self, group: &str, coordinator: &Broker) -> Result<GroupDescription, ClientError> {
        let request =
            ConsumerGroupDescribeRequest { group_ids: vec![group.to_owned()], include_authorized_operations: false };
        let answer = self.call_node(coordinator.id, &request)?;
        let described = answer.groups.into_iter().next().ok_or_else(|| unmentioned(what(group)))?;
        check(described.error_code, described.error_message.as_deref(), || what(group))?;
        Ok(GroupDescription {
            group: described.group_id,
            state: described.group_state,
            kind: "consumer",
            protocol_type: CONSUMER.to_owned(),
            assignor: described.assignor_name,
            epochs: Some(GroupEpochs { group: described.group_epoch, assignment: described.assignment_epoch }),
            coordinator: coordinator.clone(),
            members: described.members.into_iter().map(consumer_member).collect(),
        })
    }

    fn classic_group(&mut self, group: &str, coordinator: Broker) -> Result<GroupDescription, ClientError> {
        let request = DescribeGroupsRequest { groups: vec![group.to_owned()], ..Default::default() };
        let answer = self.call_node(coordinator.id, &request)?;
        let described = answer.groups.into_iter().next().ok_or_else(|| unmentioned(what(group)))?;
        check(described.error_code, described.error_message.as_deref(), || what(group))?;
        if described.group_state == DEAD {
            check(ErrorCode::GroupIdNotFound.code(), None, || what(group))?;
        }
        let is_readable = described.protocol_type == CONSUMER;
        let members = described.members.into_iter().map(|member| classic_member(member, is_readable));
        Ok(GroupDescription {
            members: members.collect::<Result<_, _>>()?,
            group: described.group_id,
            state: described.group_state,
            kind: "classic",
            protocol_type: described.protocol_type,
            assignor: described.protocol_data,
            epochs: None,
            coordinator,
        })
    }
}

fn what(group: &str) -> String {
    format!("describing group {group}")
}

fn consumer_member(member: k69_consumer_group_describe::Member) -> MemberDescription {
    let partitions = |assignment: k69_consumer_group_describe::Assignment| {
        let topics = assignment.topic_partitions.into_iter().map(|topic| (topic.topic_name, topic.partitions));
        TopicPartition::each(topics)
    };
    MemberDescription {
        member_id: member.member_id,
        instance_id: member.instance_id,
        rack_id: member.rack_id,
        client_id: member.client_id,
        host: member.client_host,
        topics: member.subscribed_topic_names,
        topic_regex: member.subscribed_topic_regex,
        epoch: Some(member.member_epoch),
        assignment: partitions(member.assignment),
        target: Some(partitions(member.target_assignment)),
    }
}

/// Metadata and assignment are told once the group is stable; they are empty before.
fn classic_member(
    member: k15_describe_groups::DescribedGroupMember,
    is_readable: bool,
) -> Result<MemberDescription, ClientError> {
    let (mut topics, mut assignment) = (Vec::new(), Vec::new());
    if is_readable && !member.member_metadata.is_empty() {
        let wanted =
            ConsumerProtocolSubscription::from_bytes(&member.member_metadata).map_err(ClientError::Protocol)?;
        topics = wanted.topics;
    }
    if is_readable && !member.member_assignment.is_empty() {
        let own = ConsumerProtocolAssignment::from_bytes(&member.member_assignment).map_err(ClientError::Protocol)?;
        assignment = TopicPartition::from_protocol(own);
    }
    Ok(MemberDescription {
        member_id: member.member_id,
        instance_id: member.group_instance_id,
        rack_id: None,
        client_id: member.client_id,
        host: member.client_host,
        topics,
        topic_regex: None,
        epoch: None,
        assignment,
        target: None,
    })
}
