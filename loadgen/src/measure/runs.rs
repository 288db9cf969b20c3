//! A set of numbers that mostly come in order: as runs without a gap.

use std::collections::BTreeMap;

/// What a number was to a set when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It is the highest so far.
    Next,
    /// It is new, and lower than the highest.
    Late,
    /// It had come before.
    Again,
}

/// A set of numbers. Adding the next one is a comparison and an addition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runs {
    /// The highest run, first and next.
    last: Option<(u64, u64)>,
    /// All lower ones, {first: next}; none touches another.
    lower: BTreeMap<u64, u64>,
}

impl Runs {
    /// Adds a number.
    #[inline]
    pub fn insert(&mut self, number: u64) -> Came {
        match &mut self.last {
            Some((_, next)) if *next == number => {
                *next += 1;
                Came::Next
            }
            _ => self.insert_elsewhere(number),
        }
    }

    fn insert_elsewhere(&mut self, number: u64) -> Came {
        let Some((first, next)) = self.last else {
            self.last = Some((number, number + 1));
            return Came::Next;
        };
        if number > next {
            self.lower.insert(first, next);
            self.last = Some((number, number + 1));
            return Came::Next;
        }
        if number >= first {
            return Came::Again;
        }
        let before = self.lower.range(..=number).next_back().map(|(first, next)| (*first, *next));
        if before.is_some_and(|(_, next)| number < next) {
            return Came::Again;
        }
        let start = match before {
            Some((first, next)) if next == number => first,
            _ => number,
        };
        let mut end = number + 1;
        if end == first {
            self.lower.remove(&start);
            self.last = Some((start, next));
            return Came::Late;
        }
        if let Some(next) = self.lower.remove(&end) {
            end = next;
        }
        self.lower.insert(start, end);
        Came::Late
    }

    /// Adds numbers from `first` up to below `next`: quick where none is below any that is there.
    pub fn extend(&mut self, first: u64, next: u64) {
        if first >= next {
            return;
        }
        match &mut self.last {
            Some((_, end)) if *end == first => *end = next,
            Some((_, end)) if first < *end => {
                for number in first..next {
                    self.insert(number);
                }
            }
            Some((start, end)) => {
                self.lower.insert(*start, *end);
                self.last = Some((first, next));
            }
            None => self.last = Some((first, next)),
        }
    }

    /// The number after the highest; 0 of none.
    pub fn end(&self) -> u64 {
        self.last.map_or(0, |(_, next)| next)
    }

    /// How many numbers.
    pub fn count(&self) -> u64 {
        self.iter().map(|(first, next)| next - first).sum()
    }

    /// The runs, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.lower.iter().map(|(first, next)| (*first, *next)).chain(self.last)
    }

    /// How many of these numbers `other` lacks: those below `limit`, and those from it on.
    pub fn missing_from(&self, other: &Runs, limit: u64) -> (u64, u64) {
        let (mut below, mut above) = (0, 0);
        for (first, next) in self.iter() {
            let (cut, lacking) = (limit.clamp(first, next), |from: u64, to: u64| to - from - other.covered(from, to));
            below += lacking(first, cut);
            above += lacking(cut, next);
        }
        (below, above)
    }

    fn covered(&self, from: u64, to: u64) -> u64 {
        if from >= to {
            return 0;
        }
        let overlap = |(first, next): (u64, u64)| next.min(to).saturating_sub(first.max(from));
        let start = self.lower.range(..=from).next_back().map_or(from, |(first, _)| *first);
        let lower: u64 = self.lower.range(start..to).map(|(first, next)| overlap((*first, *next))).sum();
        lower + self.last.map_or(0, overlap)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_set_of_runs_is_a_set() {
        // A fixed walk that goes forward, back, and over the same again.
        let mut state = 12_345u64;
        let (mut runs, mut set) = (Runs::default(), BTreeSet::new());
        for _ in 0..5000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let number = (state >> 33) % 700;
            let expected = match set.last() {
                _ if set.contains(&number) => Came::Again,
                Some(highest) if number < *highest => Came::Late,
                _ => Came::Next,
            };
            assert_eq!(runs.insert(number), expected, "{number}");
            set.insert(number);
            assert_eq!(runs.end(), set.last().expect("not empty") + 1);
        }
        let flat: Vec<u64> = runs.iter().flat_map(|(first, next)| first..next).collect();
        assert_eq!(flat, set.into_iter().collect::<Vec<_>>());
        assert_eq!(runs.count(), flat.len() as u64);
    }

    #[test]
    fn what_is_missing_is_told_apart_by_a_limit() {
        let mut acked = Runs::default();
        acked.extend(0, 10);
        acked.extend(20, 30);
        let mut seen = Runs::default();
        for number in [0, 1, 2, 4, 5, 6, 7, 8, 9, 12, 20, 21] {
            seen.insert(number);
        }
        assert_eq!(acked.missing_from(&seen, seen.end()), (1, 8));
        assert_eq!(acked.missing_from(&Runs::default(), 0), (0, 20));
        assert_eq!(Runs::default().missing_from(&seen, 5), (0, 0));
    }
}
