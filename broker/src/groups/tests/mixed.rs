//! Members of both protocols in one group, which goes from one type to the other and back while writes fail, answers are
//! lost, members die and the broker restarts: no partition ever has two owners, and in the end each has one.
//!
//! The members behave as real ones do: eager ones give everything up before they join, cooperative ones what SyncGroup does
//! not give them again, members of the new protocol what a heartbeat does not. One that was not answered for its session
//! timeout gives everything up.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wire::ErrorCode;
use wire::api::k11_join_group::{JoinGroupRequestProtocol, JoinGroupResponseMember};
use wire::api::k13_leave_group::MemberIdentity;
use wire::api::k14_sync_group::SyncGroupRequestAssignment;
use wire::api::k68_consumer_group_heartbeat::TopicPartitions;
use wire::api::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest, SyncGroupResponse,
};
use wire::records::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition};

use super::super::group::Group;
use super::super::{
    ConsumerGroupConfig, GroupConfig, GroupEffect, GroupRequest, GroupResponse, GroupSetting, Groups, MigrationPolicy,
};
use super::super::{WriteId, assignor::Assignor};
use super::consumer::Topics;
use crate::Token;

const SEEDS: u64 = if cfg!(debug_assertions) { 60 } else { 1_000 };
const STEPS: usize = 150;
const GROUP: &str = "g";
const TOPIC: &str = "t";
const PARTITIONS: i32 = 7;
const SESSION_TIMEOUT_MS: i64 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Eager,
    Cooperative,
    Consumer,
}

/// What a member does next.
#[derive(Debug, Clone, PartialEq)]
enum Phase {
    Join,
    /// With the assignments to send, where it leads.
    Sync(Vec<SyncGroupRequestAssignment>),
    Heartbeat,
}

#[derive(Debug)]
struct Member {
    kind: Kind,
    id: String,
    /// Generation, or member epoch.
    epoch: i32,
    phase: Phase,
    owned: BTreeSet<i32>,
    /// The request that is not answered yet, and when it was sent.
    waiting: Option<(Token, i64)>,
    /// When the last request that succeeded was sent.
    heard_ms: i64,
}

impl Member {
    fn new(kind: Kind, number: usize, now_ms: i64) -> Member {
        // Members of the new protocol make their own ids.
        let id = if kind == Kind::Consumer { format!("consumer-{number}") } else { String::new() };
        let owned = BTreeSet::new();
        Member { kind, id, epoch: 0, phase: Phase::Join, owned, waiting: None, heard_ms: now_ms }
    }

    /// It is no member any more, and knows it.
    fn begin_anew(&mut self) {
        self.owned.clear();
        self.epoch = 0;
        self.phase = Phase::Join;
        if self.kind != Kind::Consumer {
            self.id.clear();
        }
    }

    fn request(&mut self, topics: &Topics) -> GroupRequest {
        let group_id = GROUP.to_owned();
        if self.kind == Kind::Consumer {
            let is_joining = self.epoch == 0;
            let partitions = self.owned.iter().copied().collect();
            let owned = vec![TopicPartitions { topic_id: topics.id(TOPIC), partitions }];
            return consumer_heartbeat(ConsumerGroupHeartbeatRequest {
                group_id,
                member_id: self.id.clone(),
                member_epoch: self.epoch,
                rebalance_timeout_ms: 60_000,
                subscribed_topic_names: Some(vec![TOPIC.to_owned()]),
                topic_partitions: Some(if is_joining { Vec::new() } else { owned }),
                ..ConsumerGroupHeartbeatRequest::default()
            });
        }
        let member_id = self.id.clone();
        match &self.phase {
            Phase::Heartbeat => GroupRequest::Heartbeat(HeartbeatRequest {
                group_id,
                member_id,
                generation_id: self.epoch,
                group_instance_id: None,
            }),
            Phase::Sync(assignments) => GroupRequest::SyncGroup(SyncGroupRequest {
                group_id,
                member_id,
                generation_id: self.epoch,
                assignments: assignments.clone(),
                ..SyncGroupRequest::default()
            }),
            Phase::Join => self.join_request(),
        }
    }

