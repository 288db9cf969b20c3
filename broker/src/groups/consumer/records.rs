//! The records that consumer groups write and are brought back from.
//!
//! Written as Kafka 4.3 writes them. Within a batch whatever is removed comes first, a member's assignments before itself:
//! Kafka's loader insists on that.

use wire::codec::DecodeError;
use wire::records::Persisted;
use wire::records::consumer_groups::*;
use wire::records::consumer_offsets::OffsetsKey;

use super::super::assignor::Assignment;
use super::super::records::GroupRecord;
use super::ConsumerGroup;
use super::expressions::Resolved;
use super::member::{Member, MemberState, Owned};

/// Every value has one version so far.
const VERSION: i16 = 0;

/// One record of a consumer group; `None` where what it is about is no more.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum ConsumerRecord {
    /// The group epoch, or that the group is no more.
    Epoch(Option<ConsumerGroupMetadataValue>),
    /// A member and its subscription.
    Member(String, Option<ConsumerGroupMemberMetadataValue>),
    /// The epoch of the target assignment.
    TargetEpoch(Option<ConsumerGroupTargetAssignmentMetadataValue>),
    /// What a member is to own.
    Target(String, Option<ConsumerGroupTargetAssignmentMemberValue>),
    /// What a member owns.
    Current(String, Option<ConsumerGroupCurrentMemberAssignmentValue>),
    /// What a regular expression has matched.
    RegularExpression(String, Option<ConsumerGroupRegularExpressionValue>),
}

impl From<ConsumerRecord> for GroupRecord {
    fn from(record: ConsumerRecord) -> GroupRecord {
        GroupRecord::Consumer(record)
    }
}

impl ConsumerRecord {
    /// Whether it says that something is no more.
    pub fn is_tombstone(&self) -> bool {
        match self {
            ConsumerRecord::Epoch(value) => value.is_none(),
            ConsumerRecord::Member(_, value) => value.is_none(),
            ConsumerRecord::TargetEpoch(value) => value.is_none(),
            ConsumerRecord::Target(_, value) => value.is_none(),
            ConsumerRecord::Current(_, value) => value.is_none(),
            ConsumerRecord::RegularExpression(_, value) => value.is_none(),
        }
    }

    /// The record that takes this one back.
    pub fn tombstone(&self) -> ConsumerRecord {
        match self {
            ConsumerRecord::Epoch(_) => ConsumerRecord::Epoch(None),
            ConsumerRecord::Member(member_id, _) => ConsumerRecord::Member(member_id.clone(), None),
            ConsumerRecord::TargetEpoch(_) => ConsumerRecord::TargetEpoch(None),
            ConsumerRecord::Target(member_id, _) => ConsumerRecord::Target(member_id.clone(), None),
            ConsumerRecord::Current(member_id, _) => ConsumerRecord::Current(member_id.clone(), None),
            ConsumerRecord::RegularExpression(expression, _) => {
                ConsumerRecord::RegularExpression(expression.clone(), None)
            }
        }
    }

