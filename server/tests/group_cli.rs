//! `partita group` against a broker of this build, with real members.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use loadgen::client::{Client, GroupMember, GroupOptions, TopicPartition};
use serde_json::Value;

use support::{Broker, PATIENCE, binary};

mod support;

/// Runs `partita group` with these words.
fn group(broker: &Broker, args: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("group").args(args).env("PARTITA_BOOTSTRAP_SERVER", broker.address());
    command.output().expect("the binary runs")
}

/// stdout of a command that must succeed.
fn ok(broker: &Broker, args: &[&str]) -> String {
    let output = group(broker, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// stderr of a command that must be refused with this status, and leave stdout alone.
fn refused(broker: &Broker, status: i32, args: &[&str]) -> String {
    let output = group(broker, args);
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(status), 0), "{args:?}: {said}");
    said
}

fn json(broker: &Broker, args: &[&str]) -> Value {
    serde_json::from_str(&ok(broker, &[args, &["--format", "json"]].concat())).expect("JSON")
}

/// A broker with a topic `t` of two partitions, ten records in the first and five in the second, a second apart.
fn broker_with_records() -> Broker {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create_topic("t", 2, &[("retention.ms", "-1")]);
    for (partition, count) in [(0, 10), (1, 5)] {
        for second in 0..count {
            client.append("t", partition, &batch(FIRST_TIMESTAMP_MS + 1000 * second));
        }
    }
    broker
}

/// 2025-01-31T12:00:00 UTC.
const FIRST_TIMESTAMP_MS: i64 = 1_738_324_800_000;

fn batch(timestamp_ms: i64) -> Vec<u8> {
    let mut builder = wire::batch::BatchBuilder::new();
    builder.append(timestamp_ms, None, Some(b"record"), &[]).expect("it fits");
    let mut bytes = Vec::new();
    builder.build(&wire::batch::BatchOptions::default(), &mut bytes).expect("it fits");
    bytes
}

struct Member {
    client: Client,
    member: GroupMember,
}

impl Member {
    /// A member that has joined, and is alone in its group.
    fn join(broker: &Broker, group: &str) -> Member {
        let mut client = Client::connect(broker.address(), "tester", PATIENCE).expect("the broker answers");
        let options = GroupOptions::new(group, &["t"]);
        let mut member = GroupMember::new(&mut client, options).expect("a coordinator");
        assert_eq!(member.join(&mut client).expect("it joins").len(), 2, "it has the whole topic");
        Member { client, member }
    }

    fn commit(&mut self, offsets: &[(i32, i64)]) {
        self.member.commit(&mut self.client, &partitions(offsets)).expect("it may commit");
    }

    fn leave(mut self) {
        self.member.leave(&mut self.client).expect("it may leave");
    }
}

fn partitions(offsets: &[(i32, i64)]) -> BTreeMap<TopicPartition, i64> {
    offsets.iter().map(|&(partition, offset)| (TopicPartition { topic: "t".into(), partition }, offset)).collect()
}

/// A group without members that has committed these offsets.
fn left_group(broker: &Broker, group: &str, offsets: &[(i32, i64)]) {
    let mut member = Member::join(broker, group);
    member.commit(offsets);
    member.leave();
}

fn committed(broker: &Broker, group: &str) -> Vec<(i64, Option<i64>)> {
    let lag = json(broker, &["lag", group]);
    let line = |line: &Value| (line["partition"].as_i64().expect("a number"), line["committed_offset"].as_i64());
    lag["partitions"].as_array().expect("a list").iter().map(line).collect()
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let broker = broker_with_records();
    let _active = Member::join(&broker, "active");
    left_group(&broker, "left", &[]);
    assert_eq!(
        ok(&broker, &["list"]),
        "GROUP   STATE   TYPE     PROTOCOL\n\
         active  Stable  classic  consumer\n\
         left    Empty   classic  consumer\n"
    );
    let names = |args: &[&str]| -> Vec<String> {
        let listed = json(&broker, &[&["list"], args].concat());
        let name = |group: &Value| group["group"].as_str().expect("a name").to_owned();
        listed.as_array().expect("a list").iter().map(name).collect()
    };
    assert_eq!(names(&["--state", "stable"]), ["active"]);
    assert_eq!(names(&["--state", "Empty,Dead"]), ["left"]);
    assert_eq!(names(&["--type", "classic"]), ["active", "left"]);
    assert_eq!(names(&["--type", "consumer"]), [""; 0]);
}

