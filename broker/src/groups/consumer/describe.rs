//! ConsumerGroupDescribe: v0–v1.
//! Behaviour: shows members with what they own and are to own. A group that is not there, or is a classic one, is
//! GROUP_ID_NOT_FOUND: clients then ask DescribeGroups.
//! Deviations: none.   Versions: v1 the members' protocol.

use std::collections::BTreeSet;

use wire::Uuid;
use wire::api::k69_consumer_group_describe::{self as k69, DescribedGroup, TopicPartitions};

use super::super::assignor::{Assignment, Assignor};
use super::member::Member;
use super::{ConsumerGroup, Refusal, without_epochs};
use crate::catalog::Image;

/// `ConsumerGroupDescribeResponse.MemberType` of who speaks the classic protocol, and of who speaks the new one.
const CLASSIC_MEMBER: i8 = 0;
const CONSUMER_MEMBER: i8 = 1;

impl ConsumerGroup {
    pub fn describe(&self, image: &Image, assignors: &[Assignor]) -> DescribedGroup {
        let nothing = Assignment::new();
        let members = self.members.values().map(|member| {
            let target = self.target.get(&member.id).unwrap_or(&nothing);
            member.describe(image, target)
        });
        DescribedGroup {
            group_id: self.id.to_string(),
            group_state: self.state().name().to_owned(),
            group_epoch: self.epoch,
            assignment_epoch: self.target_epoch,
            assignor_name: self.assignor(assignors).name().to_owned(),
            members: members.collect(),
            ..DescribedGroup::default()
        }
    }
}

impl Member {
    fn describe(&self, image: &Image, target: &Assignment) -> k69::Member {
        k69::Member {
            member_id: self.id.clone(),
            instance_id: self.instance_id.clone(),
            rack_id: self.rack_id.clone(),
            member_epoch: self.epoch,
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            subscribed_topic_names: self.subscribed_topic_names.iter().cloned().collect(),
            subscribed_topic_regex: self.subscribed_topic_regex.clone(),
            assignment: describe_assignment(image, &without_epochs(&self.assigned)),
            target_assignment: describe_assignment(image, target),
            member_type: if self.classic.is_some() { CLASSIC_MEMBER } else { CONSUMER_MEMBER },
        }
    }
}

/// Topics that are gone have no name to be shown by.
fn describe_assignment(image: &Image, assignment: &Assignment) -> k69::Assignment {
    let topics = assignment.iter().filter_map(|(&topic_id, partitions): (&Uuid, &BTreeSet<i32>)| {
        Some(TopicPartitions {
            topic_id,
            topic_name: image.topic(topic_id)?.name.to_string(),
            partitions: partitions.iter().copied().collect(),
        })
    });
    k69::Assignment { topic_partitions: topics.collect() }
}

/// A group that cannot be described.
pub(in super::super) fn describe_error(group_id: String, refusal: Refusal) -> DescribedGroup {
    let Refusal { error, message } = refusal;
    DescribedGroup { error_code: error.code(), error_message: message, group_id, ..DescribedGroup::default() }
}
