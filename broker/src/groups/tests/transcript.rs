//! Runs a transcript: prose up to the first blank line, then one verb a line, each followed by what it causes, indented.
//!
//! | verb | |
//! |---|---|
//! | `set KEY=VALUE …` | before anything else: `delay`, `size`, `retention`, `check`, `grace` (ms; −1 for none), `policy` |
//! | `join WHO [v= id= instance= session= rebalance= type=] PROTOCOL:METADATA …` | |
//! | `sync WHO gen= id= [instance= type= protocol=] MEMBER:ASSIGNMENT …` | `?t` is a subscription, `@t-0,t-1` an assignment: see `embedded` |
//! | `heartbeat WHO gen= id= [instance=]` | |
//! | `leave WHO [v=] MEMBER[/INSTANCE] …` | |
//! | `commit WHO [v= gen= id= instance= retention=] TOPIC-PARTITION:OFFSET[/METADATA] …` | |
//! | `fetch WHO [id= gen=] [TOPIC-PARTITION …]` | all topics without any |
//! | `describe WHO [v=]`, `list WHO [state= kind=]`, `delete WHO` | |
//! | `explain WHO [TOPIC-PARTITION:END[/OLD] …]` | with the ends of partitions, and how far their records are old; `gone` |
//! | `offset-delete WHO TOPIC-PARTITION …` | |
//! | `topic-deleted TOPIC` | |
//! | `disconnect CONNECTION` | that of the requests with `on=CONNECTION` |
//! | `beat WHO [id= epoch= v= topics=T,… owns=T-P,… instance= rack= rebalance= assignor= regex=]` | joins with epoch 0 |
//! | `describe-consumer WHO` | |
//! | `topics NAME:PARTITIONS …` | all that there are from now on |
//! | `group-config GROUP KEY [VALUE]` | what a group sets for itself; nothing without a value |
//! | `durable`, `fail ERROR` | how all writes under way end |
//! | `fail-first ERROR` | how the oldest write under way ends |
//! | `advance MS` | time passes, deadline by deadline |
//! | `loading`, `restart`, `unload` | what is durable is loaded by new groups |
//!
//! All is about one group, `g`, unless `group=` says otherwise. `a#1` is the member id that was given first, to client
//! `a`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use wire::ErrorCode;
use wire::api::k08_offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::api::k09_offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use wire::api::k11_join_group::JoinGroupRequestProtocol;
use wire::api::k13_leave_group::MemberIdentity;
use wire::api::k14_sync_group::SyncGroupRequestAssignment;
use wire::api::k47_offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use wire::api::{
    HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest,
    SyncGroupRequest,
};
use wire::batch;
use wire::records::metadata::ConfigRecord;

use super::super::assignor::Assignor;
use super::super::explain::{PartitionEnd, PartitionEnds, explain};
use super::super::records::GroupRecord;
use super::super::{
    ConnectionId, ConsumerGroupConfig, GroupConfig, GroupEffect, GroupRequest, GroupResponse, GroupSetting, Groups,
    MigrationPolicy, WriteId,
};
use super::consumer::{HEARTBEAT_INTERVAL_MS, Topics};
use super::embedded;
use super::show::{show, show_findings};
use super::tick_next;
use crate::catalog::{Image, ResourceType};

/// One partition of the offsets topic holds all groups.
const PARTITION: i32 = 0;
const RANDOM_UUID: &str = "-00000000-0000-4000-8000-00000000000";

pub struct Transcript {
    config: GroupConfig,
    topics: Topics,
    image: Arc<Image>,
    groups: Groups,
    now_ms: i64,
    requests: Vec<String>,
    member_ids: u128,
    /// The names of the connections, by number.
    connections: Vec<String>,
    /// The ends of partitions, for the explanation that is under way.
    ends: PartitionEnds,
    /// Writes under way, and the log of those that are durable.
    writes: Vec<(WriteId, Vec<u8>)>,
    log: Vec<u8>,
    output: String,
}

/// Runs a transcript and returns it with the output that there was.
pub fn run(text: &str) -> String {
    let (prose, verbs) = text.split_once("\n\n").expect("prose, then verbs");
    let mut transcript = Transcript::new();
    let mut actual = format!("{prose}\n\n");
    for line in verbs.lines().filter(|line| !line.starts_with("  ")) {
        actual.push_str(line);
        actual.push('\n');
        if !line.is_empty() {
            transcript.verb(line);
            actual.push_str(&std::mem::take(&mut transcript.output));
        }
    }
    actual
}

