//! Scenarios that are possible read back from their own text; those that are not are refused by the key.

use toml::{Table, Value};

use super::*;

fn minimal(text: &str) -> Result<Sweep, ScenarioError> {
    Sweep::parse("test", &format!("id = \"x\"\n{text}"))
}

fn refusal(text: &str) -> String {
    minimal(text).expect_err(text).to_string()
}

#[test]
fn every_scenario_of_the_catalog_is_possible_and_reads_back_from_its_own_toml() {
    for (id, _) in catalog::FILES {
        let sweep = catalog::find(id).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(sweep.id, *id);
        assert!(!sweep.shows.is_empty(), "{id} says what it shows");
        for scenario in &sweep.scenarios {
            let text = scenario.to_toml();
            let again = Sweep::parse(id, &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert_eq!(again.scenarios, std::slice::from_ref(scenario));
        }
    }
}

#[test]
fn unknown_keys_and_impossible_combinations_are_refused_by_name() {
    assert!(refusal("acks = 1").contains("unknown field `acks`"));
    assert!(refusal("[producers]\nrates = 1").contains("unknown field `rates`"));
    assert!(refusal("[producers]\nacks = \"2\"").contains("\"0\", \"1\" or \"all\""));
    assert!(refusal("[producers]\nrate = 0").contains("producers.rate = 0"));
    assert!(refusal("[producers]\nrate = \"most\"").contains("max"));
    assert!(refusal("[producers]\nrecord_bytes = 31").contains("it may be 32"));
    assert!(refusal("[producers]\nacks = 1\nidempotent = true").contains("needs acks"));
    assert!(refusal("[producers]\nidempotent = true\nin_flight = 6").contains("at most 5"));
    assert!(refusal("[producers]\ncompression = \"zip\"").contains("none, gzip, snappy, lz4 or zstd"));
    assert!(refusal("verify = \"live\"").contains("assigned"));
    assert!(refusal("[backlog]\nmegabytes = 5").contains("no group"));
    assert!(refusal("[[events]]\nat_s = 1\ndo = \"kill\"\ngroup = \"g\"").contains("no group of that name"));
    let twins = "[[groups]]\nname = \"g\"\n[[groups]]\nname = \"g\"";
    assert!(refusal(twins).contains("name of its own"));
}

#[test]
fn axes_multiply_and_name_the_runs() {
    let sweep = minimal(
        "[[groups]]\nname = \"g\"\nprotocol = \"classic\"\n\
         [[sweep]]\nkey = \"producers.acks\"\nlabel = \"acks\"\nvalues = [0, \"all\"]\n\
         [[sweep]]\nkey = \"groups.0.members\"\nlabel = \"m\"\nvalues = [1, 5]",
    )
    .expect("a sweep");
    let ids: Vec<&str> = sweep.scenarios.iter().map(|scenario| scenario.id.as_str()).collect();
    assert_eq!(ids, ["x-acks0-m1", "x-acks0-m5", "x-acksall-m1", "x-acksall-m5"]);
    assert!(sweep.scenarios.iter().all(|scenario| scenario.family == "x"));
    assert_eq!(sweep.scenarios[1].producers.acks, Acks::None);
    assert_eq!(sweep.scenarios[1].groups[0].members, 5);
    assert!(refusal("[[sweep]]\nkey = \"producers.nonsense\"\nvalues = [1]").contains("nonsense"));
    assert!(refusal("[[sweep]]\nkey = \"topic.partitions\"\nvalues = []").contains("no values"));
}

/// Every leaf of a table, by its place.
fn leaves(value: &Value, place: &str, found: &mut Vec<String>) {
    match value {
        Value::Table(table) => table.iter().for_each(|(key, value)| leaves(value, &format!("{place}/{key}"), found)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, value)| leaves(value, &format!("{place}/{at}"), found));
        }
        _ => found.push(place.to_owned()),
    }
}

fn change(value: &mut Value) {
    match value {
        Value::String(text) => text.push('x'),
        Value::Integer(number) => *number += 1,
        Value::Float(number) => *number += 0.25,
        Value::Boolean(is) => *is = !*is,
        other => panic!("a scenario has no {other:?}"),
    }
}

#[test]
fn the_hash_is_over_every_parameter() {
    let sweep = minimal(
        "source = \"s\"\nscale = 2.0\n[backlog]\nmegabytes = 1\n[topic.settings]\na = \"b\"\n\
         [producers.keys]\ndistribution = \"zipf\"\ncount = 9\nexponent = 1.0\n\
         [[groups]]\nname = \"g\"\nprotocol = \"classic\"\n[[events]]\nat_s = 1\ndo = \"kill\"\ngroup = \"g\"",
    )
    .expect("a scenario");
    let scenario = &sweep.scenarios[0];
    let table: Table = scenario.to_toml().parse().expect("its own TOML");
    let mut places = Vec::new();
    leaves(&Value::Table(table.clone()), "", &mut places);
    assert!(places.len() > 40, "all parameters are there: {places:?}");
    for place in places {
        let mut changed = Value::Table(table.clone());
        let leaf = place.split('/').skip(1).fold(&mut changed, |value, part| match value {
            Value::Array(list) => &mut list[part.parse::<usize>().expect("a place")],
            other => &mut other[part],
        });
        change(leaf);
        // What is no scenario any more cannot be taken for this one.
        if let Ok(other) = changed.try_into::<Scenario>() {
            assert_ne!(other.hash(), scenario.hash(), "{place}");
        }
    }
}
