//! What classic groups answer, request by request and in every version: the same as Kafka 4.3.1.
//!
//! `transcripts/classic_answers.txt` was written by Kafka. `KAFKA=host:port cargo test -p server --test classic_answers --
//! --ignored` writes it anew; that broker needs group.initial.rebalance.delay.ms=0 and group.max.size=2, and no group yet.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use wire::api::k08_offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::api::k09_offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics};
use wire::api::k11_join_group::JoinGroupRequestProtocol;
use wire::api::k13_leave_group::MemberIdentity;
use wire::api::k14_sync_group::SyncGroupRequestAssignment;
use wire::api::k47_offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use wire::api::*;
use wire::records::consumer_protocol::ConsumerProtocolSubscription;
use wire::{ErrorCode, Uuid};

use support::{Broker, Client, Recorder, wait_until};

mod support;

const TOPIC: &str = "t";

fn transcript() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/classic_answers.txt")
}

#[test]
fn classic_groups_answer_as_kafka_does() {
    let broker = Broker::start(&[("group.max.size", "2")]);
    let played = play(broker.address());
    let expected = fs::read_to_string(transcript()).expect("the transcript is there");
    let differs = expected.lines().zip(played.lines()).enumerate().find(|(_, (kafka, ours))| kafka != ours);
    if let Some((number, (kafka, ours))) = differs {
        let asked = expected.lines().nth(number.saturating_sub(1)).unwrap_or_default();
        panic!("line {}, {asked}\n  Kafka: {kafka}\n  ours:  {ours}", number + 1);
    }
    assert_eq!(expected.lines().count(), played.lines().count());
}

#[test]
#[ignore = "writes the transcript anew, from the Kafka that KAFKA names"]
fn write_the_transcript() {
    let kafka = std::env::var("KAFKA").expect("KAFKA is host:port");
    fs::write(transcript(), play(&kafka)).expect("the transcript can be written");
}

fn play(address: &str) -> String {
    let mut record = Recorder::new(address);
    let mut client = record.client();
    client.create_topic(TOPIC, 2, &[]);
    let topic_id = topic_id(&mut client);
    record.name(&topic_id.to_string(), "TOPIC-ID");
    coordinators(&mut record, &mut client);
    await_coordinators(&mut client);
    every_version(&mut record, &mut client);
    refused_joins(&mut record, &mut client);
    unknown_groups_and_members(&mut record, &mut client);
    rebalance(&mut record, &mut client);
    static_members(&mut record, &mut client);
    full_group(&mut record, &mut client);
    simple_groups(&mut record, &mut client, topic_id);
    administration(&mut record, &mut client);
    record.into_text()
}

/// Waits until the coordinators of all groups of the story have loaded what they need.
fn await_coordinators(client: &mut Client) {
    let lives = (0..=9).map(|version| format!("life-{version}"));
    let others = ["refused", "picky", "here", "nowhere", "busy", "static-5", "static-9", "full", "simple", "unknown"];
    for group in lives.chain(others.map(str::to_owned)) {
        wait_until("the coordinator is ready", || {
            let code = client.call(4, &heartbeat(&group, 1, "nobody")).error_code;
            code == ErrorCode::UnknownMemberId.code()
        });
    }
}

fn topic_id(client: &mut Client) -> Uuid {
    let named = k03_metadata::MetadataRequestTopic { name: Some(TOPIC.into()), ..Default::default() };
    client.call(12, &MetadataRequest { topics: Some(vec![named]), ..Default::default() }).topics[0].topic_id
}

// --- requests, with what most of them have in common

fn subscription() -> Bytes {
    ConsumerProtocolSubscription { topics: vec![TOPIC.into()], ..Default::default() }.to_bytes().into()
}

fn protocol(name: &str) -> JoinGroupRequestProtocol {
    JoinGroupRequestProtocol { name: name.into(), metadata: subscription() }
}

fn join(group: &str, member_id: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        member_id: member_id.into(),
        protocol_type: "consumer".into(),
        protocols: vec![protocol("range")],
        ..Default::default()
    }
}

fn static_join(group: &str, member_id: &str, instance: &str) -> JoinGroupRequest {
    JoinGroupRequest { group_instance_id: Some(instance.into()), ..join(group, member_id) }
}

