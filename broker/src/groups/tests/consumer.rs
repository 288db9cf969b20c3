//! Groups of the new protocol in transcripts: heartbeats, topics, records and answers.

use std::collections::BTreeMap;

use wire::api::k68_consumer_group_heartbeat::TopicPartitions;
use wire::api::k69_consumer_group_describe::{Assignment, DescribedGroup};
use wire::api::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use wire::records::consumer_groups::CurrentTopicPartitions;
use wire::records::metadata::{PartitionRecord, TopicRecord};
use wire::{ErrorCode, Uuid};

use super::super::GroupRequest;
use super::super::consumer::ConsumerRecord;
use super::transcript::Arguments;
use crate::catalog::Image;

/// How often members send heartbeats when there is nothing to hurry for, in ms.
pub const HEARTBEAT_INTERVAL_MS: i32 = 5_000;

/// The topics that there are, and the names of those that there ever were.
#[derive(Default)]
pub struct Topics {
    current: BTreeMap<String, (Uuid, i32)>,
    names: BTreeMap<Uuid, String>,
}

impl Topics {
    /// These are the topics from now on, `NAME:PARTITIONS`. One that goes and comes back has another id.
    pub fn set(&mut self, topics: &[&str]) -> Image {
        let before = std::mem::take(&mut self.current);
        let mut image = Image::default();
        for (name, partitions) in topics.iter().map(|topic| topic.split_once(':').expect("NAME:PARTITIONS")) {
            let next_id = Uuid::from_u128(self.names.len() as u128 + 1);
            let id = before.get(name).map_or(next_id, |(id, _)| *id);
            let partitions: i32 = partitions.parse().expect("a number of partitions");
            self.names.insert(id, name.to_owned());
            self.current.insert(name.to_owned(), (id, partitions));
            let mut apply = |record| image.apply(image.last_offset() + 1, &record).expect("a topic like any other");
            apply(TopicRecord { name: name.to_owned(), topic_id: id }.into());
            for partition_id in 0..partitions {
                apply(PartitionRecord { partition_id, topic_id: id, ..PartitionRecord::default() }.into());
            }
        }
        image
    }

    /// The id of a topic that there is; zero for any other.
    pub fn id(&self, name: &str) -> Uuid {
        self.current.get(name).map_or(Uuid::from_u128(0), |(id, _)| *id)
    }

    fn show(&self, topics: impl Iterator<Item = (Uuid, Vec<i32>)>) -> String {
        let names: Vec<String> = topics
            .flat_map(|(id, partitions)| {
                let name = self.names.get(&id).expect("a topic that was");
                partitions.into_iter().map(move |partition| format!("{name}-{partition}"))
            })
            .collect();
        format!("[{}]", names.join(" "))
    }

    /// A heartbeat; whoever joins says everything.
    pub fn heartbeat(&self, who: &str, arguments: &Arguments<'_>) -> GroupRequest {
        let member_epoch = arguments.number("epoch", 0);
        let is_joining = member_epoch == 0;
        let list = |name: &str| arguments.text(name).map(|text| text.split(',').map(str::to_owned).collect::<Vec<_>>());
        let owned = arguments.text("owns").map(|owned| {
            let owned = owned.split(',').filter(|partition| !partition.is_empty());
            let partition = |partition: &str| {
                let (topic, partition) = partition.rsplit_once('-').expect("TOPIC-PARTITION");
                let partitions = vec![partition.parse().expect("a partition")];
                TopicPartitions { topic_id: self.id(topic), partitions }
            };
            owned.map(partition).collect()
        });
        let rebalance_timeout_ms = arguments.number("rebalance", if is_joining { 60_000 } else { -1 });
        let names = list("topics").or(is_joining.then(Vec::new));
        GroupRequest::ConsumerGroupHeartbeat {
            request: ConsumerGroupHeartbeatRequest {
                group_id: arguments.group(),
                member_id: arguments.text("id").unwrap_or_else(|| who.to_owned()),
                member_epoch,
                instance_id: arguments.text("instance"),
                rack_id: arguments.text("rack"),
                rebalance_timeout_ms,
                subscribed_topic_names: names,
                subscribed_topic_regex: arguments.text("regex"),
                server_assignor: arguments.text("assignor"),
                topic_partitions: owned.or(is_joining.then(Vec::new)),
            },
            version: arguments.number("v", 1),
            client_id: who.to_owned(),
            client_host: "/127.0.0.1".to_owned(),
        }
    }

