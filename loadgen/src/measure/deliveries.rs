//! What was delivered of one run, judged by the sequences that records bear.
//!
//! Each producer counts its records of each partition from 0, so that within a partition every gap, repetition and step back shows.
//! What was acknowledged is known as a set, so that a gap where a batch was refused is no loss.

use serde::Serialize;

use super::runs::{Came, Runs};
use crate::payload::Stamp;

/// The most producers that a stamp may name: a torn one must not take all memory.
const PRODUCERS_MAX: u32 = 1 << 20;

/// One producer's records of one partition.
#[derive(Debug, Clone, Default)]
struct Stream {
    seen: Runs,
    doubled: u64,
    reordered: u64,
}

/// All that was read of one partition.
#[derive(Debug, Clone, Default)]
pub struct PartitionDeliveries {
    streams: Vec<Stream>,
    received: u64,
    foreign: u64,
}

/// The verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DeliverySummary {
    /// Records of the run that came, repetitions included.
    pub received: u64,
    /// Acknowledged records that never came although a later one did.
    pub lost: u64,
    /// Acknowledged records that never came, and no later one either.
    pub unseen: u64,
    /// Records that came again.
    pub doubled: u64,
    /// Records that came for the first time after a later one.
    pub reordered: u64,
    /// Records of somebody else, or torn.
    pub foreign: u64,
}

impl PartitionDeliveries {
    /// Takes note of a record of run `run`; any other is foreign. True when it had not come before.
    #[inline]
    pub fn received(&mut self, run: u32, stamp: Option<&Stamp>) -> bool {
        let Some(stamp) = stamp.filter(|stamp| stamp.run == run && stamp.producer < PRODUCERS_MAX) else {
            self.foreign += 1;
            return false;
        };
        let producer = stamp.producer as usize;
        if self.streams.len() <= producer {
            self.streams.resize(producer + 1, Stream::default());
        }
        let stream = &mut self.streams[producer];
        self.received += 1;
        match stream.seen.insert(stamp.sequence) {
            Came::Next => return true,
            Came::Late => stream.reordered += 1,
            Came::Again => {
                stream.doubled += 1;
                return false;
            }
        }
        true
    }

    /// Records that came again.
    pub fn doubled(&self) -> u64 {
        self.streams.iter().map(|stream| stream.doubled).sum()
    }

    /// The verdict, beside what each producer (by number) knows to be acknowledged.
    pub fn summary(&self, acknowledged: &[Runs]) -> DeliverySummary {
        let mut summary =
            DeliverySummary { received: self.received, foreign: self.foreign, ..DeliverySummary::default() };
        let nothing = (Stream::default(), Runs::default());
        for producer in 0..self.streams.len().max(acknowledged.len()) {
            let stream = self.streams.get(producer).unwrap_or(&nothing.0);
            let acknowledged = acknowledged.get(producer).unwrap_or(&nothing.1);
            let (lost, unseen) = acknowledged.missing_from(&stream.seen, stream.seen.end());
            summary.lost += lost;
            summary.unseen += unseen;
            summary.doubled += stream.doubled;
            summary.reordered += stream.reordered;
        }
        summary
    }
}

impl DeliverySummary {
    /// Adds another partition's.
    pub fn add(&mut self, other: &DeliverySummary) {
        self.received += other.received;
        self.lost += other.lost;
        self.unseen += other.unseen;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.foreign += other.foreign;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(sequences: &[u64], acknowledged: &[(u64, u64)]) -> DeliverySummary {
        let mut deliveries = PartitionDeliveries::default();
        for sequence in sequences {
            deliveries.received(1, Some(&Stamp { run: 1, producer: 2, sequence: *sequence, intended_ns: 0 }));
        }
        let mut runs = Runs::default();
        for (first, next) in acknowledged {
            runs.extend(*first, *next);
        }
        deliveries.summary(&[Runs::default(), Runs::default(), runs])
    }

    #[test]
    fn gaps_repetitions_and_steps_back_are_told_apart() {
        let nothing = DeliverySummary::default();
        let clean = DeliverySummary { received: 3, ..nothing };
        assert_eq!(verdict(&[0, 1, 2], &[(0, 3)]), clean);
        assert_eq!(verdict(&[0, 1, 2], &[(0, 2)]), clean, "more than was acknowledged may come");
        assert_eq!(verdict(&[0, 1, 3], &[(0, 2), (3, 4)]), clean, "what was refused need not come");
        assert_eq!(verdict(&[0, 2], &[(0, 3)]), DeliverySummary { received: 2, lost: 1, ..nothing });
        assert_eq!(verdict(&[0, 1], &[(0, 4)]), DeliverySummary { received: 2, unseen: 2, ..nothing });
        assert_eq!(verdict(&[], &[(0, 4)]), DeliverySummary { unseen: 4, ..nothing });
        assert_eq!(verdict(&[0, 1, 1], &[(0, 2)]), DeliverySummary { received: 3, doubled: 1, ..nothing });
        assert_eq!(verdict(&[0, 2, 1, 3], &[(0, 4)]), DeliverySummary { received: 4, reordered: 1, ..nothing });
        let both = DeliverySummary { received: 6, reordered: 1, doubled: 2, ..nothing };
        assert_eq!(verdict(&[0, 2, 3, 1, 2, 0], &[(0, 4)]), both);
    }

    #[test]
    fn records_of_others_are_foreign() {
        let mut deliveries = PartitionDeliveries::default();
        assert!(!deliveries.received(1, None));
        assert!(!deliveries.received(1, Some(&Stamp { run: 2, producer: 0, sequence: 0, intended_ns: 0 })));
        assert!(!deliveries.received(1, Some(&Stamp { run: 1, producer: u32::MAX, sequence: 0, intended_ns: 0 })));
        assert_eq!(deliveries.summary(&[]), DeliverySummary { foreign: 3, ..DeliverySummary::default() });
    }
}
