//! A member of a classic group: joins, synchronises, sends heartbeats, and starts over when told to.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use wire::ErrorCode;
use wire::api::k11_join_group::JoinGroupRequestProtocol;
use wire::api::k13_leave_group::MemberIdentity;
use wire::api::k14_sync_group::SyncGroupRequestAssignment;
use wire::api::{HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest};
use wire::records::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition};

use super::connection::{Answer, Connection};
use super::member::{HEARTBEAT_INTERVAL, News, Profile, RETRY_PAUSE};
use super::{GroupsError, verdict};

const JOIN_VERSION: i16 = 9;
const SYNC_VERSION: i16 = 5;
const HEARTBEAT_VERSION: i16 = 4;
const LEAVE_VERSION: i16 = 5;
const PROTOCOL_TYPE: &str = "consumer";
const ASSIGNOR: &str = "range";
/// Kafka's clients' default (`max.poll.interval.ms`).
const REBALANCE_TIMEOUT_MS: i32 = 300_000;
const NO_GENERATION: i32 = -1;

#[derive(Debug)]
enum Phase {
    Join,
    /// With the assignments of all members, from the leader.
    Sync(Vec<SyncGroupRequestAssignment>),
    Stable,
}

pub(super) struct Classic {
    profile: Profile,
    member_id: String,
    generation: i32,
    phase: Phase,
    partitions: Vec<i32>,
    due: Instant,
    out: bool,
}

