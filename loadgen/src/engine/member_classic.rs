//! A member of a classic group: joins, synchronises, sends heartbeats, and starts over when told to; its leader assigns by range.
//!
//! Eager, as Kafka's range assignor is: all partitions are given up before the group is joined again.

use bytes::Bytes;
use wire::ErrorCode;
use wire::api::k11_join_group::{JoinGroupRequestProtocol, JoinGroupResponseMember};
use wire::api::k13_leave_group::MemberIdentity;
use wire::api::k14_sync_group::SyncGroupRequestAssignment;
use wire::api::{ApiKey, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest};
use wire::records::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition};

use super::EngineError;
use super::clock::Nanos;
use super::connection::Answer;
use super::member::{Ask, News, RETRY_PAUSE};
use super::reader::Asked;
use super::topology::Topic;
use crate::client::ranges;
use crate::scenario::Group;

const PROTOCOL_TYPE: &str = "consumer";
const ASSIGNOR: &str = "range";
const NO_GENERATION: i32 = -1;

#[derive(Debug)]
enum Phase {
    Join,
    /// With the assignments of all members, from the leader.
    Sync(Vec<SyncGroupRequestAssignment>),
    Stable,
}

/// See the module's page.
#[derive(Debug)]
pub(super) struct Classic {
    group: String,
    topic: String,
    partitions: i32,
    session_timeout_ms: i32,
    rebalance_timeout_ms: i32,
    heartbeat: Nanos,
    member_id: String,
    generation: i32,
    phase: Phase,
    due: Nanos,
    is_out: bool,
}

impl Classic {
    pub(super) fn new(group: &Group, id: &str, topic: &Topic, due: Nanos) -> Classic {
        Classic {
            group: id.to_owned(),
            topic: topic.name.clone(),
            partitions: topic.leaders.len() as i32,
            session_timeout_ms: i32::try_from(group.session_timeout_ms).unwrap_or(i32::MAX),
            rebalance_timeout_ms: i32::try_from(group.rebalance_timeout_ms).unwrap_or(i32::MAX),
            heartbeat: u64::from(group.heartbeat_ms) * 1_000_000,
            member_id: String::new(),
            generation: NO_GENERATION,
            phase: Phase::Join,
            due,
            is_out: false,
        }
    }

    pub(super) fn due(&self) -> Option<Nanos> {
        (!self.is_out).then_some(self.due)
    }

    pub(super) fn settled(&self) -> Option<i32> {
        matches!(self.phase, Phase::Stable).then_some(self.generation)
    }

    pub(super) fn identity(&self) -> (&str, i32) {
        (&self.member_id, self.generation)
    }

    pub(super) fn ask(&mut self) -> Ask {
        assert!(!self.is_out, "one request is out at a time");
        self.is_out = true;
        match &self.phase {
            Phase::Join => Ask::Join(self.join_request()),
            Phase::Sync(assignments) => Ask::Sync(SyncGroupRequest {
                group_id: self.group.clone(),
                generation_id: self.generation,
                member_id: self.member_id.clone(),
                group_instance_id: None,
                protocol_type: Some(PROTOCOL_TYPE.into()),
                protocol_name: Some(ASSIGNOR.into()),
                assignments: assignments.clone(),
            }),
            Phase::Stable => Ask::Heartbeat(HeartbeatRequest {
                group_id: self.group.clone(),
                generation_id: self.generation,
                member_id: self.member_id.clone(),
                group_instance_id: None,
            }),
        }
    }

