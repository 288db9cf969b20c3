//! One classic group: its state, its members, and what follows from who they are.
//!
//! Invariants: `static_members` holds exactly the members with an instance id; the leader is a member; a group without
//! members is `Empty` or about to be; pending members are not members.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use wire::ErrorCode;
use wire::api::k11_join_group::{JoinGroupRequestProtocol, JoinGroupResponseMember};
use wire::records::consumer_offsets::GroupMetadataValue;
use wire::records::consumer_protocol::ConsumerProtocolSubscription;

use super::connections::ConnectionId;
use super::history::{History, Reason, Refused};
use super::member::Member;
use super::offsets::{Offsets, RetentionBase};
use super::outbox::{PendingWrite, Then, Turn};
use super::rebalance::JoinTimer;
use super::records::GroupRecord;

/// The protocol type of consumers, the only one whose metadata the broker can read.
pub(super) const CONSUMER: &str = "consumer";

/// Where a group stands. A group that is gone is `Dead` to those who ask, and not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It has no members.
    Empty,
    /// It waits for its members to join.
    PreparingRebalance,
    /// It waits for the leader's assignment.
    CompletingRebalance,
    /// Everybody has an assignment.
    Stable,
}

impl State {
    /// As Kafka spells it.
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }
}

/// A classic group.
#[derive(Debug)]
pub(super) struct ClassicGroup {
    pub id: Arc<str>,
    /// The partition of `__consumer_offsets` that it lives in.
    pub offsets_partition: i32,
    pub state: State,
    /// When it came into this state, in ms since the epoch, if that is known.
    pub state_timestamp: Option<i64>,
    pub generation: i32,
    /// `None` until the first member, and for those who only commit offsets.
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    pub leader: Option<String>,
    pub members: BTreeMap<String, Member>,
    /// Member ids of the static members, by instance id.
    pub static_members: BTreeMap<String, String>,
    /// Who was given a member id and has not come back with it, and when to stop waiting for that.
    pub pending_members: BTreeMap<String, i64>,
    /// Somebody has joined since the initial delay was last extended.
    pub new_member_added: bool,
    /// The rebalance under way began with an empty group, which waits for more members than the first.
    pub is_initial_rebalance: bool,
    pub join_timer: Option<JoinTimer>,
    /// When to throw out the members that have not sent SyncGroup.
    pub sync_deadline: Option<i64>,
    /// What the members read; `None` where that cannot be known.
    pub subscribed_topics: Option<BTreeSet<String>>,
    pub offsets: Offsets,
    /// Somebody has committed an offset, so that the group stays until retention finds it empty, even without one.
    pub has_committed: bool,
    /// Connections on which members were heard, and which are not known to be lost.
    pub connections: BTreeSet<ConnectionId>,
    pub history: History,
    /// Epochs of members of the consumer group that this one was, where they are behind: until a rebalance ends, those are
    /// their generations.
    pub former_epochs: BTreeMap<String, i32>,
    /// What takes back the consumer group that this one was, until that is on its way to the log.
    pub unsaved_tombstones: Vec<GroupRecord>,
    /// The deadline under which the group is known: never later than its real one.
    pub indexed_deadline: Option<i64>,
}

impl ClassicGroup {
    pub fn new(id: Arc<str>, offsets_partition: i32) -> ClassicGroup {
        ClassicGroup {
            id,
            offsets_partition,
            state: State::Empty,
            state_timestamp: None,
            generation: 0,
            protocol_type: None,
            protocol_name: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_members: BTreeMap::new(),
            new_member_added: false,
            is_initial_rebalance: false,
            join_timer: None,
            sync_deadline: None,
            subscribed_topics: None,
            offsets: Offsets::default(),
            has_committed: false,
            connections: BTreeSet::new(),
            history: History::default(),
            former_epochs: BTreeMap::new(),
            unsaved_tombstones: Vec::new(),
            indexed_deadline: None,
        }
    }

