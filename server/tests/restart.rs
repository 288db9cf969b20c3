//! What a broker finds again: after a clean stop, after another number of cores, after a kill in the middle of everything;
//! and when it rather does not start.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use support::{
    ACKS_ALL, Broker, Client, DataDir, EARLIEST, LATEST, PRODUCE, batch, commit, committed, produce_request, sequenced,
    wait_until,
};
use wire::ErrorCode;
use wire::api::*;

const PARTITIONS: i32 = 4;

fn start(dir: &DataDir) -> Broker {
    Broker::start_in(dir, 2, &[])
}

#[test]
fn a_clean_stop_keeps_everything_and_leaves_nothing_to_replay() {
    let dir = DataDir::new();
    let broker = start(&dir);
    let mut client = broker.client();
    client.create_topic("t", PARTITIONS, &[("retention.ms", "-1")]);
    for number in 0..100 {
        client.append("t", number % PARTITIONS, &batch(&[format!("record {number}").as_bytes()]));
    }
    commit(&mut client, "g", "t", 7);
    let producer = client.producer_id();
    client.append("t", 0, &sequenced(&[b"first"], producer, 0));
    let before: Vec<_> = (0..PARTITIONS).map(|partition| client.read_all("t", partition, 0)).collect();
    drop(client);
    broker.stop();
    let broker = start(&dir);
    assert!(broker.log().contains("0 groups carried out, 0 bytes written, 0 segments cut"), "{}", broker.log());
    let mut client = broker.client();
    for (partition, before) in (0..PARTITIONS).zip(before) {
        assert_eq!(client.read_all("t", partition, 0), before, "partition {partition}");
    }
    assert_eq!(committed(&mut client, "g", "t"), 7);
    assert_eq!(client.append("t", 0, &sequenced(&[b"first"], producer, 0)), 25, "the duplicate has its first offset");
    assert_eq!(client.append("t", 0, &sequenced(&[b"second"], producer, 1)), 26);
    assert_eq!(client.read_all("t", 0, 25).len(), 2);
}

#[test]
fn another_number_of_cores_finds_everything() {
    let dir = DataDir::new();
    let mut expected: Vec<Vec<Vec<u8>>> = vec![Vec::new(); PARTITIONS as usize];
    for (round, cores) in [2, 1, 2, 1].into_iter().enumerate() {
        let broker = Broker::start_in(&dir, cores, &[]);
        let mut client = broker.client();
        if round == 0 {
            client.create_topic("t", PARTITIONS, &[]);
        } else {
            for group in ["a", "b", "c", "d", "e"] {
                assert_eq!(committed(&mut client, group, "t"), round as i64, "group {group} with {cores} cores");
            }
        }
        for (partition, expected) in expected.iter_mut().enumerate() {
            let value = format!("round {round}").into_bytes();
            client.append("t", partition as i32, &batch(&[&value]));
            expected.push(value);
            let read = client.read_all("t", partition as i32, 0);
            assert_eq!(&read.into_iter().map(|(_, value)| value).collect::<Vec<_>>(), expected);
        }
        for group in ["a", "b", "c", "d", "e"] {
            commit(&mut client, group, "t", round as i64 + 1);
        }
        drop(client);
        // Journals that are left behind belong to another number of cores.
        if round % 2 == 0 { broker.kill() } else { broker.stop() }
    }
}

/// One idempotent producer of one partition, which retries what was not answered.
struct Producer {
    id: (i64, i16),
    partition: i32,
    /// Batches that were acknowledged, all from the first on, and the offset of each.
    acknowledged: Vec<i64>,
}

impl Producer {
    fn value(&self, sequence: usize) -> Vec<u8> {
        format!("partition {} record {sequence}", self.partition).into_bytes()
    }

    fn request(&self, sequence: usize) -> ProduceRequest {
        let records = sequenced(&[&self.value(sequence)], self.id, sequence as i32);
        produce_request(ACKS_ALL, &[("t", self.partition, &records)])
    }

