//! A member of a classic group, driven step by step, each on whatever connection the test likes.

use bytes::Bytes;
use wire::api::k11_join_group::JoinGroupRequestProtocol;
use wire::api::k14_sync_group::SyncGroupRequestAssignment;
use wire::api::*;
use wire::records::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition};

use super::Client;

const JOIN: i16 = 5;
const SYNC: i16 = 3;
const HEARTBEAT: i16 = 3;

/// Who it is in its group.
#[derive(Clone, Debug, Default)]
pub struct Member {
    pub group: String,
    pub topic: String,
    pub id: String,
    pub generation: i32,
}

impl Client {
    /// Finds the coordinator of a group, which creates the offsets topic.
    pub fn find_coordinator(&mut self, group: &str) {
        let request = FindCoordinatorRequest { coordinator_keys: vec![group.into()], ..Default::default() };
        assert_eq!(self.call(4, &request).coordinators[0].error_code, 0);
    }
}

impl Member {
    pub fn new(group: &str, topic: &str) -> Member {
        Member { group: group.into(), topic: topic.into(), ..Member::default() }
    }

    fn join_request(&self) -> JoinGroupRequest {
        let subscription = ConsumerProtocolSubscription { topics: vec![self.topic.clone()], ..Default::default() };
        JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: 45_000,
            rebalance_timeout_ms: 60_000,
            member_id: self.id.clone(),
            protocol_type: "consumer".into(),
            protocols: vec![JoinGroupRequestProtocol {
                name: "range".into(),
                metadata: subscription.to_bytes().into(),
            }],
            ..Default::default()
        }
    }

    /// Gets a member id if it has none, and sends its JoinGroup; returns the correlation id.
    pub fn begin_join(&mut self, client: &mut Client) -> i32 {
        if self.id.is_empty() {
            self.id = client.call(JOIN, &self.join_request()).member_id;
        }
        client.send(JOIN, &self.join_request())
    }

    /// Takes the answer to its JoinGroup.
    pub fn end_join(&mut self, client: &mut Client, correlation_id: i32) -> JoinGroupResponse {
        let response = client.receive::<JoinGroupRequest>(JOIN, correlation_id);
        assert_eq!(response.error_code, 0, "{self:?} joins");
        self.generation = response.generation_id;
        response
    }

    /// Asks for its assignment, as the leader with everybody's; returns the correlation id.
    pub fn begin_sync(&self, client: &mut Client, assignments: &[(&Member, &[i32])]) -> i32 {
        let assignment = |&(member, partitions): &(&Member, &[i32])| {
            let topic = TopicPartition { topic: self.topic.clone(), partitions: partitions.to_vec() };
            let assignment = ConsumerProtocolAssignment { assigned_partitions: vec![topic], ..Default::default() };
            SyncGroupRequestAssignment { member_id: member.id.clone(), assignment: assignment.to_bytes().into() }
        };
        let request = SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            assignments: assignments.iter().map(assignment).collect(),
            ..Default::default()
        };
        client.send(SYNC, &request)
    }

    /// Takes its assignment: its partitions.
    pub fn end_sync(&self, client: &mut Client, correlation_id: i32) -> Vec<i32> {
        let response = client.receive::<SyncGroupRequest>(SYNC, correlation_id);
        assert_eq!(response.error_code, 0, "{self:?} gets its assignment");
        let bytes: Bytes = response.assignment;
        let assignment = ConsumerProtocolAssignment::from_bytes(&bytes).expect("what the leader has written");
        assignment.assigned_partitions.into_iter().flat_map(|topic| topic.partitions).collect()
    }

    /// Joins a group that has no other member, as the leader of its first generation, and reads these partitions.
    pub fn join_alone(&mut self, client: &mut Client, partitions: &[i32]) {
        let correlation_id = self.begin_join(client);
        self.end_join(client, correlation_id);
        let correlation_id = self.begin_sync(client, &[(self, partitions)]);
        assert_eq!(self.end_sync(client, correlation_id), partitions);
    }

    /// A heartbeat's error code.
    pub fn heartbeat(&self, client: &mut Client) -> i16 {
        let request = HeartbeatRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            ..Default::default()
        };
        client.call(HEARTBEAT, &request).error_code
    }
}

/// Two members share a topic's two partitions, the first one leading, each on a connection of its own.
pub fn two_members(leader: (&mut Member, &mut Client), follower: (&mut Member, &mut Client)) {
    let ((leader, leader_client), (follower, follower_client)) = (leader, follower);
    leader.join_alone(leader_client, &[0, 1]);
    let follower_join = follower.begin_join(follower_client);
    super::wait_until("the leader is to join again", || leader.heartbeat(leader_client) != 0);
    let leader_join = leader.begin_join(leader_client);
    leader.end_join(leader_client, leader_join);
    follower.end_join(follower_client, follower_join);
    let leader_sync = leader.begin_sync(leader_client, &[(leader, &[0]), (follower, &[1])]);
    let follower_sync = follower.begin_sync(follower_client, &[]);
    assert_eq!(leader.end_sync(leader_client, leader_sync), [0]);
    assert_eq!(follower.end_sync(follower_client, follower_sync), [1]);
}
