//! The verdict on a load run, made while it goes on, of records that are too many to keep.
//!
//! Each producer numbers its records of each partition from 0: that is a value's identity here, and what lets a million of them be
//! kept as one run. Whoever sends tells what was acknowledged and what was refused (of the rest nobody knows); whoever reads tells
//! what came, where. Memory grows with gaps and with what is acknowledged and not yet read, the latter up to [`PLACES_MAX`] runs
//! a producer and partition.
//!
//! A *reader* is one pass over the log: a consumer, or a whole group whose members follow one another. It may go back after
//! [`Deliveries::assigned`]; what it sees again then is counted apart.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::history::Key;

mod runs;

use runs::{Places, Runs};

/// Runs of acknowledged records, at offsets in step with their numbers, that are kept for comparison with what is read.
pub const PLACES_MAX: usize = 1 << 20;

/// Names a producer within a run.
pub type Producer = u32;
/// Names a reader within a run.
pub type Reader = u32;

/// What was told so far; parts that several workers have heard are [merged](Deliveries::merge).
#[derive(Clone, Debug)]
pub struct Deliveries<K> {
    sent: BTreeMap<(Producer, K), Sent>,
    came: BTreeMap<(K, Reader), Reading>,
    counts: Counts,
}

/// One producer's records of one partition, by its own account.
#[derive(Clone, Debug, Default)]
struct Sent {
    acknowledged: Runs,
    refused: Runs,
    /// Where they are, as far as nobody has read them.
    places: Places,
}

/// One reader's way through one partition.
#[derive(Clone, Debug, Default)]
struct Reading {
    /// The last offset that it saw; `None` when it may begin anywhere.
    position: Option<i64>,
    highest: Option<i64>,
    producers: BTreeMap<Producer, Came>,
}

/// One producer's records of one partition, as they came to one reader.
#[derive(Clone, Debug, Default)]
struct Came {
    sequences: Runs,
    highest: Option<u64>,
    /// Where they were seen, as far as their acknowledgement has not come.
    places: Places,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    received: u64,
    repeated: u64,
    doubled: u64,
    reordered: u64,
    went_back: u64,
    skipped: u64,
    misplaced: u64,
    unplaced: u64,
    foreign: u64,
}

/// What became of the records of a run. With several readers, each has to get everything of the partitions that it reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Records of the run that came, all readers and repetitions included.
    pub received: u64,
    /// Records that were acknowledged.
    pub acknowledged: u64,
    /// Lost writes: acknowledged, and never read, though a later one of their producer and partition was.
    pub lost: u64,
    /// Unseen writes: acknowledged, and neither they nor later ones were read.
    pub unseen: u64,
    /// Never read, though a later one of their producer and partition was, and nobody told how their sending ended. Of a
    /// producer that keeps its order, and that says nothing, these are lost.
    pub gaps: u64,
    /// Aborted reads: refused, and there nevertheless.
    pub refused_read: u64,
    /// Duplicates: read at a second offset. An error of idempotent producers only.
    pub doubled: u64,
    /// Non-monotonic sends: came for the first time after a later one.
    pub reordered: u64,
    /// Inconsistent offsets: acknowledged at one offset and read at another.
    pub misplaced: u64,
    /// Non-monotonic polls: a reader that was not assigned anew saw an offset again, or an earlier one.
    pub went_back: u64,
    /// Poll skips: offsets that a reader jumped over. An error where neither transactions nor compaction make gaps, and
    /// nothing is deleted.
    pub skipped: u64,
    /// Seen again by a reader that was assigned anew.
    pub repeated: u64,
    /// Acknowledged records whose offsets could not be kept for comparison: see [`PLACES_MAX`].
    pub unplaced: u64,
    /// Records of somebody else.
    pub foreign: u64,
}

impl Verdict {
    /// Whether nothing is in it that is wrong whatever was promised. What is left to the caller: `doubled` without
    /// idempotence, `skipped` and `gaps`.
    pub fn keeps_every_promise(&self) -> bool {
        let Verdict { lost, unseen, refused_read, misplaced, went_back, .. } = *self;
        lost + unseen + refused_read + misplaced + went_back == 0
    }
}