    /// Its key and value; a tombstone has none.
    pub fn to_bytes(&self, group_id: String) -> (Vec<u8>, Option<Vec<u8>>) {
        fn bytes<V: Persisted>(value: &Option<V>) -> Option<Vec<u8>> {
            value.as_ref().map(|value| value.to_versioned_bytes(VERSION))
        }
        let (key, value) = match self {
            ConsumerRecord::Epoch(value) => {
                (OffsetsKey::ConsumerGroupMetadata(ConsumerGroupMetadataKey { group_id }), bytes(value))
            }
            ConsumerRecord::Member(member_id, value) => {
                let key = ConsumerGroupMemberMetadataKey { group_id, member_id: member_id.clone() };
                (OffsetsKey::ConsumerGroupMemberMetadata(key), bytes(value))
            }
            ConsumerRecord::TargetEpoch(value) => {
                let key = ConsumerGroupTargetAssignmentMetadataKey { group_id };
                (OffsetsKey::ConsumerGroupTargetAssignmentMetadata(key), bytes(value))
            }
            ConsumerRecord::Target(member_id, value) => {
                let key = ConsumerGroupTargetAssignmentMemberKey { group_id, member_id: member_id.clone() };
                (OffsetsKey::ConsumerGroupTargetAssignmentMember(key), bytes(value))
            }
            ConsumerRecord::Current(member_id, value) => {
                let key = ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id: member_id.clone() };
                (OffsetsKey::ConsumerGroupCurrentMemberAssignment(key), bytes(value))
            }
            ConsumerRecord::RegularExpression(expression, value) => {
                let regular_expression = expression.clone();
                let key = ConsumerGroupRegularExpressionKey { group_id, regular_expression };
                (OffsetsKey::ConsumerGroupRegularExpression(key), bytes(value))
            }
        };
        (key.to_bytes(), value)
    }

    /// Reads a record and the group it is about; `None` when its key is another one's.
    pub fn read(key: OffsetsKey, value: Option<&[u8]>) -> Result<Option<(String, ConsumerRecord)>, DecodeError> {
        fn read<V: Persisted>(value: Option<&[u8]>) -> Result<Option<V>, DecodeError> {
            value.map(V::from_versioned_bytes).transpose()
        }
        Ok(Some(match key {
            OffsetsKey::ConsumerGroupMetadata(key) => (key.group_id, ConsumerRecord::Epoch(read(value)?)),
            OffsetsKey::ConsumerGroupMemberMetadata(key) => {
                (key.group_id, ConsumerRecord::Member(key.member_id, read(value)?))
            }
            OffsetsKey::ConsumerGroupTargetAssignmentMetadata(key) => {
                (key.group_id, ConsumerRecord::TargetEpoch(read(value)?))
            }
            OffsetsKey::ConsumerGroupTargetAssignmentMember(key) => {
                (key.group_id, ConsumerRecord::Target(key.member_id, read(value)?))
            }
            OffsetsKey::ConsumerGroupCurrentMemberAssignment(key) => {
                (key.group_id, ConsumerRecord::Current(key.member_id, read(value)?))
            }
            OffsetsKey::ConsumerGroupRegularExpression(key) => {
                (key.group_id, ConsumerRecord::RegularExpression(key.regular_expression, read(value)?))
            }
            OffsetsKey::OffsetCommit(_) | OffsetsKey::GroupMetadata(_) => return Ok(None),
        }))
    }
}

/// Something that is persisted and has changed, in the order in which it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// The classic group that was here before is no more.
    ClassicGroup,
    Member(String),
    RegularExpression(String),
    Epoch,
    Target(String),
    TargetEpoch,
    Current(String),
}

impl Change {
    /// What a record of this group said.
    pub fn of(record: &GroupRecord) -> Option<Change> {
        match record {
            GroupRecord::Consumer(record) => match record {
                ConsumerRecord::Epoch(_) => Some(Change::Epoch),
                ConsumerRecord::Member(member_id, _) => Some(Change::Member(member_id.clone())),
                ConsumerRecord::TargetEpoch(_) => Some(Change::TargetEpoch),
                ConsumerRecord::Target(member_id, _) => Some(Change::Target(member_id.clone())),
                ConsumerRecord::Current(member_id, _) => Some(Change::Current(member_id.clone())),
                ConsumerRecord::RegularExpression(expression, _) => Some(Change::RegularExpression(expression.clone())),
            },
            GroupRecord::Metadata(None) => Some(Change::ClassicGroup),
            GroupRecord::Metadata(Some(_)) | GroupRecord::Offset { .. } => None,
        }
    }
}

impl ConsumerGroup {
    /// What is to be written of these changes.
    pub(super) fn records_of(&self, changes: impl IntoIterator<Item = Change>) -> Vec<GroupRecord> {
        let (mut removed, mut set) = (Vec::new(), Vec::new());
        for change in changes {
            probe::mutation!(MemberUnwritten => if matches!(change, Change::Current(_)) { continue });
            let record = self.record_of(change);
            if record.is_tombstone() { removed.push(record) } else { set.push(record) }
        }
        // Members come first among the changes, and are to be removed last.
        removed.reverse();
        removed.append(&mut set);
        removed
    }

    fn record_of(&self, change: Change) -> GroupRecord {
        let record = match change {
            Change::ClassicGroup => return GroupRecord::Metadata(None),
            Change::Epoch => {
                let value = ConsumerGroupMetadataValue { epoch: self.epoch, metadata_hash: self.metadata_hash };
                ConsumerRecord::Epoch(Some(value))
            }
            Change::TargetEpoch => ConsumerRecord::TargetEpoch(Some(ConsumerGroupTargetAssignmentMetadataValue {
                assignment_epoch: self.target_epoch,
                assignment_timestamp: self.target_timestamp,
            })),
            Change::Target(id) => {
                let value = self.target.get(&id).map(target_to_record);
                ConsumerRecord::Target(id, value)
            }
            Change::Member(id) => {
                let value = self.members.get(&id).map(Member::to_record);
                ConsumerRecord::Member(id, value)
            }
            Change::RegularExpression(expression) => {
                let value = self.expressions.get(&expression).map(Resolved::to_record);
                ConsumerRecord::RegularExpression(expression, value)
            }
            Change::Current(id) => {
                let value = self.members.get(&id).map(Member::to_current_record);
                ConsumerRecord::Current(id, value)
            }
        };
        record.into()
    }
}

