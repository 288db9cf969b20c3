//! A group changes its type while it lives: from classic when the first member of the new protocol joins, and back when the
//! last one is gone.
//!
//! Behaviour: Kafka 4.3's `ConsumerGroup.fromClassicGroup` and `ClassicGroup.fromConsumerGroup`. Members keep their ids, and
//! what they have: generation and epoch are one number, and the leader's assignment becomes the target. The records of the
//! one type go in the same batch as those of the other come.
//! Deviations: a group goes back when it has no member of the new protocol, whatever has led to that; so it does too where
//! a restart came between. Where members are not at their targets, a static member that returns causes a rebalance too. A
//! member whose epoch is behind is not told ILLEGAL_GENERATION but to join again, and keeps what it has until then. A
//! member that is just rebalancing keeps what it had before, as cooperative ones do, and not nothing. A
//! group that rebalances when it goes back is a consumer group on disk until that is over: Kafka writes the targets down as
//! what the members have, and a restart hands them out while others may still have them.

use std::collections::BTreeSet;

use bytes::Bytes;
use wire::api::k11_join_group::JoinGroupRequestProtocol;
use wire::records::consumer_groups::{ClassicMemberMetadata, ClassicProtocol};
use wire::records::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition};
use wire::{ErrorCode, TopicPartitionId};

use super::super::assignor::Assignment;
use super::super::classic_group::{CONSUMER, ClassicGroup, State};
use super::super::member as classic;
use super::super::outbox::Turn;
use super::super::records::GroupRecord;
use super::classic::to_assignment;
use super::member::Member;
use super::records::Change;
use super::{ConsumerGroup, Refusal};
use crate::catalog::Image;

impl ConsumerGroup {
    /// A classic group of consumers, as it goes on. It does not write itself before something else has changed.
    ///
    /// # Errors
    /// GROUP_ID_NOT_FOUND, when its members have said something that the broker cannot read, or that would be lost.
    pub fn from_classic(group: &ClassicGroup, turn: &Turn<'_>) -> Result<ConsumerGroup, Refusal> {
        let mut consumer = ConsumerGroup::new(group.id.clone(), group.offsets_partition);
        consumer.epoch = group.generation;
        consumer.target_epoch = group.generation;
        consumer.topics_changed = true;
        consumer.changes.extend([Change::ClassicGroup, Change::Epoch, Change::TargetEpoch]);
        consumer.changes.extend(group.unsaved_tombstones.iter().filter_map(Change::of));
        let refuse = |reason| {
            let message = format!("Cannot upgrade classic group {} to consumer group because {reason}.", group.id);
            Refusal::new(ErrorCode::GroupIdNotFound, message)
        };
        let protocol = group.protocol_name.as_deref().unwrap_or_default();
        let mut claims = Vec::with_capacity(group.members.len());
        for member in group.members.values() {
            let Adopted { mut member, assigned, claimed } =
                adopt(member, protocol, group.generation, turn.image).map_err(refuse)?;
            claims.push((member.id.clone(), claimed));
            member.begin_session(turn, &group.id);
            consumer.target.insert(member.id.clone(), Assignment::new());
            consumer.changes.insert(Change::Target(member.id.clone()));
            let member_id = member.id.clone();
            consumer.set_member(member);
            consumer.grant_free(&member_id, assigned);
        }
        for (member_id, claimed) in claims {
            consumer.grant_free(&member_id, claimed);
        }
        Ok(consumer)
    }

    /// Says that a member has these partitions, but for those that somebody else has: nothing keeps a leader from giving
    /// one to two members.
    fn grant_free(&mut self, member_id: &str, partitions: Assignment) {
        let mut member = self.members[member_id].clone();
        let epoch = member.epoch;
        for (topic, partitions) in partitions {
            let is_free = |&partition: &i32| self.owner_of(TopicPartitionId { topic, partition }).is_none();
            let free: BTreeSet<i32> = partitions.into_iter().filter(is_free).collect();
            if !free.is_empty() {
                member.assigned.entry(topic).or_default().extend(free.iter().map(|&partition| (partition, epoch)));
                let target = self.target.get_mut(member_id).expect("each member has a target");
                target.entry(topic).or_default().extend(free);
            }
        }
        self.set_member(member);
    }

    /// Whether its members could do without the new protocol, as none speaks it any more.
    pub fn is_to_downgrade(&self, turn: &Turn<'_>) -> bool {
        !self.members.is_empty()
            && self.members.values().all(|member| member.classic.is_some())
            && turn.config.consumer.migration.allows_downgrade()
            && self.members.len() <= turn.config.size_max
    }