impl<K> Default for Deliveries<K> {
    fn default() -> Deliveries<K> {
        Deliveries { sent: BTreeMap::new(), came: BTreeMap::new(), counts: Counts::default() }
    }
}

impl<K: Key> Deliveries<K> {
    /// The producer was told that these are in the log, the first one at `offset`, where that is known, and the others behind it.
    pub fn acknowledged(&mut self, producer: Producer, partition: K, sequences: Range<u64>, offset: Option<i64>) {
        let sent = self.sent.entry((producer, partition)).or_default();
        if sent.acknowledged.insert(sequences.clone()) > 0 {
            return;
        }
        let Some(offset) = offset else { return };
        let shift = offset - sequences.start as i64;
        let mut left = vec![sequences];
        // Those that a reader has seen already.
        for (_, reading) in self.came.range_mut((partition, Reader::MIN)..=(partition, Reader::MAX)) {
            let Some(came) = reading.producers.get_mut(&producer) else { continue };
            let taken = left.into_iter().map(|range| came.places.take(range, shift));
            left = Vec::new();
            for (misplaced, rest) in taken {
                self.counts.misplaced += misplaced;
                left.extend(rest);
            }
        }
        for range in left {
            self.counts.unplaced += sent.places.add(range, shift);
        }
    }

    /// The producer was told that these are surely not in the log.
    pub fn refused(&mut self, producer: Producer, partition: K, sequences: Range<u64>) {
        self.sent.entry((producer, partition)).or_default().refused.insert(sequences);
    }

    /// A reader begins at a position of its choice: what it sees next need not follow what it saw.
    pub fn assigned(&mut self, reader: Reader, partition: K) {
        self.came.entry((partition, reader)).or_default().position = None;
    }

    /// A reader got records of the run: these, the first one at `offset` and the others right behind it. One call for what one
    /// batch holds is far cheaper than one for each record.
    pub fn received(
        &mut self,
        reader: Reader,
        partition: K,
        offset: i64,
        (producer, sequences): (Producer, Range<u64>),
    ) {
        let count = sequences.end.saturating_sub(sequences.start);
        let reading = self.came.entry((partition, reader)).or_default();
        let is_new = reading.highest.is_none_or(|highest| highest < offset)
            && reading.producers.get(&producer).is_none_or(|came| !came.sequences.has_any_of(&sequences));
        if count > 1 && !is_new {
            for (at, sequence) in sequences.enumerate() {
                self.received(reader, partition, offset + at as i64, (producer, sequence..sequence + 1));
            }
            return;
        }
        let counts = &mut self.counts;
        counts.received += count;
        if count == 0 || !reading.step(offset, count, counts) {
            return;
        }
        let came = reading.producers.entry(producer).or_default();
        if came.sequences.insert(sequences.clone()) > 0 {
            counts.doubled += count;
            return;
        }
        if came.highest.is_some_and(|highest| sequences.start < highest) {
            counts.reordered += count;
        }
        came.highest = came.highest.max(Some(sequences.end - 1));
        let shift = offset - sequences.start as i64;
        match self.sent.get_mut(&(producer, partition)) {
            // Unless another reader has compared them already.
            Some(sent) if sent.acknowledged.has_any_of(&sequences) => {
                counts.misplaced += sent.places.take(sequences, shift).0;
            }
            _ => counts.unplaced += came.places.add(sequences, shift),
        }
    }

    /// A reader got a record that is not of this run.
    pub fn foreign(&mut self, reader: Reader, partition: K, offset: i64) {
        self.counts.foreign += 1;
        self.came.entry((partition, reader)).or_default().step(offset, 1, &mut self.counts);
    }