fn sync(group: &str, generation_id: i32, member_id: &str, assigned: &[&str]) -> SyncGroupRequest {
    let assignment = |member: &&str| SyncGroupRequestAssignment {
        member_id: (*member).into(),
        assignment: Bytes::from_static(b"assignment"),
    };
    SyncGroupRequest {
        group_id: group.into(),
        generation_id,
        member_id: member_id.into(),
        assignments: assigned.iter().map(assignment).collect(),
        ..Default::default()
    }
}

/// As [`sync`], from v5 on.
fn sync_named(group: &str, generation_id: i32, member_id: &str, named: [&str; 2]) -> SyncGroupRequest {
    let [protocol_type, protocol_name] = named.map(|name| Some(name.to_owned()));
    SyncGroupRequest { protocol_type, protocol_name, ..sync(group, generation_id, member_id, &[]) }
}

fn heartbeat(group: &str, generation_id: i32, member_id: &str) -> HeartbeatRequest {
    HeartbeatRequest { group_id: group.into(), generation_id, member_id: member_id.into(), group_instance_id: None }
}

/// LeaveGroup, up to v2 and from v3 on.
fn leave(group: &str, member_id: &str, instance: Option<&str>) -> LeaveGroupRequest {
    let member =
        MemberIdentity { member_id: member_id.into(), group_instance_id: instance.map(str::to_owned), reason: None };
    LeaveGroupRequest { group_id: group.into(), member_id: member_id.into(), members: vec![member] }
}

fn commit(group: &str, generation: i32, member_id: &str, topics: &[(&str, i32)], offset: i64) -> OffsetCommitRequest {
    let topic = |&(name, partition_index): &(&str, i32)| OffsetCommitRequestTopic {
        name: name.into(),
        partitions: vec![OffsetCommitRequestPartition {
            partition_index,
            committed_offset: offset,
            committed_metadata: Some("note".into()),
            ..Default::default()
        }],
        ..Default::default()
    };
    OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: generation,
        member_id: member_id.into(),
        topics: topics.iter().map(topic).collect(),
        ..Default::default()
    }
}

/// OffsetFetch up to v7; `None` asks for all topics.
fn fetch(group: &str, topics: Option<&[(&str, i32)]>) -> OffsetFetchRequest {
    let topic = |&(name, partition): &(&str, i32)| OffsetFetchRequestTopic {
        name: name.into(),
        partition_indexes: vec![partition],
    };
    OffsetFetchRequest {
        group_id: group.into(),
        topics: topics.map(|topics| topics.iter().map(topic).collect()),
        ..Default::default()
    }
}

/// OffsetFetch from v8 on, of several groups.
fn fetch_groups(groups: &[&str], topics: Option<&[(&str, Uuid, i32)]>) -> OffsetFetchRequest {
    let topic = |&(name, topic_id, partition): &(&str, Uuid, i32)| OffsetFetchRequestTopics {
        name: name.into(),
        topic_id,
        partition_indexes: vec![partition],
    };
    let group = |group: &&str| OffsetFetchRequestGroup {
        group_id: (*group).into(),
        topics: topics.map(|topics| topics.iter().map(topic).collect()),
        ..Default::default()
    };
    OffsetFetchRequest { groups: groups.iter().map(group).collect(), ..Default::default() }
}

fn describe(groups: &[&str]) -> DescribeGroupsRequest {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    DescribeGroupsRequest { groups, ..Default::default() }
}

fn delete_offsets(group: &str, topics: &[(&str, i32)]) -> OffsetDeleteRequest {
    let topic = |&(name, partition_index): &(&str, i32)| OffsetDeleteRequestTopic {
        name: name.into(),
        partitions: vec![OffsetDeleteRequestPartition { partition_index }],
    };
    OffsetDeleteRequest { group_id: group.into(), topics: topics.iter().map(topic).collect() }
}

// --- the story

