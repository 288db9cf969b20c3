//! Made-up runs of real shape: the quick suite on one system, a load curve, a loss, on two systems with different durability.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use loadgen::client::Acks;
use loadgen::measure::Latencies;
use loadgen::result::folder::RunFiles;
use loadgen::result::hlog::{Entry, LatencyLog};
use loadgen::result::{
    Comparison, Durability, EventSummary, Failure, GroupResult, Interval, Latency, Load, MemberResult, Partitions,
    Resources, RunEvent, RunResult, SCHEMA, SystemInfo, Throughput, Validity, Verdict,
};
use loadgen::scenario::{Rate, Scenario, catalog};

/// A broker's make-up: what it promises and how slow it is.
pub struct Make {
    name: &'static str,
    version: &'static str,
    durability: Durability,
    base_us: u64,
    cpu_s_per_gb: f64,
}

pub const PARTITA: Make = Make {
    name: "partita",
    version: "0.1.0",
    durability: Durability::FlushedBeforeAck,
    base_us: 700,
    cpu_s_per_gb: 1.2,
};
pub const KAFKA: Make =
    Make { name: "kafka", version: "4.3.1", durability: Durability::PageCacheOnly, base_us: 1_900, cpu_s_per_gb: 3.6 };

/// Where the made-up runs lie in time.
fn started(run: usize) -> String {
    format!("20261124T12{:02}{:02}Z", run / 60 % 60, run % 60)
}

/// Latencies with a long tail, the same each time.
fn latencies(base_us: u64, samples: u64) -> Latencies {
    let mut latencies = Latencies::default();
    for at in 0..1_000u64 {
        let tail = if at > 995 { 40 } else { 1 + at / 250 };
        latencies.record_us(base_us * tail + at, samples / 1_000);
    }
    latencies
}

/// Writes one run of `scenario` on `make`, its `number` naming it, its times `slower` times as long.
pub fn write(
    results: &Path,
    make: &Make,
    mut scenario: Scenario,
    number: usize,
    slower: u64,
    change: impl FnOnce(&mut RunResult),
) {
    scenario.timing.window_s = 8.0;
    let rate = scenario.producers.rate.per_second().unwrap_or(100_000.0);
    let has_acks = scenario.producers.acks != Acks::None;
    let samples = (rate * 8.0) as u64;
    let (response, e2e) = (latencies(make.base_us * slower, samples), latencies(make.base_us * slower * 2, samples));
    let mut log = LatencyLog::new(UNIX_EPOCH + Duration::from_secs(1_795_000_000)).expect("memory takes it");
    let length = Duration::from_secs(8);
    let entry = |tag, latencies| Entry { tag, from: Duration::ZERO, length, latencies };
    if has_acks {
        log.write(&[entry("response", &response), entry("service", &response)]).expect("memory takes it");
    }
    if !scenario.groups.is_empty() {
        log.write(&[entry("e2e", &e2e)]).expect("memory takes it");
    }
    let result =
        result(make, &scenario, number, has_acks.then_some(&response), (!scenario.groups.is_empty()).then_some(&e2e));
    let mut result = result;
    change(&mut result);
    let events = result.events.failures.iter().map(|failure| RunEvent {
        at_s: failure.at_s,
        kind: failure.action.clone(),
        group: Some(failure.group.clone()),
        member: Some(failure.member.clone()),
        detail: format!("{} is killed", failure.member),
    });
    let files = RunFiles {
        env: environment(),
        broker: format!("{} serve --listen 127.0.0.1:0\n", make.name),
        series: series(rate, make.base_us * slower, has_acks, &result.groups, !result.events.failures.is_empty()),
        server: None,
        events: events.collect(),
        latency_log: log.as_bytes().to_vec(),
        result,
    };
    files.write(results, "2cpu-sample").expect("the folder takes it");
}