pub struct Arguments<'a> {
    named: BTreeMap<&'a str, &'a str>,
    plain: Vec<&'a str>,
}

impl<'a> Arguments<'a> {
    fn parse(words: impl Iterator<Item = &'a str>) -> Self {
        let mut arguments = Arguments { named: BTreeMap::new(), plain: Vec::new() };
        for word in words {
            match word.split_once('=') {
                Some((name, value)) => drop(arguments.named.insert(name, value)),
                None => arguments.plain.push(word),
            }
        }
        arguments
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.named.get(name).map(|value| expand(value))
    }

    pub fn number<N: std::str::FromStr>(&self, name: &str, default: N) -> N {
        let parse = |value: &&str| value.parse().ok().unwrap_or_else(|| panic!("{name}={value} is no number"));
        self.named.get(name).map_or(default, parse)
    }

    pub fn group(&self) -> String {
        self.text("group").unwrap_or_else(|| "g".to_owned())
    }

    /// `TOPIC-PARTITION[:REST]`, by topic.
    fn partitions(&self) -> BTreeMap<String, Vec<(i32, &'a str)>> {
        let mut topics: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for word in &self.plain {
            let (name, rest) = word.split_once(':').unwrap_or((word, ""));
            let (topic, partition) = name.rsplit_once('-').expect("TOPIC-PARTITION");
            topics.entry(topic.to_owned()).or_default().push((partition.parse().expect("a partition"), rest));
        }
        topics
    }

    /// `LEFT:RIGHT` words.
    fn pairs(&self) -> impl Iterator<Item = (String, Bytes)> + '_ {
        self.plain.iter().map(|word| {
            let (left, right) = word.split_once(':').expect("LEFT:RIGHT");
            (expand(left), embedded::to_bytes(right))
        })
    }
}

fn error_named(name: &str) -> ErrorCode {
    *ErrorCode::ALL.iter().find(|error| error.name() == name).expect("an error's name")
}

/// The member id that `a#1` stands for.
fn expand(value: &str) -> String {
    value.replace('#', RANDOM_UUID)
}

fn shorten(text: &str) -> String {
    text.replace(RANDOM_UUID, "#")
}

impl Transcript {
    fn new() -> Self {
        let config = GroupConfig {
            disconnect_grace_ms: Some(2_000),
            initial_rebalance_delay_ms: 0,
            session_timeout_ms_min: 6_000,
            session_timeout_ms_max: 1_800_000,
            size_max: 100,
            offset_metadata_bytes_max: 10,
            offsets_retention_ms: 100_000,
            offsets_retention_check_interval_ms: 600_000,
            offsets_partitions: 1,
            consumer: ConsumerGroupConfig {
                heartbeat_interval: GroupSetting { default_ms: HEARTBEAT_INTERVAL_MS, ms_min: 5_000, ms_max: 15_000 },
                session_timeout: GroupSetting { default_ms: 45_000, ms_min: 45_000, ms_max: 60_000 },
                size_max: 100,
                migration: MigrationPolicy::Bidirectional,
                assignors: &Assignor::ALL,
            },
        };
        let mut groups = Groups::new(config);
        groups.loaded(PARTITION, 0);
        Transcript {
            config,
            topics: Topics::default(),
            image: Arc::default(),
            groups,
            now_ms: 0,
            requests: Vec::new(),
            member_ids: 0,
            connections: Vec::new(),
            ends: PartitionEnds::new(),
            writes: Vec::new(),
            log: Vec::new(),
            output: String::new(),
        }
    }

