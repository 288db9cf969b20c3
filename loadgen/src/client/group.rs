//! Membership in a classic consumer group.
//!
//! Driving contract: [`GroupMember::join`] returns the member's partitions. While it reads them, the owner calls
//! [`GroupMember::heartbeat`] at least every [`GroupOptions::heartbeat_interval`]; when that says [`Rebalance::Due`], it commits
//! what it has processed and joins again. [`GroupMember::leave`] gives the partitions to the others at once.
//!
//! The assignor is Kafka's `range`, so that Java's consumers may be in the same group.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;
use wire::ErrorCode;
use wire::api::k11_join_group::{JoinGroupRequestProtocol, JoinGroupResponse};
use wire::api::k13_leave_group::MemberIdentity;
use wire::api::k14_sync_group::SyncGroupRequestAssignment;
use wire::api::{HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest, SyncGroupRequest};
use wire::message::Api;
use wire::records::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition as ProtocolTopic,
};

use super::{Client, ClientError, TopicPartition, check, group_offsets};

const PROTOCOL_TYPE: &str = "consumer";
const ASSIGNOR: &str = "range";
/// Pause between attempts while a coordinator or a rebalance is not ready.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// How much longer than the coordinator's own deadline an answer is waited for.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);

/// What a member asks of its group.
#[derive(Debug, Clone)]
pub struct GroupOptions {
    /// The group.
    pub group: String,
    /// The topics.
    pub topics: Vec<String>,
    /// How long the member may stay silent.
    pub session_timeout: Duration,
    /// How long a rebalance waits for the member.
    pub rebalance_timeout: Duration,
    /// How often the coordinator hears of the member.
    pub heartbeat_interval: Duration,
}

impl GroupOptions {
    /// A group's member with the timeouts that Kafka's consumers have: sessions of 45 s, rebalances of 5 min, a heartbeat
    /// every 3 s.
    pub fn new(group: &str, topics: &[&str]) -> GroupOptions {
        GroupOptions {
            group: group.to_owned(),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            session_timeout: Duration::from_secs(45),
            rebalance_timeout: Duration::from_secs(300),
            heartbeat_interval: Duration::from_secs(3),
        }
    }
}

/// What a heartbeat says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebalance {
    /// The partitions stay the member's.
    No,
    /// The group forms anew: join again.
    Due,
}

/// A member of a group.
#[derive(Debug)]
pub struct GroupMember {
    options: GroupOptions,
    coordinator: i32,
    member_id: String,
    generation: i32,
    heartbeat_at: Instant,
}

impl GroupMember {
    /// A member that has not joined yet.
    ///
    /// # Errors
    /// No coordinator within the client's timeout.
    pub fn new(client: &mut Client, options: GroupOptions) -> Result<GroupMember, ClientError> {
        let coordinator = find_coordinator(client, &options.group)?;
        Ok(GroupMember { options, coordinator, member_id: String::new(), generation: -1, heartbeat_at: Instant::now() })
    }

