//! `__consumer_offsets` under many commits: compaction keeps it small, and a restart soon answers for every group.
//!
//! The measurement is its own command, on a release build:
//! `cargo test --release -p server --test group_log -- --ignored --nocapture` (GROUPS and COMMITS change its size).

mod support;

use std::time::{Duration, Instant};

use support::{Broker, Client, DataDir, wait_until};
use wire::api::k08_offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::api::k09_offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use wire::api::*;

const COMMIT_VERSION: i16 = 7;
const FETCH_VERSION: i16 = 8;
/// Groups that a request asks for.
const GROUPS_PER_FETCH: usize = 500;
/// Requests of a connection that are under way at a time.
const PIPELINED: usize = 100;
/// Connections that commit side by side, each for its share of the groups.
const CONNECTIONS: usize = 32;
const TOPIC: &str = "t";

fn offset_commit(group: usize, partitions: i32, committed_offset: i64) -> OffsetCommitRequest {
    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: committed_offset + i64::from(partition_index),
        ..Default::default()
    };
    let partitions = (0..partitions).map(partition).collect();
    let topic = OffsetCommitRequestTopic { name: TOPIC.into(), partitions, ..Default::default() };
    OffsetCommitRequest { group_id: format!("group-{group}"), topics: vec![topic], ..Default::default() }
}

/// Every group commits so many times, in turn.
fn commit_all(broker: &Broker, groups: usize, partitions: i32, commits: i64) {
    let find = FindCoordinatorRequest { coordinator_keys: vec!["group-0".into()], ..Default::default() };
    let mut client = broker.client();
    wait_until("the offsets topic is there", || client.call(4, &find).coordinators[0].error_code == 0);
    std::thread::scope(|scope| {
        for first in 0..CONNECTIONS.min(groups) {
            scope.spawn(move || {
                let mut client = broker.client();
                for commit in 0..commits {
                    commit_share(&mut client, (first..groups).step_by(CONNECTIONS), partitions, commit);
                }
            });
        }
    });
}

fn commit_share(client: &mut Client, groups: impl Iterator<Item = usize>, partitions: i32, commit: i64) {
    let groups: Vec<usize> = groups.collect();
    for some in groups.chunks(PIPELINED) {
        let send = |group: &usize| client.send(COMMIT_VERSION, &offset_commit(*group, partitions, commit));
        let sent: Vec<i32> = some.iter().map(send).collect();
        for id in sent {
            let response = client.receive::<OffsetCommitRequest>(COMMIT_VERSION, id);
            assert_eq!(response.topics[0].partitions[0].error_code, 0);
        }
    }
}

/// Every group answers with its last commit.
fn check_all(client: &mut Client, groups: usize, partitions: i32, commits: i64) {
    let all: Vec<usize> = (0..groups).collect();
    let send = |some: &[usize]| client.send(FETCH_VERSION, &offset_fetch(some, partitions));
    let sent: Vec<i32> = all.chunks(GROUPS_PER_FETCH).map(send).collect();
    let mut answered = 0;
    for id in sent {
        for group in client.receive::<OffsetFetchRequest>(FETCH_VERSION, id).groups {
            assert_eq!((group.error_code, group.topics[0].partitions.len()), (0, partitions as usize));
            for partition in &group.topics[0].partitions {
                assert_eq!(partition.committed_offset, commits - 1 + i64::from(partition.partition_index));
            }
            answered += 1;
        }
    }
    assert_eq!(answered, groups);
}

fn offset_fetch(groups: &[usize], partitions: i32) -> OffsetFetchRequest {
    let group = |group: &usize| {
        let partition_indexes = (0..partitions).collect();
        let topic = OffsetFetchRequestTopics { name: TOPIC.into(), partition_indexes, ..Default::default() };
        OffsetFetchRequestGroup { group_id: format!("group-{group}"), topics: Some(vec![topic]), ..Default::default() }
    };
    OffsetFetchRequest { groups: groups.iter().map(group).collect(), ..Default::default() }
}

fn offsets_bytes(dir: &DataDir) -> u64 {
    let folders = std::fs::read_dir(dir.path()).expect("the folder is there").flatten();
    let folders = folders.filter(|entry| entry.file_name().to_string_lossy().starts_with("__consumer_offsets-"));
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).expect("it is there").flatten());
    files.filter_map(|file| Some(file.metadata().ok()?.len())).sum()
}

#[test]
fn commits_without_end_leave_a_small_log_that_a_restart_reads_back() {
    const GROUPS: usize = 20;
    const COMMITS: i64 = 50;
    const PARTITIONS: i32 = 100;
    /// The active segment, allocated ahead, and what a cleaning leaves.
    const BYTES_MAX: u64 = 5 << 19;
    let settings = [
        ("offsets.topic.num.partitions", "1"),
        ("offsets.topic.segment.bytes", "1048576"),
        ("log.cleaner.backoff.ms", "100"),
    ];
    let dir = DataDir::new();
    let broker = Broker::start_in(&dir, 1, &settings);
    let mut client = broker.client();
    client.create_topic(TOPIC, PARTITIONS, &[]);
    commit_all(&broker, GROUPS, PARTITIONS, COMMITS);
    wait_until("the offsets topic is cleaned", || {
        broker.metric("partita_log_cleaner_read_bytes_total", &[]) as u64 > BYTES_MAX && offsets_bytes(&dir) < BYTES_MAX
    });
    check_all(&mut client, GROUPS, PARTITIONS, COMMITS);
    drop(client);
    broker.kill();
    let broker = Broker::start_in(&dir, 2, &settings);
    check_all(&mut broker.client(), GROUPS, PARTITIONS, COMMITS);
}

#[test]
#[ignore = "a measurement, for a release build"]
fn measure_the_start_with_ten_thousand_groups() {
    const PARTITIONS: i32 = 4;
    let number = |name: &str, default: usize| std::env::var(name).map_or(default, |value| value.parse().expect(name));
    let (groups, commits) = (number("GROUPS", 10_000), number("COMMITS", 100) as i64);
    let dir = DataDir::new();
    let broker = Broker::start_in(&dir, 2, &[]);
    let mut client = broker.client();
    client.create_topic(TOPIC, PARTITIONS, &[]);
    let begun = Instant::now();
    commit_all(&broker, groups, PARTITIONS, commits);
    println!("{groups} groups, {commits} commits each: written in {:.1?}", begun.elapsed());
    drop(client);
    broker.stop();
    println!("__consumer_offsets has {} MiB", offsets_bytes(&dir) >> 20);
    let start = |what: &str| -> (Broker, Duration) {
        let begun = Instant::now();
        let broker = Broker::start_in(&dir, 2, &[]);
        let started = begun.elapsed();
        check_all(&mut broker.client(), groups, PARTITIONS, commits);
        println!("{what}: started in {started:.2?}, every group answered in {:.2?}", begun.elapsed());
        (broker, begun.elapsed())
    };
    for _ in 0..3 {
        start("after a clean stop").0.stop();
    }
    start("before a kill").0.kill();
    start("after a kill").0.stop();
}
