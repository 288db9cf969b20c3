//! Random members of a group of the new protocol, whose answers are lost, whose writes fail, who go without a word and come
//! back; topics that come, grow and go; restarts at any time.
//!
//! What must hold: nobody uses a partition that another one has not given up; epochs never go back; a load gives what memory
//! holds; and once everything calms down, every partition is used by exactly one member.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::api::k68_consumer_group_heartbeat::TopicPartitions;
use wire::api::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use wire::{ErrorCode, TopicPartitionId};

use super::super::assignor::Assignor;
use super::super::{
    ConsumerGroupConfig, GroupConfig, GroupEffect, GroupRequest, GroupResponse, GroupSetting, Groups, MigrationPolicy,
    WriteId,
};
use super::consumer::Topics;
use super::tick_next;
use crate::Token;
use crate::catalog::Image;

const GROUP: &str = "g";
const CLIENTS: usize = 5;
const STEPS: usize = 600;
const SESSION_MS: i32 = 400;
/// How long a client goes on using what it has after its last answered heartbeat: less than its session.
const LEASE_MS: i64 = 300;

/// A client as Kafka's are: it uses what it was assigned until it is told to give it up, or has not been answered for long.
#[derive(Default)]
struct Client {
    id: String,
    lives: usize,
    epoch: i32,
    owned: BTreeSet<TopicPartitionId>,
    /// The heartbeat under way.
    waiting: Option<Token>,
    /// When it sent the last heartbeat that was answered, and the last one at all.
    answered_ms: i64,
    sent_ms: i64,
    topics: Vec<String>,
    instance_id: Option<String>,
    /// Whether the next heartbeat says everything.
    full: bool,
}

struct World {
    random: StdRng,
    config: GroupConfig,
    topics: Topics,
    image: Arc<Image>,
    groups: Groups,
    now_ms: i64,
    tokens: Token,
    clients: Vec<Client>,
    writes: Vec<(WriteId, Vec<u8>)>,
    log: Vec<u8>,
    /// The highest group epoch that was seen.
    epoch: i32,
    /// Nothing goes wrong any more, and nobody changes their mind.
    is_calm: bool,
    seen: BTreeMap<&'static str, usize>,
}

impl World {
    fn new(seed: u64) -> World {
        let config = GroupConfig {
            disconnect_grace_ms: None,
            initial_rebalance_delay_ms: 0,
            session_timeout_ms_min: 1,
            session_timeout_ms_max: 1_000,
            size_max: 10,
            offset_metadata_bytes_max: 10,
            offsets_retention_ms: 1_000_000,
            offsets_retention_check_interval_ms: 1_000_000,
            offsets_partitions: 1,
            consumer: ConsumerGroupConfig {
                heartbeat_interval: GroupSetting::fixed(50),
                session_timeout: GroupSetting::fixed(SESSION_MS),
                size_max: 1_000,
                assignors: &Assignor::ALL,
                migration: MigrationPolicy::Bidirectional,
            },
        };
        let mut world = World {
            random: StdRng::seed_from_u64(seed),
            config,
            topics: Topics::default(),
            image: Arc::default(),
            groups: Groups::new(config),
            now_ms: 0,
            tokens: 0,
            clients: (0..CLIENTS).map(|_| Client::default()).collect(),
            writes: Vec::new(),
            log: Vec::new(),
            epoch: 0,
            is_calm: false,
            seen: BTreeMap::new(),
        };
        world.groups.loaded(0, 0);
        world.change_topics();
        world
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.random.random_range(0..one_in) == 0
    }

    fn change_topics(&mut self) {
        let topics = ["t:3", "t:5", "u:2", "v:1"];
        let chosen: Vec<&str> = topics.into_iter().filter(|_| self.random.random_range(0..3) > 0).collect();
        // Of a topic's sizes the last one counts.
        let by_name: BTreeMap<&str, &str> = chosen.into_iter().map(|topic| (&topic[..1], topic)).collect();
        self.image = Arc::new(self.topics.set(&by_name.into_values().collect::<Vec<_>>()));
        self.groups.set_image(self.image.clone());
    }

    fn begin_life(&mut self, index: usize) {
        let subscribed = ["t", "u", "v"].into_iter().filter(|_| self.random.random_range(0..3) > 0);
        let topics = subscribed.map(str::to_owned).collect();
        let instance_id = (index == 0).then(|| "i".to_owned());
        let client = &mut self.clients[index];
        let lives = client.lives + 1;
        let id = format!("c{index}-{lives}");
        *client = Client { id, lives, topics, instance_id, answered_ms: self.now_ms, full: true, ..Client::default() };
    }

