//! What a run measures: latencies, fairness, and the proof of what was delivered.

mod jitter;

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

pub use jitter::Jitter;

/// A partition of a run: its topic's number and its own.
pub type Place = (u32, i32);

/// The place of a partition of a topic.
pub fn place(topic: usize, partition: usize) -> Place {
    (topic as u32, partition as i32)
}

/// The largest latency that is told apart from larger ones.
const LATENCY_MAX: Duration = Duration::from_secs(60);
/// Samples from which p99.9 and p99.99 mean something.
const P999_SAMPLES_MIN: u64 = 100_000;
const P9999_SAMPLES_MIN: u64 = 1_000_000;

/// Latencies from 1 µs to 60 s with three digits.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        let max_us = LATENCY_MAX.as_micros() as u64;
        Latencies(Histogram::new_with_bounds(1, max_us, 3).expect("the bounds are constants"))
    }
}

/// What is printed of latencies, in µs; what has too few samples to mean something is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencySummary {
    /// How many.
    pub samples: u64,
    /// The mean.
    pub mean_us: f64,
    /// The smallest.
    pub min_us: u64,
    /// Half are below.
    pub p50_us: u64,
    /// 90 % are below.
    pub p90_us: u64,
    /// 99 % are below.
    pub p99_us: u64,
    /// 99.9 % are below; from 10⁵ samples up.
    pub p999_us: Option<u64>,
    /// 99.99 % are below; from 10⁶ samples up.
    pub p9999_us: Option<u64>,
    /// The largest.
    pub max_us: u64,
}

impl Latencies {
    /// Counts `records` that took so long; longer than a minute counts as a minute.
    pub fn record(&mut self, latency: Duration, records: u64) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record_n(us, records);
    }

    /// Adds another worker's.
    pub fn merge(&mut self, other: &Latencies) {
        self.0.add(&other.0).expect("all histograms have the same bounds");
    }

    /// Counts `records` that took so many µs.
    pub fn record_us(&mut self, us: u64, records: u64) {
        self.0.saturating_record_n(us, records);
    }

    /// How many.
    pub fn samples(&self) -> u64 {
        self.0.len()
    }

    /// The value that `percentile` of 100 are at or below, in µs.
    pub fn percentile_us(&self, percentile: f64) -> u64 {
        self.0.value_at_percentile(percentile)
    }

    /// The largest, in µs.
    pub fn max_us(&self) -> u64 {
        self.0.max()
    }

    /// The mean, in µs.
    pub fn mean_us(&self) -> f64 {
        self.0.mean()
    }

    /// How many took from `from_us` to `to_us`, both included up to the histogram's grain.
    pub fn between_us(&self, from_us: u64, to_us: u64) -> u64 {
        self.0.count_between(from_us, to_us)
    }

    /// The histogram itself, in µs.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// What to print; `None` when there is nothing.
    pub fn summary(&self) -> Option<LatencySummary> {
        let samples = self.0.len();
        let from = |least: u64, percentile| (samples >= least).then(|| self.0.value_at_percentile(percentile));
        (samples > 0).then(|| LatencySummary {
            samples,
            mean_us: self.0.mean(),
            min_us: self.0.min(),
            p50_us: self.0.value_at_percentile(50.0),
            p90_us: self.0.value_at_percentile(90.0),
            p99_us: self.0.value_at_percentile(99.0),
            p999_us: from(P999_SAMPLES_MIN, 99.9),
            p9999_us: from(P9999_SAMPLES_MIN, 99.99),
            max_us: self.0.max(),
        })
    }
}

/// Jain's index of fairness: 1 when all are equal, 1/n when one has all; 1 of nothing.
pub fn fairness(counts: impl IntoIterator<Item = u64>) -> f64 {
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for count in counts {
        let count = count as f64;
        n += 1.0;
        sum += count;
        squares += count * count;
    }
    if squares == 0.0 { 1.0 } else { (sum * sum / (n * squares)).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fairness_is_jains() {
        assert!((fairness([5, 5, 5]) - 1.0).abs() < 1e-9);
        assert!((fairness([9, 0, 0]) - 1.0 / 3.0).abs() < 1e-9);
        assert!((fairness([]) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn percentiles_wait_for_enough_samples() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.summary(), None);
        latencies.record(Duration::from_micros(100), 99_999);
        assert_eq!(latencies.summary().expect("samples").p999_us, None);
        let mut other = Latencies::default();
        other.record(Duration::from_secs(600), 1);
        latencies.merge(&other);
        let summary = latencies.summary().expect("samples");
        assert_eq!((summary.samples, summary.p50_us, summary.p999_us), (100_000, 100, Some(100)));
        assert!(summary.max_us >= 59_900_000, "a minute at most, not dropped: {}", summary.max_us);
    }
}
