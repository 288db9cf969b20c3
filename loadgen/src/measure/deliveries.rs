//! What was delivered of one run, judged by the sequences that records bear.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::payload::Stamp;

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
}
