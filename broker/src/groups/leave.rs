//! LeaveGroup: v0–v5.
//! Behaviour: removes members, static ones by instance id too; the others are asked to join again.
//! Deviations: none.   Versions: v3 several members, each with its own error; before, the one member's error is the
//! response's.

use wire::ErrorCode;
use wire::api::k13_leave_group::{MemberIdentity, MemberResponse};
use wire::api::{LeaveGroupRequest, LeaveGroupResponse};

use super::classic_group::{ClassicGroup, State};
use super::history::Reason;
use super::member::NO_MEMBER;
use super::outbox::Turn;

/// From here on a request names several members.
const MEMBERS_VERSION: i16 = 3;

/// The members that a request of any version names.
pub(super) fn leaving_members(request: LeaveGroupRequest, version: i16) -> Vec<MemberIdentity> {
    if version >= MEMBERS_VERSION {
        return request.members;
    }
    vec![MemberIdentity { member_id: request.member_id, ..MemberIdentity::default() }]
}

/// The response in any version.
pub(super) fn leave_response(version: i16, members: Vec<MemberResponse>) -> LeaveGroupResponse {
    if version >= MEMBERS_VERSION {
        return LeaveGroupResponse { members, ..LeaveGroupResponse::default() };
    }
    let error_code = members.first().map_or(ErrorCode::None.code(), |member| member.error_code);
    LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() }
}

/// What is said of one member.
pub(super) fn member_response(member: MemberIdentity, error: ErrorCode) -> MemberResponse {
    MemberResponse {
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        error_code: error.code(),
    }
}

impl ClassicGroup {
    pub fn leave(&mut self, turn: &mut Turn<'_>, members: Vec<MemberIdentity>) -> Vec<MemberResponse> {
        let mut responses = Vec::with_capacity(members.len());
        let mut has_left = false;
        for member in members {
            let outcome = self.leave_one(turn, &member);
            has_left |= outcome.is_ok();
            responses.push(member_response(member, outcome.err().unwrap_or(ErrorCode::None)));
        }
        match self.state {
            State::Stable | State::CompletingRebalance if has_left => self.prepare_or_complete(turn),
            State::PreparingRebalance if has_left => self.complete_if_all_joined(turn),
            _ => {}
        }
        responses
    }

    fn leave_one(&mut self, turn: &mut Turn<'_>, member: &MemberIdentity) -> Result<(), ErrorCode> {
        let instance_id = member.group_instance_id.as_deref();
        if member.member_id == NO_MEMBER {
            // An administrator removes a static member without knowing its id.
            let member_id = instance_id.and_then(|instance_id| self.static_members.get(instance_id)).cloned();
            self.drop_member(turn, &member_id.ok_or(ErrorCode::UnknownMemberId)?, Reason::MemberLeft);
            return Ok(());
        }
        if self.pending_members.remove(&member.member_id).is_some() {
            self.history.happened(turn.now_ms, Reason::MemberLeft, None);
            return Ok(());
        }
        self.validate_member(&member.member_id, instance_id)?;
        self.drop_member(turn, &member.member_id, Reason::MemberLeft);
        Ok(())
    }
}