fn coordinators(record: &mut Recorder, client: &mut Client) {
    record.chapter("FindCoordinator: one key up to v3, then several");
    let one = |key: &str, key_type| FindCoordinatorRequest { key: key.into(), key_type, ..Default::default() };
    let ready = |response: &FindCoordinatorResponse| response.error_code == 0;
    record.call_until(client, "group g", 0, &one("g", 0), ready);
    for version in 1..=3 {
        record.call(client, "group g", version, &one("g", 0));
    }
    record.call(client, "no group", 2, &one("", 0));
    record.call(client, "a key type that is not there", 2, &one("g", 9));
    for version in 4..=6 {
        let keys = vec!["g".to_owned(), "h".to_owned(), String::new()];
        let request = FindCoordinatorRequest { coordinator_keys: keys, ..Default::default() };
        record.call(client, "groups g, h and none", version, &request);
    }
}

/// Joins alone, by the way that the version has, and returns the member id.
fn join_alone(record: &mut Recorder, client: &mut Client, group: &str, version: i16, name: &str) -> String {
    let first = client.call(version, &join(group, ""));
    record.name(&first.member_id, name);
    record.note("join without an id", version, &first);
    if first.error_code == ErrorCode::MemberIdRequired.code() {
        record.call(client, "join with the id", version, &join(group, &first.member_id));
    }
    first.member_id
}

fn every_version(record: &mut Recorder, client: &mut Client) {
    record.chapter("A member's whole life, in every version of each request");
    for version in 0..=9 {
        let group = &format!("life-{version}");
        let id = &join_alone(record, client, group, version, &format!("LIFE-{version}"));
        let named = SyncGroupRequest {
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            ..sync(group, 1, id, &[id])
        };
        let synced = if version >= 5 { named } else { sync(group, 1, id, &[id]) };
        record.call(client, "sync", version.min(5), &synced);
        record.call(client, "sync again", version.min(5), &synced);
        record.call(client, "heartbeat", version.min(4), &heartbeat(group, 1, id));
        record.call(client, "commit", version.clamp(2, 9), &commit(group, 1, id, &[(TOPIC, 0)], 5));
        record.call(client, "describe", version.min(6), &describe(&[group]));
        record.call(client, "delete", version.min(2), &DeleteGroupsRequest { groups_names: vec![group.into()] });
        record.call(client, "rejoin of the leader", version, &join(group, id));
        record.call(client, "leave", version.min(5), &leave(group, id, None));
        record.call(client, "leave again", version.min(5), &leave(group, id, None));
        record.call(client, "describe once it is empty", version.min(6), &describe(&[group]));
    }
}

fn refused_joins(record: &mut Recorder, client: &mut Client) {
    record.chapter("Joins that are refused");
    type Change = fn(&mut JoinGroupRequest);
    let changes: [(&str, Change); 6] = [
        ("a session that is too short", |join| join.session_timeout_ms = 5999),
        ("a session that is too long", |join| join.session_timeout_ms = 1_800_001),
        ("no group", |join| join.group_id.clear()),
        ("no protocol type", |join| join.protocol_type.clear()),
        ("no protocol", |join| join.protocols.clear()),
        ("a member id that nobody was given", |join| join.member_id = "nobody".into()),
    ];
    for (what, change) in changes {
        for version in [0, 3, 5, 9] {
            let mut request = join("refused", "");
            change(&mut request);
            record.call(client, what, version, &request);
        }
    }
    let id = &join_alone(record, client, "picky", 5, "PICKY");
    record.call(client, "sync", 3, &sync("picky", 1, id, &[id]));
    let other_type = JoinGroupRequest { protocol_type: "connect".into(), ..join("picky", "") };
    let other_protocol = JoinGroupRequest { protocols: vec![protocol("sticky")], ..join("picky", "") };
    for version in [3, 5, 9] {
        record.call(client, "another protocol type", version, &other_type);
        record.call(client, "another protocol", version, &other_protocol);
    }
    record.call(client, "a static join with an id that nobody has", 5, &static_join("picky", "nobody", "i"));
    record.call(client, "a known id with an instance id that it does not have", 5, &static_join("picky", id, "i"));
}

