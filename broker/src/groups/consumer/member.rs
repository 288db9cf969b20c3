//! A member of a consumer group: what it has said, what it owns, and how far it is on its way to its target.

use std::collections::{BTreeMap, BTreeSet};

use wire::records::consumer_groups::ClassicMemberMetadata;
use wire::{TopicPartitionId, Uuid};

use super::super::connections::{ConnectionId, Lost};

/// The epoch of a member that joins.
pub(in super::super) const JOIN_EPOCH: i32 = 0;
/// The epoch with which a member leaves.
pub(in super::super) const LEAVE_EPOCH: i32 = -1;
/// The epoch with which a static member leaves that will be back, and which it has while it is away.
pub(in super::super) const STATIC_LEAVE_EPOCH: i32 = -2;

/// Partitions by topic id, each with the member epoch at which the member got it. No topic is without partitions.
pub(super) type Owned = BTreeMap<Uuid, BTreeMap<i32, i32>>;

/// How far a member is on its way to its target (`MemberState`, by its numbers on disk).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub(in super::super) enum MemberState {
    /// It has all that its epoch gives it.
    Stable = 0,
    /// It has partitions to give up before its epoch moves on.
    UnrevokedPartitions = 1,
    /// It waits for partitions that other members have not given up yet.
    UnreleasedPartitions = 2,
    /// A later release has written something else: the member has to begin anew.
    Unknown = 127,
}

impl MemberState {
    pub fn from_code(code: i8) -> MemberState {
        match code {
            0 => MemberState::Stable,
            1 => MemberState::UnrevokedPartitions,
            2 => MemberState::UnreleasedPartitions,
            _ => MemberState::Unknown,
        }
    }
}

/// See the module's page.
#[derive(Debug, Clone)]
pub(in super::super) struct Member {
    pub id: String,
    /// The id that a static member keeps over its lives.
    pub instance_id: Option<String>,
    pub rack_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub subscribed_topic_names: BTreeSet<String>,
    pub subscribed_topic_regex: Option<String>,
    /// How long the group waits for it to give partitions up, in ms.
    pub rebalance_timeout_ms: i32,
    pub server_assignor: Option<String>,
    /// What it says if it speaks the classic protocol.
    pub classic: Option<ClassicMemberMetadata>,
    /// If it speaks the classic protocol and is waited for: it has joined, and is to ask for its assignment; else it is to join.
    pub is_to_sync: bool,
    /// The epoch that its next heartbeat is to bear.
    pub epoch: i32,
    /// The one before, which it bears if the last answer was lost.
    pub previous_epoch: i32,
    pub state: MemberState,
    /// What it may use.
    pub assigned: Owned,
    /// What it is to give up, and owns until it has.
    pub pending_revocation: Owned,
    /// When to take it for dead, in ms since the epoch.
    pub session_deadline: Option<i64>,
    /// When to stop waiting for it to give partitions up, in ms since the epoch.
    pub rebalance_deadline: Option<i64>,
    /// The connection on which it was heard last.
    pub connection: Option<ConnectionId>,
    /// When it was heard last, in ms since the epoch.
    pub last_heard_ms: Option<i64>,
    /// Its connection is gone, and it has not been heard since.
    pub lost: Option<Lost>,
    /// The deadline under which the member is known: never later than its real one.
    pub indexed_deadline: Option<i64>,
}

impl Member {
    pub fn new(id: String) -> Member {
        Member {
            id,
            instance_id: None,
            rack_id: None,
            client_id: String::new(),
            client_host: String::new(),
            subscribed_topic_names: BTreeSet::new(),
            subscribed_topic_regex: None,
            rebalance_timeout_ms: -1,
            server_assignor: None,
            classic: None,
            is_to_sync: false,
            epoch: JOIN_EPOCH,
            previous_epoch: JOIN_EPOCH,
            state: MemberState::Stable,
            assigned: Owned::new(),
            pending_revocation: Owned::new(),
            session_deadline: None,
            rebalance_deadline: None,
            connection: None,
            last_heard_ms: None,
            lost: None,
            indexed_deadline: None,
        }
    }

    pub fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == target_epoch
    }

    /// Whether it subscribes to what the other one does.
    pub fn has_subscription_of(&self, other: &Member) -> bool {
        self.subscribed_topic_names == other.subscribed_topic_names
            && self.subscribed_topic_regex == other.subscribed_topic_regex
    }

    /// Whether what is persisted of its metadata is the same.
    pub fn has_metadata_of(&self, other: &Member) -> bool {
        self.has_subscription_of(other)
            && self.instance_id == other.instance_id
            && self.rack_id == other.rack_id
            && self.client_id == other.client_id
            && self.client_host == other.client_host
            && self.rebalance_timeout_ms == other.rebalance_timeout_ms
            && self.server_assignor == other.server_assignor
            && self.classic == other.classic
    }

    /// Whether what is persisted of its way to its target is the same.
    pub fn has_assignment_of(&self, other: &Member) -> bool {
        self.epoch == other.epoch
            && self.previous_epoch == other.previous_epoch
            && self.state == other.state
            && self.assigned == other.assigned
            && self.pending_revocation == other.pending_revocation
    }

    /// What nobody else may get.
    pub fn owned_partitions(&self) -> impl Iterator<Item = TopicPartitionId> + '_ {
        partitions(&self.assigned).chain(partitions(&self.pending_revocation))
    }

    /// It does not own that any more.
    pub fn give_up(&mut self, partition: TopicPartitionId) {
        for owned in [&mut self.assigned, &mut self.pending_revocation] {
            if let Some(partitions) = owned.get_mut(&partition.topic) {
                partitions.remove(&partition.partition);
            }
            owned.retain(|_, partitions| !partitions.is_empty());
        }
    }

    /// Makes the member known by its deadline.
    pub fn schedule(&mut self, timers: &mut BTreeSet<(i64, String)>) {
        let is_earlier = |deadline: &i64| self.indexed_deadline.is_none_or(|indexed| *deadline < indexed);
        if let Some(deadline) = self.deadline().filter(is_earlier) {
            if let Some(indexed) = self.indexed_deadline.replace(deadline) {
                timers.remove(&(indexed, self.id.clone()));
            }
            timers.insert((deadline, self.id.clone()));
        }
    }

    /// The earliest time at which it may be out.
    pub fn deadline(&self) -> Option<i64> {
        let lost = self.lost.and_then(|lost| lost.deadline);
        self.session_deadline.into_iter().chain(self.rebalance_deadline).chain(lost).min()
    }
}

/// Its partitions.
pub(super) fn partitions(owned: &Owned) -> impl Iterator<Item = TopicPartitionId> + '_ {
    owned
        .iter()
        .flat_map(|(&topic, partitions)| partitions.keys().map(move |&partition| TopicPartitionId { topic, partition }))
}