    pub fn show_heartbeat(&self, response: &ConsumerGroupHeartbeatResponse) -> String {
        if response.error_code != 0 {
            return ErrorCode::from_code(response.error_code).map_or("?", ErrorCode::name).to_owned();
        }
        let assignment = response.assignment.as_ref().map(|assignment| {
            let topics = assignment.topic_partitions.iter();
            self.show(topics.map(|topic| (topic.topic_id, topic.partitions.clone())))
        });
        let assignment = assignment.map(|shown| format!(" {shown}")).unwrap_or_default();
        let is_usual = matches!(response.heartbeat_interval_ms, 0 | HEARTBEAT_INTERVAL_MS);
        let soon = if is_usual { String::new() } else { format!(", again in {}", response.heartbeat_interval_ms) };
        format!("epoch {}{assignment}{soon}", response.member_epoch)
    }

    pub fn show_record(&self, record: &ConsumerRecord) -> String {
        let owned = |topics: &[CurrentTopicPartitions]| {
            self.show(topics.iter().map(|topic| (topic.topic_id, topic.partitions.clone())))
        };
        match record {
            ConsumerRecord::Epoch(None) => "group none".to_owned(),
            ConsumerRecord::Epoch(Some(value)) => format!("epoch {}", value.epoch),
            ConsumerRecord::Member(id, None) => format!("member {id} none"),
            ConsumerRecord::Member(id, Some(value)) => {
                let regex = value.subscribed_topic_regex.as_ref().map(|regex| format!(" /{regex}/"));
                let instance = value.instance_id.as_ref().map(|instance| format!(" instance {instance}"));
                let names = value.subscribed_topic_names.join(" ");
                format!("member {id} [{names}]{}{}", regex.unwrap_or_default(), instance.unwrap_or_default())
            }
            ConsumerRecord::TargetEpoch(None) => "target epoch none".to_owned(),
            ConsumerRecord::TargetEpoch(Some(value)) => format!("target epoch {}", value.assignment_epoch),
            ConsumerRecord::Target(id, None) => format!("target {id} none"),
            ConsumerRecord::Target(id, Some(value)) => {
                let topics = value.topic_partitions.iter();
                format!("target {id} {}", self.show(topics.map(|topic| (topic.topic_id, topic.partitions.clone()))))
            }
            ConsumerRecord::Current(id, None) => format!("{id} none"),
            ConsumerRecord::Current(id, Some(value)) => {
                let state = match value.state {
                    0 => "stable",
                    1 => "unrevoked",
                    2 => "unreleased",
                    _ => "unknown",
                };
                let revoked = match value.partitions_pending_revocation.as_slice() {
                    [] => String::new(),
                    pending => format!(" revokes {}", owned(pending)),
                };
                let (epoch, previous) = (value.member_epoch, value.previous_member_epoch);
                format!("{id} at {epoch} after {previous} {state} {}{revoked}", owned(&value.assigned_partitions))
            }
            ConsumerRecord::RegularExpression(expression, None) => format!("/{expression}/ none"),
            ConsumerRecord::RegularExpression(expression, Some(value)) => {
                format!("/{expression}/ [{}]", value.topics.join(" "))
            }
        }
    }

    pub fn show_description(&self, group: &DescribedGroup) -> String {
        if group.error_code != 0 {
            return ErrorCode::from_code(group.error_code).map_or("?", ErrorCode::name).to_owned();
        }
        let assignment = |assignment: &Assignment| {
            self.show(assignment.topic_partitions.iter().map(|topic| (topic.topic_id, topic.partitions.clone())))
        };
        let members: Vec<String> = group
            .members
            .iter()
            .map(|member| {
                let rack = member.rack_id.as_ref().map(|rack| format!(" rack {rack}")).unwrap_or_default();
                let instance = member.instance_id.as_ref().map(|id| format!("/{id}")).unwrap_or_default();
                let (id, epoch) = (&member.member_id, member.member_epoch);
                let (current, target) = (assignment(&member.assignment), assignment(&member.target_assignment));
                format!("; {id}{instance}{rack} at {epoch} {current} to {target}")
            })
            .collect();
        format!(
            "group {} {} epoch {} target epoch {} {}{}",
            group.group_id,
            group.group_state,
            group.group_epoch,
            group.assignment_epoch,
            group.assignor_name,
            members.concat()
        )
    }
}