#[test]
fn a_description_names_the_coordinator_and_each_members_partitions() {
    let broker = broker_with_records();
    let active = Member::join(&broker, "g");
    let described = json(&broker, &["describe", "g"]);
    let member = &described["members"][0];
    let id = member["member_id"].as_str().expect("an id");
    assert!(id.starts_with("tester-"), "{described}");
    assert_eq!((&described["state"], &described["assignor"]), (&"Stable".into(), &"range".into()));
    assert_eq!(member["assignment"], serde_json::json!([{ "topic": "t", "partitions": [0, 1] }]));
    assert_eq!(member["topics"], serde_json::json!(["t"]));
    let expected = format!(
        "Group: g\nState: Stable\nType: classic\nProtocol: consumer\nAssignor: range\nCoordinator: {} (id 1)\nMembers: 1\n\n\
         CLIENT  HOST        INSTANCE  PARTITIONS  ASSIGNMENT  MEMBER\n\
         tester  /127.0.0.1  -         2           t:0-1       {id}\n",
        broker.address()
    );
    assert_eq!(ok(&broker, &["describe", "--group", "g"]), expected);

    active.leave();
    assert!(ok(&broker, &["describe", "g"]).ends_with("Members: 0\n"), "the group is still there");
    let missing = refused(&broker, 1, &["describe", "nobody"]);
    assert!(missing.contains("GROUP_ID_NOT_FOUND") && missing.contains("`partita group list`"), "{missing}");
}

#[test]
fn lag_is_told_by_partition_with_who_holds_it() {
    let broker = broker_with_records();
    let mut member = Member::join(&broker, "g");
    member.commit(&[(0, 4)]);
    assert_eq!(
        ok(&broker, &["lag", "g"]),
        "TOPIC  PARTITION  COMMITTED  END  LAG  HOLDER\n\
         t      0          4          10   6    tester@127.0.0.1\n\
         t      1          -          5    -    tester@127.0.0.1\n"
    );
    member.commit(&[(1, 5)]);
    let lag = json(&broker, &["lag", "g"]);
    assert_eq!((&lag["total_lag"], &lag["partitions"][1]["lag"]), (&6.into(), &0.into()));
    assert_eq!(lag["partitions"][0]["holder"]["client_id"], "tester");

    member.leave();
    let lag = json(&broker, &["lag", "g"]);
    assert_eq!((&lag["state"], &lag["total_lag"]), (&"Empty".into(), &6.into()), "an empty group has its lag too");
    assert!(lag["partitions"][0]["holder"].is_null(), "{lag}");
}

#[test]
fn a_reset_moves_nothing_before_it_is_told_to() {
    let broker = broker_with_records();
    left_group(&broker, "g", &[(0, 4), (1, 4)]);
    let dry = group(&broker, &["reset", "g", "--all-topics", "--to-earliest"]);
    assert_eq!(
        String::from_utf8_lossy(&dry.stdout),
        "TOPIC  PARTITION  COMMITTED  NEW  LAG\n\
         t      0          4          0    10\n\
         t      1          4          0    5\n"
    );
    assert!(String::from_utf8_lossy(&dry.stderr).contains("Add --execute"), "it says what to do");
    assert_eq!(committed(&broker, "g"), [(0, Some(4)), (1, Some(4))]);
    ok(&broker, &["reset", "g", "--topic", "t:1", "--to-earliest", "--execute"]);
    assert_eq!(committed(&broker, "g"), [(0, Some(4)), (1, Some(0))]);
}

#[test]
fn a_reset_knows_every_way_to_say_where_to() {
    let broker = broker_with_records();
    left_group(&broker, "g", &[(0, 4)]);
    let new_offsets = |target: &[&str]| -> Vec<i64> {
        let outcome = json(&broker, &[&["reset", "g", "--topic", "t"], target].concat());
        assert_eq!(outcome["executed"], false);
        let offset = |line: &Value| line["new_offset"].as_i64().expect("a number");
        outcome["partitions"].as_array().expect("a list").iter().map(offset).collect()
    };
    assert_eq!(new_offsets(&["--to-earliest"]), [0, 0]);
    assert_eq!(new_offsets(&["--to-latest"]), [10, 5]);
    assert_eq!(new_offsets(&["--to-current"]), [4, 5], "where nothing is committed, the end");
    assert_eq!(new_offsets(&["--to-offset", "7"]), [7, 5], "the nearest that there is");
    assert_eq!(new_offsets(&["--to-datetime", "2025-01-31T12:00:03.000"]), [3, 3]);
    assert_eq!(new_offsets(&["--to-datetime", "2025-01-31T13:00:06+01:00"]), [6, 5], "no record since: the end");
    assert_eq!(new_offsets(&["--by-duration", "P36500D"]), [0, 0]);
    assert_eq!(new_offsets(&["--by-duration", "PT1M"]), [10, 5]);
    let shifted = refused(&broker, 2, &["reset", "g", "--topic", "t", "--shift-by", "-1"]);
    assert!(shifted.contains("nothing is committed for t-1"), "{shifted}");
    for (by, expected) in [("-3", 1), ("-5", 0), ("2", 6), ("100", 10)] {
        let outcome = json(&broker, &["reset", "g", "--topic", "t:0", "--shift-by", by]);
        assert_eq!(outcome["partitions"][0]["new_offset"], expected, "by {by}");
    }
}

