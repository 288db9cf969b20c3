//! The binary as a user runs it, as far as that needs no broker: listings, exit statuses, error texts.

use std::process::{Command, Output};

use broker::config::table::{BROKER_KEYS, TOPIC_KEYS};
use serde_json::Value;

fn partita(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_partita")).args(args).output().expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

#[test]
fn config_lists_every_key_in_both_formats() {
    let (brokers, topics): (Vec<_>, Vec<_>) =
        (BROKER_KEYS.iter().collect(), TOPIC_KEYS.iter().map(|topic| &topic.key).collect());
    for (args, keys) in [(&["config"][..], brokers), (&["config", "--topic"], topics)] {
        let json = partita(&[args, &["--format", "json"]].concat());
        let lines: Vec<Value> = serde_json::from_slice(&json.stdout).expect("JSON");
        let text = stdout(&partita(args));
        assert_eq!(lines.len(), keys.len());
        for (line, key) in lines.iter().zip(keys) {
            assert_eq!(line["key"], key.name);
            assert_eq!(line["default"].as_str(), key.default);
            assert!(line["doc"].as_str().is_some_and(|doc| !doc.is_empty()), "{}", key.name);
            assert!(text.contains(&format!("\n{}\n  {}\n", key.name, key.doc)) || text.starts_with(key.name));
        }
    }
}

#[test]
fn config_shows_what_is_set_and_where() {
    let output = partita(&["config", "--set", "num.partitions=7", "--format", "json"]);
    let lines: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let line = lines.iter().find(|line| line["key"] == "num.partitions").expect("listed");
    assert_eq!((&line["value"], &line["origin"]), (&"7".into(), &"flag --set num.partitions=7".into()));
}

#[test]
fn a_wrong_configuration_ends_with_status_2_and_the_nearest_key() {
    let output = partita(&["config", "--set", "num.partition=7"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean num.partitions?"), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
}

#[test]
fn a_broker_that_is_not_there_is_named_with_advice() {
    // Bound and dropped at once, so that nobody listens there.
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
    let output = partita(&["topic", "list", "--bootstrap-server", &address.to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    assert!(error.contains(&address.to_string()) && error.contains("Is the broker running"), "{error}");
}

#[test]
fn a_bootstrap_list_that_is_none_is_a_usage_error() {
    let output = partita(&["topic", "list", "--bootstrap-server", "nonsense"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}
