//! The target assignment: what each member is to own, by the members' subscriptions and the topics that there are.

use std::collections::{BTreeMap, BTreeSet};

use wire::{TopicPartitionId, Uuid};

use super::super::assignor::{Assignment, Assignor, GroupSpec, MemberSpec};
use super::super::history::Reason;
use super::super::outbox::Turn;
use super::ConsumerGroup;
use super::records::Change;
use crate::catalog::Image;

/// FNV-1a, 64 bits.
const HASH_SEED: u64 = 0xcbf2_9ce4_8422_2325;
const HASH_PRIME: u64 = 0x0000_0100_0000_01b3;

/// The topics that there are of those that each member subscribes to, by member id.
type Subscribed = BTreeMap<String, BTreeSet<Uuid>>;

impl ConsumerGroup {
    /// Brings the target assignment up to the group's epoch, and that up to the topics that there are.
    pub(super) fn catch_up(&mut self, turn: &Turn<'_>) {
        if !self.topics_changed && self.epoch <= self.target_epoch {
            return;
        }
        self.topics_changed = false;
        self.resolve_expressions(turn);
        let topics_of = |member| self.subscribed_topics(member, turn.image);
        let subscribed = self.members.values().map(|member| (member.id.clone(), topics_of(member))).collect();
        self.refresh_topics(turn, &subscribed);
        if self.epoch > self.target_epoch {
            self.make_target(turn, &subscribed);
        }
    }

    /// Finds out whether the subscribed topics look as they did at the group's epoch; if not, the epoch moves on.
    fn refresh_topics(&mut self, turn: &Turn<'_>, subscribed: &Subscribed) {
        let target_is_loaded = std::mem::take(&mut self.target_is_loaded);
        let topics: BTreeSet<Uuid> = subscribed.values().flatten().copied().collect();
        let metadata_hash = hash(&topics, turn.image);
        if metadata_hash == self.metadata_hash {
            if target_is_loaded && self.epoch == self.target_epoch && !self.is_target_sound(&topics, turn.image) {
                self.bump_epoch();
            }
            return;
        }
        self.metadata_hash = metadata_hash;
        if self.changes.contains(&Change::Epoch) || self.epoch > self.target_epoch {
            // It has moved on already, and nobody has been assigned anything by it.
            self.changes.insert(Change::Epoch);
        } else {
            self.history.happened(turn.now_ms, Reason::TopicsChanged, None);
            self.bump_epoch();
        }
    }

    /// Makes the target assignment of the group's epoch.
    fn make_target(&mut self, turn: &Turn<'_>, subscribed: &Subscribed) {
        let nothing = Assignment::new();
        let mut spec = GroupSpec::default();
        for (id, topics) in subscribed {
            for topic in topics.iter().filter_map(|&topic| turn.image.topic(topic)) {
                spec.partitions.insert(topic.id, topic.partitions.len() as i32);
            }
            let instance_id = self.members[id].instance_id.as_deref();
            let assigned = self.target.get(id).unwrap_or(&nothing);
            spec.members.insert(id, MemberSpec { instance_id, subscribed: topics, assigned });
        }
        let target = self.assignor(turn.config.consumer.assignors).assign(&spec);
        assert_eq!(target.len(), self.members.len(), "every member has a target");
        for (id, assignment) in &target {
            if self.target.get(id) != Some(assignment) {
                self.changes.insert(Change::Target(id.clone()));
            }
        }
        self.target = target;
        self.target_epoch = self.epoch;
        self.target_timestamp = turn.now_ms;
        self.changes.insert(Change::TargetEpoch);
    }

    /// Whether every partition of the subscribed topics is in one target, and nothing else is.
    fn is_target_sound(&self, topics: &BTreeSet<Uuid>, image: &Image) -> bool {
        let partitions: usize =
            topics.iter().filter_map(|&topic| image.topic(topic)).map(|topic| topic.partitions.len()).sum();
        let mut assigned = BTreeSet::new();
        for (&topic, partitions) in self.target.values().flatten() {
            let is_new = partitions.iter().all(|&partition| assigned.insert(TopicPartitionId { topic, partition }));
            if !is_new || !topics.contains(&topic) {
                return false;
            }
        }
        assigned.len() == partitions
    }

    /// The assignor that most members want; among equals, the first by name. The broker's first where nobody wants any.
    pub(super) fn assignor(&self, available: &[Assignor]) -> Assignor {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.members.values().filter_map(|member| member.server_assignor.as_deref()) {
            *votes.entry(name).or_default() += 1;
        }
        let most = votes.values().copied().max();
        let wanted =
            votes.into_iter().find(|(_, count)| Some(*count) == most).and_then(|(name, _)| Assignor::named(name));
        wanted.unwrap_or(available[0])
    }
}

/// Changes with what an assignment depends on; 0 for no topics. Its value is compared with nothing but itself.
fn hash(topics: &BTreeSet<Uuid>, image: &Image) -> i64 {
    if topics.is_empty() {
        return 0;
    }
    let mut hash = HASH_SEED;
    let mut add = |bytes: &[u8]| {
        for &byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(HASH_PRIME);
        }
    };
    for topic in topics.iter().filter_map(|&topic| image.topic(topic)) {
        add(&topic.id.0);
        add(&(topic.partitions.len() as u32).to_be_bytes());
    }
    hash as i64
}