    /// Keeps five batches in flight until the connection breaks.
    fn produce(&mut self, client: &mut Client) {
        let mut in_flight = std::collections::VecDeque::new();
        let mut next = self.acknowledged.len();
        loop {
            while in_flight.len() < 5 {
                let frame = wire::header::request_frame(next as i32, PRODUCE, None, &self.request(next));
                if std::io::Write::write_all(client.stream(), &frame).is_err() {
                    return;
                }
                in_flight.push_back(next);
                next += 1;
            }
            let Ok(Some(frame)) = client.receive_frame() else { return };
            let sequence = in_flight.pop_front().expect("something is in flight");
            let answer = support::decode::<ProduceRequest>(&frame, PRODUCE, sequence as i32);
            let answer = &answer.responses[0].partition_responses[0];
            assert_eq!(answer.error_code, 0, "sequence {sequence}: {:?}", answer.error_message);
            self.acknowledged.push(answer.base_offset);
        }
    }
}

#[test]
fn a_kill_under_load_loses_and_doubles_nothing() {
    const KILLS: usize = 8;
    let dir = DataDir::new();
    let mut broker = start(&dir);
    let mut client = broker.client();
    client.create_topic("t", PARTITIONS, &[("segment.bytes", "1048576")]);
    let mut producers: Vec<Producer> = (0..PARTITIONS)
        .map(|partition| Producer { id: client.producer_id(), partition, acknowledged: Vec::new() })
        .collect();
    drop(client);
    for kill in 0..KILLS {
        std::thread::scope(|scope| {
            for producer in &mut producers {
                let mut client = broker.client();
                scope.spawn(move || producer.produce(&mut client));
            }
            let appended = || broker.metric("partita_appended_records_total", &[]);
            let enough = 200 + 50 * kill as i64;
            support::wait_until("there is load", || appended() > enough);
            broker.kill();
        });
        broker = Broker::start_in(&dir, 2 - (kill as u16 % 2), &[]);
    }
    let mut client = broker.client();
    for producer in &producers {
        let read = client.read_all("t", producer.partition, 0);
        assert!(read.len() >= producer.acknowledged.len(), "what was acknowledged is there");
        for (sequence, (offset, value)) in read.iter().enumerate() {
            assert_eq!(*value, producer.value(sequence), "each record once, in order");
            if let Some(acknowledged) = producer.acknowledged.get(sequence) {
                assert_eq!(offset, acknowledged, "at the offset that the producer was told");
            }
        }
        assert!(producer.acknowledged.len() >= KILLS, "the test is not valid without load");
    }
}

#[test]
fn a_deleted_topic_does_not_come_back_after_a_kill() {
    let dir = DataDir::new();
    for round in 0..5 {
        let broker = start(&dir);
        let mut client = broker.client();
        client.create_topic("gone", 2, &[]);
        client.append("gone", 0, &batch(&[&vec![b'x'; 200_000]]));
        client.append("gone", 1, &batch(&[b"v"]));
        assert_eq!(client.delete_topic("gone"), 0);
        broker.kill();
        let broker = start(&dir);
        let mut client = broker.client();
        let unknown = Err(ErrorCode::UnknownTopicOrPartition.code());
        assert_eq!(client.list_offset("gone", 0, LATEST), unknown, "round {round}");
        support::wait_until("its folders are gone", || !folders(&dir.path()).iter().any(|name| name.contains("gone")));
        client.create_topic("gone", 2, &[]);
        assert_eq!(client.list_offset("gone", 0, LATEST), Ok(0));
        assert_eq!(client.delete_topic("gone"), 0);
        broker.stop();
    }
}

