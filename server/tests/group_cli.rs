//! `partita group` against a broker of this build, with real members.

use std::process::{Command, Output};

use loadgen::client::{Client, GroupMember, GroupOptions};
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

fn json(broker: &Broker, args: &[&str]) -> Value {
    serde_json::from_str(&ok(broker, &[args, &["--format", "json"]].concat())).expect("JSON")
}

fn client(broker: &Broker) -> Client {
    Client::connect(broker.address(), "group-cli-test", PATIENCE).expect("the broker answers")
}

fn options(group: &str) -> GroupOptions {
    GroupOptions {
        group: group.into(),
        topics: vec!["t".into()],
        session_timeout: PATIENCE,
        rebalance_timeout: PATIENCE,
    }
}

/// A group with one member, which has joined.
fn member(broker: &Broker, name: &str) -> (Client, GroupMember) {
    let mut client = client(broker);
    let mut member = GroupMember::new(&mut client, options(name)).expect("a coordinator");
    member.join(&mut client).expect("it joins");
    (client, member)
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let broker = Broker::start(&[]);
    broker.client().create_topic("t", 2, &[]);
    let (_active_client, _active) = member(&broker, "active");
    let (mut client, left) = member(&broker, "left");
    left.leave(&mut client).expect("it leaves");
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
