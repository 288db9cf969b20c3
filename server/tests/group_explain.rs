//! `partita group explain` against a broker of this build: what it says of groups that do not move.

mod support;

use std::process::Command;

use serde_json::Value;
use support::{Broker, Client, Member, batch, binary, two_members, wait_until};
use wire::ErrorCode;
use wire::api::k08_offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::api::k13_leave_group::MemberIdentity;
use wire::api::{ConsumerGroupHeartbeatRequest, DescribeGroupsRequest, LeaveGroupRequest, OffsetCommitRequest};

/// A lost member stays for as long as a test looks at it.
const LONG_GRACE: (&str, &str) = ("group.disconnect.grace.ms", "40000");

fn explain(broker: &Broker, group: &str, more: &[&str]) -> String {
    let mut command = Command::new(binary());
    command.args(["group", "explain", group]).args(more).env("PARTITA_BOOTSTRAP_SERVER", broker.address());
    let output = command.output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn explain_json(broker: &Broker, group: &str) -> Value {
    serde_json::from_str(&explain(broker, group, &["--format", "json"])).expect("JSON")
}

/// A broker with a topic of two partitions, three records in the first.
fn broker() -> Broker {
    let broker = Broker::start(&[LONG_GRACE]);
    let mut client = broker.client();
    client.create_topic("t", 2, &[]);
    client.append("t", 0, &batch(&[b"one", b"two", b"three"]));
    client.find_coordinator("g");
    broker
}

/// A group of two, each member with its connection.
fn group_of_two(broker: &Broker) -> ((Member, Client), (Member, Client)) {
    let member = || (Member::new("g", "t"), broker.client());
    let ((mut leader, mut leader_client), (mut follower, mut follower_client)) = (member(), member());
    two_members((&mut leader, &mut leader_client), (&mut follower, &mut follower_client));
    ((leader, leader_client), (follower, follower_client))
}

fn commit(client: &mut Client, member: &Member, committed_offset: i64) -> i16 {
    let partition = OffsetCommitRequestPartition { committed_offset, ..Default::default() };
    let topic = OffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: member.generation,
        member_id: member.id.clone(),
        topics: vec![topic],
        ..Default::default()
    };
    client.call(7, &request).topics[0].partitions[0].error_code
}

fn kinds(explanation: &Value) -> Vec<&str> {
    let findings = explanation["findings"].as_array().expect("a list");
    findings.iter().map(|finding| finding["kind"].as_str().expect("text")).collect()
}

#[test]
fn the_member_that_has_not_joined_again_is_named() {
    let broker = broker();
    let ((mut leader, mut leader_client), (follower, mut follower_client)) = group_of_two(&broker);
    let (mut third, mut third_client) = (Member::new("g", "t"), broker.client());
    third.begin_join(&mut third_client);
    wait_until("a rebalance is under way", || leader.heartbeat(&mut leader_client) != 0);
    leader.begin_join(&mut leader_client);
    wait_until("the leader has joined", || {
        follower.heartbeat(&mut follower_client);
        explain(&broker, "g", &[]).contains("2 of 3 have")
    });
    let said = explain(&broker, "g", &[]);
    assert!(said.contains(&format!("because a new member joined: member {}", third.id)), "{said}");
    assert!(said.contains(&format!("Member {} (client server-tests at 127.0.0.1) has not joined again", follower.id)));
    assert!(said.contains("sends heartbeats, but its poll() is not called"), "{said}");
    assert!(!said.contains(&format!("Member {}", leader.id)), "those who have joined are not in the way:\n{said}");

    let explanation = explain_json(&broker, "g");
    assert_eq!(explanation["blocked"], true);
    assert_eq!(kinds(&explanation), ["WAITING_FOR_MEMBERS", "MEMBER_NOT_REJOINED"]);
    assert_eq!(explanation["findings"][1]["facts"]["member_id"][0], follower.id.as_str());
}

