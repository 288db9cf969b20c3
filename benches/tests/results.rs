//! Every kept result is what `results/result.schema.json` says, and the index is what the results make.
//!
//! The checker knows the schema's few keywords and refuses any other, so the schema can't promise what is not checked.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use benches::driver::{Load, Outcome};
use benches::groups::{GroupLoad, GroupMeasurement, GroupResources, NamedLatency};
use benches::measurement::{Latency, Measurement, Validity};
use benches::results::{self, Durability, GROUP_SCHEMA, INDEX, RunResult, SCHEMA, Surroundings};
use hdrhistogram::Histogram;
use loadgen::resources::procfs::{Machine, Process};
use loadgen::result::Comparison;
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../results")
}

fn schema() -> Value {
    schema_of("result.schema.json")
}

fn schema_of(file: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder().join(file)).unwrap()).unwrap()
}

/// Everything in `value` that `schema` does not allow, each with its place.
fn faults(schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (keyword, rule) in schema.as_object().unwrap() {
        let fine = match keyword.as_str() {
            "$schema" | "title" | "description" | "properties" => true,
            "type" => match rule {
                Value::Array(types) => types.iter().any(|one| is_of(value, one)),
                one => is_of(value, one),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
            "required" => rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
            "additionalProperties" => {
                assert_eq!(rule, false, "the checker knows no other rule");
                let known = schema["properties"].as_object().unwrap();
                value.as_object().is_none_or(|object| object.keys().all(|name| known.contains_key(name)))
            }
            "items" => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                items.iter().all(|item| faults_of_item(rule, item, place, &mut faults))
            }
            other => panic!("the checker does not know the keyword {other}"),
        };
        if !fine {
            faults.push(format!("{place}: {keyword} {rule}"));
        }
    }
    for (name, rule) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if let Some(inner) = value.get(name) {
            faults.extend(self::faults(rule, inner, &format!("{place}/{name}")));
        }
    }
    faults
}

fn faults_of_item(rule: &Value, item: &Value, place: &str, all: &mut Vec<String>) -> bool {
    let found = faults(rule, item, place);
    let fine = found.is_empty();
    all.extend(found);
    fine
}

fn is_of(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("the checker does not know the type {other}"),
    }
}

fn outcome() -> Outcome {
    let mut histogram = Histogram::new_with_bounds(1_000, 60_000_000_000, 3).unwrap();
    histogram.record(1_500_000).unwrap();
    Outcome {
        window: Duration::from_secs(1),
        requests: 1,
        records: 10,
        bytes: 10_000,
        offered: 2,
        response: histogram.clone(),
        service: histogram,
        client_cpu: Duration::from_millis(5),
        server: Some(Process { cpu: Duration::from_millis(10), written_bytes: 20_000 }),
        server_rss_peak_bytes: Some(1 << 20),
        machine: Machine { busy: Duration::from_millis(20), flushes: 1, ..Machine::default() },
        bytes_per_second: vec![10_000],
    }
}

fn result(rate: Option<f64>) -> RunResult {
    let load = Load {
        address: SocketAddr::from(([127, 0, 0, 1], 1)),
        topic: "t".to_owned(),
        partitions: 1,
        connections: 1,
        depth: 1,
        batch_bytes: 10_000,
        record_bytes: 1000,
        acks: -1,
        warm_up: Duration::ZERO,
        window: Duration::from_secs(1),
        rate,
        server: Some(1),
    };
    RunResult {
        schema: SCHEMA,
        system: "floor".to_owned(),
        version: "0.1.0".to_owned(),
        revision: "abc".to_owned(),
        durability: Durability::FlushedBeforeAck,
        scenario: "floor-16k".to_owned(),
        scenario_hash: Surroundings::default().hash(),
        started: "20260101T000000Z".to_owned(),
        comparison: Comparison { id: "i".to_owned(), pair: 1, side: "a".to_owned(), position: 1 },
        measurement: Measurement::new(&load, &outcome()),
    }
}

#[test]
fn every_kept_result_follows_the_schema() {
    let (produced, groups) = (schema(), schema_of("group-result.schema.json"));
    for path in results::kept(&folder()).unwrap() {
        let value: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let is_of_groups = value["schema"] == GROUP_SCHEMA;
        let schema = if is_of_groups { &groups } else { &produced };
        assert_eq!(faults(schema, &value, ""), Vec::<String>::new(), "{}", path.display());
        if is_of_groups {
            results::read::<GroupMeasurement>(&path).unwrap();
        } else {
            results::read::<Measurement>(&path).unwrap();
        }
    }
}

