//! Who runs when, and what a comparison of made runs says.

use super::metrics::Better;
use super::report::{Finding, all};
use super::*;
use crate::measure::Latencies;
use crate::result::{
    Durability, EventSummary, Latency, Load, Partitions, Resources, RunResult, SCHEMA, SystemInfo, Throughput,
    Validity, Verdict,
};
use crate::scenario::{Rate, Scenario, catalog};

/// A valid run of a scenario in which nothing was measured.
pub(crate) fn made_result(scenario: &Scenario) -> RunResult {
    RunResult {
        schema: SCHEMA,
        run: "20260101T000000Z-0000".into(),
        started: "20260101T000000Z".into(),
        system: SystemInfo {
            name: "partita".into(),
            version: "1".into(),
            revision: String::new(),
            durability: Durability::FlushedBeforeAck,
        },
        scenario_hash: scenario.hash(),
        scenario: scenario.clone(),
        command: String::new(),
        comparison: None,
        window_s: 10.0,
        load: Load::default(),
        throughput: Throughput::default(),
        latency: Latency::default(),
        partitions: Partitions::default(),
        groups: Vec::new(),
        events: EventSummary::default(),
        resources: Resources::default(),
        validity: Validity::valid(),
    }
}

fn run(system: &str, place: &Comparison, cpu_s_per_gb: f64, p99_us: u64) -> RunResult {
    let mut scenario = catalog::find("quick").unwrap().scenarios.remove(0);
    scenario.producers.rate = Rate::Max;
    let mut latencies = Latencies::default();
    latencies.record_us(p99_us, 1000);
    let mut result = made_result(&scenario);
    result.system.name = system.into();
    if system == "kafka" {
        result.system.durability = Durability::PageCacheOnly;
    }
    result.comparison = Some(place.clone());
    result.throughput.acked_mb_per_s = 100.0;
    result.latency.response = latencies.summary();
    result.resources.server_cpu_s_per_gb = Some(cpu_s_per_gb);
    result.resources.server_core_share = Some(0.95);
    result.resources.client_core_share = Some(0.5);
    result
}

/// Runs of both systems whose CPU per GB is what `cpu` says of a turn.
fn runs(systems: &[&str], pairs: u32, cpu: impl Fn(&Turn) -> f64) -> Vec<RunResult> {
    let turns = schedule("id", systems, pairs, 7);
    turns.iter().map(|turn| run(systems[turn.system], &turn.place, cpu(turn), 1000)).collect()
}

#[test]
fn pairs_are_adjacent_and_each_two_are_counterbalanced() {
    for seed in 0..50 {
        let turns = schedule("id", &["p", "k", "f"], 6, seed);
        assert_eq!(turns.len(), 6 * 2 * 2);
        for two in turns.chunks(2) {
            assert_eq!((&two[0].place.id, two[0].place.pair), (&two[1].place.id, two[1].place.pair));
            assert_eq!((two[0].place.position, two[1].place.position), (1, 2));
            assert_ne!(two[0].place.side, two[1].place.side);
            assert!(two.iter().all(|turn| (turn.place.side == "a") == (turn.system == 0)));
        }
        for other in ["id-p-k", "id-p-f"] {
            let first: Vec<&str> = turns
                .iter()
                .filter(|turn| turn.place.id == other && turn.place.position == 1)
                .map(|turn| turn.place.side.as_str())
                .collect();
            assert!(first.chunks(2).all(|two| two[0] != two[1]), "{first:?}");
        }
    }
    let firsts: std::collections::BTreeSet<String> =
        (0..50).map(|seed| schedule("id", &["p", "k"], 1, seed)[0].place.side.clone()).collect();
    assert_eq!(firsts.len(), 2, "chance decides who is first");
}

#[test]
fn two_of_one_kind_make_comparisons_of_their_own() {
    let ids: std::collections::BTreeSet<String> =
        schedule("id", &["p", "k", "k"], 1, 0).into_iter().map(|turn| turn.place.id).collect();
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), ["id-p-k", "id-p-k-2"]);
}

#[test]
fn a_clear_difference_is_claimed_with_both_classes_and_limits() {
    let runs = runs(&["partita", "kafka"], 6, |turn| {
        let noise = 1.0 + 0.01 * f64::from(turn.place.pair % 3);
        if turn.system == 0 { noise } else { 2.0 * noise }
    });
    let comparisons = all(&runs);
    let [ratios] = &comparisons[..] else { panic!("one comparison: {comparisons:?}") };
    assert_eq!(ratios.pairs, 6);
    let cpu = &ratios.figures[0];
    assert_eq!((cpu.name, cpu.better, cpu.finding()), ("server CPU-s/GB", Better::Less, Finding::Better));
    assert!((cpu.ratio.unwrap().mean - 0.5).abs() < 1e-9);
    let text = ratios.render();
    for said in [
        "flushed before the ack",
        "page cache only",
        "do not promise the same",
        "partita: the limit was its processor (95 %",
        "All runs are valid",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn equal_systems_are_not_told_apart() {
    let runs = runs(&["partita", "partita"], 6, |turn| {
        // The machine drifts, the same for both sides of a pair.
        (1.0 + 0.1 * f64::from(turn.place.pair)) * if turn.place.side == "a" { 0.99 } else { 1.0 }
    });
    let comparisons = all(&runs);
    let cpu = &comparisons[0].figures[0];
    assert!(cpu.ratio.unwrap().high < 1.0, "the interval alone would claim a difference");
    assert!(cpu.spread.unwrap() > 1.0);
    assert_eq!(cpu.finding(), Finding::Open);
    assert!(comparisons[0].render().contains("not told apart"));
}

#[test]
fn incomplete_pairs_few_pairs_and_doubtful_runs_are_said() {
    let mut runs = runs(&["partita", "kafka"], 3, |_| 1.0);
    runs.pop();
    runs[0].validity.lower(Verdict::Suspect, "steal 5 %");
    let ratios = &all(&runs)[0];
    assert_eq!(ratios.pairs, 2);
    let text = ratios.render();
    assert!(text.contains("Only 2 pairs") && text.contains("steal 5 %"), "{text}");
    assert!(all(&runs[..1]).is_empty(), "one side is no comparison");
    runs[0].comparison = None;
    assert_eq!(all(&runs)[0].pairs, 1);
}