fn unknown_groups_and_members(record: &mut Recorder, client: &mut Client) {
    record.chapter("Requests for groups and members that are not there");
    let id = &join_alone(record, client, "here", 5, "HERE");
    record.call(client, "sync", 3, &sync("here", 1, id, &[id]));
    for (group, generation, member) in
        [("", 1, "m"), ("nowhere", 1, "m"), ("here", 1, "m"), ("here", 2, id), ("here", 0, id), ("here", -1, id)]
    {
        let who = if member == id { "the member" } else { "nobody" };
        let what = format!("group {group:?} generation {generation} by {who}");
        for version in [0, 3, 5] {
            record.call(client, &format!("sync: {what}"), version, &sync(group, generation, member, &[]));
        }
        for version in [0, 3, 4] {
            record.call(client, &format!("heartbeat: {what}"), version, &heartbeat(group, generation, member));
        }
        for version in [2, 6, 8, 9] {
            let request = commit(group, generation, member, &[(TOPIC, 0)], 5);
            record.call(client, &format!("commit: {what}"), version, &request);
        }
    }
    for group in ["", "nowhere", "here"] {
        for version in [0, 2, 3, 5] {
            record.call(client, &format!("leave {group:?}"), version, &leave(group, "m", None));
        }
    }
    record.call(client, "leave by an instance id that nobody has", 3, &leave("here", "", Some("i")));
    record.call(
        client,
        "leave of nobody in particular",
        3,
        &LeaveGroupRequest { members: vec![], ..leave("here", "", None) },
    );
    record.call(client, "another protocol type", 5, &sync_named("here", 1, id, ["connect", "range"]));
    record.call(client, "another protocol", 5, &sync_named("here", 1, id, ["consumer", "sticky"]));
    record.call(client, "the right ones", 5, &sync_named("here", 1, id, ["consumer", "range"]));
}

fn rebalance(record: &mut Recorder, client: &mut Client) {
    record.chapter("A second member joins: what the first is told meanwhile");
    let group = "busy";
    let (mut first, mut second) = (record.client(), record.client());
    let a = &join_alone(record, &mut first, group, 5, "FIRST");
    record.call(client, "commit before the assignment", 8, &commit(group, 1, a, &[(TOPIC, 0)], 1));
    record.call(client, "heartbeat before the assignment", 3, &heartbeat(group, 1, a));
    record.call(client, "describe before the assignment", 5, &describe(&[group]));
    record.call(&mut first, "sync", 3, &sync(group, 1, a, &[a]));
    let b = &second.call(5, &join(group, "")).member_id;
    record.name(b, "SECOND");
    let joining = second.send(5, &join(group, b));
    let is_told = |response: &HeartbeatResponse| response.error_code != 0;
    record.call_until(client, "heartbeat of the first", 3, &heartbeat(group, 1, a), is_told);
    record.call(client, "heartbeat of the second, who waits", 3, &heartbeat(group, 1, b));
    record.call(client, "commit of the first", 8, &commit(group, 1, a, &[(TOPIC, 0)], 2));
    record.call(client, "sync of the first", 3, &sync(group, 1, a, &[a]));
    let described = client.call(5, &describe(&[group])).groups.remove(0);
    // The order of members is nobody's promise.
    record.note("describe", 5, &(described.group_state, described.protocol_data, described.members.len()));
    record.call(client, "delete", 2, &DeleteGroupsRequest { groups_names: vec![group.into()] });
    record.call(client, "delete its offsets", 0, &delete_offsets(group, &[(TOPIC, 0)]));
    let rejoined = first.call(5, &join(group, a));
    let joined: JoinGroupResponse = second.receive::<JoinGroupRequest>(5, joining);
    // Who leads is not for us to say: Kafka keeps the leader, and so its list of members.
    record.note("the first joins again", 5, &JoinGroupResponse { members: vec![], ..rejoined });
    record.note("the second has joined", 5, &joined);
    let waiting = second.send(3, &sync(group, 2, b, &[]));
    record.call(client, "commit in the new generation", 8, &commit(group, 2, a, &[(TOPIC, 0)], 3));
    record.call(client, "commit in the old generation", 8, &commit(group, 1, a, &[(TOPIC, 0)], 3));
    record.call(client, "heartbeat in the old generation", 3, &heartbeat(group, 1, a));
    record.call(&mut first, "sync of the leader", 3, &sync(group, 2, a, &[a, b, "nobody"]));
    let synced: SyncGroupResponse = second.receive::<SyncGroupRequest>(3, waiting);
    record.note("sync of the follower", 3, &synced);
    record.call(client, "a follower that joins again unchanged", 5, &join(group, b));
    record.call(client, "fetch", 7, &fetch(group, None));
    record.call(client, "the second leaves", 3, &leave(group, b, None));
    record.call(client, "heartbeat of the first", 3, &heartbeat(group, 2, a));
    record.call(client, "heartbeat of the second", 3, &heartbeat(group, 2, b));
}