    fn verb(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let verb = words.next().expect("a verb");
        match verb {
            "set" => self.set(&Arguments::parse(words)),
            "durable" => self.finish_writes(Ok(())),
            "fail" => self.finish_writes(Err(error_named(words.next().expect("an error")))),
            "fail-first" => {
                let (write_id, _) = self.writes.remove(0);
                let error = error_named(words.next().expect("an error"));
                self.groups.appended(self.now_ms, write_id, Err(error));
            }
            "advance" => self.advance(words.next().and_then(|ms| ms.parse().ok()).expect("how many ms")),
            "topics" => {
                let topics: Vec<&str> = words.collect();
                self.image = Arc::new(self.topics.set(&topics));
                self.groups.set_image(self.image.clone());
            }
            "group-config" => {
                let mut word = || words.next().map(str::to_owned);
                let (resource_name, name, value) = (word().expect("a group"), word().expect("a key"), word());
                let resource_type = ResourceType::Group as i8;
                let mut image = Image::clone(&self.image);
                let record = ConfigRecord { resource_type, resource_name, name, value };
                image.apply(image.last_offset() + 1, &record.into()).expect("a group's setting");
                self.image = Arc::new(image);
                self.groups.set_image(self.image.clone());
            }
            "topic-deleted" => self.groups.topic_deleted(self.now_ms, words.next().expect("a topic")),
            "disconnect" => {
                let connection = self.connection(words.next().expect("a connection"));
                self.groups.disconnected(self.now_ms, connection);
            }
            "unload" => self.groups.unload(PARTITION),
            "loading" => {
                self.groups = Groups::new(self.config);
                self.writes.clear();
                self.groups.load(PARTITION, &[]).expect("nothing to load");
            }
            "restart" => {
                self.groups = Groups::new(self.config);
                self.groups.set_image(self.image.clone());
                self.writes.clear();
                self.groups.load(PARTITION, &self.log).expect("the log is readable");
                self.groups.loaded(PARTITION, self.now_ms);
            }
            _ => {
                let who = words.next().expect("who");
                self.request(verb, who, &Arguments::parse(words));
            }
        }
        self.drain();
    }

    fn set(&mut self, arguments: &Arguments<'_>) {
        let config = &mut self.config;
        config.disconnect_grace_ms = Some(arguments.number("grace", 2_000)).filter(|&grace_ms: &i64| grace_ms >= 0);
        config.initial_rebalance_delay_ms = arguments.number("delay", config.initial_rebalance_delay_ms);
        config.size_max = arguments.number("size", config.size_max);
        config.consumer.size_max = arguments.number("consumer-size", config.consumer.size_max);
        config.offsets_retention_ms = arguments.number("retention", config.offsets_retention_ms);
        config.offsets_retention_check_interval_ms =
            arguments.number("check", config.offsets_retention_check_interval_ms);
        if let Some(policy) = arguments.text("policy") {
            config.consumer.migration = MigrationPolicy::named(&policy).expect("a policy");
        }
        self.groups = Groups::new(*config);
        self.groups.set_image(self.image.clone());
        self.groups.loaded(PARTITION, self.now_ms);
    }

    fn connection(&mut self, name: &str) -> ConnectionId {
        let known = self.connections.iter().position(|known| known == name);
        let number = known.unwrap_or_else(|| {
            self.connections.push(name.to_owned());
            self.connections.len() - 1
        });
        ConnectionId(number as u64)
    }

    /// Time passes. What is due at the very moment that it begins or ends is done too.
    fn advance(&mut self, ms: i64) {
        let end_ms = self.now_ms + ms;
        while tick_next(&mut self.groups, &mut self.now_ms, end_ms) {
            self.drain();
        }
        self.now_ms = end_ms;
    }

    fn finish_writes(&mut self, outcome: Result<(), ErrorCode>) {
        for (write_id, batch) in std::mem::take(&mut self.writes) {
            if outcome.is_ok() {
                self.log.extend_from_slice(&batch);
            }
            self.groups.appended(self.now_ms, write_id, outcome);
        }
    }

    fn request(&mut self, verb: &str, who: &str, arguments: &Arguments<'_>) {
        let request = match verb {
            "join" => join(who, arguments),
            "sync" => sync(arguments),
            "beat" => self.topics.heartbeat(who, arguments),
            "describe-consumer" => GroupRequest::ConsumerGroupDescribe { group_id: arguments.group() },
            "heartbeat" => GroupRequest::Heartbeat(HeartbeatRequest {
                group_id: arguments.group(),
                generation_id: arguments.number("gen", -1),
                member_id: arguments.text("id").unwrap_or_default(),
                group_instance_id: arguments.text("instance"),
            }),
            "leave" => leave(arguments),
            "commit" => commit(&self.topics, arguments),
            "fetch" => fetch(arguments),
            "describe" => {
                GroupRequest::DescribeGroups { group_id: arguments.group(), version: arguments.number("v", 5) }
            }
            "explain" => {
                self.ends = ends(arguments);
                GroupRequest::Explain { group_id: arguments.group() }
            }
            "list" => GroupRequest::ListGroups(ListGroupsRequest {
                states_filter: arguments.text("state").into_iter().collect(),
                types_filter: arguments.text("kind").into_iter().collect(),
            }),
            "delete" => GroupRequest::DeleteGroups { group_id: arguments.group() },
            "offset-delete" => offset_delete(arguments),
            _ => panic!("unknown verb {verb}"),
        };
        self.requests.push(who.to_owned());
        let token = self.requests.len() as u64 - 1;
        let is_new = matches!(&request, GroupRequest::JoinGroup { request, .. } if request.member_id.is_empty());
        self.member_ids += u128::from(is_new);
        let from = arguments.text("on").map(|name| self.connection(&name));
        self.groups.handle(self.now_ms, token, from, request, self.member_ids);
    }