    /// Joins and returns the member's partitions; waits for as long as the rebalance takes.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with what cannot be helped by trying again.
    pub fn join(&mut self, client: &mut Client) -> Result<Vec<TopicPartition>, ClientError> {
        let deadline = Instant::now() + self.options.rebalance_timeout + client.timeout();
        loop {
            match self.try_join(client) {
                Ok(partitions) => {
                    self.heartbeat_at = Instant::now();
                    return Ok(partitions);
                }
                Err(error) if Instant::now() < deadline && self.recover(client, &error)? => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Prepares another attempt, if the error allows one.
    fn recover(&mut self, client: &mut Client, error: &ClientError) -> Result<bool, ClientError> {
        match error.code() {
            Some(ErrorCode::MemberIdRequired) => {}
            Some(ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration) => {
                self.member_id.clear();
                self.generation = -1;
            }
            Some(ErrorCode::RebalanceInProgress) => sleep(RETRY_PAUSE),
            Some(
                ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable | ErrorCode::CoordinatorLoadInProgress,
            ) => {
                sleep(RETRY_PAUSE);
                self.coordinator = find_coordinator(client, &self.options.group)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn try_join(&mut self, client: &mut Client) -> Result<Vec<TopicPartition>, ClientError> {
        let joined = self.join_group(client)?;
        let assignments = if joined.leader == joined.member_id { self.assign(client, &joined)? } else { Vec::new() };
        let request = SyncGroupRequest {
            group_id: self.options.group.clone(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: None,
            protocol_type: Some(PROTOCOL_TYPE.into()),
            protocol_name: Some(ASSIGNOR.into()),
            assignments,
        };
        let answer = self.call(client, &request)?;
        check(answer.error_code, None, || self.what("synchronising with"))?;
        if answer.assignment.is_empty() {
            return Ok(Vec::new());
        }
        let own = ConsumerProtocolAssignment::from_bytes(&answer.assignment).map_err(ClientError::Protocol)?;
        Ok(TopicPartition::from_protocol(own))
    }

    fn join_group(&mut self, client: &mut Client) -> Result<JoinGroupResponse, ClientError> {
        let subscription = ConsumerProtocolSubscription { topics: self.options.topics.clone(), ..Default::default() };
        let metadata = Bytes::from(subscription.to_bytes());
        let request = JoinGroupRequest {
            group_id: self.options.group.clone(),
            session_timeout_ms: milliseconds(self.options.session_timeout),
            rebalance_timeout_ms: milliseconds(self.options.rebalance_timeout),
            member_id: self.member_id.clone(),
            group_instance_id: None,
            protocol_type: PROTOCOL_TYPE.into(),
            protocols: vec![JoinGroupRequestProtocol { name: ASSIGNOR.into(), metadata }],
            reason: None,
        };
        let joined = self.call(client, &request)?;
        if joined.error_code == ErrorCode::MemberIdRequired.code() {
            self.member_id.clone_from(&joined.member_id);
        }
        check(joined.error_code, None, || self.what("joining"))?;
        self.member_id.clone_from(&joined.member_id);
        self.generation = joined.generation_id;
        Ok(joined)
    }

    fn assign(
        &self,
        client: &mut Client,
        joined: &JoinGroupResponse,
    ) -> Result<Vec<SyncGroupRequestAssignment>, ClientError> {
        let mut subscribers: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for member in &joined.members {
            let wanted = ConsumerProtocolSubscription::from_bytes(&member.metadata).map_err(ClientError::Protocol)?;
            for topic in wanted.topics {
                subscribers.entry(topic).or_default().insert(&member.member_id);
            }
        }
        let mut shares: BTreeMap<&str, Vec<ProtocolTopic>> =
            joined.members.iter().map(|member| (member.member_id.as_str(), Vec::new())).collect();
        for (topic, members) in &subscribers {
            let partitions = match client.topic(topic, false) {
                Ok(info) => info.partitions.iter().map(|partition| partition.index).collect(),
                Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => Vec::new(),
                Err(error) => return Err(error),
            };
            for (member, share) in members.iter().zip(ranges(&partitions, members.len())) {
                if !share.is_empty() {
                    let share = ProtocolTopic { topic: topic.clone(), partitions: share.to_vec() };
                    shares.entry(member).or_default().push(share);
                }
            }
        }
        let assignment = |(member, assigned_partitions): (&str, _)| SyncGroupRequestAssignment {
            member_id: member.to_owned(),
            assignment: ConsumerProtocolAssignment { assigned_partitions, user_data: None }.to_bytes().into(),
        };
        Ok(shares.into_iter().map(assignment).collect())
    }

    /// Lets the coordinator know that the member lives, if that is due.
    ///
    /// # Errors
    /// What cannot be helped by joining again.
    pub fn heartbeat(&mut self, client: &mut Client) -> Result<Rebalance, ClientError> {
        if self.heartbeat_at.elapsed() < self.options.heartbeat_interval {
            return Ok(Rebalance::No);
        }
        self.heartbeat_at = Instant::now();
        let request = HeartbeatRequest {
            group_id: self.options.group.clone(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: None,
        };
        let answer = self.call(client, &request)?;
        match check(answer.error_code, None, || self.what("staying in")) {
            Ok(()) => Ok(Rebalance::No),
            Err(error) if self.recover(client, &error)? => Ok(Rebalance::Due),
            Err(error) => Err(error),
        }
    }

    /// The offsets that the group has committed for some partitions; one without is absent.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the coordinator's word.
    pub fn committed(
        &mut self,
        client: &mut Client,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, i64>, ClientError> {
        let request = group_offsets::fetch_request(client, &self.options.group, Some(partitions));
        let answer = self.call(client, &request)?;
        group_offsets::fetched(client, &self.options.group, &answer)
    }

    /// Commits offsets: those of the next records to process.
    ///
    /// # Errors
    /// [`ClientError::Refused`]: with REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION or UNKNOWN_MEMBER_ID the partitions are
    /// somebody else's by now.
    pub fn commit(&mut self, client: &mut Client, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), ClientError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let request = OffsetCommitRequest {
            generation_id_or_member_epoch: self.generation,
            member_id: self.member_id.clone(),
            ..group_offsets::commit_request(client, &self.options.group, offsets)
        };
        let answer = self.call(client, &request)?;
        group_offsets::committed(&self.options.group, &answer)
    }

    /// Leaves, so that the others need not wait for the session to time out.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the coordinator's word.
    pub fn leave(mut self, client: &mut Client) -> Result<(), ClientError> {
        if self.member_id.is_empty() {
            return Ok(());
        }
        let member = MemberIdentity { member_id: self.member_id.clone(), group_instance_id: None, reason: None };
        let request = LeaveGroupRequest {
            group_id: self.options.group.clone(),
            member_id: self.member_id.clone(),
            members: vec![member],
        };
        let answer = self.call(client, &request)?;
        check(answer.error_code, None, || self.what("leaving"))
    }

    fn call<A: Api>(&mut self, client: &mut Client, request: &A) -> Result<A::Response, ClientError> {
        let patience = client.timeout().max(self.options.rebalance_timeout + ANSWER_MARGIN);
        client.call_node_within(self.coordinator, request, patience)
    }

    fn what(&self, doing: &str) -> String {
        group_offsets::what(doing, &self.options.group)
    }
}

/// Kafka's range assignor for one topic: each of `members` a run of partitions, the first ones one more if it does not come
/// out even.
pub(crate) fn ranges<T>(partitions: &[T], members: usize) -> Vec<&[T]> {
    let (each, more) = (partitions.len() / members, partitions.len() % members);
    let start = |member: usize| each * member + member.min(more);
    (0..members).map(|member| &partitions[start(member)..start(member + 1)]).collect()
}

fn find_coordinator(client: &mut Client, group: &str) -> Result<i32, ClientError> {
    let deadline = Instant::now() + client.timeout();
    loop {
        match client.coordinator(group) {
            Err(error) if error.is_retriable() && Instant::now() < deadline => sleep(RETRY_PAUSE),
            found => return found,
        }
    }
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn a_topics_partitions_are_dealt_in_runs() {
        assert_eq!(ranges(&[0, 1, 2, 3, 4], 2), [&[0, 1, 2][..], &[3, 4]]);
        assert_eq!(ranges(&[0, 1], 3), [&[0][..], &[1], &[]]);
        assert_eq!(ranges(&[0; 0], 2), [&[0i32; 0][..], &[]]);
    }
}