    fn join_request(&self) -> JoinGroupRequest {
        let subscription = ConsumerProtocolSubscription { topics: vec![self.topic.clone()], ..Default::default() };
        JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: self.session_timeout_ms,
            rebalance_timeout_ms: self.rebalance_timeout_ms,
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

    pub(super) fn leave(&self) -> Option<LeaveGroupRequest> {
        let member = MemberIdentity { member_id: self.member_id.clone(), group_instance_id: None, reason: None };
        (!self.member_id.is_empty()).then(|| LeaveGroupRequest {
            group_id: self.group.clone(),
            member_id: self.member_id.clone(),
            members: vec![member],
        })
    }

    pub(super) fn lost(&mut self, now: Nanos) {
        self.is_out = false;
        self.due = now + RETRY_PAUSE;
    }

    pub(super) fn take(&mut self, answer: &Answer<Asked>, now: Nanos) -> Result<News, EngineError> {
        self.is_out = false;
        match answer.api() {
            ApiKey::JoinGroup => self.take_join(answer, now),
            ApiKey::SyncGroup => self.take_sync(answer, now),
            _ => self.take_heartbeat(answer, now),
        }
    }

    fn take_join(&mut self, answer: &Answer<Asked>, now: Nanos) -> Result<News, EngineError> {
        let response = answer.decode::<JoinGroupRequest>()?;
        self.due = now;
        if response.error_code == ErrorCode::MemberIdRequired.code() {
            self.member_id = response.member_id;
            return Ok(News::Nothing);
        }
        if response.error_code != 0 {
            return self.start_over("joining", response.error_code, now);
        }
        let leads = response.leader == response.member_id;
        self.member_id = response.member_id;
        self.generation = response.generation_id;
        self.phase = Phase::Sync(if leads { self.assign(response.members) } else { Vec::new() });
        Ok(News::Nothing)
    }

    /// Kafka's range assignor, for the one topic that all members subscribe to.
    fn assign(&self, members: Vec<JoinGroupResponseMember>) -> Vec<SyncGroupRequestAssignment> {
        let mut members: Vec<String> = members.into_iter().map(|member| member.member_id).collect();
        members.sort_unstable();
        let partitions: Vec<i32> = (0..self.partitions).collect();
        let shares = ranges(&partitions, members.len());
        let assignment = |(member_id, share): (String, &[i32])| {
            let own = TopicPartition { topic: self.topic.clone(), partitions: share.to_vec() };
            let assigned_partitions = if share.is_empty() { Vec::new() } else { vec![own] };
            let assignment = ConsumerProtocolAssignment { assigned_partitions, user_data: None };
            SyncGroupRequestAssignment { member_id, assignment: Bytes::from(assignment.to_bytes()) }
        };
        members.into_iter().zip(shares).map(assignment).collect()
    }

    fn take_sync(&mut self, answer: &Answer<Asked>, now: Nanos) -> Result<News, EngineError> {
        let response = answer.decode::<SyncGroupRequest>()?;
        if response.error_code != 0 {
            return self.start_over("synchronising", response.error_code, now);
        }
        let partitions = if response.assignment.is_empty() {
            Vec::new()
        } else {
            let own = ConsumerProtocolAssignment::from_bytes(&response.assignment)
                .map_err(|error| EngineError::nonsense(ApiKey::SyncGroup, &error))?;
            own.assigned_partitions.into_iter().flat_map(|topic| topic.partitions).collect()
        };
        self.phase = Phase::Stable;
        self.due = now + self.heartbeat;
        Ok(News::Assigned(partitions))
    }

    fn take_heartbeat(&mut self, answer: &Answer<Asked>, now: Nanos) -> Result<News, EngineError> {
        let response = answer.decode::<HeartbeatRequest>()?;
        if response.error_code != 0 {
            return self.start_over("staying", response.error_code, now);
        }
        self.due = now + self.heartbeat;
        Ok(News::Nothing)
    }

    fn start_over(&mut self, doing: &str, code: i16, now: Nanos) -> Result<News, EngineError> {
        self.due = now;
        let was_stable = matches!(self.phase, Phase::Stable);
        let news = match ErrorCode::from_code(code) {
            Some(ErrorCode::RebalanceInProgress) if was_stable => News::Revoked((0..self.partitions).collect()),
            Some(ErrorCode::RebalanceInProgress) => News::Nothing,
            Some(ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration) => {
                self.member_id.clear();
                self.generation = NO_GENERATION;
                News::Lost
            }
            Some(
                ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable | ErrorCode::CoordinatorLoadInProgress,
            ) => {
                // The place in the group is kept: the request is sent again to whoever coordinates by then.
                self.due = now + RETRY_PAUSE;
                return Ok(News::Coordinator);
            }
            _ => return Err(EngineError::refused(format!("{doing} in group {}", self.group), code)),
        };
        self.phase = Phase::Join;
        Ok(news)
    }
}
