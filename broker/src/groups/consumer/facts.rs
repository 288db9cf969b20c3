//! What a consumer group of the new protocol tells of itself to those who ask why it does not move, and what it remembers for
//! them. Nothing is decided by it.

use std::collections::{BTreeMap, BTreeSet};

use wire::{ErrorCode, TopicPartitionId};

use super::super::explain::facts::{
    GroupFacts, KnownGroup, MemberFacts, PartitionFacts, PartitionName, Phase, Reconciling,
};
use super::super::history::{Reason, Refused, Who};
use super::super::outbox::Turn;
use super::member::{Member, STATIC_LEAVE_EPOCH};
use super::records::Change;
use super::{ConsumerGroup, GroupState, member};
use crate::catalog::Image;

impl From<&Member> for Who {
    fn from(member: &Member) -> Who {
        Who::new(&member.id, member.instance_id.as_deref(), &member.client_id, &member.client_host)
    }
}

impl Member {
    /// Why its deadline puts it out.
    pub(super) fn reason_to_go(&self, now_ms: i64) -> Reason {
        let is_due = |deadline: Option<i64>| deadline.is_some_and(|deadline| deadline <= now_ms);
        match (is_due(self.rebalance_deadline), is_due(self.lost.and_then(|lost| lost.deadline))) {
            (true, _) => Reason::RevocationMissed,
            (false, true) => Reason::ConnectionLost,
            (false, false) => Reason::SessionExpired,
        }
    }
}

impl Member {
    /// Whether it speaks the classic protocol, and is waited for until it joins.
    fn awaits_join(&self) -> bool {
        self.classic.is_some() && self.rebalance_deadline.is_some() && !self.is_to_sync
    }

    /// Whether it speaks the classic protocol, and is waited for until it asks for its assignment.
    fn awaits_sync(&self) -> bool {
        self.classic.is_some() && self.rebalance_deadline.is_some() && self.is_to_sync
    }
}

impl ConsumerGroup {
    /// Something has happened to a member, or it has done it.
    pub(super) fn happened(&mut self, turn: &Turn<'_>, reason: Reason, member_id: &str) {
        let who = self.members.get(member_id).map(Who::from);
        self.history.happened(turn.now_ms, reason, who);
    }

    /// A request was refused that named an API, a member and an epoch.
    pub(super) fn refused(
        &mut self,
        turn: &Turn<'_>,
        (api, member_id, given): (&'static str, &str, i32),
        error: ErrorCode,
    ) {
        let current = self.members.get(member_id).map_or(self.epoch, |member| member.epoch);
        let (at_ms, member_id) = (turn.now_ms, member_id.to_owned());
        self.history.refused(Refused { at_ms, api, member_id, given, current, error, times: 1 });
    }

    /// Notes that a rebalance has begun, when the epoch has moved on, and that it is over, when everybody has its target.
    pub(super) fn note_progress(&mut self, turn: &Turn<'_>) {
        if self.changes.contains(&Change::Epoch) {
            self.history.rebalance_began(turn.now_ms);
        }
        if self.history.rebalance.is_some() && matches!(self.state(), GroupState::Empty | GroupState::Stable) {
            self.history.rebalance_ended(turn.now_ms);
        }
    }

    /// What is known of the group now.
    pub fn facts(&self, turn: &Turn<'_>) -> GroupFacts {
        let indexes: BTreeMap<&str, usize> = self.members.keys().map(String::as_str).zip(0..).collect();
        let member_facts = |member| self.member_facts(turn.image, &indexes, member);
        let known = KnownGroup {
            phase: match self.state() {
                GroupState::Empty => Phase::Empty,
                GroupState::Assigning | GroupState::Reconciling => Phase::Reconciling,
                GroupState::Stable => {
                    let to_sync = self.members.values().filter(|member| member.awaits_sync());
                    Phase::Stable { sync_until_ms: to_sync.filter_map(|member| member.rebalance_deadline).min() }
                }
            },
            since_ms: self.history.rested_ms,
            generation: self.epoch,
            generation_name: "epoch",
            is_simple: false,
            members: self.members.values().map(member_facts).collect(),
            pending: (0, turn.now_ms),
            rebalance: self.history.rebalance.clone(),
            events: self.history.events.iter().cloned().collect(),
            refused: self.history.refused.iter().cloned().collect(),
            offsets_expire_ms: self.first_expiry(turn.config.offsets_retention_ms),
            partitions: self.partition_facts(turn.image, &indexes),
            subscribed: Some(self.subscribed()),
        };
        GroupFacts { group_id: self.id.to_string(), now_ms: turn.now_ms, known: Some(Box::new(known)) }
    }

    /// What the members read, topics by name and expressions between slashes.
    fn subscribed(&self) -> BTreeSet<String> {
        let names = self.members.values().flat_map(|member| member.subscribed_topic_names.iter().cloned());
        let expressions = self.members.values().filter_map(|member| member.subscribed_topic_regex.as_ref());
        names.chain(expressions.map(|expression| format!("/{expression}/"))).collect()
    }

    fn member_facts(&self, image: &Image, indexes: &BTreeMap<&str, usize>, member: &Member) -> MemberFacts {
        let is_there = member.is_reconciled_to(self.target_epoch) && !member.awaits_sync();
        let reconciling =
            (!is_there || self.epoch > self.target_epoch).then(|| self.reconciling(image, indexes, member));
        MemberFacts {
            who: member.into(),
            is_leader: false,
            last_heard_ms: member.last_heard_ms,
            lost: member.lost.map(|lost| (lost.since_ms, lost.deadline)),
            session_ends_ms: member.session_deadline,
            has_joined: !member.awaits_join(),
            has_synced: !member.awaits_sync(),
            is_away: member.epoch == STATIC_LEAVE_EPOCH,
            reconciling,
        }
    }

    fn reconciling(&self, image: &Image, indexes: &BTreeMap<&str, usize>, member: &Member) -> Reconciling {
        let mut waits_for = Vec::new();
        for (&topic, partitions) in self.target.get(&member.id).into_iter().flatten() {
            for &partition in partitions {
                let partition = TopicPartitionId { topic, partition };
                let owner = self.owner_of(partition).filter(|owner| *owner != member.id);
                if let (Some(&owner), Some(name)) = (owner.and_then(|owner| indexes.get(owner)), name(image, partition))
                {
                    waits_for.push((name, owner));
                }
            }
        }
        Reconciling {
            epoch: member.epoch,
            gives_up: member::partitions(&member.pending_revocation).filter_map(|one| name(image, one)).collect(),
            gives_up_until_ms: member.rebalance_deadline,
            waits_for,
        }
    }

    fn partition_facts(&self, image: &Image, indexes: &BTreeMap<&str, usize>) -> Vec<PartitionFacts> {
        let mut partitions = PartitionFacts::committed(&self.offsets);
        for (&partition, owner) in &self.owners {
            if let Some(name) = name(image, partition) {
                let facts = partitions.entry(name.clone()).or_insert_with(|| PartitionFacts::new(name));
                facts.owner = indexes.get(owner.as_str()).copied();
            }
        }
        partitions.into_values().collect()
    }

    /// When the first offset of an empty group expires.
    fn first_expiry(&self, retention_ms: i64) -> Option<i64> {
        let base = self.retention_base().filter(|_| self.members.is_empty())?;
        self.offsets.first_expiry(base, retention_ms)
    }
}

fn name(image: &Image, partition: TopicPartitionId) -> Option<PartitionName> {
    Some((image.topic(partition.topic)?.name.to_string(), partition.partition))
}
