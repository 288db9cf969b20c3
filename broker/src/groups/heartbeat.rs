//! Heartbeat: v0–v4.
//! Behaviour: keeps a member's session, and tells it with REBALANCE_IN_PROGRESS to join again.
//! Deviations: none.   Versions: v3 static members.

use wire::ErrorCode;
use wire::api::HeartbeatRequest;

use super::group::{Group, State};

impl Group {
    pub fn heartbeat(&mut self, now_ms: i64, request: &HeartbeatRequest) -> Result<(), ErrorCode> {
        self.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        self.reset_heartbeat(now_ms, &request.member_id);
        match self.state {
            State::Empty => unreachable!("an empty group has no member to validate"),
            State::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
            State::CompletingRebalance | State::Stable => Ok(()),
        }
    }

    /// Starts a member's session anew, if there is such a member.
    pub fn reset_heartbeat(&mut self, now_ms: i64, member_id: &str) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.reset_heartbeat(now_ms);
        }
    }
}
