//! What is known of a group at one moment: taken from its coordinator's state, and judged elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use wire::records::consumer_protocol::ConsumerProtocolAssignment;

use super::super::classic_group::{ClassicGroup, State};
use super::super::history::{Event, Rebalance, Refused, Who};
use super::super::member::Member;
use super::super::offsets::Offsets;
use super::super::outbox::Turn;

/// All that is known of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupFacts {
    /// Its id.
    pub group_id: String,
    /// When this was, in ms since the epoch.
    pub now_ms: i64,
    /// The rest; `None` when there is no such group.
    pub known: Option<Box<KnownGroup>>,
}

/// What is known of a group that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownGroup {
    pub(in crate::groups) phase: Phase,
    /// When it came into its state, if that is known.
    pub(in crate::groups) since_ms: Option<i64>,
    /// Its generation, or its epoch, and which of the two it is.
    pub(in crate::groups) generation: i32,
    pub(in crate::groups) generation_name: &'static str,
    /// It only commits offsets, and never had a member.
    pub(in crate::groups) is_simple: bool,
    pub(in crate::groups) members: Vec<MemberFacts>,
    /// How many clients were given a member id and have not come back with it, and when the last of them is given up.
    pub(in crate::groups) pending: (usize, i64),
    pub(in crate::groups) rebalance: Option<Rebalance>,
    pub(in crate::groups) events: Vec<Event>,
    pub(in crate::groups) refused: Vec<Refused>,
    /// When the first of an empty group's offsets expires, if any is to.
    pub(in crate::groups) offsets_expire_ms: Option<i64>,
    pub(in crate::groups) partitions: Vec<PartitionFacts>,
    /// What the members read, topics by name and expressions between slashes; `None` where that cannot be known.
    pub(in crate::groups) subscribed: Option<BTreeSet<String>>,
}

/// What a group is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::groups) enum Phase {
    /// It has no members.
    Empty,
    /// It waits for more members than the first, until then.
    InitialDelay { until_ms: i64 },
    /// It waits for its members to join, until then.
    Joining { until_ms: Option<i64> },
    /// Of the new protocol: its members are on their way to what they are to have.
    Reconciling,
    /// It waits for the leader's assignment and for everybody to ask for it, until then.
    Assigning { until_ms: Option<i64> },
    /// Everybody has an assignment; those who have not asked for theirs are given up then.
    Stable { sync_until_ms: Option<i64> },
}

/// What is known of a member.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::groups) struct MemberFacts {
    pub who: Who,
    pub is_leader: bool,
    pub last_heard_ms: Option<i64>,
    /// When its connection was lost, and when that puts it out.
    pub lost: Option<(i64, Option<i64>)>,
    /// When its silence puts it out.
    pub session_ends_ms: Option<i64>,
    /// It has joined the rebalance under way; in a group of the new protocol, it need not join.
    pub has_joined: bool,
    /// It has asked for its assignment.
    pub has_synced: bool,
    /// It is a static member that has left for a moment.
    pub is_away: bool,
    /// In a group of the new protocol: what it still has to do to have what it is to have.
    pub reconciling: Option<Reconciling>,
}

/// A topic's name and a partition of it.
pub(in crate::groups) type PartitionName = (String, i32);

/// What a member of the new protocol is on its way to.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::groups) struct Reconciling {
    /// Its epoch.
    pub epoch: i32,
    /// What it has been told to give up and has not said that it has, and when it is out if it does not, or does not join or sync
    /// where it speaks the classic protocol.
    pub gives_up: Vec<PartitionName>,
    pub gives_up_until_ms: Option<i64>,
    /// What it is to get, and which of the group's members still has that.
    pub waits_for: Vec<(PartitionName, usize)>,
}

/// What is known of a partition that somebody holds, or that has a committed offset.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionFacts {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Which of the group's members holds it.
    pub(in crate::groups) owner: Option<usize>,
    /// The committed offset, and when it was committed, in ms since the epoch.
    pub(in crate::groups) committed: Option<(i64, i64)>,
}

impl GroupFacts {
    /// A group that is not there.
    pub(in crate::groups) fn unknown(group_id: String, now_ms: i64) -> GroupFacts {
        GroupFacts { group_id, now_ms, known: None }
    }

