//! OMB's YAML becomes the scenario that it describes, or is refused by the key; the published workloads are all possible.

use super::*;
use crate::client::Acks;

const WORKLOAD: &str = r#"
# as OMB writes it
name: 2 producers / 3 consumers
topics: 2
partitionsPerTopic: 5
keyDistributor: "KEY_ROUND_ROBIN"

messageSize: 1024
useRandomizedPayloads: true
randomBytesRatio: 0.25
randomizedPayloadPoolSize: 1000
subscriptionsPerTopic: 2
consumerPerSubscription: 3
producersPerTopic: 2
producerRate: 50000
consumerBacklogSizeGB: 4
testDurationMinutes: 15
"#;

const DRIVER: &str = r"
name: Kafka
driverClass: io.openmessaging.benchmark.driver.kafka.KafkaBenchmarkDriver
replicationFactor: 3
reset: true
topicConfig: |
  min.insync.replicas=2
commonConfig: |
  bootstrap.servers=localhost:9092
producerConfig: |
  acks=1
  linger.ms=10
  batch.size=131072
  compression.type=lz4
consumerConfig: |
  auto.offset.reset=earliest
  enable.auto.commit=false
  max.partition.fetch.bytes=10485760
";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("My workload.yaml"), WORKLOAD).unwrap();
    fs::write(folder.path().join("kafka-mine.yaml"), DRIVER).unwrap();
    folder
}

fn one(name: &str) -> Scenario {
    let mut found = find(name).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(found.scenarios.len(), 1);
    found.scenarios.remove(0)
}

/// The complaint about [`WORKLOAD`] with a line changed or added.
fn complaint(from: &str, to: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.yaml");
    assert!(WORKLOAD.contains(from));
    fs::write(&path, WORKLOAD.replace(from, to)).unwrap();
    find(path.to_str().unwrap()).unwrap_err().to_string()
}

#[test]
fn a_file_becomes_the_scenario_that_it_describes() {
    let folder = folder();
    let scenario = one(folder.path().join("My workload.yaml").to_str().unwrap());
    assert_eq!(scenario.id, "my-workload");
    assert_eq!((scenario.topic.count, scenario.topic.partitions, scenario.topic.replication), (2, 5, 1));
    let producers = &scenario.producers;
    assert_eq!((producers.count, producers.record_bytes, producers.rate), (2, 1024, Rate::PerSecond(50_000.0)));
    assert_eq!(producers.random_share, 0.25);
    assert_eq!(producers.keys.as_ref().map(|keys| keys.count), Some(10_000));
    assert!(producers.idempotent && matches!(producers.acks, Acks::All), "as Kafka's client by default");
    assert_eq!((scenario.timing.warm_up_s, scenario.timing.window_s), (60.0, 900.0));
    // 4 GiB for two groups together.
    assert_eq!(scenario.backlog.map(|backlog| backlog.megabytes), Some(2148));
    let groups: Vec<(&str, u32, Protocol)> =
        scenario.groups.iter().map(|group| (group.name.as_str(), group.members, group.protocol)).collect();
    assert_eq!(groups, [("subscription-1", 3, Protocol::Classic), ("subscription-2", 3, Protocol::Classic)]);
    assert!(scenario.shows.starts_with("2 producers / 3 consumers"));
    assert!(
        scenario.shows.contains("not in turn") && scenario.shows.contains("as fast as the broker"),
        "{}",
        scenario.shows
    );
}

#[test]
fn a_driver_says_how_the_client_is_set_up_and_a_scale_divides() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let scenario = one(&format!("{}+{}@100", path("My workload.yaml"), path("kafka-mine.yaml")));
    assert_eq!(scenario.id, "my-workload-kafka-mine-scale100");
    assert_eq!(scenario.scale, Some(100.0));
    assert_eq!(scenario.topic.replication, 3);
    assert_eq!(scenario.topic.settings["min.insync.replicas"], "2");
    let producers = &scenario.producers;
    assert!(matches!(producers.acks, Acks::Leader) && !producers.idempotent);
    assert_eq!((producers.linger_ms, producers.batch_bytes, producers.rate), (10.0, 131_072, Rate::PerSecond(500.0)));
    assert_eq!(scenario.groups[0].partition_fetch_bytes, 10_485_760);
    assert_eq!((scenario.timing.warm_up_s, scenario.timing.window_s), (3.0, 10.0), "times have a floor");
    assert_eq!(scenario.backlog.map(|backlog| backlog.megabytes), Some(22));
}

