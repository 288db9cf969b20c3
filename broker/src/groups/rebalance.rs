//! From one generation to the next: waiting for the members, electing, giving up on who is silent.

use bytes::Bytes;
use wire::ErrorCode;
use wire::api::{JoinGroupResponse, SyncGroupResponse};

use super::classic_group::{ClassicGroup, State};
use super::history::Reason;
use super::member::{Member, NO_MEMBER};
use super::outbox::{Then, Turn};

/// When to stop waiting for members to join.
#[derive(Debug, Clone, Copy)]
pub(super) struct JoinTimer {
    pub deadline: i64,
    /// Of an initial rebalance: how long this wait is, and by how much it may still be extended, both in ms.
    initial: Option<(i64, i64)>,
}

/// What a group waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// When to stop waiting for members to join.
    Join,
    /// When to throw out the members that have not sent SyncGroup.
    Sync,
    /// When to take a member for dead.
    Heartbeat(String),
    /// When to take a member for dead whose connection is lost.
    Lost(String),
    /// When to forget a member id that was given out and not used.
    Pending(String),
}

impl ClassicGroup {
    /// The earliest time at which [`Group::tick`] has something to do, in ms since the epoch.
    pub fn deadline(&self) -> Option<i64> {
        let join = self.join_timer.map(|timer| timer.deadline);
        let heartbeats = self.members.values().filter_map(|member| member.heartbeat_deadline);
        let lost = self.members.values().filter_map(|member| member.lost?.deadline);
        let pending = self.pending_members.values().copied();
        join.into_iter().chain(self.sync_deadline).chain(heartbeats).chain(lost).chain(pending).min()
    }

    fn next_timer(&self) -> Option<(i64, Timer)> {
        let join = self.join_timer.map(|timer| (timer.deadline, Timer::Join));
        let sync = self.sync_deadline.map(|deadline| (deadline, Timer::Sync));
        let beat = |member: &Member| Some((member.heartbeat_deadline?, Timer::Heartbeat(member.id.clone())));
        let heartbeats = self.members.values().filter_map(beat);
        let lost = |member: &Member| Some((member.lost?.deadline?, Timer::Lost(member.id.clone())));
        let lost = self.members.values().filter_map(lost);
        let pending = self.pending_members.iter().map(|(id, &deadline)| (deadline, Timer::Pending(id.clone())));
        join.into_iter().chain(sync).chain(heartbeats).chain(lost).chain(pending).min()
    }

    /// Does what is due.
    pub fn tick(&mut self, turn: &mut Turn<'_>) {
        while self.deadline().is_some_and(|deadline| deadline <= turn.now_ms) {
            let (_, timer) = self.next_timer().expect("a deadline is a timer's");
            match timer {
                Timer::Join => self.join_timer_fired(turn),
                Timer::Sync => self.expire_pending_syncs(turn),
                Timer::Heartbeat(member_id) => self.expire_heartbeat(turn, &member_id),
                Timer::Lost(member_id) => self.lose_member(turn, &member_id, Reason::ConnectionLost),
                Timer::Pending(member_id) => self.remove_pending(turn, &member_id),
            }
        }
    }