impl Classic {
    pub(super) fn new(profile: Profile, due: Instant) -> Self {
        Self {
            profile,
            member_id: String::new(),
            generation: NO_GENERATION,
            phase: Phase::Join,
            partitions: Vec::new(),
            due,
            out: false,
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        (!self.out).then_some(self.due)
    }

    pub(super) fn pace(&mut self, interval: Duration, due: Instant) {
        self.profile.heartbeat_interval = Some(interval);
        self.due = due;
    }

    pub(super) fn partitions(&self) -> &[i32] {
        &self.partitions
    }

    pub(super) fn settled(&self) -> Option<i32> {
        matches!(self.phase, Phase::Stable).then_some(self.generation)
    }

    pub(super) fn identity(&self) -> (&str, i32) {
        (&self.member_id, self.generation)
    }

    pub(super) fn ask<T>(&mut self, connection: &mut Connection<T>, token: T) -> io::Result<()> {
        assert!(!self.out, "one request is out at a time");
        self.out = true;
        match &mut self.phase {
            Phase::Join => connection.send(&self.join_request(), JOIN_VERSION, token, self.due),
            Phase::Sync(assignments) => {
                let request = SyncGroupRequest {
                    group_id: self.profile.group.clone(),
                    generation_id: self.generation,
                    member_id: self.member_id.clone(),
                    group_instance_id: None,
                    protocol_type: Some(PROTOCOL_TYPE.into()),
                    protocol_name: Some(ASSIGNOR.into()),
                    assignments: std::mem::take(assignments),
                };
                connection.send(&request, SYNC_VERSION, token, self.due)
            }
            Phase::Stable => {
                let request = HeartbeatRequest {
                    group_id: self.profile.group.clone(),
                    generation_id: self.generation,
                    member_id: self.member_id.clone(),
                    group_instance_id: None,
                };
                connection.send(&request, HEARTBEAT_VERSION, token, self.due)
            }
        }
    }

    fn join_request(&self) -> JoinGroupRequest {
        let subscription =
            ConsumerProtocolSubscription { topics: vec![self.profile.topic.clone()], ..Default::default() };
        JoinGroupRequest {
            group_id: self.profile.group.clone(),
            session_timeout_ms: self.profile.session_timeout.as_millis() as i32,
            rebalance_timeout_ms: REBALANCE_TIMEOUT_MS,
            member_id: self.member_id.clone(),
            group_instance_id: None,
            protocol_type: PROTOCOL_TYPE.into(),
            protocols: vec![JoinGroupRequestProtocol {
                name: ASSIGNOR.into(),
                metadata: Bytes::from(subscription.to_bytes()),
            }],
            reason: None,
        }
    }

    pub(super) fn leave<T>(&mut self, connection: &mut Connection<T>, token: T) -> io::Result<()> {
        let member = MemberIdentity { member_id: self.member_id.clone(), group_instance_id: None, reason: None };
        let request =
            LeaveGroupRequest { group_id: self.profile.group.clone(), member_id: String::new(), members: vec![member] };
        connection.send(&request, LEAVE_VERSION, token, Instant::now())
    }

    pub(super) fn take<T>(&mut self, answer: &Answer<T>) -> Result<News, GroupsError> {
        assert!(self.out, "an answer follows a request");
        self.out = false;
        match self.phase {
            Phase::Join => self.take_join(answer),
            Phase::Sync(_) => self.take_sync(answer),
            Phase::Stable => self.take_heartbeat(answer),
        }
    }

    fn take_join<T>(&mut self, answer: &Answer<T>) -> Result<News, GroupsError> {
        let response = answer.decode::<JoinGroupRequest>(JOIN_VERSION)?;
        match verdict(response.error_code) {
            ErrorCode::None => {}
            ErrorCode::MemberIdRequired => {
                self.member_id = response.member_id;
                self.due = answer.received;
                return Ok(News::Step);
            }
            error => return self.start_over(error, answer.received),
        }
        self.generation = response.generation_id;
        let leads = response.leader == response.member_id;
        self.member_id = response.member_id;
        let mut members: Vec<String> = response.members.into_iter().map(|member| member.member_id).collect();
        members.sort();
        self.phase = Phase::Sync(if leads { self.assign(&members) } else { Vec::new() });
        self.due = answer.received;
        Ok(News::Step)
    }

    fn assign(&self, members: &[String]) -> Vec<SyncGroupRequestAssignment> {
        let assignment = |(member, partitions): (&String, Vec<i32>)| {
            let topic = TopicPartition { topic: self.profile.topic.clone(), partitions };
            let assignment = ConsumerProtocolAssignment { assigned_partitions: vec![topic], user_data: None };
            SyncGroupRequestAssignment { member_id: member.clone(), assignment: Bytes::from(assignment.to_bytes()) }
        };
        members.iter().zip(ranges(self.profile.partitions, members.len())).map(assignment).collect()
    }

    fn take_sync<T>(&mut self, answer: &Answer<T>) -> Result<News, GroupsError> {
        let response = answer.decode::<SyncGroupRequest>(SYNC_VERSION)?;
        match verdict(response.error_code) {
            ErrorCode::None => {}
            error => return self.start_over(error, answer.received),
        }
        let own = ConsumerProtocolAssignment::from_bytes(&response.assignment)
            .map_err(|_| GroupsError::Malformed("an assignment"))?;
        self.partitions = own.assigned_partitions.into_iter().flat_map(|topic| topic.partitions).collect();
        self.phase = Phase::Stable;
        self.due = answer.received + self.interval();
        Ok(News::Assigned)
    }

    fn take_heartbeat<T>(&mut self, answer: &Answer<T>) -> Result<News, GroupsError> {
        let response = answer.decode::<HeartbeatRequest>(HEARTBEAT_VERSION)?;
        match verdict(response.error_code) {
            ErrorCode::None => {
                // Counted from when it was due: a slow answer does not thin out the load.
                self.due += self.interval();
                Ok(News::Alive)
            }
            error => self.start_over(error, answer.received),
        }
    }

    fn interval(&self) -> Duration {
        self.profile.heartbeat_interval.unwrap_or(HEARTBEAT_INTERVAL)
    }

    fn start_over(&mut self, error: ErrorCode, now: Instant) -> Result<News, GroupsError> {
        self.due = now;
        match error {
            ErrorCode::RebalanceInProgress => {}
            ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration => {
                self.member_id.clear();
                self.generation = NO_GENERATION;
            }
            ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable | ErrorCode::CoordinatorLoadInProgress => {
                self.due = now + RETRY_PAUSE
            }
            error => return Err(GroupsError::Refused { what: "a member", code: error.code() }),
        }
        self.phase = Phase::Join;
        self.partitions.clear();
        Ok(News::Rejoining)
    }
}

/// Partitions 0 to `partitions` in consecutive shares, the first ones larger by one where it does not divide.
fn ranges(partitions: i32, members: usize) -> Vec<Vec<i32>> {
    let members = members as i32;
    let (least, more) = (partitions / members, partitions % members);
    let start = |member: i32| member * least + member.min(more);
    (0..members).map(|member| (start(member)..start(member + 1)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_one_member_and_the_last_ones_may_idle() {
        assert_eq!(ranges(4, 5), [vec![0], vec![1], vec![2], vec![3], vec![]]);
        assert_eq!(ranges(7, 3), [vec![0, 1, 2], vec![3, 4], vec![5, 6]]);
    }
}