    /// Adds what another worker has heard. No two of them may have heard of one reader's way through one partition.
    ///
    /// # Panics
    /// If they have.
    pub fn merge(&mut self, other: Deliveries<K>) {
        for (key, sent) in other.sent {
            let known = self.sent.entry(key).or_default();
            known.acknowledged.merge(sent.acknowledged);
            known.refused.merge(sent.refused);
            self.counts.unplaced += known.places.merge(sent.places);
        }
        for (key, reading) in other.came {
            assert!(self.came.insert(key, reading).is_none(), "{key:?} was read by two workers");
        }
        self.counts.add(&other.counts);
        self.compare();
    }

    /// Compares the acknowledgements of one worker with the readings of another.
    fn compare(&mut self) {
        for (&(partition, _), reading) in &mut self.came {
            for (&producer, came) in &mut reading.producers {
                let Some(sent) = self.sent.get_mut(&(producer, partition)) else { continue };
                for (range, shift) in std::mem::take(&mut came.places).into_runs() {
                    let (misplaced, left) = sent.places.take(range, shift);
                    self.counts.misplaced += misplaced;
                    for range in left {
                        came.places.add(range, shift);
                    }
                }
            }
        }
    }

    /// The verdict on what was told so far.
    pub fn verdict(&self) -> Verdict {
        let Counts { received, repeated, doubled, reordered, went_back, skipped, misplaced, unplaced, foreign } =
            self.counts;
        let mut verdict = Verdict {
            received,
            repeated,
            doubled,
            reordered,
            went_back,
            skipped,
            misplaced,
            unplaced,
            foreign,
            ..Verdict::default()
        };
        let nothing = Came::default();
        for (&(producer, partition), sent) in &self.sent {
            verdict.acknowledged += sent.acknowledged.count();
            let readers = self.came.range((partition, Reader::MIN)..=(partition, Reader::MAX));
            let mut came: Vec<&Came> =
                readers.map(|(_, reading)| reading.producers.get(&producer).unwrap_or(&nothing)).collect();
            if came.is_empty() {
                came.push(&nothing);
            }
            for came in came {
                let absent = sent.acknowledged.count() - sent.acknowledged.common(&came.sequences);
                let unseen = sent.acknowledged.count_from(came.highest.map_or(0, |highest| highest + 1));
                verdict.lost += absent - unseen;
                verdict.unseen += unseen;
                verdict.refused_read += sent.refused.common(&came.sequences);
            }
        }
        for ((partition, _), reading) in &self.came {
            for (producer, came) in &reading.producers {
                verdict.gaps += came.gaps(self.sent.get(&(*producer, *partition)));
            }
        }
        verdict
    }
}

impl Reading {
    /// Goes on to `count` records from an offset on; false when that was seen before.
    fn step(&mut self, offset: i64, count: u64, counts: &mut Counts) -> bool {
        let last = offset + count as i64 - 1;
        match self.position.replace(last) {
            Some(position) if offset <= position => {
                counts.went_back += 1;
                return false;
            }
            Some(position) => counts.skipped += (offset - position - 1) as u64,
            None => {}
        }
        if self.highest.is_some_and(|highest| offset <= highest) {
            counts.repeated += 1;
            return false;
        }
        self.highest = Some(last);
        true
    }
}

impl Came {
    /// Sequences below the highest that came of which nobody knows how they ended.
    fn gaps(&self, sent: Option<&Sent>) -> u64 {
        let Some(highest) = self.highest else { return 0 };
        let mut known = self.sequences.clone();
        if let Some(sent) = sent {
            known.merge(sent.acknowledged.clone());
            known.merge(sent.refused.clone());
        }
        let mut below = Runs::default();
        below.insert(0..highest);
        highest - below.common(&known)
    }
}

impl Counts {
    fn add(&mut self, other: &Counts) {
        let Counts { received, repeated, doubled, reordered, went_back, skipped, misplaced, unplaced, foreign } =
            *other;
        self.received += received;
        self.repeated += repeated;
        self.doubled += doubled;
        self.reordered += reordered;
        self.went_back += went_back;
        self.skipped += skipped;
        self.misplaced += misplaced;
        self.unplaced += unplaced;
        self.foreign += foreign;
    }
}

#[cfg(test)]
mod tests;
