//! What a run measures: latencies, and the proof of what was delivered.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::payload::Stamp;

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
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LatencySummary {
    /// How many.
    pub samples: u64,
    /// The mean.
    pub mean_us: f64,
    /// Half are below.
    pub p50_us: u64,
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

    /// What to print; `None` when there is nothing.
    pub fn summary(&self) -> Option<LatencySummary> {
        let samples = self.0.len();
        let from = |least: u64, percentile| (samples >= least).then(|| self.0.value_at_percentile(percentile));
        (samples > 0).then(|| LatencySummary {
            samples,
            mean_us: self.0.mean(),
            p50_us: self.0.value_at_percentile(50.0),
            p99_us: self.0.value_at_percentile(99.0),
            p999_us: from(P999_SAMPLES_MIN, 99.9),
            p9999_us: from(P9999_SAMPLES_MIN, 99.99),
            max_us: self.0.max(),
        })
    }
}

/// What was delivered of one run, judged by the sequences that the records bear.
///
/// Each producer counts its records of each partition from 0, so that within a partition every gap, repetition and step back
/// shows.
#[derive(Debug, Clone, Default)]
pub struct Deliveries {
    streams: BTreeMap<(u32, i32), Stream>,
    foreign: u64,
}

/// One producer's records of one partition: which sequences came, as runs without a gap {first: next}.
#[derive(Debug, Clone, Default)]
struct Stream {
    runs: BTreeMap<u64, u64>,
    highest: Option<u64>,
    received: u64,
    doubled: u64,
    reordered: u64,
}

/// The verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DeliverySummary {
    /// Records of the run that came, repetitions included.
    pub received: u64,
    /// Sequences below the highest one seen (or below what was acknowledged) that never came.
    pub lost: u64,
    /// Records that came again.
    pub doubled: u64,
    /// Records that came for the first time after a later one.
    pub reordered: u64,
    /// Records of somebody else.
    pub foreign: u64,
}

impl Deliveries {
    /// Takes note of a record of this run.
    pub fn received(&mut self, partition: i32, stamp: &Stamp) {
        self.streams.entry((stamp.producer, partition)).or_default().received(stamp.sequence);
    }

    /// Takes note of a record that is not of this run.
    pub fn foreign(&mut self) {
        self.foreign += 1;
    }

    /// The verdict. `acknowledged` says how many records of each producer and partition were acknowledged, where that is
    /// known; where it is not, a loss at the very end goes unseen.
    pub fn summary(&self, acknowledged: &BTreeMap<(u32, i32), u64>) -> DeliverySummary {
        let mut summary = DeliverySummary { foreign: self.foreign, ..DeliverySummary::default() };
        let keys = self.streams.keys().chain(acknowledged.keys().filter(|key| !self.streams.contains_key(key)));
        for key in keys {
            let nothing = Stream::default();
            let stream = self.streams.get(key).unwrap_or(&nothing);
            let seen_end = stream.highest.map_or(0, |highest| highest + 1);
            let end = seen_end.max(acknowledged.get(key).copied().unwrap_or(0));
            let came: u64 = stream.runs.iter().map(|(first, next)| next - first).sum();
            summary.received += stream.received;
            summary.lost += end - came;
            summary.doubled += stream.doubled;
            summary.reordered += stream.reordered;
        }
        summary
    }
}

impl Stream {
    fn received(&mut self, sequence: u64) {
        self.received += 1;
        let before = self.runs.range(..=sequence).next_back().map(|(first, next)| (*first, *next));
        if before.is_some_and(|(_, next)| sequence < next) {
            self.doubled += 1;
            return;
        }
        if self.highest.is_some_and(|highest| sequence < highest) {
            self.reordered += 1;
        }
        self.highest = self.highest.max(Some(sequence));
        let first = match before {
            Some((first, next)) if next == sequence => first,
            _ => sequence,
        };
        let next = self.runs.remove(&(sequence + 1)).unwrap_or(sequence + 1);
        self.runs.insert(first, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(sequences: &[u64], acknowledged: u64) -> DeliverySummary {
        let mut deliveries = Deliveries::default();
        for sequence in sequences {
            deliveries.received(0, &Stamp { run: 1, producer: 0, sequence: *sequence, intended_ns: 0 });
        }
        deliveries.summary(&BTreeMap::from([((0, 0), acknowledged)]))
    }

    #[test]
    fn gaps_repetitions_and_steps_back_are_told_apart() {
        let clean = DeliverySummary { received: 3, ..Default::default() };
        assert_eq!(verdict(&[0, 1, 2], 3), clean);
        assert_eq!(verdict(&[0, 1, 2], 2), clean, "more than was acknowledged may come");
        assert_eq!(verdict(&[0, 2], 3), DeliverySummary { received: 2, lost: 1, ..Default::default() });
        assert_eq!(verdict(&[0, 1], 4), DeliverySummary { received: 2, lost: 2, ..Default::default() });
        assert_eq!(verdict(&[], 4), DeliverySummary { lost: 4, ..Default::default() });
        assert_eq!(verdict(&[0, 1, 1], 2), DeliverySummary { received: 3, doubled: 1, ..Default::default() });
        assert_eq!(verdict(&[0, 2, 1, 3], 4), DeliverySummary { received: 4, reordered: 1, ..Default::default() });
        assert_eq!(
            verdict(&[0, 2, 3, 1, 2, 0], 4),
            DeliverySummary { received: 6, reordered: 1, doubled: 2, ..Default::default() }
        );
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
