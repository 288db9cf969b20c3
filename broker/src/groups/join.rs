//! JoinGroup: v0–v9.
//! Behaviour: Kafka's `GroupMetadataManager.classicGroupJoin`. A dynamic member without an id is given one and asked to
//! come back with it from v4 on; a static one takes the place of its former self. A follower that rejoins unchanged
//! gets its generation again; a leader that rejoins, and whoever brings other metadata, causes a rebalance.
//! Deviations: a group of which nothing is left but a refused join is not kept. A parked JoinGroup that the same member
//! repeats on another connection is answered REBALANCE_IN_PROGRESS; Kafka never answers it.
//! Versions: v1 rebalance timeout; v4 MEMBER_ID_REQUIRED; v5 static members; v9 skip_assignment.

use bytes::Bytes;
use wire::ErrorCode;
use wire::api::JoinGroupRequest;

use super::classic_group::{ClassicGroup, State};
use super::history::{Reason, Who};
use super::member::{Member, NO_MEMBER};
use super::outbox::Turn;
use super::rebalance::join_error;
use crate::Token;

/// How long a new member may stay silent while it waits for the group, in ms: its client cannot send heartbeats before
/// it knows its id (`classicGroupNewMemberJoinTimeoutMs`).
const NEW_MEMBER_JOIN_TIMEOUT_MS: i64 = 5 * 60 * 1000;
/// From here on a dynamic member has to come back with the id that it was given (KIP-394).
const MEMBER_ID_REQUIRED_VERSION: i16 = 4;
/// Before, the session timeout is the rebalance timeout too.
const REBALANCE_TIMEOUT_VERSION: i16 = 1;

/// A JoinGroup and who sent it.
#[derive(Debug)]
pub(super) struct Join {
    pub token: Token,
    pub request: JoinGroupRequest,
    pub version: i16,
    pub client_id: String,
    pub client_host: String,
    /// The id that a new member gets.
    pub new_member_id: String,
}

/// The id of a new member: its instance id or client id, and a random UUID (version 4).
pub(super) fn new_member_id(prefix: &str, random: u128) -> String {
    const VERSION_AND_VARIANT: u128 = 0xf000_c000_0000_0000_0000;
    const RANDOM_UUID: u128 = 0x4000_8000_0000_0000_0000;
    let bits = random & !VERSION_AND_VARIANT | RANDOM_UUID;
    let field = |shift: u32, digits: u32| (bits >> shift) & ((1 << (4 * digits)) - 1);
    let (time_low, time_mid, time_high) = (field(96, 8), field(80, 4), field(64, 4));
    let (clock, node) = (field(48, 4), field(0, 12));
    format!("{prefix}-{time_low:08x}-{time_mid:04x}-{time_high:04x}-{clock:04x}-{node:012x}")
}

impl Join {
    /// Whether the client has no member id yet.
    pub fn is_new(&self) -> bool {
        self.request.member_id == NO_MEMBER
    }

    /// Whether the client has to come back with the id that it is given.
    pub fn needs_known_id(&self) -> bool {
        self.is_new() && self.request.group_instance_id.is_none() && self.version >= MEMBER_ID_REQUIRED_VERSION
    }

    /// How long the group waits for the member, in ms.
    pub fn rebalance_timeout_ms(&self) -> i32 {
        let request = &self.request;
        if self.version < REBALANCE_TIMEOUT_VERSION { request.session_timeout_ms } else { request.rebalance_timeout_ms }
    }

    /// The member that joins for the first time.
    fn into_member(self, member_id: String) -> Member {
        Member {
            id: member_id,
            rebalance_timeout_ms: self.rebalance_timeout_ms(),
            session_timeout_ms: self.request.session_timeout_ms,
            instance_id: self.request.group_instance_id,
            client_id: self.client_id,
            client_host: self.client_host,
            protocols: self.request.protocols,
            assignment: Bytes::new(),
            is_new: true,
            heartbeat_deadline: None,
            last_heard_ms: None,
            connection: None,
            lost: None,
            awaiting_join: Some(self.token),
            awaiting_sync: None,
            pending_sync: false,
        }
    }
}

