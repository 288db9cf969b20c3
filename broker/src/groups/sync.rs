//! SyncGroup: v0–v5.
//! Behaviour: the leader's assignment is persisted, then everybody who has asked gets its part of it.
//! Deviations: a parked SyncGroup that the same member repeats on another connection is answered
//! REBALANCE_IN_PROGRESS; Kafka never answers it.
//! Versions: v3 static members; v5 protocol type and name, both of which must be there then.

use std::collections::BTreeMap;

use bytes::Bytes;
use wire::ErrorCode;
use wire::api::{SyncGroupRequest, SyncGroupResponse};

use super::GroupRequest;
use super::classic_group::{ClassicGroup, State};
use super::history::Reason;
use super::member::Member;
use super::outbox::{Then, Turn};
use super::rebalance::sync_error;
use crate::Token;

/// From here on a request names protocol type and protocol (KIP-559).
const NAMED_VERSION: i16 = 5;

impl GroupRequest {
    /// A SyncGroup, if it names what its version demands.
    ///
    /// # Errors
    /// The answer to one that does not, whatever its group is.
    pub fn sync_group(request: SyncGroupRequest, version: i16) -> Result<GroupRequest, SyncGroupResponse> {
        let is_named = request.protocol_type.is_some() && request.protocol_name.is_some();
        if version >= NAMED_VERSION && !is_named {
            return Err(sync_error(ErrorCode::InconsistentGroupProtocol));
        }
        Ok(GroupRequest::SyncGroup(request))
    }
}

impl ClassicGroup {
    pub fn sync(&mut self, turn: &mut Turn<'_>, token: Token, request: SyncGroupRequest) {
        if let Err(error) = self.validate_sync(&request) {
            self.refused(turn, ("SyncGroup", &request.member_id, request.generation_id), error);
            return turn.out.respond(token, sync_error(error));
        }
        let member_id = request.member_id.as_str();
        self.heard(turn, member_id);
        self.mark_synced(member_id);
        match self.state {
            State::Empty => unreachable!("an empty group has no member to validate"),
            State::PreparingRebalance => unreachable!("refused by validate_sync"),
            State::CompletingRebalance => {
                let member = self.members.get_mut(member_id).expect("the member was validated");
                member.connection = turn.from;
                if let Some(replaced) = member.awaiting_sync.replace(token) {
                    turn.out.respond(replaced, sync_error(ErrorCode::RebalanceInProgress));
                }
                if self.is_leader(member_id) {
                    self.persist_assignment(turn, request);
                }
            }
            State::Stable => {
                let member = self.members.get_mut(member_id).expect("the member was validated");
                member.reset_heartbeat(turn.now_ms);
                let response = self.sync_response(&self.members[member_id]);
                turn.out.respond(token, response);
            }
        }
    }

    fn validate_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        self.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if !self.is_generation_of(&request.member_id, request.generation_id) {
            return Err(ErrorCode::IllegalGeneration);
        }
        let differs = |asked: &Option<String>, is: &Option<String>| asked.is_some() && asked != is;
        if differs(&request.protocol_type, &self.protocol_type) || differs(&request.protocol_name, &self.protocol_name)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if self.state == State::PreparingRebalance {
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    fn persist_assignment(&mut self, turn: &mut Turn<'_>, request: SyncGroupRequest) {
        let assigned = request.assignments.into_iter().map(|entry| (entry.member_id, entry.assignment));
        let mut assignments: BTreeMap<String, Bytes> = assigned.collect();
        assignments.retain(|member_id, _| self.members.contains_key(member_id));
        let record = self.to_record(|member| assignments.get(&member.id).cloned().unwrap_or_default());
        self.append(turn, vec![record], Then::Assign { generation: self.generation, assignments });
    }

    /// The assignment is durable, or will not be. Nothing is done if the group has moved on since.
    pub fn assigned(
        &mut self,
        turn: &mut Turn<'_>,
        generation: i32,
        mut assignments: BTreeMap<String, Bytes>,
        outcome: Result<(), ErrorCode>,
    ) {
        if self.state != State::CompletingRebalance || generation != self.generation {
            return;
        }
        if let Err(error) = outcome {
            self.reset_assignments(turn, error);
            self.history.happened(turn.now_ms, Reason::AssignmentFailed, None);
            return self.prepare_or_complete(turn);
        }
        self.transition(turn.now_ms, State::Stable);
        self.history.rebalance_ended(turn.now_ms);
        for member in self.members.values_mut() {
            member.assignment = assignments.remove(&member.id).unwrap_or_default();
        }
        let awaiting = self.members.values().filter(|member| member.awaiting_sync.is_some());
        let responses: Vec<_> = awaiting.map(|member| (member.id.clone(), self.sync_response(member))).collect();
        for (member_id, response) in responses {
            let member = self.members.get_mut(&member_id).expect("the ids are the members'");
            // Its session did not count while it waited.
            member.reset_heartbeat(turn.now_ms);
            let token = member.awaiting_sync.take().expect("only who waits is answered");
            turn.out.respond(token, response);
        }
    }

    fn sync_response(&self, member: &Member) -> SyncGroupResponse {
        SyncGroupResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            assignment: member.assignment.clone(),
            ..SyncGroupResponse::default()
        }
    }
}
