//! A data folder of format version 1, kept as a stopped broker left it: every later release must start on it.
//!
//! `fixtures/v1` has the metadata log, segments with their indexes, a producer snapshot, leader epochs, committed offsets,
//! and checkpoints; journal files are in the engine's own fixture. It was written by the ignored test below, and is never
//! written again.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Broker, DataDir, batch, binary, commit, committed, sequenced};

/// Partitions of the topic `plain`; `compacted` has one.
const PARTITIONS: i32 = 3;
/// The idempotent producer that has written to `plain-0`.
const PRODUCER: (i64, i16) = (0, 0);

/// What was committed long ago has not expired: a century.
const FOR_EVER: &[(&str, &str)] = &[("offsets.retention.minutes", "52560000")];

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1")
}

fn copy(from: &Path, to: &Path, wanted: &dyn Fn(&str) -> bool) {
    fs::create_dir_all(to).expect("it can be made");
    for entry in fs::read_dir(from).expect("the folder is there") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("our names are text");
        if entry.path().is_dir() && wanted(&name) {
            copy(&entry.path(), &to.join(name), wanted);
        } else if wanted(&name) {
            fs::copy(entry.path(), to.join(name)).expect("it can be copied");
        }
    }
}

fn value(partition: i32, number: i32) -> Vec<u8> {
    format!("partition {partition}, record {number}").into_bytes()
}

#[test]
fn a_broker_starts_on_a_folder_of_version_1_and_finds_everything() {
    for cores in [1, 2] {
        let dir = DataDir::new();
        copy(&fixture(), &dir.path(), &|_| true);
        let check = Command::new(binary()).arg("check").arg("--data").arg(dir.path()).output().expect("it is built");
        let text = String::from_utf8_lossy(&check.stdout);
        assert!(check.status.success() && text.contains("All is well."), "{text}");
        // The broker itself forgets producers that have been silent for long.
        let snapshot = dir.path().join("plain-0/00000000000000000010.snapshot");
        let dump = Command::new(binary()).args(["log", "dump"]).arg(snapshot).output().expect("it is built");
        let text = String::from_utf8_lossy(&dump.stdout);
        assert!(text.contains("producer_id: 0 producer_epoch: 0 last_sequence: 1 last_offset: 11 "), "{text}");
        let broker = Broker::start_in(&dir, cores, FOR_EVER);
        let mut client = broker.client();
        for partition in 0..PARTITIONS {
            let read = client.read_all("plain", partition, 0);
            let found: Vec<_> = read.into_iter().map(|(_, value)| value).take(10).collect();
            assert_eq!(found, (0..10).map(|number| value(partition, number)).collect::<Vec<_>>());
        }
        assert_eq!(committed(&mut client, "g", "plain"), 7);
        assert_eq!(client.read_all("compacted", 0, 0).len(), 1);
        client.create_topic("new", 1, &[]);
        client.append("new", 0, &batch(&[b"goes on"]));
        drop(client);
        broker.stop();
    }
}

#[test]
#[ignore = "writes the fixture, which stays as it is"]
fn the_fixture_is_written() {
    let dir = DataDir::new();
    let broker = Broker::start_in(&dir, 2, &[]);
    let mut client = broker.client();
    client.create_topic("plain", PARTITIONS, &[("retention.ms", "-1")]);
    client.create_topic("compacted", 1, &[("cleanup.policy", "compact")]);
    for partition in 0..PARTITIONS {
        for number in 0..10 {
            client.append("plain", partition, &batch(&[&value(partition, number)]));
        }
    }
    assert_eq!(client.producer_id(), PRODUCER);
    for (sequence, text) in [b"first".as_slice(), b"second"].into_iter().enumerate() {
        client.append("plain", 0, &sequenced(&[text], PRODUCER, sequence as i32));
    }
    client.append("compacted", 0, &support::segments::keyed(0));
    commit(&mut client, "g", "plain", 7);
    drop(client);
    broker.stop();
    let wanted = |name: &str| name != "journal" && name != ".lock" && !name.starts_with("reserve");
    copy(&dir.path(), &fixture(), &wanted);
}
