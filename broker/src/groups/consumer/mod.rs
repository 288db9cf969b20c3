//! One consumer group of the new protocol (KIP-848): the broker assigns, and each member is led to its target on its own.
//!
//! Behaviour: Kafka 4.3's `GroupMetadataManager` and `ConsumerGroup`. Members send nothing but heartbeats. Whatever changes
//! members, subscriptions or topics moves the group epoch on; the next heartbeat makes the target assignment of that
//! epoch; each member is then led to it: what it is to give up is taken first, and its epoch moves on only when it has;
//! what it is to get it gets once nobody else has it.
//!
//! Invariants: a partition has one owner at most, and whoever is asked to give it up owns it until it has. Epochs never go
//! back. What a member is told is durable. `owners` holds what the members own, `static_members` those with an instance id.
//!
//! What changes is in memory at once, and noted as a [`Change`]; [`ConsumerGroup::flush`] writes what has changed, and the
//! answer leaves when that is durable. A write that fails leaves its changes to the next one, and until then nobody is
//! told anything but that: so memory may be ahead of the log, but never what members know.
//!
//! Deviations: the target assignment is made at once, and not at most once a second (`group.consumer.assignment.interval.ms`);
//! a partition that its own member is to give up and to get again it gets without a round between; members that wait for
//! partitions, the first of those that have none, and all while a member's connection is lost, are asked to come sooner than at
//! `heartbeat_interval_ms`; a static member may join again under the id that it has, which Kafka refuses.

mod classic;
mod describe;
mod expressions;
mod facts;
mod fence;
mod heartbeat;
mod load;
mod member;
mod migration;
mod reconcile;
mod records;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wire::{ErrorCode, TopicPartitionId};

pub(super) use describe::describe_error;
pub(super) use heartbeat::{ConsumerHeartbeat, MEMBER_ID_VERSION, Refusal, no_group, validate};
pub(super) use member::{JOIN_EPOCH, Member};
pub(super) use records::ConsumerRecord;

use super::assignor::Assignment;
use super::connections::ConnectionId;
use super::history::History;
use super::offsets::{Offsets, RetentionBase};
use super::outbox::{Answer, PendingWrite, Then, Turn, WriteId};
use super::records::GroupRecord;
use expressions::Resolved;
use member::Owned;
use records::Change;

/// Where a group stands. A group that is gone is `Dead` to those who ask, and not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupState {
    /// It has no members.
    Empty,
    /// Its epoch has moved on, and the target assignment has not been made yet.
    Assigning,
    /// Members are on their way to their targets.
    Reconciling,
    /// Everybody has its target.
    Stable,
}

impl GroupState {
    /// As Kafka spells it.
    pub fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::Assigning => "Assigning",
            GroupState::Reconciling => "Reconciling",
            GroupState::Stable => "Stable",
        }
    }
}

/// See the module's page.
#[derive(Debug)]
pub(super) struct ConsumerGroup {
    pub id: Arc<str>,
    /// The partition of `__consumer_offsets` that it lives in.
    pub offsets_partition: i32,
    pub offsets: Offsets,
    /// It has had a committed offset, and is kept until retention looks at it.
    pub has_committed: bool,
    /// Connections on which members were heard, and which are not known to be lost.
    pub connections: BTreeSet<ConnectionId>,
    pub history: History,
    /// The deadline under which the group is known: never later than its real one.
    pub indexed_deadline: Option<i64>,
    /// Grows with each change of members, subscriptions or topics; 0 before the first.
    pub epoch: i32,
    /// What the subscribed topics looked like at this epoch.
    metadata_hash: i64,
    /// What the members' expressions match, by expression.
    expressions: BTreeMap<String, Resolved>,
    /// The subscribed topics may look different by now.
    topics_changed: bool,
    /// The group epoch that the target assignment was made for, and when, in ms since the epoch.
    pub target_epoch: i32,
    target_timestamp: i64,
    /// It was brought back, and nobody has looked whether it can be right.
    target_is_loaded: bool,
    /// What each member is to own. Who has just joined is not here yet.
    target: BTreeMap<String, Assignment>,
    pub members: BTreeMap<String, Member>,
    /// Member ids of the static members, by instance id.
    static_members: BTreeMap<String, String>,
    /// Who owns which partition.
    owners: BTreeMap<TopicPartitionId, String>,
    /// Members by a time at which they may be out: never later than their real deadline.
    timers: BTreeSet<(i64, String)>,
    /// When it is known of all members with lost connections whether they have come back, in ms since the epoch.
    lost_until_ms: Option<i64>,
    /// While the group's records are read, whose subscriptions are among them.
    loading: BTreeSet<String>,
    /// What is not on its way to the log yet.
    changes: BTreeSet<Change>,
    /// The newest write.
    last_write: Option<WriteId>,
    /// The newest of those writes that build upon one that has failed.
    unsound_until: Option<WriteId>,
}