#[test]
fn a_member_whose_connection_is_lost_and_a_fenced_commit_are_told() {
    let broker = broker();
    let ((leader, mut leader_client), (follower, follower_client)) = group_of_two(&broker);
    assert_eq!(kinds(&explain_json(&broker, "g")), ["STABLE"]);
    let former = Member { generation: leader.generation - 1, ..leader.clone() };
    assert_ne!(commit(&mut leader_client, &former, 1), 0);
    drop(follower_client);
    wait_until("the loss is noticed", || explain(&broker, "g", &[]).contains("has lost its connection"));
    let said = explain(&broker, "g", &[]);
    assert!(said.contains(&format!("! Member {} (client server-tests at 127.0.0.1) has lost", follower.id)), "{said}");
    let fenced = format!("OffsetCommit of member {} was refused", leader.id);
    assert!(
        said.contains(&fenced) && said.contains("with ILLEGAL_GENERATION: it said generation 1 when 2 was current")
    );
}

#[test]
fn what_a_group_without_members_leaves_unread_is_told_and_a_group_that_is_not_there() {
    let broker = broker();
    let (mut member, mut client) = (Member::new("g", "t"), broker.client());
    member.join_alone(&mut client, &[0, 1]);
    assert_eq!(commit(&mut client, &member, 1), 0);
    let identity = MemberIdentity { member_id: member.id.clone(), ..Default::default() };
    client.call(3, &LeaveGroupRequest { group_id: "g".into(), members: vec![identity], ..Default::default() });
    let said = explain(&broker, "g", &[]);
    assert!(said.contains("! The group has had no members for"), "{said}");
    assert!(said.contains("2 records wait for it") && said.contains("expires in"), "{said}");

    assert!(explain(&broker, "nobody", &[]).contains("There is no group nobody here."));
    assert_eq!(kinds(&explain_json(&broker, "nobody")), ["NO_SUCH_GROUP"]);
}

#[test]
fn only_clients_that_ask_are_given_explanations() {
    let broker = broker();
    let _group = group_of_two(&broker);
    let request = |explain| DescribeGroupsRequest { groups: vec!["g".into()], explain, ..Default::default() };
    let findings = |explain, version| broker.client().call(version, &request(explain)).groups.remove(0).findings.len();
    assert_eq!(findings(false, 6), 0);
    assert_eq!(findings(true, 6), 1);
    assert_eq!(findings(true, 4), 0, "there are no tagged fields yet");
}

/// Joins a group of the new protocol.
fn join_new_protocol(client: &mut Client, group: &str, member_id: &str) {
    let request = ConsumerGroupHeartbeatRequest {
        group_id: group.into(),
        member_id: member_id.into(),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec!["t".into()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    assert_eq!(client.call(1, &request).error_code, 0, "{member_id} joins");
}

#[test]
fn who_waits_for_whom_in_a_group_of_the_new_protocol_is_told() {
    let broker = broker();
    let (mut first, mut second) = (broker.client(), broker.client());
    join_new_protocol(&mut first, "g", "first");
    assert_eq!(kinds(&explain_json(&broker, "g")), ["STABLE"]);
    join_new_protocol(&mut second, "g", "second");
    let said = explain(&broker, "g", &[]);
    assert!(said.contains("0 of 2 members have what they are to have in epoch 3"), "{said}");
    assert!(
        said.contains("Member first (client server-tests at 127.0.0.1) is in epoch 2 and has not heard of epoch 3")
    );
    assert!(said.contains("Member second (client server-tests at 127.0.0.1) waits for t-"), "{said}");

    let request = DescribeGroupsRequest { groups: vec!["g".into()], explain: true, ..Default::default() };
    let described = broker.client().call(6, &request).groups.remove(0);
    assert_eq!(described.error_code, ErrorCode::GroupIdNotFound.code(), "DescribeGroups is for classic groups");
    assert_eq!(described.findings.len(), 3);
}
