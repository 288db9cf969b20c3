//! Random clients, connections and writes that fail, time that passes, restarts: every request is answered exactly once, nothing waits
//! for ever, and a load gives the offsets that were served.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::ErrorCode;
use wire::api::k08_offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::api::k09_offset_fetch::OffsetFetchRequestGroup;
use wire::api::k11_join_group::JoinGroupRequestProtocol;
use wire::api::k13_leave_group::MemberIdentity;
use wire::api::k14_sync_group::SyncGroupRequestAssignment;
use wire::api::{HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest, SyncGroupRequest};

use super::super::assignor::Assignor;
use super::super::group::Group;
use super::super::{
    ConnectionId, ConsumerGroupConfig, GroupConfig, GroupEffect, GroupRequest, GroupResponse, GroupSetting, Groups,
    MigrationPolicy, WriteId,
};
use super::tick_next;
use crate::Token;

const GROUPS: [&str; 2] = ["g", "h"];
/// Connections that the clients share.
const CONNECTIONS: u64 = 5;
const STEPS: usize = 400;

struct World {
    random: StdRng,
    config: GroupConfig,
    groups: Groups,
    now_ms: i64,
    tokens: Token,
    /// Requests without an answer.
    open: BTreeSet<Token>,
    /// Member ids and generations that somebody has been told, by group.
    members: BTreeMap<String, Vec<(String, i32)>>,
    group_of: BTreeMap<Token, String>,
    writes: Vec<(WriteId, Vec<u8>)>,
    log: Vec<u8>,
    answered: BTreeMap<&'static str, usize>,
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = StdRng::seed_from_u64(seed);
        let config = GroupConfig {
            disconnect_grace_ms: [None, Some(0), Some(100)][random.random_range(0..3)],
            initial_rebalance_delay_ms: random.random_range(0..2) * 50,
            session_timeout_ms_min: 1,
            session_timeout_ms_max: 1_000,
            size_max: 3,
            offset_metadata_bytes_max: 10,
            offsets_retention_ms: 2_000,
            offsets_retention_check_interval_ms: 500,
            offsets_partitions: 1,
            consumer: ConsumerGroupConfig {
                heartbeat_interval: GroupSetting::fixed(100),
                session_timeout: GroupSetting::fixed(400),
                size_max: 3,
                migration: MigrationPolicy::Bidirectional,
                assignors: &Assignor::ALL,
            },
        };
        let mut groups = Groups::new(config);
        groups.loaded(0, 0);
        World {
            random,
            config,
            groups,
            now_ms: 0,
            tokens: 0,
            open: BTreeSet::new(),
            members: BTreeMap::new(),
            group_of: BTreeMap::new(),
            writes: Vec::new(),
            log: Vec::new(),
            answered: BTreeMap::new(),
        }
    }

    fn member(&mut self, group_id: &str) -> (String, i32) {
        let known = self.members.entry(group_id.to_owned()).or_default();
        let recent = known.len().min(6);
        if recent == 0 || self.random.random_range(0..20) == 0 {
            return ("nobody".to_owned(), 1);
        }
        known[known.len() - 1 - self.random.random_range(0..recent)].clone()
    }

    fn instance(&mut self) -> Option<String> {
        (self.random.random_range(0..3) == 0).then(|| format!("i{}", self.random.random_range(0..2)))
    }

    fn join(&mut self, group_id: String) -> GroupRequest {
        let is_new = self.random.random_range(0..2) == 0;
        let protocol = |name: &str, random: &mut StdRng| JoinGroupRequestProtocol {
            name: name.to_owned(),
            metadata: Bytes::from(vec![random.random_range(0..2)]),
        };
        GroupRequest::JoinGroup {
            request: JoinGroupRequest {
                session_timeout_ms: self.random.random_range(0..400),
                rebalance_timeout_ms: self.random.random_range(-1..300),
                member_id: if is_new { String::new() } else { self.member(&group_id).0 },
                group_instance_id: self.instance(),
                protocol_type: "consumer".to_owned(),
                protocols: vec![protocol("range", &mut self.random), protocol("rr", &mut self.random)],
                reason: None,
                group_id,
            },
            version: self.random.random_range(0..10),
            client_id: "c".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
        }
    }

    fn request(&mut self) -> GroupRequest {
        let group_id = GROUPS[self.random.random_range(0..GROUPS.len())].to_owned();
        let (member_id, generation) = self.member(&group_id);
        match self.random.random_range(0..10) {
            0..4 => self.join(group_id),
            4..6 => {
                let assignment = Bytes::from_static(b"assigned");
                GroupRequest::SyncGroup(SyncGroupRequest {
                    generation_id: generation,
                    assignments: vec![SyncGroupRequestAssignment { member_id: member_id.clone(), assignment }],
                    member_id,
                    group_id,
                    ..SyncGroupRequest::default()
                })
            }
            6 => GroupRequest::Heartbeat(HeartbeatRequest {
                generation_id: generation,
                group_instance_id: self.instance(),
                member_id,
                group_id,
            }),
            7 => {
                let members = vec![MemberIdentity { member_id, ..MemberIdentity::default() }];
                let request = LeaveGroupRequest { group_id, members, ..LeaveGroupRequest::default() };
                GroupRequest::LeaveGroup { request, version: 5 }
            }
            8 => {
                let is_simple = self.random.random_range(0..2) == 0;
                self.commit(group_id, if is_simple { None } else { Some((member_id, generation)) })
            }
            _ => GroupRequest::DeleteGroups { group_id },
        }
    }

    fn commit(&mut self, group_id: String, member: Option<(String, i32)>) -> GroupRequest {
        let (member_id, generation) = member.unwrap_or((String::new(), -1));
        let partition = OffsetCommitRequestPartition {
            partition_index: self.random.random_range(0..3),
            committed_offset: self.random.random_range(0..1000),
            ..OffsetCommitRequestPartition::default()
        };
        let topic = OffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
        let request = OffsetCommitRequest {
            group_id,
            generation_id_or_member_epoch: generation,
            member_id,
            topics: vec![topic],
            ..OffsetCommitRequest::default()
        };
        GroupRequest::OffsetCommit { request, version: 7, refused: Vec::new() }
    }

    fn send(&mut self, request: GroupRequest) {
        self.tokens += 1;
        if let GroupRequest::JoinGroup { request, .. } = &request {
            self.group_of.insert(self.tokens, request.group_id.clone());
        }
        self.open.insert(self.tokens);
        let from = Some(ConnectionId(self.random.random_range(0..CONNECTIONS)));
        self.groups.handle(self.now_ms, self.tokens, from, request, self.tokens.into());
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(effect) = self.groups.poll_effect() {
            match effect {
                GroupEffect::Append { write_id, offsets_partition: 0, batch } => self.writes.push((write_id, batch)),
                GroupEffect::Append { offsets_partition, .. } => panic!("no partition {offsets_partition}"),
                GroupEffect::Respond { token, response } => {
                    assert!(self.open.remove(&token), "request {token} is answered twice: {response:?}");
                    self.learn(token, &response);
                }
            }
        }
    }

    fn learn(&mut self, token: Token, response: &GroupResponse) {
        let kind = match response {
            GroupResponse::JoinGroup(join) if join.error_code == 0 => "joined",
            GroupResponse::SyncGroup(sync) if sync.error_code == 0 => "assigned",
            GroupResponse::OffsetCommit(commit) if commit.topics[0].partitions[0].error_code == 0 => "committed",
            GroupResponse::DeleteGroups(deleted) if deleted.error_code == 0 => "deleted",
            _ => "other",
        };
        *self.answered.entry(kind).or_default() += 1;
        if let GroupResponse::JoinGroup(join) = response
            && !join.member_id.is_empty()
        {
            let known = self.members.entry(self.group_of[&token].clone()).or_default();
            known.push((join.member_id.clone(), join.generation_id));
        }
    }

    fn finish_write(&mut self) {
        if self.writes.is_empty() {
            return;
        }
        let (write_id, batch) = self.writes.remove(0);
        let outcome = if self.random.random_range(0..10) == 0 { Err(ErrorCode::NotEnoughReplicas) } else { Ok(()) };
        if outcome.is_ok() {
            self.log.extend_from_slice(&batch);
        }
        self.groups.appended(self.now_ms, write_id, outcome);
        self.drain();
    }

    fn disconnect(&mut self) {
        let connection = ConnectionId(self.random.random_range(0..CONNECTIONS));
        self.groups.disconnected(self.now_ms, connection);
        self.drain();
    }

    fn advance(&mut self, ms: i64) {
        let end_ms = self.now_ms + ms;
        while tick_next(&mut self.groups, &mut self.now_ms, end_ms) {
            self.drain();
        }
        self.now_ms = end_ms;
    }

    fn offsets(&self, groups: &mut Groups) -> Vec<GroupResponse> {
        let mut answers = Vec::new();
        for group_id in GROUPS {
            let request = OffsetFetchRequestGroup { group_id: group_id.into(), topics: None, ..Default::default() };
            groups.handle(self.now_ms, 0, None, GroupRequest::OffsetFetch { request, version: 8 }, 0);
            match groups.poll_effect() {
                Some(GroupEffect::Respond { response, .. }) => answers.push(response),
                other => panic!("a fetch is answered at once: {other:?}"),
            }
        }
        answers
    }

    fn check_offsets(&mut self) {
        let mut loaded = Groups::new(self.config);
        loaded.load(0, &self.log).expect("the log is readable");
        loaded.loaded(0, self.now_ms);
        let mut groups = std::mem::replace(&mut self.groups, Groups::new(self.config));
        assert_eq!(self.offsets(&mut loaded), self.offsets(&mut groups), "what was served comes back");
        self.groups = groups;
    }

    /// The index of connections holds what the groups hold.
    fn check_connections(&self) {
        let of_group = |group: &Group| group.connections().iter().map(|&one| (one, group.id().clone())).collect();
        let mut held: Vec<(ConnectionId, Arc<str>)> =
            self.groups.groups.values().flat_map(|group| -> Vec<_> { of_group(group) }).collect();
        held.sort();
        assert_eq!(held, self.groups.connections.pairs());
    }

    /// All writes end and time passes until nobody can be waiting any more.
    fn settle(&mut self) {
        for _ in 0..20 {
            while !self.writes.is_empty() {
                self.finish_write();
            }
            self.advance(10_000);
        }
        assert!(self.open.is_empty(), "nobody waits for ever: {:?}", self.open);
    }
}

#[test]
fn every_request_of_random_clients_is_answered_once() {
    // SEED=… at compile time repeats a run.
    let first = option_env!("SEED").and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u64>);
    let mut answered: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in (0..60).map(|run| first.wrapping_add(run)) {
        println!("SEED={seed}");
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            match world.random.random_range(0..20) {
                0..10 => {
                    let request = world.request();
                    world.send(request);
                }
                10..16 => world.finish_write(),
                16 => {
                    world.disconnect();
                    world.check_connections();
                }
                17..19 => {
                    let ms = world.random.random_range(0..100);
                    world.advance(ms);
                }
                _ => world.check_offsets(),
            }
        }
        world.settle();
        world.check_offsets();
        for (kind, count) in world.answered {
            *answered.entry(kind).or_default() += count;
        }
    }
    assert_eq!(answered.len(), 5, "the test is not valid unless all of it happened: {answered:?}");
}
