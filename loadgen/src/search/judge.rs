//! Whether a run shows that a rate is sustained.

use std::fmt;

use super::Limits;
use crate::result::{Interval, RunResult, Verdict};

/// The share of the offered that has to be acknowledged.
const ACKED_SHARE_MIN: f64 = 0.995;
/// From this share of its core on the client measures itself.
const CLIENT_SHARE_MAX: f64 = 0.8;
/// How much slip and lag may differ between the first and the last third of the window before they grow: what a second of the rate is, by
/// these shares.
const SLIP_GROWTH_SHARE: f64 = 0.05;
const LAG_GROWTH_SHARE: f64 = 0.5;

/// Why a rate is not sustained.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// The run ended before its time, or records were lost, doubled or reordered.
    Invalid(String),
    /// Less was acknowledged than was offered, by this share.
    Acknowledged(f64),
    /// Records failed.
    Errors(u64),
    /// The mean slip grew by so many µs.
    Slip(f64),
    /// The group's lag grew by so many records.
    Lag(String, f64),
    /// The p99 was above its limit, in µs.
    Latency(u64),
    /// The client was as busy as it may be.
    Client,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Invalid(reason) => f.write_str(reason),
            Failure::Acknowledged(share) => write!(f, "{:.1} % of the offered was acknowledged", share * 100.0),
            Failure::Errors(count) => write!(f, "{count} records failed"),
            Failure::Slip(us) => write!(f, "producers fell behind their schedule: the slip grew by {us:.0} us"),
            Failure::Lag(group, records) => {
                write!(f, "group {group} fell behind: its lag grew by {records:.0} records")
            }
            Failure::Latency(us) => write!(f, "p99 of {us} us"),
            Failure::Client => f.write_str("the load generator was at its own limit"),
        }
    }
}

/// Everything that speaks against the run's rate being sustained; in a closed loop, which has no rate, what speaks against its figures.
pub fn judge(result: &RunResult, intervals: &[Interval], limits: &Limits) -> Vec<Failure> {
    let mut failures = Vec::new();
    if result.validity.verdict >= Verdict::CutShort {
        failures.push(Failure::Invalid(result.validity.reasons.join("; ")));
    }
    let errors: u64 = result.load.errors.values().sum();
    if errors > 0 {
        failures.push(Failure::Errors(errors));
    }
    if result.resources.client_core_share.is_some_and(|share| share > CLIENT_SHARE_MAX) {
        failures.push(Failure::Client);
    }
    let Some(rate) = result.scenario.producers.rate.per_second() else { return failures };
    let throughput = &result.throughput;
    let done = if result.latency.response.is_some() { throughput.acked_per_s } else { throughput.sent_per_s };
    // What the schedule had due is what counts: a window of whole records may hold a few less than the rate says.
    let share = done / throughput.offered_per_s.max(f64::MIN_POSITIVE);
    if share < ACKED_SHARE_MIN {
        failures.push(Failure::Acknowledged(share));
    }
    let window: Vec<&Interval> = intervals.iter().filter(|interval| interval.phase == "window").collect();
    if let Some(growth) = growth(&window, |interval| interval.slip_us)
        && growth > SLIP_GROWTH_SHARE * 1e6
    {
        failures.push(Failure::Slip(growth));
    }
    for (index, group) in result.groups.iter().enumerate() {
        if let Some(growth) = growth(&window, |interval| interval.lag.get(index).map(|lag| *lag as f64))
            && growth > LAG_GROWTH_SHARE * rate
        {
            failures.push(Failure::Lag(group.name.clone(), growth));
        }
    }
    let p99 = result.latency.response.as_ref().or(result.latency.e2e.as_ref()).map(|latency| latency.p99_us);
    if let Some(p99) = p99.filter(|p99| *p99 > limits.p99_us) {
        failures.push(Failure::Latency(p99));
    }
    failures
}

/// By how much the mean of the last third is above that of the first; none with fewer than three values.
fn growth(window: &[&Interval], read: impl Fn(&Interval) -> Option<f64>) -> Option<f64> {
    let values: Vec<f64> = window.iter().filter_map(|interval| read(interval)).collect();
    let third = values.len() / 3;
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    (third > 0).then(|| mean(&values[values.len() - third..]) - mean(&values[..third]))
}