    fn join_request(&mut self) -> GroupRequest {
        if self.kind == Kind::Eager {
            self.owned.clear();
        }
        let partitions = self.owned.iter().copied().collect();
        let metadata = ConsumerProtocolSubscription {
            topics: vec![TOPIC.to_owned()],
            owned_partitions: vec![TopicPartition { topic: TOPIC.to_owned(), partitions }],
            ..ConsumerProtocolSubscription::default()
        };
        GroupRequest::JoinGroup {
            request: JoinGroupRequest {
                group_id: GROUP.to_owned(),
                session_timeout_ms: SESSION_TIMEOUT_MS as i32,
                rebalance_timeout_ms: 60_000,
                member_id: self.id.clone(),
                protocol_type: "consumer".to_owned(),
                protocols: vec![JoinGroupRequestProtocol {
                    name: format!("{:?}", self.kind),
                    metadata: metadata.to_bytes().into(),
                }],
                ..JoinGroupRequest::default()
            },
            version: 9,
            client_id: "c".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
        }
    }

    /// Whether it has been told something that it can go on from.
    fn handle(&mut self, response: &GroupResponse) -> bool {
        match response {
            GroupResponse::ConsumerGroupHeartbeat(response) => self.handle_consumer_heartbeat(response),
            GroupResponse::JoinGroup(response) => self.handle_join(response),
            GroupResponse::SyncGroup(response) => self.handle_sync(response),
            GroupResponse::Heartbeat(response) => self.handle_error(response.error_code),
            other => panic!("nobody asks for {other:?}"),
        }
    }

    fn handle_consumer_heartbeat(&mut self, response: &ConsumerGroupHeartbeatResponse) -> bool {
        if !self.handle_error(response.error_code) {
            return false;
        }
        self.epoch = response.member_epoch;
        if let Some(assignment) = &response.assignment {
            let partitions = assignment.topic_partitions.iter().flat_map(|topic| topic.partitions.iter().copied());
            self.owned = partitions.collect();
        }
        true
    }

    fn handle_join(&mut self, response: &JoinGroupResponse) -> bool {
        if response.error_code == ErrorCode::MemberIdRequired.code() {
            self.id.clone_from(&response.member_id);
            return true;
        }
        if !self.handle_error(response.error_code) {
            return false;
        }
        self.id.clone_from(&response.member_id);
        self.epoch = response.generation_id;
        let leads = response.leader == response.member_id;
        self.phase = Phase::Sync(if leads { lead(self.kind, &response.members) } else { Vec::new() });
        true
    }

    fn handle_sync(&mut self, response: &SyncGroupResponse) -> bool {
        if !self.handle_error(response.error_code) {
            return false;
        }
        let assignment = ConsumerProtocolAssignment::from_bytes(&response.assignment).unwrap_or_default();
        let partitions = assignment.assigned_partitions.into_iter().flat_map(|topic| topic.partitions);
        let assigned: BTreeSet<i32> = partitions.collect();
        let has_revoked = !self.owned.is_subset(&assigned);
        self.phase = if has_revoked { Phase::Join } else { Phase::Heartbeat };
        self.owned = assigned;
        true
    }

    fn handle_error(&mut self, code: i16) -> bool {
        match ErrorCode::from_code(code).expect("a known error") {
            ErrorCode::None => return true,
            ErrorCode::RebalanceInProgress => {
                self.phase = Phase::Join;
                return true;
            }
            ErrorCode::UnknownMemberId | ErrorCode::FencedMemberEpoch | ErrorCode::GroupIdNotFound => self.begin_anew(),
            ErrorCode::IllegalGeneration => {
                self.owned.clear();
                self.phase = Phase::Join;
            }
            ErrorCode::CoordinatorNotAvailable => {}
            error => panic!("{self:?} is told {error:?}"),
        }
        false
    }
}

fn consumer_heartbeat(request: ConsumerGroupHeartbeatRequest) -> GroupRequest {
    let (client_id, client_host) = ("c".to_owned(), "/127.0.0.1".to_owned());
    GroupRequest::ConsumerGroupHeartbeat { request, version: 1, client_id, client_host }
}

/// What a leader assigns. A cooperative one gives nobody what somebody else still has.
fn lead(kind: Kind, members: &[JoinGroupResponseMember]) -> Vec<SyncGroupRequestAssignment> {
    let mut free: BTreeSet<i32> = (0..PARTITIONS).collect();
    let mut assigned: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    let quota = (PARTITIONS as usize).div_ceil(members.len());
    for member in members {
        let subscription = ConsumerProtocolSubscription::from_bytes(&member.metadata).expect("a subscription");
        let owned = subscription.owned_partitions.into_iter().flat_map(|topic| topic.partitions);
        let owned: Vec<i32> = owned.filter(|partition| free.remove(partition)).collect();
        let kept = owned.into_iter().take(quota).collect();
        assigned.insert(&member.member_id, if kind == Kind::Eager { Vec::new() } else { kept });
    }
    for partition in free {
        let least = assigned.values_mut().min_by_key(|partitions| partitions.len()).expect("somebody leads");
        least.push(partition);
    }
    let assignment = |partitions| {
        let assigned_partitions = vec![TopicPartition { topic: TOPIC.to_owned(), partitions }];
        ConsumerProtocolAssignment { assigned_partitions, user_data: None }.to_bytes().into()
    };
    let entry = |(member_id, partitions): (&str, _)| SyncGroupRequestAssignment {
        member_id: member_id.to_owned(),
        assignment: assignment(partitions),
    };
    assigned.into_iter().map(entry).collect()
}