impl ConsumerGroup {
    pub fn new(id: Arc<str>, offsets_partition: i32) -> ConsumerGroup {
        ConsumerGroup {
            id,
            offsets_partition,
            offsets: Offsets::default(),
            has_committed: false,
            connections: BTreeSet::new(),
            history: History::default(),
            indexed_deadline: None,
            epoch: 0,
            metadata_hash: 0,
            expressions: BTreeMap::new(),
            topics_changed: false,
            target_epoch: 0,
            target_timestamp: 0,
            target_is_loaded: false,
            target: BTreeMap::new(),
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            owners: BTreeMap::new(),
            timers: BTreeSet::new(),
            lost_until_ms: None,
            loading: BTreeSet::new(),
            changes: BTreeSet::new(),
            last_write: None,
            unsound_until: None,
        }
    }

    /// In the place of a classic group without members.
    pub fn replacing(id: Arc<str>, offsets_partition: i32) -> ConsumerGroup {
        let changes = BTreeSet::from([Change::ClassicGroup]);
        ConsumerGroup { changes, ..ConsumerGroup::new(id, offsets_partition) }
    }

    pub fn state(&self) -> GroupState {
        if self.members.is_empty() {
            GroupState::Empty
        } else if self.epoch > self.target_epoch {
            GroupState::Assigning
        } else if self.members.values().any(|member| !member.is_reconciled_to(self.target_epoch)) {
            GroupState::Reconciling
        } else {
            GroupState::Stable
        }
    }

