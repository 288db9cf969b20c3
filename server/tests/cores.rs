//! Every core is used, and no client notices which one it has: partitions are placed on both, connections are dealt out
//! evenly, and each connection reaches every partition, in order and without delay.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use support::{ACKS_ALL, Broker, Client, DataDir, FETCH, PRODUCE, batch, metric_lines, produce_request, wait_until};
use wire::api::*;

const TOPIC: &str = "spread";
const PARTITIONS: i32 = 4;
/// A fetch that is answered within the client's patience was woken.
const MAX_WAIT: Duration = Duration::from_secs(600);

fn broker() -> Broker {
    let broker = Broker::start(&[]);
    broker.client().create_topic(TOPIC, PARTITIONS, &[]);
    broker
}

/// The value of a label.
fn label(labels: &str, name: &str) -> String {
    let value = labels.split(',').find_map(|label| label.strip_prefix(name)?.strip_prefix('='));
    value.expect("the label is there").trim_matches('"').to_owned()
}

/// Which core has each partition of the topic.
fn cores_of(broker: &Broker, topic: &str) -> BTreeMap<i32, String> {
    let topic = format!("topic=\"{topic}\"");
    let metrics = broker.metrics();
    metric_lines(&metrics, "partita_partition_log_end_offset", &[&topic])
        .map(|(labels, _)| (label(labels, "partition").parse().expect("an index"), label(labels, "core")))
        .collect()
}

#[test]
fn a_topics_partitions_are_placed_evenly_on_all_cores() {
    let broker = broker();
    let cores = cores_of(&broker, TOPIC);
    assert_eq!(cores.len(), PARTITIONS as usize);
    for core in ["0", "1"] {
        assert_eq!(cores.values().filter(|found| *found == core).count(), PARTITIONS as usize / 2, "{cores:?}");
    }
}

#[test]
fn connections_are_dealt_out_to_the_core_with_the_fewest() {
    let broker = broker();
    let on = |core| broker.metric("partita_connections", &[core]);
    wait_until("earlier connections have gone", || on("core=\"0\"") + on("core=\"1\"") == 0);
    let clients: Vec<Client> = (0..10).map(|_| broker.client()).collect();
    wait_until("all connections are counted", || (on("core=\"0\""), on("core=\"1\"")) == (5, 5));
    drop(clients);
}

#[test]
fn every_connection_reads_and_writes_every_partition_and_both_cores_append() {
    let broker = broker();
    // Two connections in a row are on different cores.
    let mut clients = [broker.client(), broker.client()];
    let mut expected: BTreeMap<i32, Vec<Vec<u8>>> = BTreeMap::new();
    for round in 0..20 {
        for (number, client) in clients.iter_mut().enumerate() {
            for partition in 0..PARTITIONS {
                let value = format!("client {number}, round {round}").into_bytes();
                client.append(TOPIC, partition, &batch(&[&value]));
                expected.entry(partition).or_default().push(value);
            }
        }
    }
    for client in &mut clients {
        for (partition, expected) in &expected {
            let read: Vec<_> = client.read_all(TOPIC, *partition, 0).into_iter().map(|(_, value)| value).collect();
            assert_eq!(&read, expected, "partition {partition}");
        }
    }
    for core in ["core=\"0\"", "core=\"1\""] {
        assert!(broker.metric("partita_appended_records_total", &[core]) >= 80, "{core} has its half of 160 records");
        assert!(broker.metric("partita_requests_total", &[core, "api=\"Produce\""]) == 80, "{core} has one client's");
    }
}

#[test]
fn a_long_poll_on_any_cores_partition_wakes_at_once() {
    let broker = broker();
    let mut writer = broker.client();
    let mut pollers = [broker.client(), broker.client()];
    for partition in 0..PARTITIONS {
        for poller in &mut pollers {
            let end = writer.list_offset(TOPIC, partition, support::LATEST).expect("the partition is there");
            let fetch = support::fetch_request(TOPIC, partition, end, MAX_WAIT, 1 << 20);
            let requests = || broker.metric("partita_requests_total", &["api=\"Fetch\""]);
            let before = requests();
            let id = poller.send(FETCH, &fetch);
            wait_until("the fetch has arrived", || requests() > before);
            writer.append(TOPIC, partition, &batch(&[b"news"]));
            let mut response = poller.receive::<FetchRequest>(FETCH, id);
            let data = response.responses.remove(0).partitions.remove(0);
            assert_eq!(support::values(data), [(end, b"news".to_vec())]);
        }
    }
}