struct World {
    random: ChaCha8Rng,
    config: GroupConfig,
    topics: Topics,
    groups: Groups,
    now_ms: i64,
    tokens: Token,
    /// The protocol of the classic members: those of two do not mix.
    classic: Kind,
    members: Vec<Member>,
    joined: usize,
    writes: Vec<(WriteId, Vec<u8>)>,
    log: Vec<u8>,
    /// How often the group was seen to change its type.
    upgrades: usize,
    downgrades: usize,
    was_consumer: bool,
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let config = GroupConfig {
            disconnect_grace_ms: None,
            initial_rebalance_delay_ms: 0,
            session_timeout_ms_min: 0,
            session_timeout_ms_max: SESSION_TIMEOUT_MS,
            size_max: 100,
            offset_metadata_bytes_max: 0,
            offsets_retention_ms: i64::MAX / 4,
            offsets_retention_check_interval_ms: 1_000_000,
            offsets_partitions: 1,
            consumer: ConsumerGroupConfig {
                heartbeat_interval: GroupSetting::fixed(1_000),
                session_timeout: GroupSetting::fixed(SESSION_TIMEOUT_MS as i32),
                size_max: 100,
                migration: MigrationPolicy::Bidirectional,
                assignors: &Assignor::ALL,
            },
        };
        let classic = if random.random() { Kind::Eager } else { Kind::Cooperative };
        let mut world = World {
            random,
            config,
            topics: Topics::default(),
            groups: Groups::new(config),
            now_ms: 1,
            tokens: 0,
            classic,
            members: Vec::new(),
            joined: 0,
            writes: Vec::new(),
            log: Vec::new(),
            upgrades: 0,
            downgrades: 0,
            was_consumer: false,
        };
        let image = world.topics.set(&[&format!("{TOPIC}:{PARTITIONS}")]);
        world.groups.set_image(image.into());
        world.groups.loaded(0, 0);
        world
    }

    fn join(&mut self, kind: Kind) {
        self.joined += 1;
        self.members.push(Member::new(kind, self.joined, self.now_ms));
    }

    /// A member does what it does next, if it does not wait.
    fn act(&mut self, index: usize) {
        let member = &mut self.members[index];
        let is_silent = self.now_ms - member.heard_ms >= SESSION_TIMEOUT_MS;
        match member.waiting {
            // Others may have more time to join than a session.
            Some(_) if member.kind != Kind::Consumer && member.phase != Phase::Heartbeat => return,
            Some(_) if !is_silent => return,
            None if !is_silent => {}
            _ => {
                member.begin_anew();
                member.heard_ms = self.now_ms;
            }
        }
        let request = member.request(&self.topics);
        self.tokens += 1;
        member.waiting = Some((self.tokens, self.now_ms));
        self.groups.handle(self.now_ms, self.tokens, None, request, u128::from(self.tokens));
        self.drain();
    }

    fn leave(&mut self, index: usize) {
        let member = self.members.remove(index);
        let group_id = GROUP.to_owned();
        let request = if member.kind == Kind::Consumer {
            consumer_heartbeat(ConsumerGroupHeartbeatRequest {
                group_id,
                member_id: member.id,
                member_epoch: -1,
                ..ConsumerGroupHeartbeatRequest::default()
            })
        } else {
            let members = vec![MemberIdentity { member_id: member.id, ..MemberIdentity::default() }];
            let request = LeaveGroupRequest { group_id, members, ..LeaveGroupRequest::default() };
            GroupRequest::LeaveGroup { request, version: 5 }
        };
        self.tokens += 1;
        self.groups.handle(self.now_ms, self.tokens, None, request, 0);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(effect) = self.groups.poll_effect() {
            match effect {
                GroupEffect::Append { write_id, batch, .. } => self.writes.push((write_id, batch)),
                GroupEffect::Respond { token, response } => self.deliver(token, &response),
            }
        }
        let is_consumer = matches!(self.groups.groups.get(GROUP), Some(Group::Consumer(group)) if !group.is_vacant());
        let is_classic = matches!(self.groups.groups.get(GROUP), Some(Group::Classic(group)) if !group.is_vacant());
        self.upgrades += usize::from(is_consumer && !self.was_consumer);
        self.downgrades += usize::from(is_classic && self.was_consumer);
        self.was_consumer = (self.was_consumer || is_consumer) && !is_classic;
    }

    fn deliver(&mut self, token: Token, response: &GroupResponse) {
        let asked = |member: &&mut Member| member.waiting.is_some_and(|(waiting, _)| waiting == token);
        let Some(member) = self.members.iter_mut().find(asked) else { return };
        let (_, sent_ms) = member.waiting.take().expect("it waits");
        let has_joined = matches!(response, GroupResponse::JoinGroup(_));
        if self.now_ms - member.heard_ms >= SESSION_TIMEOUT_MS {
            member.owned.clear();
            if !has_joined {
                return member.begin_anew();
            }
        }
        if member.handle(response) {
            member.heard_ms = if has_joined { self.now_ms } else { sent_ms };
        }
        self.check_owners();
    }

    fn check_owners(&self) {
        let mut owners: BTreeMap<i32, &str> = BTreeMap::new();
        for member in self.members.iter().filter(|member| self.now_ms - member.heard_ms < SESSION_TIMEOUT_MS) {
            for &partition in &member.owned {
                let other = owners.insert(partition, &member.id);
                assert_eq!(other, None, "{TOPIC}-{partition} has two owners: {:#?}", self.members);
            }
        }
    }

    fn finish_writes(&mut self, outcome: Result<(), ErrorCode>) {
        for (write_id, batch) in std::mem::take(&mut self.writes) {
            if outcome.is_ok() {
                self.log.extend_from_slice(&batch);
            }
            self.groups.appended(self.now_ms, write_id, outcome);
        }
        self.drain();
    }

    /// The broker crashes: what is not durable is gone, and so are all connections.
    fn restart(&mut self) {
        let image = self.groups.image.clone();
        self.writes.clear();
        self.groups = Groups::new(self.config);
        self.groups.set_image(image);
        self.groups.load(0, &self.log).expect("the log is readable");
        self.groups.loaded(0, self.now_ms);
        for member in &mut self.members {
            member.waiting = None;
        }
        self.drain();
    }

    fn advance(&mut self, ms: i64) {
        self.now_ms += ms;
        self.groups.tick(self.now_ms);
        self.drain();
    }

    fn step(&mut self) {
        match self.random.random_range(0..24) {
            0 if self.members.len() < 6 => self.join(self.classic),
            1 if self.members.len() < 6 => self.join(Kind::Consumer),
            2 if !self.members.is_empty() => {
                let index = self.random.random_range(0..self.members.len());
                if self.random.random() { self.leave(index) } else { drop(self.members.remove(index)) }
            }
            3 => self.finish_writes(Err(ErrorCode::NotEnoughReplicas)),
            4 => self.restart(),
            5 => {
                // Answers are lost, those to requests that are parked too.
                for member in &mut self.members {
                    member.waiting = None;
                }
            }
            6..9 => {
                let ms = self.random.random_range(0..1_500);
                self.advance(ms);
            }
            9..14 => self.finish_writes(Ok(())),
            _ if !self.members.is_empty() => {
                let index = self.random.random_range(0..self.members.len());
                self.act(index);
            }
            _ => {}
        }
        self.check_owners();
    }

    /// Nothing fails any more: soon all partitions have an owner, and the group is of its members' type.
    fn settle(&mut self) {
        for _ in 0..200 {
            for index in 0..self.members.len() {
                self.act(index);
                self.finish_writes(Ok(()));
            }
            self.advance(1_000);
            self.check_owners();
        }
        let owned: BTreeSet<i32> = self.members.iter().flat_map(|member| member.owned.iter().copied()).collect();
        if !self.members.is_empty() {
            assert_eq!(owned, (0..PARTITIONS).collect(), "all partitions have an owner: {:#?}", self.members);
            let is_consumer = self.members.iter().any(|member| member.kind == Kind::Consumer);
            assert_eq!(self.was_consumer, is_consumer, "the group is of the type that its members make it");
        }
    }
}

#[test]
fn members_of_both_protocols_never_own_a_partition_twice() {
    // SEED=… at compile time repeats a run.
    let first = option_env!("SEED").and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u64>);
    let (mut upgrades, mut downgrades) = (0, 0);
    for seed in (0..SEEDS).map(|run| first.wrapping_add(run)) {
        println!("SEED={seed}");
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.settle();
        upgrades += world.upgrades;
        downgrades += world.downgrades;
    }
    assert!(upgrades > 10 && downgrades > 2, "{upgrades} upgrades and {downgrades} downgrades show little");
}