    fn heartbeat(&mut self, index: usize) {
        if self.clients[index].id.is_empty() {
            self.begin_life(index);
        }
        if self.clients[index].waiting.is_some() {
            return;
        }
        if !self.is_calm && self.chance(20) {
            let topic = ["t", "u", "v"][self.random.random_range(0..3)].to_owned();
            self.clients[index].topics = vec![topic];
            self.clients[index].full = true;
        }
        let client = &self.clients[index];
        let (is_joining, is_full) = (client.epoch == 0, client.full || client.epoch == 0);
        let owned = client
            .owned
            .iter()
            .map(|owned| TopicPartitions { topic_id: owned.topic, partitions: vec![owned.partition] });
        let request = ConsumerGroupHeartbeatRequest {
            group_id: GROUP.into(),
            member_id: client.id.clone(),
            member_epoch: client.epoch,
            instance_id: client.instance_id.clone(),
            rebalance_timeout_ms: if is_full { 300 } else { -1 },
            subscribed_topic_names: is_full.then(|| client.topics.clone()),
            topic_partitions: Some(if is_joining { Vec::new() } else { owned.collect() }),
            ..ConsumerGroupHeartbeatRequest::default()
        };
        let token = self.send(request);
        self.clients[index].waiting = Some(token);
        self.clients[index].sent_ms = self.now_ms;
        self.clients[index].full = false;
        self.drain();
    }

    fn send(&mut self, request: ConsumerGroupHeartbeatRequest) -> Token {
        self.tokens += 1;
        let request = GroupRequest::ConsumerGroupHeartbeat {
            request,
            version: 1,
            client_id: "c".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
        };
        self.groups.handle(self.now_ms, self.tokens, None, request, self.tokens.into());
        self.tokens
    }

    fn leave(&mut self, index: usize) {
        let client = std::mem::take(&mut self.clients[index]);
        self.clients[index].lives = client.lives;
        if client.epoch == 0 {
            return;
        }
        let is_for_a_moment = client.instance_id.is_some() && self.chance(2);
        self.send(ConsumerGroupHeartbeatRequest {
            group_id: GROUP.into(),
            member_id: client.id,
            member_epoch: if is_for_a_moment { -2 } else { -1 },
            instance_id: client.instance_id,
            ..ConsumerGroupHeartbeatRequest::default()
        });
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(effect) = self.groups.poll_effect() {
            match effect {
                GroupEffect::Append { write_id, batch, .. } => self.writes.push((write_id, batch)),
                GroupEffect::Respond { token, response: GroupResponse::ConsumerGroupHeartbeat(response) } => {
                    let waits = |client: &Client| client.waiting == Some(token);
                    let Some(index) = self.clients.iter().position(waits) else { continue };
                    self.clients[index].waiting = None;
                    if !self.is_calm && self.chance(8) {
                        *self.seen.entry("lost").or_default() += 1;
                        self.clients[index].full = true;
                    } else {
                        self.answered(index, &response);
                    }
                }
                GroupEffect::Respond { response, .. } => panic!("nobody asked for {response:?}"),
            }
        }
    }

    fn answered(&mut self, index: usize, response: &ConsumerGroupHeartbeatResponse) {
        let client = &mut self.clients[index];
        let error = ErrorCode::from_code(response.error_code).expect("a known error");
        match error {
            ErrorCode::None => {
                assert!(response.member_epoch >= client.epoch, "{} goes back to {response:?}", client.id);
                client.epoch = response.member_epoch;
                client.answered_ms = client.sent_ms;
                if let Some(assignment) = &response.assignment {
                    let partitions = assignment.topic_partitions.iter().flat_map(|topic| {
                        let key = |&partition: &i32| TopicPartitionId { topic: topic.topic_id, partition };
                        topic.partitions.iter().map(key)
                    });
                    client.owned = partitions.collect();
                }
                *self.seen.entry("answered").or_default() += 1;
            }
            ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId | ErrorCode::GroupIdNotFound => {
                client.epoch = 0;
                client.owned.clear();
                *self.seen.entry("fenced").or_default() += 1;
            }
            ErrorCode::UnreleasedInstanceId | ErrorCode::FencedInstanceId => {
                client.owned.clear();
                *self.seen.entry("instance").or_default() += 1;
            }
            ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator => {
                // As all clients do after an error.
                client.full = true;
                *self.seen.entry("failed").or_default() += 1;
            }
            other => panic!("{} is told {other:?}", client.id),
        }
        self.check_owners();
    }

    /// Nobody uses what somebody else uses.
    fn check_owners(&mut self) {
        let mut users: BTreeMap<TopicPartitionId, &str> = BTreeMap::new();
        for client in &mut self.clients {
            if self.now_ms - client.answered_ms > LEASE_MS && client.epoch > 0 {
                client.owned.clear();
                client.epoch = 0;
            }
        }
        for client in &self.clients {
            for &partition in &client.owned {
                let other = users.insert(partition, &client.id);
                assert!(other.is_none(), "{partition:?} is used by {} and {other:?}", client.id);
            }
        }
    }

