//! The search against made brokers that sustain what the test says, and each reason why a rate is not sustained.

use super::*;
use crate::compare::made_result;
use crate::measure::Latencies;
use crate::result::{GroupResult, Validity, Verdict};
use crate::scenario::catalog;

const LIMITS: Limits = Limits { p99_us: 50_000 };

fn scenario() -> Scenario {
    catalog::find("quick").unwrap().scenarios.remove(4)
}

/// A run of a broker that takes `capacity` records a second, by a client that uses a core at `client` records a second.
fn made(scenario: &Scenario, capacity: f64, client: f64) -> (RunResult, Vec<Interval>) {
    let mut result = made_result(scenario);
    let offered = scenario.producers.rate.per_second();
    let acked = offered.unwrap_or(f64::MAX).min(capacity).min(client);
    result.throughput.offered_per_s = offered.unwrap_or(acked);
    result.throughput.acked_per_s = acked;
    result.resources.client_core_share = Some(acked / client);
    let mut latencies = Latencies::default();
    latencies.record_us(1000, 1000);
    result.latency.response = latencies.summary();
    let behind = (offered.unwrap_or(acked) - acked) / acked * 1e6;
    let interval = |second: u32| Interval {
        phase: "window",
        seconds: 1.0,
        slip_us: Some(500.0 + behind * f64::from(second)),
        lag: vec![0],
        ..Interval::default()
    };
    (result, (0..10).map(interval).collect())
}

fn search(capacity: f64, client: f64) -> Found {
    let run = &mut |scenario: &Scenario| Ok::<_, std::convert::Infallible>(made(scenario, capacity, client));
    find_max(&scenario(), &LIMITS, run).unwrap()
}

#[test]
fn what_a_broker_sustains_is_found_to_five_percent_and_confirmed() {
    let found = search(100_000.0, 1_000_000.0);
    let rate = found.rate.unwrap();
    assert!((93_000.0..=100_500.0).contains(&rate), "{rate}");
    assert!(!found.is_clients_ceiling);
    assert_eq!(found.saturated, 100_000.0);
    let last: Vec<bool> = found.trials.iter().rev().take(2).map(|trial| trial.failures.is_empty()).collect();
    assert_eq!(last, [true, true]);
    let ids: std::collections::BTreeSet<&str> =
        found.trials.iter().map(|trial| trial.result.scenario.id.as_str()).collect();
    assert_eq!(ids.len(), found.trials.len(), "each trial has a folder of its own");
}

#[test]
fn a_search_that_ends_at_the_client_says_so() {
    let found = search(1_000_000.0, 100_000.0);
    assert!(found.is_clients_ceiling);
    assert!((75_000.0..=81_000.0).contains(&found.rate.unwrap()), "{:?}", found.rate);
}

#[test]
fn a_rate_below_the_saturated_one_is_found_when_latency_is_the_limit() {
    let run = &mut |scenario: &Scenario| {
        let (mut result, intervals) = made(scenario, 100_000.0, 1_000_000.0);
        if scenario.producers.rate.per_second().is_some_and(|rate| rate > 30_000.0) {
            let mut latencies = Latencies::default();
            latencies.record_us(LIMITS.p99_us * 2, 1000);
            result.latency.response = latencies.summary();
        }
        Ok::<_, std::convert::Infallible>((result, intervals))
    };
    let found = find_max(&scenario(), &LIMITS, run).unwrap();
    assert!((28_000.0..=30_000.0).contains(&found.rate.unwrap()), "{:?}", found.rate);
}

#[test]
fn a_rate_that_passed_by_chance_is_lowered() {
    let mut runs = 0;
    let run = &mut |scenario: &Scenario| {
        runs += 1;
        // The bisection is lucky, and what comes after it is not, until the rate is lower.
        let capacity = if runs <= 3 { 100_000.0 } else { 88_000.0 };
        Ok::<_, std::convert::Infallible>(made(scenario, capacity, 1e9))
    };
    let found = find_max(&scenario(), &LIMITS, run).unwrap();
    assert!((80_000.0..=88_500.0).contains(&found.rate.unwrap()), "{:?}", found.rate);
}

#[test]
fn nothing_is_found_where_nothing_is_sustained_and_the_search_ends() {
    let run = &mut |scenario: &Scenario| {
        let (mut result, intervals) = made(scenario, 100_000.0, 1e9);
        result.validity = Validity { verdict: Verdict::Invalid, reasons: vec!["3 records lost".into()] };
        Ok::<_, std::convert::Infallible>((result, intervals))
    };
    let found = find_max(&scenario(), &LIMITS, run).unwrap();
    assert_eq!(found.rate, None);
    assert!(found.trials.len() <= TRIALS_MAX);
    assert_eq!(found.trials[1].failures[0].to_string(), "3 records lost");
}

#[test]
fn an_error_of_a_run_ends_the_search() {
    let run = &mut |_: &Scenario| Err("broken");
    assert_eq!(find_max(&scenario(), &LIMITS, run).unwrap_err(), "broken");
}

#[test]
fn the_ladder_climbs_past_the_rate() {
    let rungs = ladder(&scenario(), 1000.4);
    assert_eq!(rungs.len(), LADDER.len());
    assert_eq!(rungs[0].producers.rate, Rate::PerSecond(100.0));
    assert_eq!(rungs[10].producers.rate, Rate::PerSecond(1050.0));
    assert!(rungs.windows(2).all(|two| two[0].id < two[1].id), "folders stand in the order of the rates");
    assert!(rungs.iter().all(|rung| rung.validate().is_ok()));
}

#[test]
fn each_reason_against_a_rate_is_seen() {
    let scenario = scenario();
    let judged = |change: &dyn Fn(&mut RunResult, &mut Vec<Interval>)| {
        let (mut result, mut intervals) = made(&scenario, 1e6, 1e6);
        result.groups = vec![GroupResult {
            name: "group".into(),
            protocol: "classic".into(),
            members: Vec::new(),
            delivered_per_s: 0.0,
            redelivered: 0,
            lag_end: 0,
            lag_max: 0,
            fairness: 1.0,
            drained_s: None,
            drain_per_s: None,
        }];
        change(&mut result, &mut intervals);
        judge(&result, &intervals, &LIMITS)
    };
    assert_eq!(judged(&|_, _| {}), []);
    let failed = judged(&|result, _| result.load.errors = [("X".into(), 2)].into());
    assert_eq!(failed, [Failure::Errors(2)]);
    assert!(matches!(judged(&|result, _| result.throughput.acked_per_s *= 0.9)[..], [Failure::Acknowledged(_)]));
    assert_eq!(judged(&|result, _| result.resources.client_core_share = Some(0.81)), [Failure::Client]);
    let grows = |intervals: &mut Vec<Interval>| {
        for (second, interval) in intervals.iter_mut().enumerate() {
            interval.lag = vec![20_000 * second as u64];
        }
    };
    assert!(matches!(&judged(&|_, intervals| grows(intervals))[..], [Failure::Lag(group, _)] if group == "group"));
    assert!(matches!(judged(&|_, intervals| intervals[9].slip_us = Some(1e6))[..], [Failure::Slip(_)]));
    let invalid = judged(&|result, _| result.validity.lower(Verdict::Invalid, "lost"));
    assert_eq!(invalid, [Failure::Invalid("lost".into())]);
    assert_eq!(
        judged(&|result, _| result.validity.lower(Verdict::Suspect, "steal")),
        [],
        "a noisy run may still show it"
    );
}
