//! Sets of numbers that mostly follow one another, kept as runs.

use std::collections::BTreeMap;
use std::ops::Range;

use super::PLACES_MAX;

/// A set, as {first: next} of its runs, which neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Runs(BTreeMap<u64, u64>);

impl Runs {
    /// Adds a range; returns how many of it were there already.
    pub fn insert(&mut self, range: Range<u64>) -> u64 {
        let Range { mut start, mut end } = range;
        if start >= end {
            return 0;
        }
        let mut common = 0;
        // Whatever touches it is joined to it.
        while let Some((&first, &next)) = self.0.range(..=end).next_back().filter(|(_, next)| **next >= start) {
            common += next.min(end).saturating_sub(first.max(start));
            self.0.remove(&first);
            (start, end) = (start.min(first), end.max(next));
        }
        self.0.insert(start, end);
        common
    }

    /// Adds another set.
    pub fn merge(&mut self, other: Runs) {
        for (first, next) in other.0 {
            self.insert(first..next);
        }
    }

    /// Whether any of these is in it.
    pub fn has_any_of(&self, range: &Range<u64>) -> bool {
        range.start < range.end && self.0.range(..range.end).next_back().is_some_and(|(_, next)| range.start < *next)
    }

    /// How many numbers from this one on.
    pub fn count_from(&self, start: u64) -> u64 {
        self.0.iter().rev().take_while(|(_, next)| **next > start).map(|(first, next)| next - start.max(*first)).sum()
    }

    /// How many numbers.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(first, next)| next - first).sum()
    }

    /// How many numbers are in both.
    pub fn common(&self, other: &Runs) -> u64 {
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut common = 0;
        while let (Some((first, next)), Some((other_first, other_next))) = (ours.peek(), theirs.peek()) {
            common += next.min(other_next).saturating_sub(**first.max(other_first));
            if next < other_next {
                ours.next()
            } else {
                theirs.next()
            };
        }
        common
    }
}

/// Sequences with their offsets: runs in which both go up together, as {first: (next, offset − sequence)}.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(BTreeMap<u64, (u64, i64)>);

impl Places {
    /// Adds sequences at offsets `shift` above them; returns how many there was no room for.
    pub fn add(&mut self, range: Range<u64>, shift: i64) -> u64 {
        let before = self.0.range_mut(..range.start).next_back();
        if let Some((_, (next, _))) = before.filter(|(_, (next, known))| *next == range.start && *known == shift) {
            *next = range.end;
            return 0;
        }
        if self.0.len() >= PLACES_MAX {
            return range.end - range.start;
        }
        self.0.insert(range.start, (range.end, shift));
        0
    }

    /// Takes sequences out that are there; returns how many of them are elsewhere than `shift` says, and the others.
    pub fn take(&mut self, range: Range<u64>, shift: i64) -> (u64, Vec<Range<u64>>) {
        let mut misplaced = 0;
        let mut left = Vec::new();
        let mut start = range.start;
        while start < range.end {
            let before = self.0.range(..=start).next_back().map(|(&first, &(next, known))| (first, next, known));
            match before.filter(|&(_, next, _)| next > start) {
                Some((first, next, known)) => {
                    let end = next.min(range.end);
                    if known != shift {
                        misplaced += end - start;
                    }
                    self.0.remove(&first);
                    if first < start {
                        self.0.insert(first, (start, known));
                    }
                    if end < next {
                        self.0.insert(end, (next, known));
                    }
                    start = end;
                }
                None => {
                    let end = self.0.range(start..range.end).next().map_or(range.end, |(&first, _)| first);
                    left.push(start..end);
                    start = end;
                }
            }
        }
        (misplaced, left)
    }

    /// Adds others; returns how many there was no room for.
    pub fn merge(&mut self, other: Places) -> u64 {
        other.into_runs().map(|(range, shift)| self.add(range, shift)).sum()
    }

    /// The runs, with what their offsets are above them.
    pub fn into_runs(self) -> impl Iterator<Item = (Range<u64>, i64)> {
        self.0.into_iter().map(|(first, (next, shift))| (first..next, shift))
    }
}
