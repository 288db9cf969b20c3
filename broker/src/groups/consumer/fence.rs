//! Who is still a member: sessions, lost connections, members that do not give up what they are to, and who may commit.

use wire::ErrorCode;
use wire::api::OffsetCommitRequest;

use super::super::connections::{ConnectionId, Lost};
use super::super::outbox::Turn;
use super::ConsumerGroup;
use super::member::Member;

/// From here on a commit bears a member epoch.
const MEMBER_EPOCH_VERSION: i16 = 9;

impl Member {
    /// Starts its session in a group anew.
    pub(super) fn begin_session(&mut self, turn: &Turn<'_>, group_id: &str) {
        let classic = self.classic.as_ref().map(|classic| classic.session_timeout_ms);
        let session_timeout_ms = classic.unwrap_or_else(|| turn.session_timeout_ms(group_id));
        self.session_deadline = Some(turn.now_ms + i64::from(session_timeout_ms));
    }

    /// Gives it its time: to give partitions up, or to join or sync where it speaks the classic protocol.
    pub(super) fn await_revocation(&mut self, now_ms: i64) {
        self.rebalance_deadline = Some(now_ms + i64::from(self.rebalance_timeout_ms.max(0)));
    }

    /// It has sent something.
    pub(super) fn heard(&mut self, turn: &Turn<'_>) {
        self.connection = turn.from;
        self.last_heard_ms = Some(turn.now_ms);
        self.lost = None;
    }
}

impl ConsumerGroup {
    /// The earliest time at which [`ConsumerGroup::tick`] has something to do, in ms since the epoch.
    pub fn deadline(&self) -> Option<i64> {
        self.timers.first().map(|&(deadline, _)| deadline)
    }

    /// Throws out whoever is due.
    pub fn tick(&mut self, turn: &mut Turn<'_>) {
        let mut has_lost_members = false;
        while let Some((_, member_id)) = self.timers.first().filter(|&&(deadline, _)| deadline <= turn.now_ms).cloned()
        {
            self.timers.pop_first();
            let member = self.members.get_mut(&member_id).expect("a timer is a member's");
            member.indexed_deadline = None;
            probe::mutation!(NobodyExpires => continue);
            if member.deadline().is_some_and(|deadline| deadline <= turn.now_ms) {
                let reason = member.reason_to_go(turn.now_ms);
                self.happened(turn, reason, &member_id);
                self.remove_member(&member_id);
                has_lost_members = true;
            } else {
                member.schedule(&mut self.timers);
            }
        }
        if has_lost_members {
            self.bump_epoch();
            self.topics_changed = true;
            self.flush(turn, None);
        }
    }

    /// A member has not been told what it is to do: its time for that begins when it is.
    pub fn not_told(&mut self, member_id: &str) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.rebalance_deadline = None;
        }
    }

    /// A client's connection has ended: its member is out unless it is heard again soon.
    pub fn disconnected(&mut self, turn: &Turn<'_>, connection: ConnectionId) {
        self.connections.remove(&connection);
        let interval_ms = i64::from(turn.heartbeat_interval_ms(&self.id));
        for member in self.members.values_mut().filter(|member| member.connection == Some(connection)) {
            let next_heartbeat_ms = member.last_heard_ms.map_or(turn.now_ms, |heard_ms| heard_ms + interval_ms);
            let lost = Lost::new(turn, next_heartbeat_ms, member.instance_id.as_deref());
            self.lost_until_ms = self.lost_until_ms.max(lost.deadline);
            member.connection = None;
            member.lost = Some(lost);
            member.schedule(&mut self.timers);
        }
    }

    /// Checks who commits: UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH (ILLEGAL_GENERATION for who speaks the classic protocol),
    /// UNSUPPORTED_VERSION. A member that has not heard of its newest epoch may commit for what it has had since then.
    pub fn admit_commit(
        &mut self,
        turn: &Turn<'_>,
        request: &OffsetCommitRequest,
        version: i16,
    ) -> Result<(), ErrorCode> {
        let admitted = self.check_commit(turn, request, version);
        match admitted {
            Ok(()) => self.history.counts.commits += 1,
            Err(error) => {
                let given = ("OffsetCommit", request.member_id.as_str(), request.generation_id_or_member_epoch);
                self.refused(turn, given, error);
            }
        }
        admitted
    }

    fn check_commit(&mut self, turn: &Turn<'_>, request: &OffsetCommitRequest, version: i16) -> Result<(), ErrorCode> {
        let epoch = request.generation_id_or_member_epoch;
        if epoch < 0 && self.members.is_empty() {
            return Ok(());
        }
        let member = self.members.get_mut(&request.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if member.classic.is_none() && version < MEMBER_EPOCH_VERSION {
            return Err(ErrorCode::UnsupportedVersion);
        }
        let has_had_since = |epoch: i32| {
            let mut topics = request.topics.iter();
            topics.all(|topic| {
                topic.partitions.iter().all(|partition| {
                    let assigned = member.assigned.get(&topic.topic_id);
                    let since = assigned.and_then(|assigned| assigned.get(&partition.partition_index));
                    since.is_some_and(|&since| since <= epoch)
                })
            })
        };
        let is_stale = epoch != member.epoch && (epoch > member.epoch || !has_had_since(epoch));
        if probe::mutated!(is_stale, StaleMemberEpoch => false) {
            let is_classic = member.classic.is_some();
            return Err(if is_classic { ErrorCode::IllegalGeneration } else { ErrorCode::StaleMemberEpoch });
        }
        member.heard(turn);
        self.connections.extend(turn.from);
        Ok(())
    }

    /// Checks who asks for offsets: UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH. Who is no member gives neither id nor epoch.
    pub fn validate_fetch(&self, member_id: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        if member_id.is_none() && epoch < 0 {
            return Ok(());
        }
        let member = member_id.and_then(|member_id| self.members.get(member_id)).ok_or(ErrorCode::UnknownMemberId)?;
        match epoch == member.epoch {
            true => Ok(()),
            false if member.classic.is_some() => Err(ErrorCode::IllegalGeneration),
            false => Err(ErrorCode::StaleMemberEpoch),
        }
    }
}
