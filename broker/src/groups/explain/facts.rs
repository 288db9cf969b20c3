//! What is known of a group at one moment: taken from its coordinator's state, and judged elsewhere.

use std::collections::BTreeMap;

use wire::records::consumer_protocol::ConsumerProtocolAssignment;

use super::super::group::{ClassicGroup, State};
use super::super::history::{Event, Rebalance, Refused, Who};
use super::super::member::Member;
use super::super::offsets::{CommittedOffset, Offsets, RetentionBase};
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
    pub(super) phase: Phase,
    /// When it came into its state, if that is known.
    pub(super) since_ms: Option<i64>,
    pub(super) generation: i32,
    /// It only commits offsets, and never had a member.
    pub(super) is_simple: bool,
    pub(super) members: Vec<MemberFacts>,
    /// How many clients were given a member id and have not come back with it, and when the last of them is given up.
    pub(super) pending: (usize, i64),
    pub(super) rebalance: Option<Rebalance>,
    pub(super) events: Vec<Event>,
    pub(super) refused: Vec<Refused>,
    /// When the first of an empty group's offsets expires, if any is to.
    pub(super) offsets_expire_ms: Option<i64>,
    pub(super) partitions: Vec<PartitionFacts>,
}

/// What a group is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has no members.
    Empty,
    /// It waits for more members than the first, until then.
    InitialDelay { until_ms: i64 },
    /// It waits for its members to join, until then.
    Joining { until_ms: Option<i64> },
    /// It waits for the leader's assignment and for everybody to ask for it, until then.
    Assigning { until_ms: Option<i64> },
    /// Everybody has an assignment; those who have not asked for theirs are given up then.
    Stable { sync_until_ms: Option<i64> },
}

/// What is known of a member.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MemberFacts {
    pub who: Who,
    pub is_leader: bool,
    pub last_heard_ms: Option<i64>,
    /// When its connection was lost, and when that puts it out.
    pub lost: Option<(i64, Option<i64>)>,
    /// When its silence puts it out.
    pub session_ends_ms: Option<i64>,
    /// It has joined the rebalance under way.
    pub has_joined: bool,
    /// It has asked for its assignment.
    pub has_synced: bool,
    pub session_timeout_ms: i32,
}

/// What is known of a partition that somebody holds, or that has a committed offset.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionFacts {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Which of the group's members holds it.
    pub(super) owner: Option<usize>,
    /// The committed offset, and when it was committed, in ms since the epoch.
    pub(super) committed: Option<(i64, i64)>,
}

impl GroupFacts {
    /// A group that is not there.
    pub(in super::super) fn unknown(group_id: String, now_ms: i64) -> GroupFacts {
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
            is_simple: self.protocol_type.is_none(),
            pending: (self.pending_members.len(), last_pending_ms),
            rebalance: self.history.rebalance.clone(),
            events: self.history.events.iter().cloned().collect(),
            refused: self.history.refused.iter().cloned().collect(),
            offsets_expire_ms: self.first_expiry(turn.config.offsets_retention_ms),
            partitions: self.partition_facts(),
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
            session_timeout_ms: member.session_timeout_ms,
        }
    }

    /// Each partition that a member of a stable group holds, or that has an offset, by topic and partition.
    fn partition_facts(&self) -> Vec<PartitionFacts> {
        let mut partitions: BTreeMap<(String, i32), PartitionFacts> = committed(&self.offsets);
        if self.state == State::Stable && self.is_consumer_group() {
            for (owner, member) in self.members.values().enumerate() {
                let Ok(assigned) = ConsumerProtocolAssignment::from_bytes(&member.assignment) else { continue };
                for topic in assigned.assigned_partitions {
                    for partition in topic.partitions {
                        let empty =
                            PartitionFacts { topic: topic.topic.clone(), partition, owner: None, committed: None };
                        let facts = partitions.entry((topic.topic.clone(), partition)).or_insert(empty);
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
        let expiry = |commit_timestamp: i64| match base {
            RetentionBase::Since(since_ms) => since_ms.saturating_add(retention_ms),
            RetentionBase::Commit => commit_timestamp.saturating_add(retention_ms),
        };
        let offsets = self.offsets.topics().flat_map(|(_, partitions)| partitions.values());
        offsets.map(|offset| offset.expire_timestamp.unwrap_or_else(|| expiry(offset.commit_timestamp))).min()
    }
}

fn committed(offsets: &Offsets) -> BTreeMap<(String, i32), PartitionFacts> {
    let of_topic = |(topic, partitions): (&str, &BTreeMap<i32, CommittedOffset>)| {
        let topic = topic.to_owned();
        let one = |(&partition, offset): (&i32, &CommittedOffset)| {
            let committed = Some((offset.offset, offset.commit_timestamp));
            ((topic.clone(), partition), PartitionFacts { topic: topic.clone(), partition, owner: None, committed })
        };
        partitions.iter().map(one).collect::<Vec<_>>()
    };
    offsets.topics().flat_map(of_topic).collect()
}
