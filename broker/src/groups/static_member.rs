//! A static member that comes back (KIP-345): its new id takes the place of the old one, which is fenced.
//!
//! In a stable group whose protocol stays the same nobody else notices: the new id is persisted, then the member gets
//! the generation that it had. From JoinGroup v9 on a leader is told to skip its assignment (KIP-814); before, it is
//! told its old id as the leader's, so that it takes itself for a follower.

use wire::ErrorCode;
use wire::api::JoinGroupResponse;

use super::classic_group::{ClassicGroup, State};
use super::history::Reason;
use super::join::Join;
use super::member::{Member, NO_MEMBER};
use super::outbox::{Outbox, Then, Turn};
use super::rebalance::{join_error, sync_error};
use crate::Token;

/// From here on a leader can be told not to assign anew.
const SKIP_ASSIGNMENT_VERSION: i16 = 9;

/// What is needed to answer a static member that has come back, or to undo its return.
#[derive(Debug)]
pub(super) struct ReplacedMember {
    token: Token,
    version: i16,
    /// The new id.
    member_id: String,
    /// As it was under its old id.
    previous: Member,
    previous_leader: Option<String>,
}

impl ReplacedMember {
    /// The group is not a classic one any more: the member is to join what it has become.
    pub fn join_again(self, out: &mut Outbox) {
        out.respond(self.token, join_error(&self.member_id, ErrorCode::RebalanceInProgress));
    }
}

impl ClassicGroup {
    pub fn replace_static_member(&mut self, turn: &mut Turn<'_>, join: Join, former_id: &str) {
        let previous_leader = self.leader.clone();
        let mut previous = self.rename_member(former_id, &join.new_member_id);
        if let Some(token) = previous.awaiting_join.take() {
            turn.out.respond(token, join_error(former_id, ErrorCode::FencedInstanceId));
        }
        if let Some(token) = previous.awaiting_sync.take() {
            turn.out.respond(token, sync_error(ErrorCode::FencedInstanceId));
        }
        self.update_member(turn, &join, &join.new_member_id);
        self.members.get_mut(&join.new_member_id).expect("it was just renamed").reset_heartbeat(turn.now_ms);
        self.heard(turn, &join.new_member_id);
        self.happened(turn, Reason::StaticMemberReturned, &join.new_member_id);
        match self.state {
            State::Stable if self.protocol_name == self.select_protocol() => {
                let record = self.to_record(|member| member.assignment.clone());
                let replaced = ReplacedMember {
                    token: join.token,
                    version: join.version,
                    member_id: join.new_member_id,
                    previous,
                    previous_leader,
                };
                self.append(turn, vec![record], Then::ReplaceStatic(Box::new(replaced)));
            }
            // The leader may be assigning to the old id right now.
            State::Stable | State::CompletingRebalance => self.prepare_rebalance(turn),
            State::PreparingRebalance => self.complete_if_all_joined(turn),
            State::Empty => unreachable!("an empty group has no static member"),
        }
    }

    /// Gives a static member another id, with nothing parked, and returns it as it was.
    fn rename_member(&mut self, former_id: &str, new_id: &str) -> Member {
        let was_leader = self.is_leader(former_id);
        let previous = self.remove(former_id).expect("static members are members");
        self.add(Member {
            id: new_id.to_owned(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
            ..previous.clone()
        });
        if was_leader {
            self.leader = Some(new_id.to_owned());
        }
        previous
    }

    /// The new id is durable, so the member may know it; or it is not, and the old one stays.
    pub fn static_member_persisted(
        &mut self,
        turn: &mut Turn<'_>,
        replaced: ReplacedMember,
        outcome: Result<(), ErrorCode>,
    ) {
        let ReplacedMember { token, version, member_id, previous, previous_leader } = replaced;
        // Somebody else may have answered it in the meantime: a rebalance that was complete, the next life.
        let parked =
            self.members.get_mut(&member_id).and_then(|member| member.awaiting_join.take_if(|own| *own == token));
        if parked.is_none() {
            return;
        }
        if let Err(error) = outcome {
            let previous_id = previous.id.clone();
            self.remove(&member_id);
            self.add(previous);
            self.reset_heartbeat(turn.now_ms, &previous_id);
            if self.state == State::Stable {
                self.leader = previous_leader;
            }
            return turn.out.respond(token, join_error(NO_MEMBER, error));
        }
        // Its session did not count while it waited.
        self.reset_heartbeat(turn.now_ms, &member_id);
        let is_leader = self.is_leader(&member_id);
        let response = if version >= SKIP_ASSIGNMENT_VERSION {
            JoinGroupResponse { skip_assignment: is_leader, ..self.join_response(&member_id, is_leader) }
        } else {
            let leader = previous_leader.unwrap_or_default();
            JoinGroupResponse { leader, ..self.join_response(&member_id, false) }
        };
        turn.out.respond(token, response);
    }
}