fn result(
    make: &Make,
    scenario: &Scenario,
    number: usize,
    response: Option<&Latencies>,
    e2e: Option<&Latencies>,
) -> RunResult {
    let rate = scenario.producers.rate.per_second().unwrap_or(100_000.0);
    let records = (rate * 8.0) as u64;
    let acked = if response.is_some() { records } else { 0 };
    let groups = scenario.groups.iter().map(|group| GroupResult {
        name: group.name.clone(),
        protocol: group.protocol.name().to_owned(),
        members: (0..group.members)
            .map(|member| MemberResult {
                name: format!("{}-{member}", group.name),
                partitions: u32::from(member < scenario.topic.partitions),
                records: records / u64::from(group.members),
                first_record_ms: (member < scenario.topic.partitions).then_some(41.5 + f64::from(member)),
                assigned_ms: None,
                idle: member >= scenario.topic.partitions,
                rebalances: 0,
            })
            .collect(),
        delivered_per_s: rate,
        redelivered: 0,
        lag_end: 0,
        lag_max: 812,
        fairness: 0.998,
        drained_s: None,
        drain_per_s: None,
    });
    RunResult {
        schema: SCHEMA,
        run: format!("{}-{number:04}", started(number)),
        started: started(number),
        system: SystemInfo {
            name: make.name.to_owned(),
            version: make.version.to_owned(),
            revision: String::new(),
            durability: make.durability,
        },
        scenario: scenario.clone(),
        scenario_hash: scenario.hash(),
        command: "loadgen".to_owned(),
        comparison: None,
        window_s: 8.0,
        load: Load { offered: records, sent: records, acked, delivered: records, verified: true, ..Load::default() },
        throughput: Throughput {
            offered_per_s: rate,
            sent_per_s: rate,
            acked_per_s: acked as f64 / 8.0,
            acked_mb_per_s: acked as f64 / 8e3,
            delivered_per_s: if scenario.groups.is_empty() { 0.0 } else { rate },
            delivered_mb_per_s: rate / 1e3,
            requests_per_s: rate / 10.0,
            batch_records: 10.0,
        },
        latency: Latency {
            response: response.and_then(Latencies::summary),
            service: response.and_then(Latencies::summary),
            slip: None,
            e2e: e2e.and_then(Latencies::summary),
            request: None,
        },
        partitions: Partitions { count: scenario.topic.partitions, records_min: 1, records_max: 2, fairness: 1.0 },
        groups: groups.collect(),
        events: EventSummary::default(),
        resources: Resources {
            server_cpu_s: Some(1.0),
            server_cpu_s_per_gb: Some(make.cpu_s_per_gb * (1.0 + number as f64 / 40.0)),
            server_rss_peak_bytes: Some(160_000_000),
            written_per_payload_byte: Some(2.05),
            flushes_per_1000_acks: Some(4.2),
            client_cpu_s: Some(1.5),
            ..Resources::default()
        },
        validity: Validity::valid(),
    }
}

fn series(rate: f64, base_us: u64, has_acks: bool, groups: &[GroupResult], has_failure: bool) -> Vec<Interval> {
    (-2..9i32)
        .map(|second| {
            let is_hit = has_failure && (3..6).contains(&second);
            let records = rate as u64 + (second.unsigned_abs() as u64 % 3) * 10;
            Interval {
                from_s: f64::from(second),
                seconds: 1.0,
                phase: if second < 0 { "warm-up" } else { "window" },
                offered: records,
                sent: records,
                acked: if has_acks { records } else { 0 },
                delivered: if is_hit { records / 2 } else { records },
                response_us: has_acks.then_some([base_us, base_us * 4, base_us * 9, base_us * 40]),
                e2e_us: Some([base_us * 2, if is_hit { 2_500_000 } else { base_us * 8 }]),
                lag: groups.iter().map(|_| if is_hit { 1_000 * second.unsigned_abs() as u64 } else { 20 }).collect(),
                ..Interval::default()
            }
        })
        .collect()
}