#[test]
fn the_index_is_that_of_the_kept_results() {
    let index = fs::read_to_string(folder().join(INDEX)).unwrap();
    assert_eq!(index, results::index(&folder()).unwrap(), "make it again: compare index");
}

#[test]
fn what_is_written_follows_the_schema_and_reads_back() {
    let temporary = tempfile::tempdir().unwrap();
    for rate in [None, Some(20_000.0)] {
        let result = result(rate);
        let run = results::folder(temporary.path(), "m", &result);
        results::write(&run, &result, &Surroundings::default(), &outcome()).unwrap();
        let path = run.join("result.json");
        let value: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(faults(&schema(), &value, ""), Vec::<String>::new());
        assert_eq!(serde_json::to_value(results::read::<Measurement>(&path).unwrap()).unwrap(), value);
    }
    assert_eq!(results::index(temporary.path()).unwrap().lines().count(), 1, "one folder a run");
}

fn group_result() -> RunResult<GroupMeasurement> {
    let latency = Latency { samples: 1, p50_us: 1.0, p99_us: 1.0, p999_us: None, max_us: 1.0 };
    let measurement = GroupMeasurement {
        load: GroupLoad {
            groups: 1,
            members_per_group: 5,
            connections: 11,
            rate_per_second: 80.0,
            window_seconds: 1.0,
            offered: 1,
            answered: 1,
            errors: 0,
        },
        latencies: vec![NamedLatency { name: "classic, member killed".to_owned(), latency, points_us: vec![1.0] }],
        resources: GroupResources {
            server_cpu_seconds: 0.5,
            server_cpu_share: 0.5,
            server_cpu_us_per_request: None,
            server_rss_bytes: 1,
            server_rss_peak_bytes: 2,
            disk_flushes: 0,
            disk_written_bytes: 0,
            client_cpu_seconds: 0.1,
            foreign_cpu_share: 0.0,
            steal_share: 0.0,
        },
        validity: Validity { verdict: "valid".to_owned(), reasons: Vec::new() },
    };
    let RunResult { version, revision, scenario_hash, started, comparison, durability, .. } = result(None);
    RunResult {
        schema: GROUP_SCHEMA,
        system: "partita".to_owned(),
        scenario: "step-up-6s".to_owned(),
        version,
        revision,
        durability,
        scenario_hash,
        started,
        comparison,
        measurement,
    }
}

#[test]
fn what_is_written_of_groups_follows_its_schema_and_stands_in_the_index() {
    let temporary = tempfile::tempdir().unwrap();
    let result = group_result();
    let run = results::folder(temporary.path(), "m", &result);
    let Outcome { response, window, .. } = outcome();
    results::write_run(&run, &result, &Surroundings::default(), &[("step-up", &response)], window).unwrap();
    let path = run.join("result.json");
    let value: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(faults(&schema_of("group-result.schema.json"), &value, ""), Vec::<String>::new());
    assert!(!faults(&schema(), &value, "").is_empty(), "each kind has a schema of its own");
    assert_eq!(serde_json::to_value(results::read::<GroupMeasurement>(&path).unwrap()).unwrap(), value);
    let index: Value = serde_json::from_str(&results::index(temporary.path()).unwrap()).unwrap();
    assert_eq!(index["server_cpu_share"], 0.5);
}

#[test]
fn the_checker_sees_a_missing_a_foreign_and_a_wrong_field() {
    let schema = schema();
    let good = serde_json::to_value(result(None)).unwrap();
    assert!(faults(&schema, &good, "").is_empty());
    let spoiled: [fn(&mut Value); 4] = [
        |value| drop(value.as_object_mut().unwrap().remove("system")),
        |value| value["measurement"]["load"]["surprise"] = 1.into(),
        |value| value["durability"] = "sometimes".into(),
        |value| value["measurement"]["validity"]["reasons"] = serde_json::json!([1]),
    ];
    for spoil in spoiled {
        let mut value = good.clone();
        spoil(&mut value);
        assert!(!faults(&schema, &value, "").is_empty(), "{value}");
    }
}

#[test]
fn too_few_acknowledgements_of_an_open_loop_are_overload() {
    let result = result(Some(20_000.0));
    assert_eq!(result.measurement.validity.verdict, "overloaded");
    assert!(!result.measurement.validity.reasons.is_empty());
}