fn static_members(record: &mut Recorder, client: &mut Client) {
    record.chapter("A static member comes back; whoever has its old id is fenced");
    for (version, group) in [(5, "static-5"), (9, "static-9")] {
        let first = client.call(version, &static_join(group, "", "i"));
        let old = &first.member_id;
        record.name(old, &format!("OLD-{version}"));
        record.note("join", version, &first);
        record.call(
            client,
            "sync",
            3,
            &SyncGroupRequest { group_instance_id: Some("i".into()), ..sync(group, 1, old, &[old]) },
        );
        let second = client.call(version, &static_join(group, "", "i"));
        let new = &second.member_id;
        record.name(new, &format!("NEW-{version}"));
        record.note("join of the next life", version, &second);
        let with = |id: &str| HeartbeatRequest { group_instance_id: Some("i".into()), ..heartbeat(group, 1, id) };
        record.call(client, "heartbeat of the old", 3, &with(old));
        record.call(client, "heartbeat of the old without its instance id", 3, &heartbeat(group, 1, old));
        record.call(client, "heartbeat of the new", 3, &with(new));
        let synced = SyncGroupRequest { group_instance_id: Some("i".into()), ..sync(group, 1, old, &[]) };
        record.call(client, "sync of the old", 3, &synced);
        let synced = SyncGroupRequest { group_instance_id: Some("i".into()), ..sync(group, 1, new, &[]) };
        record.call(client, "sync of the new", 3, &synced);
        let commit_of =
            |id| OffsetCommitRequest { group_instance_id: Some("i".into()), ..commit(group, 1, id, &[(TOPIC, 0)], 1) };
        record.call(client, "commit of the old", 8, &commit_of(old));
        record.call(client, "commit of the new", 8, &commit_of(new));
        record.call(client, "join of the old", version, &static_join(group, old, "i"));
        record.call(client, "leave of the old", 3, &leave(group, old, Some("i")));
        record.call(client, "describe", 5, &describe(&[group]));
        record.call(client, "leave by the instance id alone", 3, &leave(group, "", Some("i")));
        record.call(client, "describe once it is empty", 5, &describe(&[group]));
    }
}

fn full_group(record: &mut Recorder, client: &mut Client) {
    record.chapter("A group of two members is full");
    let group = "full";
    let (mut first, mut second) = (record.client(), record.client());
    let one = &join_alone(record, &mut first, group, 5, "ONE");
    let two = &second.call(5, &join(group, "")).member_id;
    record.name(two, "TWO");
    let joining = second.send(5, &join(group, two));
    wait_until("the second is known", || client.call(5, &describe(&[group])).groups[0].members.len() == 2);
    let rejoining = first.send(5, &join(group, one));
    second.receive::<JoinGroupRequest>(5, joining);
    first.receive::<JoinGroupRequest>(5, rejoining);
    for version in [3, 5, 9] {
        record.call(client, "join of a third", version, &join(group, ""));
        record.call(client, "join of a third by an id that nobody has", version, &join(group, "three"));
    }
    record.call(client, "join of one of them again", 5, &join(group, two));
}

