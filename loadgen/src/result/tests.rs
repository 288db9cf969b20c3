//! What is written of runs follows the schema and reads back; what is no result is refused.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::Value;

use super::*;
use crate::measure::Latencies;
use crate::result::hlog::{Entry, LatencyLog};
use crate::scenario::catalog;

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/run.schema.json");
    serde_json::from_str(&fs::read_to_string(path).expect("the schema")).expect("JSON")
}

fn result() -> RunResult {
    let scenario = catalog::find("rebalance").expect("in the catalog").scenarios.remove(0);
    let mut latencies = Latencies::default();
    latencies.record_us(70, 200_000);
    let member = MemberResult {
        name: "group-0".into(),
        partitions: 4,
        records: 5,
        first_record_ms: Some(1.5),
        assigned_ms: None,
        idle: false,
        rebalances: 0,
    };
    RunResult {
        schema: SCHEMA,
        run: "20261124T120000Z-0001".into(),
        started: "20261124T120000Z".into(),
        system: SystemInfo {
            name: "partita".into(),
            version: "0.1.0".into(),
            revision: String::new(),
            durability: Durability::FlushedBeforeAck,
        },
        scenario_hash: scenario.hash(),
        scenario,
        command: "loadgen run rebalance".into(),
        comparison: Some(Comparison { id: "c".into(), pair: 1, side: "a".into(), position: 2 }),
        window_s: 20.0,
        load: Load { errors: BTreeMap::from([("TIMED_OUT".into(), 3)]), ..Load::default() },
        throughput: Throughput::default(),
        latency: Latency { response: latencies.summary(), ..Latency::default() },
        partitions: Partitions { count: 4, records_min: 1, records_max: 2, fairness: 0.9 },
        groups: vec![GroupResult {
            name: "group".into(),
            protocol: "classic".into(),
            members: vec![member],
            delivered_per_s: 1.0,
            redelivered: 0,
            lag_end: 0,
            lag_max: 7,
            fairness: 1.0,
            drained_s: None,
            drain_per_s: None,
        }],
        events: EventSummary {
            failures: vec![Failure {
                at_s: 3.0,
                action: "kill".into(),
                group: "group".into(),
                member: "group-1".into(),
                partitions: vec![1],
                reassigned_ms: Some(3.0),
                step_up_ms: None,
            }],
            rebalances: 4,
        },
        resources: Resources::default(),
        validity: Validity::valid(),
    }
}

#[test]
fn a_result_is_what_the_schema_says_and_reads_back() {
    let result = result();
    let value = serde_json::to_value(&result).expect("JSON");
    assert_eq!(schema::faults(&schema(), &value), [""; 0]);
    assert_eq!(serde_json::from_value::<RunResult>(value).expect("the same shape"), result);
}

#[test]
fn the_schema_refuses_what_is_missing_unknown_or_of_another_kind() {
    let good = serde_json::to_value(result()).expect("JSON");
    let spoil = |change: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        schema::faults(&schema(), &value).len()
    };
    assert_eq!(spoil(&|value| value["load"]["lost"] = Value::Null), 1);
    assert_eq!(spoil(&|value| value["surprise"] = true.into()), 1);
    assert_eq!(spoil(&|value| value["validity"]["verdict"] = "fine".into()), 1);
    assert_eq!(spoil(&|value| value["groups"][0]["members"][0]["records"] = (-1).into()), 1);
    assert_eq!(spoil(&|value| value["load"]["errors"]["X"] = "many".into()), 1);
    assert_eq!(spoil(&|value| drop(value.as_object_mut().expect("object").remove("latency"))), 1);
}

#[test]
fn the_worst_verdict_stays() {
    let mut validity = Validity::valid();
    validity.lower(Verdict::Invalid, "one");
    validity.lower(Verdict::Suspect, "two");
    assert_eq!((validity.verdict, validity.reasons.len()), (Verdict::Invalid, 2));
}

#[test]
fn the_latency_log_reads_back_interval_by_interval() {
    let mut log = LatencyLog::new(UNIX_EPOCH + Duration::from_secs(1_700_000_000)).expect("memory");
    let mut latencies = Latencies::default();
    latencies.record_us(1500, 7);
    for second in 0..2 {
        let (from, length) = (Duration::from_secs(second), Duration::from_secs(1));
        log.write(&[
            Entry { tag: "response", from, length, latencies: &latencies },
            Entry { tag: "slip", from, length, latencies: &Latencies::default() },
        ])
        .expect("memory");
    }
    let mut intervals = 0;
    for entry in IntervalLogIterator::new(log.as_bytes()) {
        if let LogEntry::Interval(interval) = entry.expect("a log that its own reader reads") {
            assert_eq!(interval.tag().map(|tag| tag.as_str()), Some("response"));
            assert_eq!(interval.start_timestamp(), Duration::from_secs(intervals));
            let decoded = base64_decode(interval.encoded_histogram());
            let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &decoded[..]).expect("a histogram");
            assert_eq!((histogram.len(), histogram.value_at_quantile(0.5)), (7, 1500));
            intervals += 1;
        }
    }
    assert_eq!(intervals, 2, "an interval without samples is left out");
    let text = String::from_utf8(log.as_bytes().to_vec()).expect("text");
    assert_eq!(text.matches("StartTime").count(), 1);
    assert_eq!(text.matches("MaxValueDivisor").count(), 1);
}

fn base64_decode(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| ALPHABET.iter().position(|digit| *digit == byte));
    let (mut bits, mut held, mut bytes) = (0u32, 0, Vec::new());
    for digit in digits {
        bits = bits << 6 | digit as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}

#[test]
fn the_series_has_a_column_for_each_group() {
    let interval =
        Interval { phase: "window", response_us: Some([1, 2, 3, 4]), lag: vec![5, 6], ..Interval::default() };
    let csv = series_csv(&["a".into(), "b,c".into()], &[interval]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].ends_with(",lag_a,lag_b_c"), "{}", lines[0]);
    assert_eq!(lines[0].split(',').count(), lines[1].split(',').count());
    assert!(lines[1].contains(",1,2,3,4,"), "{}", lines[1]);
}