impl ClassicGroup {
    /// Handles a JoinGroup whose group id and session timeout are in order.
    pub fn join(&mut self, turn: &mut Turn<'_>, join: Join) {
        let request = &join.request;
        if !self.has_room_for(&request.member_id, turn.config.size_max) {
            self.pending_members.remove(&request.member_id);
            self.drop_member(turn, &request.member_id, Reason::GroupTooLarge);
            turn.out.respond(join.token, join_error(NO_MEMBER, ErrorCode::GroupMaxSizeReached));
            self.complete_if_all_joined(turn);
        } else if !self.supports(&request.protocol_type, &request.protocols) {
            let error = ErrorCode::InconsistentGroupProtocol;
            turn.out.respond(join.token, join_error(&request.member_id, error));
        } else if join.is_new() {
            self.join_new(turn, join);
        } else {
            self.join_existing(turn, join);
        }
    }

    fn has_room_for(&self, member_id: &str, size_max: usize) -> bool {
        let member = self.members.get(member_id);
        match self.state {
            State::Empty => true,
            State::PreparingRebalance => {
                let has_joined = |member: &Member| member.awaiting_join.is_some();
                let joined = self.members.values().filter(|member| has_joined(member)).count();
                member.is_some_and(has_joined) || joined < size_max
            }
            State::CompletingRebalance | State::Stable => member.is_some() || self.members.len() < size_max,
        }
    }

    fn join_new(&mut self, turn: &mut Turn<'_>, join: Join) {
        let instance_id = join.request.group_instance_id.as_ref();
        if let Some(former_id) = instance_id.and_then(|instance_id| self.static_members.get(instance_id)) {
            let former_id = former_id.clone();
            self.replace_static_member(turn, join, &former_id);
        } else if join.needs_known_id() {
            let deadline = turn.now_ms + i64::from(join.request.session_timeout_ms);
            turn.out.respond(join.token, join_error(&join.new_member_id, ErrorCode::MemberIdRequired));
            self.pending_members.insert(join.new_member_id, deadline);
        } else {
            let member_id = join.new_member_id.clone();
            self.add_and_rebalance(turn, join, member_id);
        }
    }

    fn join_existing(&mut self, turn: &mut Turn<'_>, join: Join) {
        let request = &join.request;
        let (member_id, instance_id) = (request.member_id.clone(), request.group_instance_id.as_deref());
        if self.pending_members.contains_key(&member_id) && instance_id.is_none() {
            return self.add_and_rebalance(turn, join, member_id);
        }
        if let Err(error) = self.validate_member(&member_id, instance_id) {
            return turn.out.respond(join.token, join_error(&member_id, error));
        }
        self.heard(turn, &member_id);
        let is_unchanged = self.members[&member_id].matches(&request.protocols);
        let is_leader = self.is_leader(&member_id);
        match self.state {
            State::Empty => unreachable!("an empty group has no member to validate"),
            // The answer to its first JoinGroup may have been lost.
            State::CompletingRebalance if is_unchanged => {
                turn.out.respond(join.token, self.join_response(&member_id, is_leader));
            }
            // A leader joins again to have everything assigned anew, for reasons that the broker cannot see.
            State::Stable if is_unchanged && !is_leader => {
                turn.out.respond(join.token, self.join_response(&member_id, false));
            }
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => {
                self.update_member(turn, &join, &member_id);
                if self.state != State::PreparingRebalance {
                    self.happened(turn, Reason::MemberRejoined, &member_id);
                }
                self.prepare_or_complete(turn);
            }
        }
    }

    fn add_and_rebalance(&mut self, turn: &mut Turn<'_>, join: Join, member_id: String) {
        if self.state == State::PreparingRebalance && self.is_initial_rebalance {
            self.new_member_added = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(join.request.protocol_type.clone());
        }
        let mut member = join.into_member(member_id);
        member.heartbeat_deadline = Some(turn.now_ms + NEW_MEMBER_JOIN_TIMEOUT_MS);
        member.heard(turn.now_ms, None);
        member.connection = turn.from;
        self.connections.extend(turn.from);
        if self.state != State::PreparingRebalance {
            self.history.happened(turn.now_ms, Reason::MemberJoined, Some(Who::from(&member)));
        }
        self.add(member);
        self.prepare_or_complete(turn);
    }

    /// Takes over what a member says now, and parks its JoinGroup.
    pub fn update_member(&mut self, turn: &mut Turn<'_>, join: &Join, member_id: &str) {
        let member = self.members.get_mut(member_id).expect("the member was validated");
        member.protocols.clone_from(&join.request.protocols);
        member.rebalance_timeout_ms = join.rebalance_timeout_ms();
        member.session_timeout_ms = join.request.session_timeout_ms;
        member.connection = turn.from;
        if let Some(replaced) = member.awaiting_join.replace(join.token) {
            turn.out.respond(replaced, join_error(member_id, ErrorCode::RebalanceInProgress));
        }
    }
}
