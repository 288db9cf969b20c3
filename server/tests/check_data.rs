//! `partita check --data` and `partita log repair` on the folders of real brokers.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use support::segments::{RECORDS, TOPIC, batches_of, filled, read_around, segments};
use support::{Broker, DataDir, batch, binary, edit};

/// Everything in a folder but the lock.
fn image(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(image(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).expect("it is readable"));
        }
    }
    files
}

fn partita(arguments: &[&str], paths: &[(&str, &Path)]) -> Output {
    let mut command = Command::new(binary());
    command.args(arguments);
    for (flag, path) in paths {
        command.arg(flag).arg(path);
    }
    command.output().expect("the binary is built")
}

/// Checks a folder, and demands that it stays as it is; exit status and what was printed.
fn check(dir: &Path) -> (i32, String) {
    let before = image(dir);
    let output = partita(&["check"], &[("--data", dir)]);
    assert!(image(dir) == before, "a check changes nothing");
    let text = String::from_utf8(output.stdout).expect("text") + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("it ends by itself"), text)
}

#[test]
fn a_sound_folder_is_well_and_a_running_brokers_is_not_touched() {
    let dir = filled(&[]);
    let (status, text) = check(&dir.path());
    assert!(status == 0 && text.contains("All is well."), "{text}");

    let output = partita(&["check", "--format", "json"], &[("--data", &dir.path())]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&found["damaged"], &found["findings"]), (&Value::Bool(false), &Value::Array(Vec::new())));
    assert!(found["records"].as_i64() >= Some(RECORDS) && found["topics"] == 1, "{found}");

    let broker = Broker::start_in(&dir, 2, &[]);
    for arguments in [vec!["check"], vec!["log", "repair", "--to", "/nonexistent/copy"]] {
        let output = partita(&arguments, &[("--data", &dir.path())]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && error.contains("P0201") && error.contains("process"), "{error}");
    }
    broker.stop();
}

#[test]
fn after_a_kill_it_says_what_the_next_start_does() {
    let dir = DataDir::new();
    let broker = Broker::start_in(&dir, 2, &[]);
    let mut client = broker.client();
    client.create_topic(TOPIC, 3, &[]);
    for number in 0..30 {
        client.append(TOPIC, number % 3, &batch(&[&[number as u8; 900]]));
    }
    broker.kill();
    let (status, text) = check(&dir.path());
    assert!(status == 0 && text.contains("next start    works: 2 journals needed"), "{text}");
    let broker = Broker::start_in(&dir, 2, &[]);
    for partition in 0..3 {
        assert_eq!(broker.client().read_all(TOPIC, partition, 0).len(), 10);
    }
}

#[test]
fn damage_is_named_and_a_copy_without_it_serves_all_the_rest() {
    let dir = filled(&[]);
    let path = &segments(&dir)[1];
    let (position, header) = batches_of(path)[3];
    edit(path, |bytes| bytes[position + 1000] ^= 4);
    let (status, text) = check(&dir.path());
    let place = format!("DAMAGE P0401: {} at byte {position}", path.display());
    assert!(status == 1 && text.contains(&place), "{text}");
    assert!(text.contains(&format!("offsets {0} to {0} cannot be read", header.base_offset)), "{text}");

    let copy = DataDir::new();
    let before = image(&dir.path());
    let output = partita(&["log", "repair"], &[("--data", &dir.path()), ("--to", &copy.path())]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(&format!("left out: offsets {0} to {0}", header.base_offset)), "{text}");
    assert!(image(&dir.path()) == before, "a repair changes nothing in the old folder");

    let (status, text) = check(&copy.path());
    assert!(status == 0 && text.contains("All is well."), "{text}");
    let broker = Broker::start_in(&copy, 2, &[]);
    let mut client = broker.client();
    let (read, refused) = read_around(&mut client);
    assert_eq!((read.len() as i64, refused), (RECORDS - 1, vec![]));
    assert!(!read.contains(&header.base_offset));
    assert_eq!(client.append(TOPIC, 0, &batch(&[b"goes on"])), RECORDS);
    broker.stop();

    let again = partita(&["log", "repair"], &[("--data", &dir.path()), ("--to", &copy.path())]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("not empty"), "a copy overwrites nothing");
    let inside = partita(&["log", "repair"], &[("--data", &dir.path()), ("--to", &dir.path().join("copy"))]);
    assert_eq!(inside.status.code(), Some(2), "a copy is not made in the folder that is copied");
}

#[test]
fn a_folder_without_its_metadata_log_is_not_taken_for_one_of_deleted_topics() {
    let dir = filled(&[]);
    let metadata = dir.path().join("__cluster_metadata-0");
    let aside = dir.path().parent().expect("it has one").join("aside");
    fs::rename(&metadata, &aside).expect("it can be moved");
    let (status, text) = check(&dir.path());
    assert!(status == 1 && text.contains("DAMAGE P0307"), "{text}");
    let (status, log) = Broker::try_start(&dir, 2, &[]).err().expect("it does not start");
    assert!(!status.success() && log.contains("P0307"), "{log}");
    segments(&dir);
    fs::rename(&aside, &metadata).expect("it can be moved");
    let broker = Broker::start_in(&dir, 2, &[]);
    assert_eq!(broker.client().read_all(TOPIC, 0, 0).len() as i64, RECORDS);
}

#[test]
fn what_refuses_a_start_is_named_with_what_to_do() {
    let dir = filled(&[]);
    edit(&dir.path().join("checkpoint/recovered"), |bytes| bytes[30] ^= 1);
    let (status, text) = check(&dir.path());
    assert!(status == 1 && text.contains("next start    refused") && text.contains("DAMAGE P0101"), "{text}");
    assert!(text.contains("partita log repair"), "{text}");
    let copy = DataDir::new();
    let output = partita(&["log", "repair"], &[("--data", &dir.path()), ("--to", &copy.path())]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let broker = Broker::start_in(&copy, 2, &[]);
    assert_eq!(read_around(&mut broker.client()).0.len() as i64, RECORDS);
}