fn simple_groups(record: &mut Recorder, client: &mut Client, topic_id: Uuid) {
    record.chapter("Groups that only commit, in every version");
    for version in 2..=9 {
        let topics = [(TOPIC, 0), (TOPIC, 7), ("nowhere", 0)];
        record.call(client, "commit", version, &commit("simple", -1, "", &topics, version.into()));
    }
    let by_id = |id| {
        let mut request = commit("simple", -1, "", &[("", 1)], 10);
        request.topics[0].topic_id = id;
        request
    };
    record.call(client, "commit by topic id", 10, &by_id(topic_id));
    record.call(client, "commit by an unknown topic id", 10, &by_id(Uuid::from_u128(5)));
    let long = |bytes| {
        let mut request = commit("simple", -1, "", &[(TOPIC, 0)], 1);
        request.topics[0].partitions[0].committed_metadata = Some("m".repeat(bytes));
        request
    };
    record.call(client, "the longest metadata", 8, &long(4096));
    record.call(client, "metadata that is too long", 8, &long(4097));
    record.call(client, "commit of the long metadata again", 8, &commit("simple", -1, "", &[(TOPIC, 0)], 9));
    record.call(client, "commit with a generation", 8, &commit("simple", 1, "", &[(TOPIC, 0)], 1));
    record.call(client, "commit of a member", 8, &commit("simple", -1, "m", &[(TOPIC, 0)], 11));
    record.call(client, "commit of nothing", 8, &commit("simple", -1, "", &[], 1));
    record.call(client, "commit to no group", 8, &commit("", -1, "", &[(TOPIC, 0)], 1));
    for version in 1..=7 {
        let topics = [(TOPIC, 0), (TOPIC, 7), ("nowhere", 0)];
        record.call(client, "fetch", version, &fetch("simple", Some(&topics)));
        record.call(client, "fetch of an unknown group", version, &fetch("unknown", Some(&topics)));
        record.call(client, "fetch of no group", version, &fetch("", Some(&topics)));
        if version >= 2 {
            record.call(client, "fetch of all", version, &fetch("simple", None));
            record.call(client, "fetch of all of an unknown group", version, &fetch("unknown", None));
        }
    }
    for version in 8..=9 {
        let topics = [(TOPIC, Uuid::ZERO, 0), (TOPIC, Uuid::ZERO, 7), ("nowhere", Uuid::ZERO, 0)];
        record.call(client, "fetch", version, &fetch_groups(&["simple", "unknown", ""], Some(&topics)));
        record.call(client, "fetch of all", version, &fetch_groups(&["simple", "unknown", "life-5"], None));
        record.call(client, "fetch of no group at all", version, &fetch_groups(&[], None));
    }
    let ids = [("", topic_id, 0), ("", topic_id, 7), ("", Uuid::from_u128(5), 0)];
    record.call(client, "fetch by topic id", 10, &fetch_groups(&["simple", "unknown"], Some(&ids)));
    record.call(client, "fetch of all", 10, &fetch_groups(&["simple", "unknown", "life-5"], None));
}

fn administration(record: &mut Recorder, client: &mut Client) {
    record.chapter("DescribeGroups, ListGroups, OffsetDelete and DeleteGroups, in every version");
    for version in 0..=6 {
        let mut response = client.call(version, &describe(&["life-5", "unknown", "simple", ""]));
        response.groups.sort_by(|one, other| one.group_id.cmp(&other.group_id));
        record.note("describe", version, &response);
    }
    let mut list = |version, states: &[&str], types: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let request = ListGroupsRequest { states_filter: owned(states), types_filter: owned(types) };
        let mut response = client.call(version, &request);
        response.groups.sort_by(|one, other| one.group_id.cmp(&other.group_id));
        // Kafka keeps a group whose only join was refused.
        response.groups.retain(|group| group.group_id != "refused");
        record.note(&format!("list {states:?} {types:?}"), version, &response);
    };
    for version in 0..=5 {
        list(version, &[], &[]);
    }
    for states in [&["Stable"][..], &["empty", "PREPARINGREBALANCE"], &["Nonsense"]] {
        list(4, states, &[]);
    }
    for types in [&["classic"][..], &["Consumer"], &["nonsense"]] {
        list(5, &[], types);
    }
    list(5, &["Stable"], &["Classic", "consumer"]);
    for (group, topics) in [
        ("simple", &[(TOPIC, 0), (TOPIC, 7), ("nowhere", 0)][..]),
        ("simple", &[]),
        ("unknown", &[(TOPIC, 0)]),
        ("", &[(TOPIC, 0)]),
        ("here", &[(TOPIC, 0)]),
        ("life-5", &[(TOPIC, 0)]),
    ] {
        record.call(client, &format!("delete offsets of {group:?}"), 0, &delete_offsets(group, topics));
    }
    record.call(client, "fetch what is left", 7, &fetch("simple", None));
    for version in 0..=2 {
        let names = ["here", "unknown", "", &format!("life-{version}"), &format!("life-{version}")];
        let request = DeleteGroupsRequest { groups_names: names.map(str::to_owned).to_vec() };
        let mut response = client.call(version, &request);
        response.results.sort_by(|one, other| one.group_id.cmp(&other.group_id));
        record.note("delete", version, &response);
    }
}