#[test]
fn what_has_no_counterpart_is_refused_by_its_name() {
    for (from, to, said) in [
        ("topics: 2", "topics: 2\nsurprise: 1", "surprise"),
        ("topics: 2\n", "", "topics"),
        ("topics: 2", "topics: many", "topics"),
        ("topics: 2", "topics: 2\nbacklogDrainRatio: 0.9", "backlogDrainRatio"),
        ("\"KEY_ROUND_ROBIN\"", "\"BY_MOOD\"", "BY_MOOD"),
        ("subscriptionsPerTopic: 2", "subscriptionsPerTopic: 0", "consumerBacklogSizeGB"),
        ("topics: 2", "topics: 2\nwarmupProducerRate: 5", "warmupProducerRate"),
        ("messageSize: 1024", "messageSize: 8", "record_bytes"),
        ("name: ", "name: [", ""),
    ] {
        let complaint = complaint(from, to);
        assert!(complaint.contains(said), "{said}: {complaint}");
    }
    for (from, to, said) in [
        ("acks=1", "acks=2", "acks=2"),
        ("linger.ms=10", "linger.ms=soon", "linger.ms=soon"),
        ("linger.ms=10", "partitioner.class=Mine", "partitioner.class"),
        ("bootstrap.servers", "security.protocol=SSL\n  bootstrap.servers", "security.protocol"),
        ("enable.auto.commit", "isolation.level", "isolation.level"),
        ("min.insync.replicas=2", "nonsense", "nonsense"),
    ] {
        assert!(DRIVER.contains(from));
        let complaint = Driver::parse("d.yaml", &DRIVER.replace(from, to)).unwrap_err().to_string();
        assert!(complaint.contains(said), "{said}: {complaint}");
    }
}

#[test]
fn every_published_workload_is_possible_as_it_is_and_scaled() {
    assert!(WORKLOADS.len() > 150, "{}", WORKLOADS.len());
    for name in WORKLOADS.iter() {
        assert!(is_workload(name));
        let whole = one(name);
        assert_eq!((whole.id.as_str(), whole.scale), (*name, None));
        assert!(whole.source.is_some_and(|source| source.contains("github.com")));
        let scaled = one(&format!("{name}@50"));
        assert_eq!((scaled.scale, scaled.family.as_str()), (Some(50.0), *name));
        assert!(scaled.timing.window_s <= whole.timing.window_s);
    }
    for driver in OMB_DRIVERS.into_iter().chain(CONFLUENT_DRIVERS) {
        one(&format!("{}+{driver}", WORKLOADS[0]));
    }
}

#[test]
fn the_published_numbers_are_those_of_their_names() {
    let scenario = one("1-topic-100-partitions-1kb-4p-4c-500k");
    assert_eq!((scenario.topic.partitions, scenario.producers.count, scenario.groups[0].members), (100, 4, 4));
    assert_eq!(scenario.producers.rate, Rate::PerSecond(500_000.0));
    let scenario = one("max-rate-1-topic-10-partitions-10p-10c-64kb");
    assert_eq!((scenario.producers.record_bytes, scenario.producers.rate), (65_536, Rate::Max));
    assert!(scenario.shows.contains("find-max"));
    let scenario = one("1-topic-100-partitions-1kb-4-producers-200k-rate+kafka-sync-0");
    assert!(matches!(scenario.producers.acks, Acks::None));
    assert_eq!(scenario.topic.settings["flush.messages"], "1");
    assert_eq!(scenario.id, "1-topic-100-partitions-1kb-4-producers-200k-rate-kafka-sync-0");
    let scenario = one("benchmark-withkey-500mbs-288parts-growing-producers-50-400-step4");
    assert_eq!((scenario.producers.count, scenario.producers.rate), (400, Rate::PerSecond(512_000.0)));
    assert!(one("smoke.simple").groups.is_empty());
    assert_eq!(one("load.400k").timing.window_s, 3600.0);
}

#[test]
fn unknown_names_and_scales_are_said() {
    let complaint = |name: &str| find(name).unwrap_err().to_string();
    assert!(complaint("no-such").contains("no-such"));
    assert!(complaint("e2e+no-such").contains("kafka-latency"));
    assert!(complaint("e2e@0.5").contains("from 1 up"));
    assert!(complaint("/nowhere.yaml").contains("/nowhere.yaml"));
    assert!(!is_workload("quick") && is_workload("e2e+kafka-1@3") && is_workload("x.yaml"));
}