    pub fn transition(&mut self, now_ms: i64, state: State) {
        self.state = state;
        self.state_timestamp = Some(now_ms);
    }

    /// Whether nothing but offsets would be lost with it.
    pub fn is_vacant(&self) -> bool {
        self.state == State::Empty && self.members.is_empty() && self.pending_members.is_empty()
    }

    /// Whether nothing of it has ever been persisted.
    pub fn is_new(&self) -> bool {
        self.state_timestamp.is_none() && self.generation == 0
    }

    /// The partition that it lives in can be asked from now on: the members' sessions begin.
    pub fn loaded(&mut self, turn: &mut Turn<'_>) {
        for member in self.members.values_mut() {
            member.reset_heartbeat(turn.now_ms);
        }
        if self.members.len() > turn.config.size_max {
            self.history.happened(turn.now_ms, Reason::GroupTooLarge, None);
            self.prepare_rebalance(turn);
        }
    }

    pub fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// The protocols that all members can do.
    fn common_protocols(&self) -> Vec<&str> {
        let Some(first) = self.members.values().next() else { return Vec::new() };
        let can_do = |member: &Member, name: &str| member.protocols.iter().any(|protocol| protocol.name == name);
        let names = first.protocols.iter().map(|protocol| protocol.name.as_str());
        names.filter(|name| self.members.values().all(|member| can_do(member, name))).collect()
    }

    /// Whether somebody with these protocols can be a member.
    pub fn supports(&self, protocol_type: &str, protocols: &[JoinGroupRequestProtocol]) -> bool {
        if self.state == State::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let common = self.common_protocols();
        let is_common = |protocol: &JoinGroupRequestProtocol| common.contains(&protocol.name.as_str());
        self.protocol_type.as_deref() == Some(protocol_type)
            && (self.members.is_empty() && !protocols.is_empty() || protocols.iter().any(is_common))
    }

