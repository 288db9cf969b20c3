//! The published workloads and client set-ups by their own names. The numbers are their authors'; the definitions are made here, because
//! the names of most already say everything.
//!
//! | who | where | which |
//! |---|---|---|
//! | OpenMessaging Benchmark | github.com/openmessaging/benchmark, `workloads/`, `driver-kafka/` | `1-topic-…`, `100-topics-…`, `1m-10-topics-…`, `max-rate-…`, `backlog-…` |
//! | Confluent, "Benchmarking Apache Kafka, Apache Pulsar, and RabbitMQ" (2020) | github.com/confluentinc/openmessaging-benchmark, `blog/workloads/` | `1-topic-100-partitions-1kb-4-producers-…-rate` |
//! | Redpanda's certification | github.com/redpanda-data/openmessaging-benchmark, `driver-redpanda/deploy/certification/` | `load.…k`, `e2e`, `simple`, `discover`; short ones with `smoke.` before |
//! | Jack Vanlightly, "Kafka vs Redpanda performance" (2023) | github.com/Vanlightly/openmessaging-benchmark-custom, `driver-kafka/deploy/workloads/large/` | `benchmark-…-stepN`, in lower case |
//!
//! Deviation: replication is 1 and `min.insync.replicas` is not set, where all of these say 3 and 2, because what is measured here is one
//! node; a driver file that says 3 is followed. Left out: OMB's workloads of more than 10 000 topics, and Vanlightly's of more than a day.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{Driver, KeyDistributor, RATE_UNBOUNDED, Workload};
use crate::client::Acks;
use crate::scenario::ScenarioError;
use wire::compression::Compression;

const KIB: u32 = 1024;
const OMB: &str = "OpenMessaging Benchmark, github.com/openmessaging/benchmark";
const CONFLUENT: &str = "Confluent 2020, github.com/confluentinc/openmessaging-benchmark";
const REDPANDA: &str = "Redpanda's certification, github.com/redpanda-data/openmessaging-benchmark";
const VANLIGHTLY: &str = "Jack Vanlightly 2023, github.com/Vanlightly/openmessaging-benchmark-custom";

/// A published workload with the client that it was published with.
#[derive(Debug, Clone)]
pub(super) struct Published {
    pub(super) source: String,
    pub(super) workload: Workload,
    pub(super) driver: Driver,
}

static ALL: LazyLock<BTreeMap<String, Published>> = LazyLock::new(|| {
    let mut all = Catalog::default();
    all.omb();
    all.omb_max_rates();
    all.confluent();
    all.redpanda();
    all.vanlightly();
    all.0
});

/// The names of all workloads, sorted.
pub static WORKLOADS: LazyLock<Vec<&'static str>> = LazyLock::new(|| ALL.keys().map(String::as_str).collect());

/// OMB's client set-ups.
pub const OMB_DRIVERS: [&str; 10] = [
    "kafka-latency",
    "kafka-throughput",
    "kafka-no-linger",
    "kafka-sync",
    "kafka-big-batches",
    "kafka-exactly-once",
    "kafka-compression-gzip",
    "kafka-compression-snappy",
    "kafka-compression-lz4",
    "kafka-compression-zstd",
];

/// Those of Confluent's fork.
pub const CONFLUENT_DRIVERS: [&str; 9] = [
    "kafka-0",
    "kafka-1",
    "kafka-all",
    "kafka-sync-0",
    "kafka-sync-1",
    "kafka-sync-all",
    "kafka-group-all",
    "kafka-sync-group-all",
    "kafka-sync-group-all-1ms",
];

pub(super) fn workload(name: &str) -> Option<Published> {
    ALL.get(name).cloned()
}

/// A client set-up of OMB or of Confluent's fork; none when there is none of that name.
pub(super) fn driver(name: &str) -> Option<Driver> {
    let (batch_bytes, partition_fetch_bytes) = match name {
        _ if OMB_DRIVERS.contains(&name) => (1024 * KIB, Some(10 * 1024 * KIB)),
        _ if CONFLUENT_DRIVERS.contains(&name) => (128 * KIB, None),
        _ => return None,
    };
    let mut driver = Driver { partition_fetch_bytes, ..client(name, Acks::All, 1.0, batch_bytes) };
    match name {
        "kafka-latency" => driver.batch_bytes = 128 * KIB,
        "kafka-no-linger" => driver.linger_ms = 0.0,
        "kafka-big-batches" => {
            driver.linger_ms = 100.0;
            driver.request_bytes = Some(4 * 1024 * KIB);
        }
        "kafka-exactly-once" => {
            driver.idempotent = Some(true);
            driver.in_flight = 1;
        }
        "kafka-compression-gzip" => driver.compression = Compression::Gzip,
        "kafka-compression-snappy" => driver.compression = Compression::Snappy,
        "kafka-compression-lz4" => driver.compression = Compression::Lz4,
        "kafka-compression-zstd" => driver.compression = Compression::Zstd,
        "kafka-0" | "kafka-sync-0" => driver.acks = Acks::None,
        "kafka-1" | "kafka-sync-1" => driver.acks = Acks::Leader,
        "kafka-group-all" | "kafka-sync-group-all" => {
            driver.linger_ms = 10.0;
            driver.batch_bytes = 1024 * KIB;
            driver.partition_fetch_bytes = Some(1024 * KIB);
        }
        "kafka-sync-group-all-1ms" => driver.partition_fetch_bytes = Some(128 * KIB),
        _ => {}
    }
    if name.starts_with("kafka-sync") {
        driver.topic_settings.insert("flush.messages".to_owned(), "1".to_owned());
        driver.topic_settings.insert("flush.ms".to_owned(), "0".to_owned());
    }
    Some(driver)
}