    fn drain(&mut self) {
        while let Some(effect) = self.groups.poll_effect() {
            let line = match effect {
                GroupEffect::Respond { token, response } => {
                    let who = std::mem::take(&mut self.requests[token as usize]);
                    assert!(!who.is_empty(), "a request is answered once: {response:?}");
                    match &response {
                        GroupResponse::Explain(Ok(facts)) => {
                            format!("{who} <- {}", show_findings(&explain(facts, &self.ends)))
                        }
                        GroupResponse::ConsumerGroupHeartbeat(response) => {
                            format!("{who} <- {}", self.topics.show_heartbeat(response))
                        }
                        GroupResponse::ConsumerGroupDescribe(group) => {
                            format!("{who} <- {}", self.topics.show_description(group))
                        }
                        response => format!("{who} <- {}", show(response)),
                    }
                }
                GroupEffect::Append { write_id, offsets_partition, batch } => {
                    assert_eq!(offsets_partition, PARTITION);
                    let line = format!("append {}", show_batch(&self.topics, &batch));
                    self.writes.push((write_id, batch));
                    line
                }
            };
            writeln!(self.output, "  {}", shorten(&line)).expect("strings take all");
        }
    }
}

fn join(who: &str, arguments: &Arguments<'_>) -> GroupRequest {
    let protocol = |(name, metadata)| JoinGroupRequestProtocol { name, metadata };
    GroupRequest::JoinGroup {
        request: JoinGroupRequest {
            group_id: arguments.group(),
            session_timeout_ms: arguments.number("session", 10_000),
            rebalance_timeout_ms: arguments.number("rebalance", 60_000),
            member_id: arguments.text("id").unwrap_or_default(),
            group_instance_id: arguments.text("instance"),
            protocol_type: arguments.text("type").unwrap_or_else(|| "consumer".to_owned()),
            protocols: arguments.pairs().map(protocol).collect(),
            reason: None,
        },
        version: arguments.number("v", 5),
        client_id: who.to_owned(),
        client_host: "/127.0.0.1".to_owned(),
    }
}

fn sync(arguments: &Arguments<'_>) -> GroupRequest {
    let assignment = |(member_id, assignment)| SyncGroupRequestAssignment { member_id, assignment };
    GroupRequest::SyncGroup(SyncGroupRequest {
        group_id: arguments.group(),
        generation_id: arguments.number("gen", -1),
        member_id: arguments.text("id").unwrap_or_default(),
        group_instance_id: arguments.text("instance"),
        protocol_type: arguments.text("type"),
        protocol_name: arguments.text("protocol"),
        assignments: arguments.pairs().map(assignment).collect(),
    })
}

fn leave(arguments: &Arguments<'_>) -> GroupRequest {
    let identity = |word: &&str| {
        let (member_id, instance_id) = word.split_once('/').map_or((*word, None), |(id, rest)| (id, Some(rest)));
        MemberIdentity {
            member_id: expand(member_id),
            group_instance_id: instance_id.map(str::to_owned),
            ..MemberIdentity::default()
        }
    };
    let members: Vec<MemberIdentity> = arguments.plain.iter().map(identity).collect();
    let request = LeaveGroupRequest {
        group_id: arguments.group(),
        member_id: members.first().map(|member| member.member_id.clone()).unwrap_or_default(),
        members,
    };
    GroupRequest::LeaveGroup { request, version: arguments.number("v", 3) }
}

fn commit(topics: &Topics, arguments: &Arguments<'_>) -> GroupRequest {
    let partition = |(partition_index, rest): (i32, &str)| {
        let (offset, metadata) = rest.split_once('/').map_or((rest, None), |(offset, rest)| (offset, Some(rest)));
        OffsetCommitRequestPartition {
            partition_index,
            committed_offset: offset.parse().expect("an offset"),
            committed_metadata: metadata.map(str::to_owned),
            ..OffsetCommitRequestPartition::default()
        }
    };
    let topic = |(name, partitions): (String, Vec<(i32, &str)>)| OffsetCommitRequestTopic {
        topic_id: topics.id(&name),
        name,
        partitions: partitions.into_iter().map(partition).collect(),
    };
    GroupRequest::OffsetCommit {
        request: OffsetCommitRequest {
            group_id: arguments.group(),
            generation_id_or_member_epoch: arguments.number("gen", -1),
            member_id: arguments.text("id").unwrap_or_default(),
            group_instance_id: arguments.text("instance"),
            retention_time_ms: arguments.number("retention", -1),
            topics: arguments.partitions().into_iter().map(topic).collect(),
        },
        version: arguments.number("v", 7),
        refused: Vec::new(),
    }
}