    /// The classic group that it goes on as, and what is to be written with it; `None` where the members share no protocol. It
    /// takes over all but the members, which stay here without a use.
    pub fn take_classic(&mut self, turn: &Turn<'_>) -> Option<ClassicGroup> {
        let mut group = ClassicGroup::new(self.id.clone(), self.offsets_partition);
        group.transition(turn.now_ms, State::Stable);
        // Nobody has heard of an epoch that has no target.
        group.generation = self.target_epoch;
        group.protocol_type = Some(CONSUMER.to_owned());
        for member in self.members.values() {
            group.add(member.to_classic(member.classic.as_ref()?));
            if member.epoch != group.generation {
                group.former_epochs.insert(member.id.clone(), member.epoch);
            }
        }
        group.protocol_name = Some(group.select_protocol()?);
        group.subscribed_topics = group.compute_subscribed_topics();
        let protocol = group.protocol_name.clone().unwrap_or_default();
        for member in group.members.values_mut() {
            // What it is to have beyond that, somebody else may still have.
            let mut owned = Assignment::new();
            for TopicPartitionId { topic, partition } in self.members[&member.id].owned_partitions() {
                owned.entry(topic).or_default().insert(partition);
            }
            member.assignment = to_assignment(turn.image, &owned).to_bytes_like(&member.metadata(&protocol)).into();
            member.reset_heartbeat(turn.now_ms);
        }
        group.offsets = std::mem::take(&mut self.offsets);
        group.has_committed = self.has_committed;
        group.connections = std::mem::take(&mut self.connections);
        group.history = std::mem::take(&mut self.history);
        group.indexed_deadline = self.indexed_deadline;
        group.unsaved_tombstones = self.all_tombstones();
        Some(group)
    }

    /// Whether its members have to join again once it is a classic group.
    pub fn is_to_rebalance(&self) -> bool {
        self.epoch > self.target_epoch
            || !self.members.values().all(|member| member.is_reconciled_to(self.target_epoch))
    }

    /// What takes back all that is, or may be, in the log of this group.
    fn all_tombstones(&mut self) -> Vec<GroupRecord> {
        let mut changes = std::mem::take(&mut self.changes);
        changes.remove(&Change::ClassicGroup);
        for member_id in self.members.keys() {
            let id = || member_id.clone();
            changes.extend([Change::Current(id()), Change::Target(id()), Change::Member(id())]);
        }
        changes.extend(self.expressions.keys().cloned().map(Change::RegularExpression));
        changes.extend([Change::TargetEpoch, Change::Epoch]);
        let records = self.records_of(changes);
        records.iter().filter_map(GroupRecord::tombstone).collect()
    }
}

impl Member {
    fn to_classic(&self, metadata: &ClassicMemberMetadata) -> classic::Member {
        let protocols = metadata.supported_protocols.iter();
        let protocols =
            protocols.map(|one| JoinGroupRequestProtocol { name: one.name.clone(), metadata: one.metadata.clone() });
        classic::Member {
            id: self.id.clone(),
            instance_id: self.instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: metadata.session_timeout_ms,
            protocols: protocols.collect(),
            assignment: Bytes::new(),
            is_new: false,
            heartbeat_deadline: None,
            last_heard_ms: self.last_heard_ms,
            connection: self.connection,
            lost: self.lost,
            awaiting_join: None,
            awaiting_sync: None,
            pending_sync: false,
        }
    }
}

/// A classic member on its way into a consumer group.
struct Adopted {
    /// As a member that has nothing.
    member: Member,
    /// What the leader has given it last.
    assigned: Assignment,
    /// What it had when it joined last, and may have kept: a rebalance may be under way.
    claimed: Assignment,
}

/// A classic member as one of a consumer group, or why that cannot be.
fn adopt(member: &classic::Member, protocol: &str, generation: i32, image: &Image) -> Result<Adopted, &'static str> {
    const MALFORMED: &str = "the embedded consumer protocol is malformed";
    // In a rebalance it may have joined with other protocols than the group's last.
    let wanted = member.protocols.iter().find(|one| one.name == protocol).or(member.protocols.first());
    let metadata = wanted.map(|protocol| &protocol.metadata[..]).unwrap_or_default();
    let subscription = ConsumerProtocolSubscription::from_bytes(metadata).map_err(|_| MALFORMED)?;
    let mut assigned = Assignment::new();
    if !member.assignment.is_empty() {
        let assignment = ConsumerProtocolAssignment::from_bytes(&member.assignment).map_err(|_| MALFORMED)?;
        if assignment.user_data.is_some_and(|user_data| !user_data.is_empty()) {
            return Err("an unsupported custom assignor is in use. Please refer to the documentation or switch to a \
                        default assignor before re-attempting the upgrade");
        }
        assigned = by_topic_id(image, assignment.assigned_partitions);
    }
    let protocols = member.protocols.iter();
    let supported_protocols =
        protocols.map(|one| ClassicProtocol { name: one.name.clone(), metadata: one.metadata.clone() });
    let adopted = Member {
        instance_id: member.instance_id.clone(),
        rack_id: subscription.rack_id,
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        subscribed_topic_names: subscription.topics.into_iter().collect(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        classic: Some(ClassicMemberMetadata {
            session_timeout_ms: member.session_timeout_ms,
            supported_protocols: supported_protocols.collect(),
        }),
        epoch: generation,
        previous_epoch: generation,
        connection: member.connection,
        last_heard_ms: member.last_heard_ms,
        lost: member.lost,
        ..Member::new(member.id.clone())
    };
    Ok(Adopted { member: adopted, assigned, claimed: by_topic_id(image, subscription.owned_partitions) })
}

/// Partitions of topics that there are.
fn by_topic_id(image: &Image, topics: Vec<TopicPartition>) -> Assignment {
    let mut partitions = Assignment::new();
    for TopicPartition { topic, partitions: indexes } in topics {
        let Some(topic) = image.topic_named(&topic) else { continue };
        let exists = |partition: &i32| usize::try_from(*partition).is_ok_and(|index| index < topic.partitions.len());
        partitions.entry(topic.id).or_default().extend(indexes.into_iter().filter(exists));
    }
    partitions.retain(|_, partitions| !partitions.is_empty());
    partitions
}
