//! The largest rate that a system sustains, and the ladder of rates up to it: the hockey stick.
//!
//! [`find_max`]: a closed loop tells an upper bound, bisection of the open loop's rate narrows it to 5 %, and what is found has to pass twice
//! more. Each trial is a run of its own with a new topic. [`ladder`]: runs at 10–105 % of that rate.
//!
//! A trial passes when what was offered was acknowledged (99.5 %) without an error, neither slip nor any group's lag grew, the p99 stayed
//! within its limit, every record was accounted for, and the client was not the limit itself ([`judge`]). A trial that fails for the
//! client's sake alone makes the result the client's ceiling, and it is called so.

mod judge;
#[cfg(test)]
mod tests;

use crate::result::{Interval, RunResult};
use crate::scenario::{Rate, Scenario};

pub use judge::{Failure, judge};

/// How close the found rate is to the least one that failed, as a share.
const PRECISION: f64 = 0.05;
/// How often the found rate has to pass again.
const CONFIRMATIONS: u32 = 2;
/// Trials in all, at most.
const TRIALS_MAX: usize = 24;
/// Below this share of the saturated rate nothing is looked for.
const SHARE_MIN: f64 = 1.0 / 64.0;
/// The steps of the ladder, in percent of the sustainable rate.
pub const LADDER: [u32; 11] = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 105];

/// Makes one run of a scenario and keeps it: its figures, and its seconds.
pub type MakeRun<'a, E> = dyn FnMut(&Scenario) -> Result<(RunResult, Vec<Interval>), E> + 'a;

/// What a trial has to keep to.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// The largest p99 of the response latency, in µs; of the end-to-end latency with acks = 0.
    pub p99_us: u64,
}

/// One run of the search.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Records a second that were asked for; none when the loop was closed.
    pub rate: Option<f64>,
    /// Why it did not pass; empty when it did.
    pub failures: Vec<Failure>,
    /// The figures.
    pub result: RunResult,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Records a second that are sustained; none when not even the least rate that was tried is.
    pub rate: Option<f64>,
    /// The closed loop's rate, in records a second.
    pub saturated: f64,
    /// Whether the client's own limit ended the search, so that the broker may sustain more.
    pub is_clients_ceiling: bool,
    /// Every run, in order.
    pub trials: Vec<Trial>,
}

/// Looks for the largest rate of `scenario` that keeps to `limits`. `run` makes one run and keeps it.
///
/// # Errors
/// Those of `run`, which end the search.
pub fn find_max<E>(scenario: &Scenario, limits: &Limits, run: &mut MakeRun<'_, E>) -> Result<Found, E> {
    let mut search = Search { scenario, limits, run, trials: Vec::new() };
    let saturated = search.saturate()?;
    let mut low = None;
    let mut high = saturated;
    // The closed loop's own rate is tried too: it is the one that most often holds.
    let mut next = saturated * (1.0 - PRECISION);
    while search.trials.len() < TRIALS_MAX && next >= saturated * SHARE_MIN {
        if search.passes(next)? {
            low = Some(next);
        } else {
            high = next;
        }
        let floor = low.unwrap_or(0.0);
        if low.is_some() && high - floor <= high * PRECISION {
            break;
        }
        next = f64::midpoint(floor, high);
    }
    let rate = search.confirm(low, saturated)?;
    // Whose limit it was is told by the least rate that failed.
    let least_failed = search
        .trials
        .iter()
        .filter(|trial| trial.rate.is_some() && !trial.failures.is_empty())
        .min_by(|a, b| a.rate.unwrap_or(f64::MAX).total_cmp(&b.rate.unwrap_or(f64::MAX)));
    let of_client = |failures: &[Failure]| failures.contains(&Failure::Client);
    let saturation = search.trials.first().is_some_and(|trial| of_client(&trial.failures));
    let is_clients_ceiling = least_failed.map_or(saturation, |trial| of_client(&trial.failures));
    Ok(Found { rate, saturated, is_clients_ceiling, trials: search.trials })
}

struct Search<'a, E> {
    scenario: &'a Scenario,
    limits: &'a Limits,
    run: &'a mut MakeRun<'a, E>,
    trials: Vec<Trial>,
}

impl<E> Search<'_, E> {
    /// Runs the closed loop; what it gets through is more than any open loop does.
    fn saturate(&mut self) -> Result<f64, E> {
        let number = self.trials.len();
        let (result, intervals) = (self.run)(&at(self.scenario, Rate::Max, &format!("trial{number}-max")))?;
        let throughput = &result.throughput;
        let saturated = if throughput.acked_per_s > 0.0 { throughput.acked_per_s } else { throughput.sent_per_s };
        let failures = judge(&result, &intervals, self.limits);
        self.trials.push(Trial { rate: None, failures, result });
        Ok(saturated)
    }

    fn passes(&mut self, rate: f64) -> Result<bool, E> {
        let number = self.trials.len();
        let (result, intervals) = (self.run)(&at(self.scenario, Rate::PerSecond(rate), &format!("trial{number}")))?;
        let failures = judge(&result, &intervals, self.limits);
        let passed = failures.is_empty();
        self.trials.push(Trial { rate: Some(rate), failures, result });
        Ok(passed)
    }

    /// Lets a rate pass again; one that does not is lowered by the precision, until one does or nothing is left.
    fn confirm(&mut self, found: Option<f64>, saturated: f64) -> Result<Option<f64>, E> {
        let Some(mut rate) = found else { return Ok(None) };
        let mut confirmed = 0;
        while confirmed < CONFIRMATIONS {
            if self.trials.len() >= TRIALS_MAX || rate < saturated * SHARE_MIN {
                return Ok(None);
            }
            if self.passes(rate)? {
                confirmed += 1;
            } else {
                rate *= 1.0 - PRECISION;
                confirmed = 0;
            }
        }
        Ok(Some(rate))
    }
}

/// The runs of the hockey stick: `scenario` at each of the [`LADDER`]'s shares of `rate`.
pub fn ladder(scenario: &Scenario, rate: f64) -> Vec<Scenario> {
    LADDER
        .iter()
        .map(|percent| {
            let rate = rate * f64::from(*percent) / 100.0;
            at(scenario, Rate::PerSecond(rate), &format!("ladder{percent:03}"))
        })
        .collect()
}

/// `scenario` at a rate, under a name of its own.
fn at(scenario: &Scenario, rate: Rate, name: &str) -> Scenario {
    let mut at = scenario.clone();
    at.producers.rate = match rate {
        // Fractions of a record a second mean nothing, and make hashes that are read by nobody.
        Rate::PerSecond(rate) => Rate::PerSecond(rate.round().max(1.0)),
        Rate::Max => Rate::Max,
    };
    at.family.clone_from(&scenario.id);
    at.id = format!("{}-{name}", scenario.id);
    at
}
