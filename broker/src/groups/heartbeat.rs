//! Heartbeat: v0–v4.
//! Behaviour: keeps a member's session, and tells it with REBALANCE_IN_PROGRESS to join again.
//! Deviations: none.   Versions: v3 static members.

use wire::ErrorCode;
use wire::api::HeartbeatRequest;

use super::classic_group::{ClassicGroup, State};
use super::outbox::Turn;

impl ClassicGroup {
    pub fn heartbeat(&mut self, turn: &Turn<'_>, request: &HeartbeatRequest) -> Result<(), ErrorCode> {
        if let Err(error) = self.validate_heartbeat(request) {
            self.refused(turn, ("Heartbeat", &request.member_id, request.generation_id), error);
            return Err(error);
        }
        self.heard(turn, &request.member_id);
        self.reset_heartbeat(turn.now_ms, &request.member_id);
        match self.state {
            State::Empty => unreachable!("an empty group has no member to validate"),
            State::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
            State::CompletingRebalance | State::Stable => Ok(()),
        }
    }

    fn validate_heartbeat(&self, request: &HeartbeatRequest) -> Result<(), ErrorCode> {
        self.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        let is_current = self.is_generation_of(&request.member_id, request.generation_id);
        if is_current { Ok(()) } else { Err(ErrorCode::IllegalGeneration) }
    }

    /// Starts a member's session anew, if there is such a member.
    pub fn reset_heartbeat(&mut self, now_ms: i64, member_id: &str) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.reset_heartbeat(now_ms);
        }
    }
}
