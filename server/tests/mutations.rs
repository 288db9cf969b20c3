//! Requests of every API, each changed at random: the broker answers or closes the connection, never panics, and goes on
//! serving others.

mod support;

use std::io::Write;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use support::{ACKS_ALL, Broker, DataDir, batch, produce_request, sequenced};
use wire::api::k02_list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use wire::api::k08_offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::api::k11_join_group::JoinGroupRequestProtocol;
use wire::api::k19_create_topics::CreatableTopic;
use wire::api::k21_delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use wire::api::k37_create_partitions::CreatePartitionsTopic;
use wire::api::*;
use wire::header::request_frame;
use wire::message::Api;

const ROUNDS: usize = 150;
const FRAMES_A_CONNECTION: usize = 25;
/// Where a frame's header ends at the earliest: its length, API, version and correlation id stay as they are.
const KEPT_BYTES: usize = 12;

/// A request in every version.
fn every_version<A: Api>(request: &A, frames: &mut Vec<Vec<u8>>) {
    for version in A::VERSIONS {
        frames.push(request_frame(1, version, Some("mutant"), request));
    }
}

/// Requests that make sense, to begin with.
fn sensible() -> Vec<Vec<u8>> {
    let topic = || "t".to_owned();
    let mut frames = Vec::new();
    every_version(&produce_request(ACKS_ALL, &[("t", 0, &batch(&[b"v", b"w"]))]), &mut frames);
    every_version(&produce_request(1, &[("t", 1, &sequenced(&[b"v"], (1, 0), 0))]), &mut frames);
    every_version(&support::fetch_request("t", 0, 0, std::time::Duration::ZERO, 1 << 20), &mut frames);
    let partitions = vec![ListOffsetsPartition { timestamp: -1, ..Default::default() }];
    let topics = vec![ListOffsetsTopic { name: topic(), partitions }];
    every_version(&ListOffsetsRequest { topics, ..Default::default() }, &mut frames);
    every_version(&MetadataRequest::default(), &mut frames);
    let partitions = vec![OffsetCommitRequestPartition { committed_offset: 3, ..Default::default() }];
    let topics = vec![OffsetCommitRequestTopic { name: topic(), partitions, ..Default::default() }];
    every_version(&OffsetCommitRequest { group_id: "g".into(), topics, ..Default::default() }, &mut frames);
    every_version(&OffsetFetchRequest { group_id: "g".into(), ..Default::default() }, &mut frames);
    every_version(&FindCoordinatorRequest { key: "g".into(), ..Default::default() }, &mut frames);
    let join = JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), ..Default::default() }],
        ..Default::default()
    };
    every_version(&join, &mut frames);
    every_version(&HeartbeatRequest { group_id: "g".into(), ..Default::default() }, &mut frames);
    every_version(&LeaveGroupRequest { group_id: "g".into(), ..Default::default() }, &mut frames);
    every_version(&SyncGroupRequest { group_id: "g".into(), ..Default::default() }, &mut frames);
    every_version(&DescribeGroupsRequest { groups: vec!["g".into()], ..Default::default() }, &mut frames);
    every_version(&ListGroupsRequest::default(), &mut frames);
    every_version(&ApiVersionsRequest::default(), &mut frames);
    let created = CreatableTopic { name: "u".into(), num_partitions: 2, replication_factor: 1, ..Default::default() };
    every_version(&CreateTopicsRequest { topics: vec![created], ..Default::default() }, &mut frames);
    every_version(&DeleteTopicsRequest { topic_names: vec!["u".into()], ..Default::default() }, &mut frames);
    let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset: 1 }];
    let topics = vec![DeleteRecordsTopic { name: topic(), partitions }];
    every_version(&DeleteRecordsRequest { topics, timeout_ms: 1000 }, &mut frames);
    every_version(&InitProducerIdRequest::default(), &mut frames);
    every_version(&OffsetForLeaderEpochRequest::default(), &mut frames);
    every_version(&DescribeConfigsRequest::default(), &mut frames);
    every_version(&AlterConfigsRequest::default(), &mut frames);
    let topics = vec![CreatePartitionsTopic { name: topic(), count: 3, ..Default::default() }];
    every_version(&CreatePartitionsRequest { topics, ..Default::default() }, &mut frames);
    every_version(&DeleteGroupsRequest { groups_names: vec!["g".into()] }, &mut frames);
    every_version(&IncrementalAlterConfigsRequest::default(), &mut frames);
    every_version(&OffsetDeleteRequest { group_id: "g".into(), ..Default::default() }, &mut frames);
    every_version(&DescribeClusterRequest::default(), &mut frames);
    every_version(&DescribeTopicPartitionsRequest::default(), &mut frames);
    frames
}

/// Changes a few bytes; the frame's length fits again afterwards.
fn mutate(frame: &mut Vec<u8>, random: &mut StdRng) {
    for _ in 0..random.random_range(0..4) {
        if frame.len() <= KEPT_BYTES {
            break;
        }
        let at = random.random_range(KEPT_BYTES..frame.len());
        match random.random_range(0..6) {
            0 => frame[at] ^= 1 << random.random_range(0..8),
            1 => frame[at] = random.random(),
            2 => frame.truncate(at),
            3 => frame.insert(at, random.random()),
            4 => frame[at..].iter_mut().take(4).for_each(|byte| *byte = 0xff),
            _ => {
                let copied = frame[at..].to_vec();
                frame.extend(copied);
            }
        }
    }
    let length = (frame.len() - 4) as i32;
    frame[..4].copy_from_slice(&length.to_be_bytes());
}

#[test]
fn changed_requests_of_every_api_never_disturb_the_broker() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u64>);
    eprintln!("SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let dir = DataDir::new();
    let broker = Broker::start_in(&dir, 2, &[("group.min.session.timeout.ms", "1000")]);
    let mut witness = broker.client();
    witness.create_topic("witness", 2, &[]);
    witness.create_topic("t", 2, &[]);
    let frames = sensible();
    for round in 0..ROUNDS {
        let mut client = broker.client();
        for _ in 0..FRAMES_A_CONNECTION {
            let mut frame = frames[random.random_range(0..frames.len())].clone();
            mutate(&mut frame, &mut random);
            // Whether it is answered, parked or refused is the broker's affair.
            if client.stream().write_all(&frame).is_err() {
                client = broker.client();
            }
        }
        let value = (round as u64).to_be_bytes();
        assert_eq!(witness.append("witness", (round % 2) as i32, &batch(&[&value])), (round / 2) as i64);
    }
    drop(witness);
    broker.stop();
    let broker = Broker::start_in(&dir, 1, &[]);
    let mut client = broker.client();
    for partition in 0..2 {
        assert_eq!(client.read_all("witness", partition, 0).len(), ROUNDS / 2, "partition {partition}");
    }
    broker.stop();
}