    fn finish_write(&mut self) {
        if self.writes.is_empty() {
            return;
        }
        let (write_id, batch) = self.writes.remove(0);
        let outcome = if !self.is_calm && self.chance(10) { Err(ErrorCode::NotEnoughReplicas) } else { Ok(()) };
        if outcome.is_ok() {
            self.log.extend_from_slice(&batch);
        }
        self.groups.appended(self.now_ms, write_id, outcome);
        self.drain();
    }

    fn advance(&mut self, ms: i64) {
        let end_ms = self.now_ms + ms;
        while tick_next(&mut self.groups, &mut self.now_ms, end_ms) {
            self.drain();
        }
        self.now_ms = end_ms;
        self.check_owners();
    }

    fn loaded(&self) -> Groups {
        let mut groups = Groups::new(self.config);
        groups.set_image(self.image.clone());
        groups.load(0, &self.log).expect("the log is readable");
        groups.loaded(0, self.now_ms);
        groups
    }

    /// Whoever waits hears nothing any more.
    fn restart(&mut self) {
        self.groups = self.loaded();
        self.writes.clear();
        for client in &mut self.clients {
            client.full |= client.waiting.take().is_some();
        }
        *self.seen.entry("restarted").or_default() += 1;
    }

    fn describe(groups: &mut Groups) -> GroupResponse {
        groups.handle(0, 0, None, GroupRequest::ConsumerGroupDescribe { group_id: GROUP.into() }, 0);
        match groups.poll_effect() {
            Some(GroupEffect::Respond { response, .. }) => response,
            other => panic!("a description is given at once: {other:?}"),
        }
    }

    fn check_description(&mut self) {
        let described = World::describe(&mut self.groups);
        let GroupResponse::ConsumerGroupDescribe(group) = &described else { panic!("{described:?}") };
        if group.error_code != 0 {
            return;
        }
        assert!(group.group_epoch >= self.epoch || !self.writes.is_empty(), "the group's epoch goes back");
        self.epoch = self.epoch.max(group.group_epoch);
        if self.writes.is_empty() && !self.has_failed() {
            assert_eq!(World::describe(&mut self.loaded()), described, "a load gives what memory holds");
            *self.seen.entry("compared").or_default() += 1;
        }
    }

    /// Whether memory may be ahead of the log.
    fn has_failed(&self) -> bool {
        match self.groups.groups.get(GROUP) {
            Some(super::super::Group::Consumer(group)) => group.has_unsaved_changes(),
            _ => false,
        }
    }

    fn step(&mut self) {
        let index = self.random.random_range(0..CLIENTS);
        match self.random.random_range(0..100) {
            0..50 => self.heartbeat(index),
            50..80 => self.finish_write(),
            80..90 => {
                let ms = self.random.random_range(0..40);
                self.advance(ms);
            }
            90..92 => self.leave(index),
            92..94 => {
                let lives = self.clients[index].lives;
                self.clients[index] = Client { lives, ..Client::default() };
            }
            94 => self.change_topics(),
            95 => {
                self.restart();
                self.epoch = 0;
            }
            _ => self.check_description(),
        }
    }

    /// Everybody goes on and nothing fails, until every partition that somebody subscribes to has its user.
    fn settle(&mut self) {
        self.is_calm = true;
        for _ in 0..60 {
            for index in 0..CLIENTS {
                while !self.writes.is_empty() {
                    self.finish_write();
                }
                self.heartbeat(index);
            }
            while !self.writes.is_empty() {
                self.finish_write();
            }
            self.advance(20);
        }
        self.check_owners();
        let used: BTreeSet<TopicPartitionId> =
            self.clients.iter().flat_map(|client| client.owned.iter().copied()).collect();
        let subscribed: BTreeSet<&str> =
            self.clients.iter().flat_map(|client| client.topics.iter().map(String::as_str)).collect();
        let topics = subscribed.into_iter().filter_map(|name| self.image.topic_named(name));
        let wanted: BTreeSet<TopicPartitionId> = topics
            .flat_map(|topic| {
                let partitions = 0..topic.partitions.len() as i32;
                partitions.map(|partition| TopicPartitionId { topic: topic.id, partition })
            })
            .collect();
        assert_eq!(used, wanted, "every partition has its user");
        self.check_description();
    }
}

#[test]
fn no_partition_has_two_users_and_every_one_finds_its_own() {
    // SEED=… at compile time repeats a run.
    let first = option_env!("SEED").and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u64>);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in (0..60).map(|run| first.wrapping_add(run)) {
        println!("SEED={seed}");
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.settle();
        for (what, count) in world.seen {
            *seen.entry(what).or_default() += count;
        }
    }
    assert_eq!(seen.len(), 7, "the test is not valid unless all of it happened: {seen:?}");
}