fn fetch(arguments: &Arguments<'_>) -> GroupRequest {
    let topic = |(name, partitions): (String, Vec<(i32, &str)>)| OffsetFetchRequestTopics {
        name,
        partition_indexes: partitions.into_iter().map(|(partition, _)| partition).collect(),
        ..OffsetFetchRequestTopics::default()
    };
    let topics = arguments.partitions().into_iter().map(topic).collect::<Vec<_>>();
    let topics = (!topics.is_empty()).then_some(topics);
    let request = OffsetFetchRequestGroup {
        group_id: arguments.group(),
        topics,
        member_id: arguments.text("id"),
        member_epoch: arguments.number("gen", -1),
    };
    GroupRequest::OffsetFetch { request, version: arguments.number("v", 8) }
}

fn offset_delete(arguments: &Arguments<'_>) -> GroupRequest {
    let partition = |(partition_index, _): (i32, &str)| OffsetDeleteRequestPartition { partition_index };
    let topic = |(name, partitions): (String, Vec<(i32, &str)>)| OffsetDeleteRequestTopic {
        name,
        partitions: partitions.into_iter().map(partition).collect(),
    };
    let topics = arguments.partitions().into_iter().map(topic).collect();
    let request = OffsetDeleteRequest { group_id: arguments.group(), topics };
    GroupRequest::OffsetDelete { request, refused: Vec::new() }
}

/// `TOPIC-PARTITION:END[/OLD]`: its end, and how far its records are old.
fn ends(arguments: &Arguments<'_>) -> PartitionEnds {
    let number = |text: &str| text.parse::<i64>().expect("an offset");
    let one = |rest: &str| {
        let (end, old) = rest.split_once('/').unwrap_or((rest, rest));
        (rest != "gone").then(|| PartitionEnd { log_start: 0, end: number(end), young_from: number(old) })
    };
    let mut ends = PartitionEnds::new();
    for (topic, partitions) in arguments.partitions() {
        ends.extend(partitions.into_iter().map(|(partition, rest)| ((topic.clone(), partition), one(rest))));
    }
    ends
}

/// The records of a batch, read back.
fn show_batch(topics: &Topics, bytes: &[u8]) -> String {
    let mut shown = Vec::new();
    for batch in batch::batches(bytes) {
        let batch = batch.expect("a batch");
        batch.check_crc().expect("the checksum is right");
        let mut scratch = Vec::new();
        for record in batch::records(&batch, 1 << 20, &mut scratch).expect("records") {
            let record = record.expect("a record");
            let key = record.key.expect("a key");
            let (group, record) = GroupRecord::from_bytes(key, record.value).expect("readable").expect("known");
            shown.push(format!("{group}: {}", show_record(topics, &record)));
        }
    }
    shown.join("; ")
}

fn show_record(topics: &Topics, record: &GroupRecord) -> String {
    match record {
        GroupRecord::Offset { topic, partition, committed: None } => format!("{topic}-{partition} none"),
        GroupRecord::Offset { topic, partition, committed: Some(committed) } => {
            let mut line = format!("{topic}-{partition} {}", committed.offset);
            if !committed.metadata.is_empty() {
                write!(line, "/{}", committed.metadata).expect("strings take all");
            }
            line
        }
        GroupRecord::Consumer(record) => topics.show_record(record),
        GroupRecord::Metadata(None) => "none".to_owned(),
        GroupRecord::Metadata(Some(value)) => {
            let member = |member: &wire::records::consumer_offsets::MemberMetadata| {
                format!("{}:{}", member.member_id, embedded::show_assignment(&member.assignment))
            };
            let members: Vec<String> = value.members.iter().map(member).collect();
            format!("generation {} [{}]", value.generation, members.join(" "))
        }
    }
}

#[test]
fn an_id_in_a_transcript_is_a_member_id() {
    assert_eq!(shorten(&super::super::join::new_member_id("a", 1)), "a#1");
    assert!(matches!(GroupResponse::from(wire::api::SyncGroupResponse::default()), GroupResponse::SyncGroup(_)));
}