    /// The protocol that most members want, of those that all can do; among equals, the first by name.
    pub fn select_protocol(&self) -> Option<String> {
        let common = self.common_protocols();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            *votes.entry(member.vote(&common)?).or_default() += 1;
        }
        let most = votes.values().copied().max()?;
        votes.into_iter().find(|&(_, count)| count == most).map(|(name, _)| name.to_owned())
    }

    /// What the members read, as far as they have said so in a way that the broker understands.
    pub fn compute_subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if self.protocol_type.as_deref() != Some(CONSUMER) {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol_name.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(ConsumerProtocolSubscription::from_bytes(&member.metadata(protocol)).ok()?.topics);
        }
        Some(topics)
    }

    /// Whether a topic's offsets are in use. Consumers whose subscription cannot be read may read anything.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.is_consumer_group(),
        }
    }

    pub fn is_consumer_group(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// How long to wait for the slowest member, in ms; at least one, whatever the members said.
    pub fn rebalance_timeout_ms(&self) -> i64 {
        let timeouts = self.members.values().map(|member| i64::from(member.rebalance_timeout_ms));
        timeouts.max().unwrap_or(0).max(1)
    }

    pub fn has_all_members_joined(&self) -> bool {
        self.pending_members.is_empty() && self.members.values().all(|member| member.awaiting_join.is_some())
    }

    /// Whether a member may go by this generation.
    pub fn is_generation_of(&self, member_id: &str, generation: i32) -> bool {
        generation == self.generation || self.former_epochs.get(member_id) == Some(&generation)
    }

    /// Checks that a member is who it says it is: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
    pub fn validate_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(current) if current != member_id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// Takes a member in.
    pub fn add(&mut self, member: Member) {
        assert!(!self.members.contains_key(&member.id), "a member is added once");
        if let Some(instance_id) = &member.instance_id {
            let before = self.static_members.insert(instance_id.clone(), member.id.clone());
            assert!(before.is_none(), "an instance id names one member");
        }
        self.pending_members.remove(&member.id);
        self.leader.get_or_insert_with(|| member.id.clone());
        self.members.insert(member.id.clone(), member);
    }

    /// Drops a member, whose parked requests the caller has to answer. Another one leads where the leader goes.
    pub fn remove(&mut self, member_id: &str) -> Option<Member> {
        let member = self.members.remove(member_id)?;
        if let Some(instance_id) = &member.instance_id {
            self.static_members.remove(instance_id);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// The members as the leader is told of them.
    pub fn member_list(&self) -> Vec<JoinGroupResponseMember> {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let entry = |member: &Member| JoinGroupResponseMember {
            member_id: member.id.clone(),
            group_instance_id: member.instance_id.clone(),
            metadata: member.metadata(protocol),
        };
        self.members.values().map(entry).collect()
    }

    /// The group as it is persisted with these assignments.
    pub fn to_record(&self, assignment_of: impl Fn(&Member) -> Bytes) -> GroupRecord {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let members = self.members.values().map(|member| member.to_record(protocol, assignment_of(member)));
        GroupRecord::Metadata(Some(GroupMetadataValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol_name.clone(),
            leader: self.leader.clone(),
            current_state_timestamp: self.state_timestamp.unwrap_or(-1),
            members: members.collect(),
        }))
    }

    /// Takes over what was persisted, in place of all but the offsets.
    pub fn load(&mut self, value: GroupMetadataValue) {
        let offsets = std::mem::take(&mut self.offsets);
        *self = ClassicGroup::new(self.id.clone(), self.offsets_partition);
        self.offsets = offsets;
        self.state = if value.members.is_empty() { State::Empty } else { State::Stable };
        self.state_timestamp = (value.current_state_timestamp >= 0).then_some(value.current_state_timestamp);
        self.generation = value.generation;
        self.protocol_type = Some(value.protocol_type).filter(|protocol_type| !protocol_type.is_empty());
        self.protocol_name = value.protocol;
        let protocol = self.protocol_name.clone().unwrap_or_default();
        for record in value.members {
            let member = Member::from_record(record, &protocol);
            let is_taken = |instance_id: &String| self.static_members.contains_key(instance_id);
            if !self.members.contains_key(&member.id) && !member.instance_id.as_ref().is_some_and(is_taken) {
                self.add(member);
            }
        }
        self.leader = value.leader.filter(|leader| self.members.contains_key(leader)).or(self.leader.take());
        self.subscribed_topics = self.compute_subscribed_topics();
    }

    /// From when on its offsets' retention counts; `None` while they are kept whatever their age.
    pub fn retention_base(&self) -> Option<RetentionBase> {
        match (&self.protocol_type, self.state) {
            (None, _) => Some(RetentionBase::Commit),
            (Some(_), State::Empty) => Some(self.state_timestamp.map_or(RetentionBase::Commit, RetentionBase::Since)),
            (Some(_), State::Stable) if self.is_consumer_group() && self.subscribed_topics.is_some() => {
                Some(RetentionBase::Commit)
            }
            (Some(_), _) => None,
        }
    }

    /// Something has happened to a member, or it has done it.
    pub fn happened(&mut self, turn: &Turn<'_>, reason: Reason, member_id: &str) {
        if let Some(member) = self.members.get(member_id) {
            self.history.happened(turn.now_ms, reason, Some(member.into()));
        }
    }

    /// A request was refused that named an API, a member and a generation.
    pub fn refused(&mut self, turn: &Turn<'_>, (api, member_id, given): (&'static str, &str, i32), error: ErrorCode) {
        let (at_ms, member_id, current) = (turn.now_ms, member_id.to_owned(), self.generation);
        self.history.refused(Refused { at_ms, api, member_id, given, current, error, times: 1 });
    }

    pub fn append(&mut self, turn: &mut Turn<'_>, mut records: Vec<GroupRecord>, then: Then) {
        let group_id = self.id.clone();
        records.splice(..0, self.unsaved_tombstones.drain(..));
        turn.out.append(turn.now_ms, PendingWrite::new(self.offsets_partition, group_id, records, then));
    }
}