fn folders(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("the data folder is there");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

fn delete_records(client: &mut Client, offset: i64) {
    use wire::api::k21_delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
    let partition = DeleteRecordsPartition { partition_index: 0, offset };
    let topics = vec![DeleteRecordsTopic { name: "t".into(), partitions: vec![partition] }];
    let response = client.call(2, &DeleteRecordsRequest { topics, timeout_ms: 10_000 });
    assert_eq!(response.topics[0].partitions[0].error_code, 0);
}

#[test]
fn deleted_records_stay_deleted_after_a_kill() {
    let dir = DataDir::new();
    let broker = start(&dir);
    let mut client = broker.client();
    client.create_topic("t", 1, &[]);
    for _ in 0..10 {
        client.append("t", 0, &batch(&[b"v"]));
    }
    delete_records(&mut client, 6);
    broker.kill();
    let broker = start(&dir);
    let mut client = broker.client();
    assert_eq!(client.list_offset("t", 0, EARLIEST), Ok(6));
    assert_eq!(client.read_all("t", 0, 6).len(), 4);
    let below = client.fetch("t", 0, 5, Duration::ZERO);
    assert_eq!(below.error_code, ErrorCode::OffsetOutOfRange.code());
}

#[test]
fn a_producer_whose_records_are_deleted_is_still_known_after_a_kill() {
    let dir = DataDir::new();
    let broker = start(&dir);
    let mut client = broker.client();
    client.create_topic("t", 1, &[("segment.bytes", "1048576")]);
    let producer = client.producer_id();
    let value = vec![7; 600_000];
    for sequence in 0..5 {
        client.append("t", 0, &sequenced(&[&value], producer, sequence));
    }
    delete_records(&mut client, 5);
    let first_segment = dir.path().join("t-0").join(format!("{:020}.log", 0));
    wait_until("the first segment is removed", || !first_segment.exists());
    broker.kill();
    let broker = start(&dir);
    let mut client = broker.client();
    assert_eq!(client.list_offset("t", 0, EARLIEST), Ok(5));
    for sequence in 0..5 {
        let again = client.append("t", 0, &sequenced(&[&value], producer, sequence));
        assert_eq!(again, i64::from(sequence), "it is answered as the first time");
    }
    assert_eq!(client.append("t", 0, &sequenced(&[&value], producer, 5)), 5);
}

#[test]
fn a_stop_under_load_is_clean() {
    let dir = DataDir::new();
    for round in 0..5 {
        let mut broker = start(&dir);
        let mut client = broker.client();
        if round == 0 {
            client.create_topic("t", PARTITIONS, &[]);
            let large = batch(&[&vec![b'x'; 900_000]]);
            for number in 0..40 {
                client.append("t", number % PARTITIONS, &large);
            }
        }
        let started = &AtomicBool::new(false);
        let acknowledged: Vec<i64> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..PARTITIONS)
                .map(|partition| {
                    let mut client = broker.client();
                    scope.spawn(move || write_until_closed(&mut client, partition, started))
                })
                .collect();
            for _ in 0..4 {
                let mut client = broker.client();
                scope.spawn(move || read_until_closed(&mut client));
            }
            support::wait_until("there is load", || started.load(Ordering::Relaxed));
            let status = broker.terminate();
            assert!(status.success(), "round {round}: {status}\n{}", broker.log());
            assert!(!broker.log().contains("did not close cleanly"), "{}", broker.log());
            writers.into_iter().map(|writer| writer.join().expect("the writer ends")).collect()
        });
        let broker = start(&dir);
        assert!(broker.log().contains("0 groups carried out, 0 bytes written, 0 segments cut"), "{}", broker.log());
        let mut client = broker.client();
        for (partition, acknowledged) in (0..PARTITIONS).zip(acknowledged) {
            let end = client.list_offset("t", partition, LATEST).expect("the partition is there");
            assert!(end >= acknowledged, "partition {partition} ends at {end}, {acknowledged} was acknowledged");
        }
        broker.stop();
    }
}

/// Returns one past the last acknowledged offset.
fn write_until_closed(client: &mut Client, partition: i32, started: &AtomicBool) -> i64 {
    let request = produce_request(ACKS_ALL, &[("t", partition, &batch(&[&[b'x'; 5000]]))]);
    let frame = wire::header::request_frame(1, PRODUCE, None, &request);
    let mut end = 0;
    while std::io::Write::write_all(client.stream(), &frame).is_ok() {
        let Ok(Some(frame)) = client.receive_frame() else { break };
        let answer = support::decode::<ProduceRequest>(&frame, PRODUCE, 1);
        end = answer.responses[0].partition_responses[0].base_offset + 1;
        started.store(true, Ordering::Relaxed);
    }
    end
}

/// Reads all partitions from the start on, which takes the disk and both cores.
fn read_until_closed(client: &mut Client) {
    let mut fetch = support::fetch_request("t", 0, 0, Duration::ZERO, 10 << 20);
    let template = fetch.topics[0].partitions[0].clone();
    fetch.topics[0].partitions = (0..PARTITIONS)
        .map(|partition| wire::api::k01_fetch::FetchPartition { partition, ..template.clone() })
        .collect();
    let frame = wire::header::request_frame(1, support::FETCH, None, &fetch);
    while std::io::Write::write_all(client.stream(), &frame).is_ok() {
        let Ok(Some(_)) = client.receive_frame() else { break };
    }
}