fn environment() -> serde_json::Value {
    serde_json::json!({
        "machine": "2cpu-sample", "command": ["loadgen"], "cpu": "A processor", "cpus": 2, "server_cpus": "0", "client_cpus": "1",
        "memory_bytes": 25_000_000_000u64, "available_memory_bytes": 20_000_000_000u64, "kernel": "6.1", "congestion_control": "cubic",
        "transparent_huge_pages": "madvise", "load_average": "0.1",
        "device": { "name": "vda", "file_system": "ext4", "flush_class": "flush-only",
                    "raw_flush": { "samples": 200, "min_us": 300.0, "p50_us": 410.0, "p99_us": 1200.0, "max_us": 2000.0 } }
    })
}

fn scenarios(id: &str) -> Vec<Scenario> {
    catalog::find(id).expect("it is in the catalog").scenarios
}

/// The quick suite, one run of it suspect, as a first-time user gets it.
pub fn quick(results: &Path) {
    for (number, scenario) in scenarios("quick").into_iter().enumerate() {
        let slower = 1 + number as u64 % 4;
        write(results, &PARTITA, scenario, number, slower, |result| {
            if number == 5 {
                result.validity.lower(Verdict::Suspect, "foreign CPU 9.8 %, above 5.0 %");
            }
        });
    }
}

/// Two systems that promise different things, in six pairs of two scenarios, over a grid of acks and partitions.
pub fn side_by_side(results: &Path) {
    let chosen: Vec<Scenario> =
        scenarios("acks").into_iter().filter(|scenario| [1, 48].contains(&scenario.topic.partitions)).collect();
    let mut number = 0;
    for scenario in chosen {
        for pair in 1..=6u32 {
            for (side, make) in [("a", &PARTITA), ("b", &KAFKA)] {
                number += 1;
                let wobble = 1 + u64::from(pair == 4);
                write(results, make, scenario.clone(), number, wobble, |result| {
                    let position = if side == "a" { 1 } else { 2 };
                    let id = format!("20261124T120000Z-{}-partita-kafka", result.scenario.id);
                    result.comparison = Some(Comparison { id, pair, side: side.to_owned(), position });
                });
            }
        }
    }
}

/// A load curve that bends, and a member that is killed.
pub fn curve_and_loss(results: &Path) {
    let base = scenarios("floor").remove(0);
    for (number, rate) in [5_000.0, 20_000.0, 40_000.0, 60_000.0, 80_000.0, 84_000.0].into_iter().enumerate() {
        for acks in [Acks::Leader, Acks::All] {
            let mut scenario = base.clone();
            (scenario.id, scenario.family) = (format!("ladder-{number}"), "ladder".to_owned());
            (scenario.producers.rate, scenario.producers.acks) = (Rate::PerSecond(rate), acks);
            let run = number * 2 + usize::from(acks == Acks::All);
            write(results, &PARTITA, scenario, run, 1 << (number * 2), |_| {});
        }
    }
    for (number, scenario) in scenarios("rebalance").into_iter().enumerate() {
        write(results, &PARTITA, scenario, 100 + number, 1, |result| {
            result.events.failures.push(Failure {
                at_s: 3.0,
                action: "kill".to_owned(),
                group: "group".to_owned(),
                member: "group-0".to_owned(),
                partitions: vec![0],
                reassigned_ms: Some(2_400.0),
                step_up_ms: Some(2_500.0 + 100.0 * number as f64),
            });
        });
    }
}

/// One run in which everything went wrong, its names from somebody who wishes us ill.
pub fn hostile(results: &Path) {
    let evil = "\"><script>alert(1)</script><img src=//example.invalid/x>&lt;'`";
    let mut scenario = scenarios("floor").remove(1);
    (scenario.family, scenario.shows) = (evil.to_owned(), evil.to_owned());
    write(results, &PARTITA, scenario, 7, 3, |result| {
        (result.command, result.system.version) = (evil.to_owned(), evil.to_owned());
        result.load.errors = BTreeMap::from([(evil.to_owned(), 12)]);
        (result.load.lost, result.load.doubled, result.load.unseen) = (3, 2, 1);
        result.groups[0].name = evil.to_owned();
        result.validity.lower(Verdict::Invalid, evil);
    });
}