    pub fn is_vacant(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether nothing of it has ever been persisted.
    pub fn is_new(&self) -> bool {
        self.epoch == 0
    }

    /// Offsets expire by the time of their commit, whoever the members are.
    pub fn retention_base(&self) -> Option<RetentionBase> {
        Some(RetentionBase::Commit)
    }

    /// The records that remove the group, which has no members, and what is left of it where a write has failed.
    pub fn tombstones(&mut self) -> Vec<GroupRecord> {
        let changes = std::mem::take(&mut self.changes);
        let mut records = self.records_of(changes);
        records.retain(GroupRecord::is_tombstone);
        let expressions =
            self.expressions.keys().map(|expression| ConsumerRecord::RegularExpression(expression.clone(), None));
        let group = [ConsumerRecord::TargetEpoch(None), ConsumerRecord::Epoch(None)];
        records.extend(expressions.chain(group).map(GroupRecord::from));
        records
    }

    /// The subscribed topics may look different from now on: the next heartbeat will find out.
    pub fn topics_changed(&mut self) {
        self.topics_changed = true;
    }

    fn bump_epoch(&mut self) {
        self.epoch += 1;
        self.changes.insert(Change::Epoch);
    }

    /// Puts a member in the place of the one with its id, if any.
    fn set_member(&mut self, mut member: Member) {
        let before = self.members.get(&member.id);
        let subscription_changed = before.is_none_or(|before| !before.has_metadata_of(&member));
        let assignment_changed = before.is_none_or(|before| !before.has_assignment_of(&member));
        let expression_before = before.and_then(|before| before.subscribed_topic_regex.clone());
        if subscription_changed {
            self.changes.insert(Change::Member(member.id.clone()));
        }
        if assignment_changed {
            self.disown(&member.id);
            for partition in member.owned_partitions() {
                let other = self.owners.insert(partition, member.id.clone());
                assert!(other.is_none(), "{partition:?} of group {} has one owner", self.id);
            }
            self.changes.insert(Change::Current(member.id.clone()));
        }
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), member.id.clone());
        }
        member.schedule(&mut self.timers);
        self.members.insert(member.id.clone(), member);
        self.forget_expression(expression_before);
    }

    /// Takes a member out, with all that it owned and was to own.
    fn remove_member(&mut self, member_id: &str) -> Option<Member> {
        self.disown(member_id);
        let member = self.members.remove(member_id)?;
        if let Some(instance_id) = &member.instance_id {
            self.static_members.remove(instance_id);
        }
        if let Some(deadline) = member.indexed_deadline {
            self.timers.remove(&(deadline, member_id.to_owned()));
        }
        self.target.remove(member_id);
        self.forget_expression(member.subscribed_topic_regex.clone());
        let id = member_id.to_owned();
        self.changes.extend([Change::Current(id.clone()), Change::Target(id.clone()), Change::Member(id)]);
        Some(member)
    }

    fn disown(&mut self, member_id: &str) {
        for partition in self.members.get(member_id).into_iter().flat_map(Member::owned_partitions) {
            self.owners.remove(&partition);
        }
    }

    /// Writes what has changed and answers when that, and all before it, is durable.
    pub fn flush(&mut self, turn: &mut Turn<'_>, answer: Option<Answer>) {
        self.note_progress(turn);
        if !self.changes.is_empty() {
            let changes = std::mem::take(&mut self.changes);
            let records = self.records_of(changes);
            let write = PendingWrite::new(self.offsets_partition, self.id.clone(), records, Then::Nothing);
            self.last_write = Some(turn.out.append(turn.now_ms, write));
        }
        if let Some(answer) = answer {
            turn.out.respond_after(self.last_write, answer);
        }
    }

    /// A write has ended. One that has failed is repeated by the next one; those that were under way by then build upon it,
    /// and tell nobody anything (COORDINATOR_NOT_AVAILABLE).
    pub fn written(
        &mut self,
        write_id: WriteId,
        records: &[GroupRecord],
        outcome: Result<(), ErrorCode>,
    ) -> Result<(), ErrorCode> {
        // Offsets stand for themselves.
        let is_unsound = is_about_group(records) && self.unsound_until.is_some_and(|last| write_id <= last);
        let told = if is_unsound { outcome.and(Err(ErrorCode::CoordinatorNotAvailable)) } else { outcome };
        if outcome.is_err() {
            self.unsound_until = self.last_write;
            self.changes.extend(records.iter().filter_map(Change::of));
        }
        told
    }

    /// A write is under way that did not come from [`ConsumerGroup::flush`].
    pub fn began_write(&mut self, write_id: WriteId, records: &[GroupRecord]) {
        if is_about_group(records) {
            self.last_write = Some(write_id);
        }
    }

    /// Whether memory is ahead of the log, with nothing under way to change that.
    pub fn has_unsaved_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    fn owner_of(&self, partition: TopicPartitionId) -> Option<&str> {
        self.owners.get(&partition).map(String::as_str)
    }
}

/// Whether records say more than offsets do.
fn is_about_group(records: &[GroupRecord]) -> bool {
    records.iter().any(|record| Change::of(record).is_some())
}

/// The partitions without their epochs.
fn without_epochs(owned: &Owned) -> Assignment {
    owned.iter().map(|(topic, partitions)| (*topic, partitions.keys().copied().collect())).collect()
}