#[test]
fn a_long_poll_over_both_cores_wakes_for_either() {
    let broker = broker();
    let mut writer = broker.client();
    for partition in 0..PARTITIONS {
        let mut poller = broker.client();
        let mut fetch = support::fetch_request(TOPIC, 0, 0, MAX_WAIT, 1 << 20);
        let template = fetch.topics[0].partitions[0].clone();
        fetch.topics[0].partitions = (0..PARTITIONS)
            .map(|index| {
                let end = writer.list_offset(TOPIC, index, support::LATEST).expect("the partition is there");
                wire::api::k01_fetch::FetchPartition { partition: index, fetch_offset: end, ..template.clone() }
            })
            .collect();
        let id = poller.send(FETCH, &fetch);
        writer.append(TOPIC, partition, &batch(&[b"news"]));
        let response = poller.receive::<FetchRequest>(FETCH, id);
        let with_records: Vec<i32> = response.responses[0]
            .partitions
            .iter()
            .filter(|data| data.records.as_ref().is_some_and(|records| !records.is_empty()))
            .map(|data| data.partition_index)
            .collect();
        assert_eq!(with_records, [partition]);
    }
}

#[test]
fn pipelined_requests_of_all_kinds_are_answered_in_their_order() {
    const ROUNDS: i32 = 100;
    let broker = broker();
    let mut client = broker.client();
    let mut sent = Vec::new();
    for round in 0..ROUNDS {
        let partition = round % PARTITIONS;
        let value = round.to_be_bytes();
        let records = batch(&[&value]);
        sent.push((0, client.send(PRODUCE, &produce_request(ACKS_ALL, &[(TOPIC, partition, &records)]))));
        match round % 5 {
            0 => sent.push((3, client.send(12, &MetadataRequest { topics: None, ..Default::default() }))),
            1 => sent.push((18, client.send(3, &software()))),
            2 => {
                let fetch = support::fetch_request(TOPIC, partition, 0, Duration::ZERO, 1 << 16);
                sent.push((1, client.send(FETCH, &fetch)));
            }
            3 => drop(client.send(PRODUCE, &produce_request(0, &[(TOPIC, partition, &records)]))),
            _ => sent.push((60, client.send(0, &DescribeClusterRequest::default()))),
        }
    }
    for (api, id) in sent {
        // Each receive asserts that the answer bears the id of this request.
        match api {
            0 => {
                let answer = client.receive::<ProduceRequest>(PRODUCE, id);
                assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
            }
            1 => drop(client.receive::<FetchRequest>(FETCH, id)),
            3 => drop(client.receive::<MetadataRequest>(12, id)),
            18 => drop(client.receive::<ApiVersionsRequest>(3, id)),
            _ => drop(client.receive::<DescribeClusterRequest>(0, id)),
        }
    }
    for partition in 0..PARTITIONS {
        let read = client.read_all(TOPIC, partition, 0);
        let rounds: Vec<i32> =
            read.iter().map(|(_, value)| i32::from_be_bytes(value[..].try_into().expect("four bytes"))).collect();
        assert!(rounds.is_sorted(), "batches of one connection keep their order: {rounds:?}");
        let distinct: BTreeSet<_> = rounds.iter().collect();
        assert_eq!(distinct.len(), (ROUNDS / PARTITIONS) as usize);
    }
}

fn software() -> ApiVersionsRequest {
    ApiVersionsRequest { client_software_name: "tests".into(), client_software_version: "1".into() }
}

#[test]
fn a_broker_with_one_core_serves_everything_too() {
    let dir = DataDir::new();
    let broker = Broker::start_in(&dir, 1, &[]);
    let mut client = broker.client();
    client.create_topic(TOPIC, PARTITIONS, &[]);
    for partition in 0..PARTITIONS {
        client.append(TOPIC, partition, &batch(&[b"v"]));
        assert_eq!(client.read_all(TOPIC, partition, 0).len(), 1);
    }
    assert!(cores_of(&broker, TOPIC).values().all(|core| core == "0"));
    broker.stop();
}