fn target_to_record(target: &Assignment) -> ConsumerGroupTargetAssignmentMemberValue {
    let topics = target.iter().map(|(&topic_id, partitions)| TargetTopicPartitions {
        topic_id,
        partitions: partitions.iter().copied().collect(),
    });
    ConsumerGroupTargetAssignmentMemberValue { topic_partitions: topics.collect() }
}

/// A member's target, brought back.
pub(super) fn target_from_record(value: ConsumerGroupTargetAssignmentMemberValue) -> Assignment {
    let topics = value.topic_partitions.into_iter().filter(|topic| !topic.partitions.is_empty());
    topics.map(|topic| (topic.topic_id, topic.partitions.into_iter().collect())).collect()
}

fn owned_to_record(owned: &Owned) -> Vec<CurrentTopicPartitions> {
    let topics = owned.iter().map(|(&topic_id, partitions)| CurrentTopicPartitions {
        topic_id,
        partitions: partitions.keys().copied().collect(),
        assignment_epochs: Some(partitions.values().copied().collect()),
    });
    topics.collect()
}

/// Without epochs of their own, as Kafka before 4.3 wrote them, partitions count as assigned at the member's epoch.
fn owned_from_record(topics: Vec<CurrentTopicPartitions>, member_epoch: i32) -> Owned {
    let mut owned = Owned::new();
    for topic in topics.into_iter().filter(|topic| !topic.partitions.is_empty()) {
        let epochs = topic.assignment_epochs.filter(|epochs| epochs.len() == topic.partitions.len());
        let epochs = epochs.unwrap_or_else(|| vec![member_epoch.max(0); topic.partitions.len()]);
        owned.insert(topic.topic_id, topic.partitions.into_iter().zip(epochs).collect());
    }
    owned
}

impl Member {
    pub(super) fn to_record(&self) -> ConsumerGroupMemberMetadataValue {
        ConsumerGroupMemberMetadataValue {
            instance_id: self.instance_id.clone(),
            rack_id: self.rack_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            subscribed_topic_names: self.subscribed_topic_names.iter().cloned().collect(),
            subscribed_topic_regex: self.subscribed_topic_regex.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            server_assignor: self.server_assignor.clone(),
            classic_member_metadata: self.classic.clone(),
        }
    }

    fn to_current_record(&self) -> ConsumerGroupCurrentMemberAssignmentValue {
        ConsumerGroupCurrentMemberAssignmentValue {
            member_epoch: self.epoch,
            previous_member_epoch: self.previous_epoch,
            state: self.state as i8,
            assigned_partitions: owned_to_record(&self.assigned),
            partitions_pending_revocation: owned_to_record(&self.pending_revocation),
        }
    }

    /// Takes over what was persisted of its metadata.
    pub(super) fn load_metadata(&mut self, value: ConsumerGroupMemberMetadataValue) {
        self.instance_id = value.instance_id;
        self.rack_id = value.rack_id;
        self.client_id = value.client_id;
        self.client_host = value.client_host;
        self.subscribed_topic_names = value.subscribed_topic_names.into_iter().collect();
        self.subscribed_topic_regex = value.subscribed_topic_regex.filter(|expression| !expression.is_empty());
        self.rebalance_timeout_ms = value.rebalance_timeout_ms;
        self.server_assignor = value.server_assignor;
        // Without a protocol there is nothing that it could be told in.
        self.classic = value.classic_member_metadata.filter(|classic| !classic.supported_protocols.is_empty());
    }

    /// Takes over what was persisted of its way to its target.
    pub(super) fn load_current(&mut self, value: ConsumerGroupCurrentMemberAssignmentValue) {
        self.epoch = value.member_epoch;
        self.previous_epoch = value.previous_member_epoch;
        self.state = MemberState::from_code(value.state);
        self.assigned = owned_from_record(value.assigned_partitions, value.member_epoch);
        self.pending_revocation = owned_from_record(value.partitions_pending_revocation, value.member_epoch);
    }
}