#[test]
fn an_exported_reset_can_be_taken_back_in() {
    let broker = broker_with_records();
    left_group(&broker, "g", &[(0, 4), (1, 4)]);
    let exported = ok(&broker, &["reset", "g", "--all-topics", "--to-current", "--export"]);
    assert_eq!(exported, "t,0,4\nt,1,4\n");
    ok(&broker, &["reset", "g", "--all-topics", "--to-latest", "--execute"]);
    assert_eq!(committed(&broker, "g"), [(0, Some(10)), (1, Some(5))]);
    let mut child = Command::new(binary())
        .args(["group", "reset", "g", "--from-file", "-", "--execute", "--bootstrap-server", broker.address()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary runs");
    child.stdin.take().expect("piped").write_all(exported.as_bytes()).expect("written");
    assert!(child.wait().expect("it ends").success());
    assert_eq!(committed(&broker, "g"), [(0, Some(4)), (1, Some(4))]);
}

#[test]
fn nothing_is_reset_or_deleted_under_active_members() {
    let broker = broker_with_records();
    let mut member = Member::join(&broker, "g");
    member.commit(&[(0, 4)]);
    for args in [
        &["reset", "g", "--topic", "t", "--to-earliest", "--execute"][..],
        &["delete", "g"],
        &["delete", "g", "--offsets", "--topic", "t"],
    ] {
        let said = refused(&broker, 1, args);
        assert!(said.contains("tester@127.0.0.1") && said.contains("Stop them first"), "{args:?}: {said}");
    }
    let dry = group(&broker, &["reset", "g", "--topic", "t", "--to-earliest"]);
    assert!(dry.status.success(), "looking does no harm");
    assert!(String::from_utf8_lossy(&dry.stderr).contains("when no member is active"));
    assert_eq!(committed(&broker, "g"), [(0, Some(4)), (1, None)]);
}

#[test]
fn groups_and_offsets_are_deleted() {
    let broker = broker_with_records();
    left_group(&broker, "g", &[(0, 4), (1, 4)]);
    left_group(&broker, "h", &[(0, 1)]);
    ok(&broker, &["delete", "g", "--offsets", "--topic", "t:1"]);
    assert_eq!(committed(&broker, "g"), [(0, Some(4))]);
    let partly = refused(&broker, 1, &["delete", "g", "nobody", "h"]);
    assert!(partly.contains("Deleted group g") && partly.contains("Deleted group h"), "{partly}");
    assert!(partly.contains("nobody") && partly.contains("GROUP_ID_NOT_FOUND"), "{partly}");
    assert_eq!(json(&broker, &["list"]), serde_json::json!([]));
    ok(&broker, &["delete", "g", "--if-exists"]);
    refused(&broker, 1, &["delete", "g", "--offsets", "--topic", "t"]);
}

#[test]
fn a_reset_creates_a_group_that_is_not_there() {
    let broker = broker_with_records();
    let dry = group(&broker, &["reset", "new", "--topic", "t", "--to-offset", "3"]);
    assert!(String::from_utf8_lossy(&dry.stderr).contains("Is the name right?"));
    ok(&broker, &["reset", "new", "--topic", "t", "--to-offset", "3", "--execute"]);
    assert_eq!(committed(&broker, "new"), [(0, Some(3)), (1, Some(3))]);
    let nothing = refused(&broker, 2, &["reset", "other", "--all-topics", "--to-latest"]);
    assert!(nothing.contains("has committed nothing"), "{nothing}");
    let missing = refused(&broker, 1, &["reset", "new", "--topic", "nowhere", "--to-latest"]);
    assert!(missing.contains("UNKNOWN_TOPIC_OR_PARTITION"), "{missing}");
    let beyond = refused(&broker, 2, &["reset", "new", "--topic", "t:7", "--to-latest"]);
    assert!(beyond.contains("only the partitions 0 to 1"), "{beyond}");
}