    /// The partitions whose ends are to be known for an explanation.
    pub fn partitions(&self) -> &[PartitionFacts] {
        self.known.as_ref().map_or(&[], |known| &known.partitions)
    }
}

impl ClassicGroup {
    /// What is known of the group now.
    pub fn facts(&self, turn: &Turn<'_>) -> GroupFacts {
        let members: Vec<MemberFacts> = self.members.values().map(|member| self.member_facts(member)).collect();
        let last_pending_ms = self.pending_members.values().copied().max().unwrap_or(turn.now_ms);
        let known = KnownGroup {
            phase: self.phase(),
            since_ms: self.state_timestamp,
            generation: self.generation,
            generation_name: "generation",
            is_simple: self.protocol_type.is_none(),
            pending: (self.pending_members.len(), last_pending_ms),
            rebalance: self.history.rebalance.clone(),
            events: self.history.events.iter().cloned().collect(),
            refused: self.history.refused.iter().cloned().collect(),
            offsets_expire_ms: self.first_expiry(turn.config.offsets_retention_ms),
            partitions: self.partition_facts(),
            subscribed: self.subscribed_topics.clone(),
            members,
        };
        GroupFacts { group_id: self.id.to_string(), now_ms: turn.now_ms, known: Some(Box::new(known)) }
    }

    fn phase(&self) -> Phase {
        let join_until_ms = self.join_timer.map(|timer| timer.deadline);
        match (self.state, join_until_ms) {
            (State::Empty, _) => Phase::Empty,
            (State::PreparingRebalance, Some(until_ms)) if self.is_initial_rebalance => {
                Phase::InitialDelay { until_ms }
            }
            (State::PreparingRebalance, until_ms) => Phase::Joining { until_ms },
            (State::CompletingRebalance, _) => Phase::Assigning { until_ms: self.sync_deadline },
            (State::Stable, _) => Phase::Stable { sync_until_ms: self.sync_deadline },
        }
    }

    fn member_facts(&self, member: &Member) -> MemberFacts {
        MemberFacts {
            who: member.into(),
            is_leader: self.is_leader(&member.id),
            last_heard_ms: member.last_heard_ms,
            lost: member.lost.map(|lost| (lost.since_ms, lost.deadline)),
            session_ends_ms: member.heartbeat_deadline.filter(|_| !member.is_excused()),
            has_joined: member.awaiting_join.is_some(),
            has_synced: !member.pending_sync,
            is_away: false,
            reconciling: None,
        }
    }

    /// Each partition that a member of a stable group holds, or that has an offset, by topic and partition.
    fn partition_facts(&self) -> Vec<PartitionFacts> {
        let mut partitions = PartitionFacts::committed(&self.offsets);
        if self.state == State::Stable && self.is_consumer_group() {
            for (owner, member) in self.members.values().enumerate() {
                let Ok(assigned) = ConsumerProtocolAssignment::from_bytes(&member.assignment) else { continue };
                for topic in assigned.assigned_partitions {
                    for partition in topic.partitions {
                        let name = (topic.topic.clone(), partition);
                        let facts = partitions.entry(name.clone()).or_insert_with(|| PartitionFacts::new(name));
                        facts.owner = Some(owner);
                    }
                }
            }
        }
        partitions.into_values().collect()
    }

    /// When the first offset of an empty group expires.
    fn first_expiry(&self, retention_ms: i64) -> Option<i64> {
        let base = self.retention_base().filter(|_| self.state == State::Empty)?;
        self.offsets.first_expiry(base, retention_ms)
    }
}

impl PartitionFacts {
    /// A partition of which nothing is known yet.
    pub(in crate::groups) fn new((topic, partition): PartitionName) -> PartitionFacts {
        PartitionFacts { topic, partition, owner: None, committed: None }
    }

    /// The partitions with committed offsets.
    pub(in crate::groups) fn committed(offsets: &Offsets) -> BTreeMap<PartitionName, PartitionFacts> {
        let mut facts = BTreeMap::new();
        for (topic, partitions) in offsets.topics() {
            for (&partition, offset) in partitions {
                let name = (topic.to_owned(), partition);
                let committed = Some((offset.offset, offset.commit_timestamp));
                facts.insert(name.clone(), PartitionFacts { committed, ..PartitionFacts::new(name) });
            }
        }
        facts
    }
}