fn client(name: &str, acks: Acks, linger_ms: f64, batch_bytes: u32) -> Driver {
    let notes = vec!["replication is 1, the source has 3".to_owned()];
    Driver { name: name.to_owned(), acks, linger_ms, batch_bytes, notes, ..Driver::default() }
}

/// What the families have in common: 1 topic, 1 KiB records, a payload file, one group.
fn base(name: &str, partitions: u32, rate: u64, minutes: u32) -> Workload {
    Workload {
        name: name.to_owned(),
        topics: 1,
        partitions_per_topic: partitions,
        key_distributor: KeyDistributor::NoKey,
        message_size: KIB,
        use_randomized_payloads: false,
        random_bytes_ratio: 0.0,
        randomized_payload_pool_size: 0,
        payload_file: Some(String::new()),
        subscriptions_per_topic: 1,
        consumer_per_subscription: 1,
        producers_per_topic: 1,
        producer_rate: rate,
        consumer_backlog_size_gb: 0,
        backlog_drain_ratio: 1.0,
        test_duration_minutes: minutes,
        warmup_duration_minutes: 1,
        sample_rate_millis: None,
    }
}

/// OMB's later workloads: payloads of which a half is random.
fn randomized(workload: Workload) -> Workload {
    Workload { use_randomized_payloads: true, random_bytes_ratio: 0.5, payload_file: None, ..workload }
}

/// As the names write it.
fn bytes(size: &str) -> u32 {
    match size {
        "100b" => 100,
        "1kb" => KIB,
        "64kb" => 64 * KIB,
        other => unreachable!("no workload has records of {other}"),
    }
}

#[derive(Default)]
struct Catalog(BTreeMap<String, Published>);

impl Catalog {
    fn add(&mut self, source: &str, name: &str, workload: Workload, driver: Driver) {
        let published = Published { source: format!("{source}, {name}"), workload, driver };
        let before = self.0.insert(name.to_owned(), published);
        assert!(before.is_none(), "{name} is defined twice");
    }

    fn add_omb(&mut self, name: &str, workload: Workload) {
        let driver = driver("kafka-latency").expect("it is in the table");
        self.add(OMB, name, workload, driver);
    }

    fn omb(&mut self) {
        for (name, partitions, size) in [
            ("1-topic-1-partition-100b", 1, "100b"),
            ("1-topic-1-partition-1kb", 1, "1kb"),
            ("1-topic-6-partition-100b", 6, "100b"),
            ("1-topic-16-partition-100b", 16, "100b"),
            ("1-topic-16-partitions-1kb", 16, "1kb"),
        ] {
            self.add_omb(name, Workload { message_size: bytes(size), ..base(name, partitions, 50_000, 15) });
        }
        let name = "1-topic-100-partitions-1kb";
        self.add_omb(name, base(name, 100, 50_000, 240));
        let name = "100-topics-1-partitions-1kb";
        self.add_omb(name, Workload { topics: 100, subscriptions_per_topic: 3, ..base(name, 1, 150_000, 240) });
        let name = "1-topic-3-partition-100b-3producers";
        self.add_omb(name, Workload { message_size: 100, producers_per_topic: 3, ..base(name, 3, 0, 15) });
        let name = "simple-workload";
        self.add_omb(name, base(name, 10, 10_000, 5));
        for (name, partitions) in [("backlog-1-topic-1-partition-1kb", 1), ("backlog-1-topic-16-partitions-1kb", 16)] {
            self.add_omb(name, Workload { consumer_backlog_size_gb: 100, ..base(name, partitions, 100_000, 5) });
        }
        for partitions in [1, 2, 3, 4, 6, 9, 16] {
            let plural = if partitions == 1 { "" } else { "s" };
            let name = format!("1m-10-topics-{partitions}-partition{plural}-100b");
            let workload = Workload { topics: 10, message_size: 100, ..base(&name, partitions, 1_000_000, 15) };
            self.add_omb(&name, randomized(workload));
        }
        let four = |workload| randomized(Workload { producers_per_topic: 4, consumer_per_subscription: 4, ..workload });
        for partitions in [100, 10_000] {
            for thousands in [200, 500, 1000, 2000] {
                let name = format!("1-topic-{partitions}-partitions-1kb-4p-4c-{thousands}k");
                self.add_omb(&name, four(base(&name, partitions, thousands * 1000, 5)));
            }
        }
        let name = "1-topic-100-partitions-1kb-4p-4c-200k-backlog";
        self.add_omb(name, four(Workload { consumer_backlog_size_gb: 512, ..base(name, 100, 200_000, 5) }));
        for (topics, said) in [(100, "100"), (500, "500"), (1000, "1k"), (5000, "5k"), (10_000, "10k")] {
            for thousands in [100, 500, 2000].into_iter().filter(|thousands| *thousands != 100 || topics >= 1000) {
                let name = format!("{said}-topic-1kb-4p-4c-{thousands}k");
                self.add_omb(&name, four(Workload { topics, ..base(&name, 1, thousands * 1000, 5) }));
            }
        }
    }