#[test]
fn a_second_process_in_the_same_folder_is_refused() {
    let dir = DataDir::new();
    let broker = start(&dir);
    broker.client().create_topic("t", 1, &[]);
    let output = std::process::Command::new(support::binary())
        .args(["serve", "--listen", "127.0.0.1:0", "--cores", "1", "--data-dir"])
        .arg(dir.path())
        .output()
        .expect("the binary is built");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(error.contains("P0201") && error.contains("--data-dir"), "{error}");
    assert_eq!(broker.client().append("t", 0, &batch(&[b"undisturbed"])), 0);
    broker.stop();
    start(&dir).stop();
}

/// Starts a broker that must refuse, with this code, naming this file and a way out.
fn expect_refusal(dir: &DataDir, code: &str, file: &str) {
    match Broker::try_start(dir, 2, &[]) {
        Ok(_) => panic!("the broker starts as if nothing were wrong with {file}"),
        Err((status, log)) => {
            assert!(!status.success(), "{log}");
            assert!(status.code().is_some(), "a refusal is no crash: {status}\n{log}");
            for part in [code, file] {
                assert!(log.contains(part), "{part} is not in:\n{log}");
            }
        }
    }
}

/// A folder with a topic that has a closed segment and an active one.
fn filled() -> DataDir {
    let dir = DataDir::new();
    let broker = start(&dir);
    let mut client = broker.client();
    client.create_topic("t", 1, &[("segment.bytes", "1048576")]);
    for _ in 0..15 {
        client.append("t", 0, &batch(&[&vec![b'x'; 100_000]]));
    }
    drop(client);
    broker.stop();
    dir
}

fn segment(dir: &DataDir, number: usize) -> PathBuf {
    let mut names = folders(&dir.path().join("t-0"));
    names.retain(|name| name.ends_with(".log"));
    names.sort();
    dir.path().join("t-0").join(&names[number])
}

#[test]
fn a_folder_of_another_node_is_refused() {
    let dir = filled();
    match Broker::try_start(&dir, 2, &[("node.id", "7")]) {
        Ok(_) => panic!("the folder is node 1's"),
        Err((status, log)) => {
            assert!(status.code().is_some_and(|code| code != 0), "{status}\n{log}");
            assert!(log.contains("meta.properties") && log.contains("node.id is 7"), "{log}");
        }
    }
    start(&dir).stop();
}

#[test]
fn a_damaged_meta_properties_is_refused() {
    let dir = filled();
    support::edit(&dir.path().join("meta.properties"), |bytes| bytes.truncate(20));
    expect_refusal(&dir, "P0301", "meta.properties");
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    let dir = filled();
    let path = dir.path().join("checkpoint/core-0");
    support::edit(&path, |bytes| bytes[20] ^= 1);
    expect_refusal(&dir, "P0101", "core-0");
}

#[test]
fn a_partition_that_has_lost_its_last_segment_is_refused() {
    let dir = filled();
    let path = segment(&dir, 1);
    fs::remove_file(&path).expect("the segment is there");
    expect_refusal(&dir, "P01", "t-0");
}

#[test]
fn a_segment_that_has_lost_its_end_is_refused() {
    let dir = filled();
    let path = segment(&dir, 1);
    support::edit(&path, |bytes| bytes.truncate(bytes.len() - 1000));
    expect_refusal(&dir, "P01", "t-0");
}

#[test]
fn a_journal_that_is_damaged_where_it_was_acknowledged_is_refused() {
    let dir = DataDir::new();
    let broker = start(&dir);
    let mut client = broker.client();
    client.create_topic("t", 2, &[]);
    for number in 0..40 {
        client.append("t", number % 2, &batch(&[b"acknowledged"]));
    }
    broker.kill();
    for core in ["core-0", "core-1"] {
        let journal = dir.path().join("journal").join(core).join("000.journal");
        // Block 8 of some forty: groups that follow show that it was acknowledged.
        support::edit(&journal, |bytes| bytes[8 * 4096 + 100] ^= 0x40);
    }
    expect_refusal(&dir, "P0104", "000.journal");
}