    /// Begins a rebalance, or ends the one under way if everybody is there.
    pub fn prepare_or_complete(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::PreparingRebalance => self.complete_if_all_joined(turn),
            State::Empty | State::CompletingRebalance | State::Stable => self.prepare_rebalance(turn),
        }
    }

    /// Ends the rebalance under way if everybody is there; an initial one waits for its delay.
    pub fn complete_if_all_joined(&mut self, turn: &mut Turn<'_>) {
        if self.state == State::PreparingRebalance && !self.is_initial_rebalance && self.has_all_members_joined() {
            self.complete_join(turn);
        }
    }

    /// Asks all members to join again, because of what has happened last.
    pub fn prepare_rebalance(&mut self, turn: &mut Turn<'_>) {
        assert_ne!(self.state, State::PreparingRebalance, "a rebalance begins once");
        if self.state == State::CompletingRebalance {
            self.reset_assignments(turn, ErrorCode::RebalanceInProgress);
        }
        self.sync_deadline = None;
        self.is_initial_rebalance = self.state == State::Empty;
        self.transition(turn.now_ms, State::PreparingRebalance);
        self.history.rebalance_began(turn.now_ms);
        if self.is_initial_rebalance {
            let delay_ms = turn.config.initial_rebalance_delay_ms;
            let left_ms = (self.rebalance_timeout_ms() - delay_ms).max(0);
            self.join_timer = Some(JoinTimer { deadline: turn.now_ms + delay_ms, initial: Some((delay_ms, left_ms)) });
        } else if self.has_all_members_joined() {
            self.complete_join(turn);
        } else {
            self.wait_for_members(turn.now_ms);
        }
    }

    fn wait_for_members(&mut self, now_ms: i64) {
        self.join_timer = Some(JoinTimer { deadline: now_ms + self.rebalance_timeout_ms(), initial: None });
    }

    fn join_timer_fired(&mut self, turn: &mut Turn<'_>) {
        let timer = self.join_timer.take().expect("the timer that fired is set");
        match timer.initial {
            Some((delay_ms, left_ms)) if self.new_member_added && left_ms != 0 => {
                self.new_member_added = false;
                let next_ms = turn.config.initial_rebalance_delay_ms.min(left_ms);
                let initial = Some((next_ms, (left_ms - delay_ms).max(0)));
                self.join_timer = Some(JoinTimer { deadline: turn.now_ms + next_ms, initial });
            }
            _ => self.complete_join(turn),
        }
    }

    /// Ends the wait: whoever has not rejoined is out (static members stay), and a new generation begins.
    pub fn complete_join(&mut self, turn: &mut Turn<'_>) {
        assert_eq!(self.state, State::PreparingRebalance, "a join completes what was prepared");
        self.join_timer = None;
        self.new_member_added = false;
        let is_missing = |member: &&Member| member.awaiting_join.is_none() && member.instance_id.is_none();
        let missing: Vec<String> = self.members.values().filter(is_missing).map(|member| member.id.clone()).collect();
        for member_id in missing {
            self.drop_member(turn, &member_id, Reason::RejoinMissed);
        }
        if !self.members.is_empty() && !self.elect_joined_leader() {
            self.wait_for_members(turn.now_ms);
            return;
        }
        self.is_initial_rebalance = false;
        self.generation = self.generation.checked_add(1).unwrap_or(0);
        self.former_epochs.clear();
        self.protocol_name = self.select_protocol();
        self.subscribed_topics = self.compute_subscribed_topics();
        if self.members.is_empty() {
            self.leader = None;
            self.transition(turn.now_ms, State::Empty);
            self.history.rebalance_ended(turn.now_ms);
            let record = self.to_record(|_| Bytes::new());
            self.append(turn, vec![record], Then::Nothing);
            return;
        }
        self.transition(turn.now_ms, State::CompletingRebalance);
        let member_ids: Vec<String> = self.members.keys().cloned().collect();
        for member_id in &member_ids {
            let response = self.join_response(member_id, self.is_leader(member_id));
            let member = self.members.get_mut(member_id).expect("the ids are the members'");
            member.is_new = false;
            member.pending_sync = true;
            member.reset_heartbeat(turn.now_ms);
            if let Some(token) = member.awaiting_join.take() {
                self.history.join_waited(turn.now_ms - member.last_heard_ms.unwrap_or(turn.now_ms));
                turn.out.respond(token, response);
            }
        }
        self.sync_deadline = Some(turn.now_ms + self.rebalance_timeout_ms());
    }

    /// Makes sure that a member that has joined leads; false where none has.
    fn elect_joined_leader(&mut self) -> bool {
        let has_joined = |member: &Member| member.awaiting_join.is_some();
        let leader = self.leader.as_ref().and_then(|leader| self.members.get(leader));
        if leader.is_some_and(has_joined) {
            return true;
        }
        let Some(joined) = self.members.values().find(|member| has_joined(member)) else { return false };
        self.leader = Some(joined.id.clone());
        true
    }

    /// What a member of this generation is told.
    pub fn join_response(&self, member_id: &str, with_members: bool) -> JoinGroupResponse {
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: member_id.to_owned(),
            members: if with_members { self.member_list() } else { Vec::new() },
            ..JoinGroupResponse::default()
        }
    }

    /// Tells those who wait for their assignments why there are none. What they had before they may still have.
    pub fn reset_assignments(&mut self, turn: &mut Turn<'_>, error: ErrorCode) {
        for member in self.members.values_mut() {
            if let Some(token) = member.awaiting_sync.take() {
                member.reset_heartbeat(turn.now_ms);
                turn.out.respond(token, sync_error(error));
            }
        }
    }

    /// Removes a member and answers what it has parked, without looking at what that means for the group.
    pub fn drop_member(&mut self, turn: &mut Turn<'_>, member_id: &str, reason: Reason) {
        self.happened(turn, reason, member_id);
        let Some(member) = self.remove(member_id) else { return };
        if let Some(token) = member.awaiting_join {
            // With no member id, the client joins again as a new member if it is still there.
            turn.out.respond(token, join_error(NO_MEMBER, ErrorCode::UnknownMemberId));
        }
        if let Some(token) = member.awaiting_sync {
            turn.out.respond(token, sync_error(ErrorCode::UnknownMemberId));
        }
    }

    fn remove_pending(&mut self, turn: &mut Turn<'_>, member_id: &str) {
        self.pending_members.remove(member_id);
        if self.state == State::PreparingRebalance && self.has_all_members_joined() {
            self.complete_join(turn);
        }
    }

    fn expire_heartbeat(&mut self, turn: &mut Turn<'_>, member_id: &str) {
        let member = self.members.get_mut(member_id).expect("the timer is a member's");
        member.heartbeat_deadline = None;
        if probe::mutated!(member.is_excused(), NobodyExpires => true) {
            return;
        }
        self.lose_member(turn, member_id, Reason::SessionExpired);
    }

    /// Goes on without a member that seems to be dead.
    fn lose_member(&mut self, turn: &mut Turn<'_>, member_id: &str, reason: Reason) {
        self.drop_member(turn, member_id, reason);
        match self.state {
            State::Stable | State::CompletingRebalance => self.prepare_or_complete(turn),
            State::PreparingRebalance if self.has_all_members_joined() => self.complete_join(turn),
            State::PreparingRebalance | State::Empty => {}
        }
    }

    fn expire_pending_syncs(&mut self, turn: &mut Turn<'_>) {
        self.sync_deadline = None;
        let pending = self.members.values().filter(|member| member.pending_sync);
        let pending: Vec<String> = pending.map(|member| member.id.clone()).collect();
        if pending.is_empty() {
            return;
        }
        for member_id in pending {
            self.drop_member(turn, &member_id, Reason::SyncMissed);
        }
        self.prepare_rebalance(turn);
    }

    /// A member has sent SyncGroup.
    pub fn mark_synced(&mut self, member_id: &str) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.pending_sync = false;
        }
        if !self.members.values().any(|member| member.pending_sync) {
            self.sync_deadline = None;
        }
    }
}

/// A JoinGroup that failed.
pub(super) fn join_error(member_id: &str, error: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse { error_code: error.code(), member_id: member_id.to_owned(), ..JoinGroupResponse::default() }
}

/// A SyncGroup that failed.
pub(super) fn sync_error(error: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code: error.code(), ..SyncGroupResponse::default() }
}