    fn omb_max_rates(&mut self) {
        const SMALL: &[&str] = &["100b", "1kb"];
        const ALL: &[&str] = &["100b", "1kb", "64kb"];
        for partitions in [16, 100] {
            for size in SMALL {
                let name = format!("max-rate-1-topic-{partitions}-partitions-{size}");
                self.add_omb(&name, Workload { message_size: bytes(size), ..base(&name, partitions, 0, 5) });
            }
        }
        let pairs = [
            (1, 1, 1, ALL),
            (1, 4, 1, &["1kb"]),
            (10, 10, 10, ALL),
            (10, 1, 1, ALL),
            (20, 20, 20, ALL),
            (30, 30, 30, SMALL),
            (40, 40, 40, ALL),
            (50, 50, 50, SMALL),
            (60, 60, 60, ALL),
            (70, 70, 70, SMALL),
            (80, 80, 80, ALL),
            (90, 90, 90, SMALL),
            (100, 100, 100, ALL),
            (100, 1, 1, SMALL),
        ];
        for (partitions, producers, consumers, sizes) in pairs {
            for size in sizes {
                let plural = if partitions == 1 { "" } else { "s" };
                let name = format!("max-rate-1-topic-{partitions}-partition{plural}-{producers}p-{consumers}c-{size}");
                let workload = Workload {
                    message_size: bytes(size),
                    producers_per_topic: producers,
                    consumer_per_subscription: consumers,
                    ..base(&name, partitions, RATE_UNBOUNDED, 5)
                };
                self.add_omb(&name, randomized(workload));
            }
        }
        for topics in (10..=100).step_by(10) {
            let sizes = if [30, 50, 70, 90].contains(&topics) { SMALL } else { ALL };
            for size in sizes {
                let name = format!("max-rate-{topics}-topics-1-partition-{size}");
                let workload = Workload { topics, message_size: bytes(size), ..base(&name, 1, RATE_UNBOUNDED, 5) };
                self.add_omb(&name, randomized(workload));
            }
        }
    }

    fn confluent(&mut self) {
        for thousands in [10, 40, 50, 75, 100, 200, 500, 1000] {
            let name = format!("1-topic-100-partitions-1kb-4-producers-{thousands}k-rate");
            let workload = Workload {
                producers_per_topic: 4,
                consumer_per_subscription: 4,
                ..base(&name, 100, thousands * 1000, 10)
            };
            self.add(CONFLUENT, &name, workload, driver("kafka-all").expect("it is in the table"));
        }
    }

    fn redpanda(&mut self) {
        let client = || Driver {
            partition_fetch_bytes: Some(128 * KIB),
            ..client("redpanda-ack-all-group-linger-1ms", Acks::All, 1.0, 128 * KIB)
        };
        for (prefix, minutes, warm_up) in [("", 60, 5), ("smoke.", 5, 1)] {
            let timed = |workload| Workload { warmup_duration_minutes: warm_up, ..workload };
            let load = |workload| timed(Workload { producers_per_topic: 16, consumer_per_subscription: 8, ..workload });
            for thousands in [400, 625, 900, 1250] {
                // The largest is among the short ones only.
                if thousands < 1250 || minutes == 5 {
                    let name = format!("{prefix}load.{thousands}k");
                    self.add(REDPANDA, &name, load(base(&name, 100, thousands * 1000, minutes)), client());
                }
            }
            let name = format!("{prefix}e2e");
            self.add(REDPANDA, &name, timed(base(&name, 1, 50_000, minutes)), client());
            let name = format!("{prefix}simple");
            let nobody = Workload {
                subscriptions_per_topic: 0,
                consumer_per_subscription: 0,
                ..base(&name, 1, 50_000, minutes)
            };
            self.add(REDPANDA, &name, timed(nobody), client());
        }
        let name = "smoke.discover";
        let workload = Workload { producers_per_topic: 16, consumer_per_subscription: 8, ..base(name, 100, 0, 5) };
        self.add(REDPANDA, name, workload, client());
    }

    fn add_vanlightly(&mut self, family: &str, acks: Acks, steps: Vec<Workload>) {
        for (step, workload) in (1..).zip(steps) {
            let name = format!("benchmark-{family}-step{step}");
            let about = match acks {
                Acks::All => "kafka_no-sync_rf-3_minisr-2_acks-all_linger-1ms",
                _ => "kafka_no-sync_rf-3_acks-1_linger-1ms",
            };
            let driver = Driver { partition_fetch_bytes: Some(128 * KIB), ..client(about, acks, 1.0, 128 * KIB) };
            self.add(VANLIGHTLY, &name, Workload { name: name.clone(), ..workload }, driver);
        }
    }

    fn vanlightly(&mut self) {
        /// MB/s, as the names say it, of 1 KiB records.
        const MB: u64 = 1024;
        let load = |partitions, clients: u32, rate, minutes, warm_up| Workload {
            producers_per_topic: clients,
            consumer_per_subscription: clients,
            warmup_duration_minutes: warm_up,
            ..base("", partitions, rate, minutes)
        };
        for clients in [4, 50] {
            let steps = (500..=1000).step_by(100).map(|mb| load(288, clients, mb * MB, 45, 15)).collect();
            self.add_vanlightly(&format!("nullkey-500mbs-1gbs-{clients}-producers-45min"), Acks::All, steps);
        }
        self.add_vanlightly("nullkey-1gbs-4-producers-24hr", Acks::All, vec![load(288, 4, 1000 * MB, 1440, 60)]);
        for (limit, warm_up) in [("no-ret-limit", 10), ("ret-limit", 65)] {
            let steps = [1000, 1200].map(|mb| load(288, 10, mb * MB, 30, warm_up)).to_vec();
            self.add_vanlightly(&format!("nullkey-acks1-1000mbs-1200mbs-10-producers-{limit}"), Acks::Leader, steps);
        }
        let steps = [1000, 1200, 1400, 1600, 1800, 1900, 2000].map(|mb| load(288, 10, mb * MB, 20, 10)).to_vec();
        self.add_vanlightly("nullkey-acks1-1000mbs-2000mbs-10-producers", Acks::Leader, steps);
        let keyed = |workload| Workload { key_distributor: KeyDistributor::KeyRoundRobin, ..workload };
        let growing = |partitions, producers: &[u32], mb| {
            let step =
                |count: &u32| keyed(Workload { producers_per_topic: *count, ..load(partitions, 10, mb * MB, 30, 10) });
            producers.iter().map(step).collect()
        };
        let steps = growing(100, &[4, 10, 20, 40, 60, 80, 100], 500);
        self.add_vanlightly("withkey-500mbs-100parts-growing-producers-4-100", Acks::All, steps);
        for mb in [500, 1000] {
            let steps = growing(288, &[50, 100, 200, 400], mb);
            self.add_vanlightly(&format!("withkey-{mb}mbs-288parts-growing-producers-50-400"), Acks::All, steps);
        }
        for mb in [50, 200] {
            let step = |topics| {
                let consumers = Workload { consumer_per_subscription: 10, topics, ..load(10, 4, mb * MB, 60, 60) };
                keyed(consumers)
            };
            self.add_vanlightly(&format!("withkey-{mb}mbs-400-800parts"), Acks::All, [40, 80].map(step).to_vec());
        }
        for (said, fan_out, mb) in [
            ("1000mb-5tb-backlog-fanout1", 1, 1000),
            ("1000mb-2.5tb-backlog-fanout2", 2, 1000),
            ("800mb-1.6tb-backlog-fanout3", 3, 800),
        ] {
            let workload = Workload {
                subscriptions_per_topic: fan_out,
                consumer_backlog_size_gb: 5000,
                ..load(288, 4, mb * MB, 1220, 5)
            };
            self.add_vanlightly(&format!("backlog-drain-{said}"), Acks::All, vec![workload]);
        }
    }
}

/// Why `name` is none of these.
pub(super) fn unknown(name: &str) -> ScenarioError {
    let known = format!("{} and others: `loadgen list` has all", WORKLOADS[..3].join(", "));
    ScenarioError::Unknown { id: name.to_owned(), known }
}
