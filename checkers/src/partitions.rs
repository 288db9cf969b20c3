//! What a history must not show, partition by partition, in linear passes over the order of offsets.
//!
//! Gaps in offsets are anomalies, but where compaction makes them: there a value may go when a newer one of its key is there.
//! Transactions, which would make others, are not sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::Report;
use crate::history::{Event, FinalRead, Guarantee, Key, PartitionHistory, ProcessId, Sent, Value};

mod polls;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly<K> {
    /// Where.
    pub partition: K,
    /// What.
    pub kind: AnomalyKind,
}

impl<K: Key + fmt::Display> fmt::Display for Anomaly<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.partition, self.kind)
    }
}

/// What must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are an offset, the values there, and who saw them")]
pub enum AnomalyKind {
    /// One offset with two values.
    InconsistentOffsets { offset: i64, values: (Value, Value) },
    /// One value of an idempotent producer at two offsets.
    Duplicate { value: Value, offsets: (i64, i64) },
    /// Acknowledged, at or below the highest offset that anyone read, and never read.
    LostWrite { value: Value, offset: i64 },
    /// Acknowledged, and not there at the end.
    Unseen { value: Value, offset: i64 },
    /// Refused, and there nevertheless.
    FailedSendRead { value: Value, offset: i64 },
    /// A value that nobody sent.
    NeverSent { value: Value, offset: i64 },
    /// A consumer jumped over an offset that is known, between two polls or within one.
    PollSkip { process: ProcessId, from: i64, to: i64 },
    /// A consumer saw an offset again, or an earlier one, between two polls or within one.
    NonMonotonicPoll { process: ProcessId, from: i64, to: i64 },
    /// An idempotent producer's sends went back in the log.
    NonMonotonicSend { process: ProcessId, from: i64, to: i64 },
    /// A consumer saw what is not there at the end.
    ReadAbove { process: ProcessId, offset: i64, value: Value },
    /// The log has a hole.
    Hole { from: i64, to: i64 },
    /// Records that were deleted, with confirmation, came back.
    LogStartWentBack { confirmed: i64, found: i64 },
    /// More was deleted than anybody asked for.
    LogStartRanAhead { asked: i64, found: i64 },
    /// A group's committed offset is behind one that was confirmed.
    CommitWentBack { group: u32, confirmed: i64, found: i64 },
}

/// Judges one partition's part of a history.
pub(crate) fn check<K: Key>(partition: K, history: &PartitionHistory, report: &mut Report<K>) {
    let mut checker = Checker { history, report, partition, log: Log::of(history) };
    checker.offsets();
    checker.send_order();
    checker.sends();
    checker.end();
    checker.commits();
    let known = if history.keys.is_some() { BTreeSet::new() } else { std::mem::take(&mut checker.log.known) };
    for kind in polls::check(history, &known) {
        checker.found(kind);
    }
}

/// What is known about the order of a partition's values.
struct Log {
    /// Offsets that were read, with who read it first; `None` is the final phase. A second value at an offset is kept apart.
    read: BTreeMap<i64, (Value, Option<ProcessId>)>,
    conflicts: Vec<(i64, Value, Value)>,
    /// The offsets of each value, read or acknowledged.
    places: BTreeMap<Value, BTreeSet<i64>>,
    /// Every offset at which a value was read or acknowledged.
    known: BTreeSet<i64>,
}

impl Log {
    fn of(history: &PartitionHistory) -> Log {
        let mut log =
            Log { read: BTreeMap::new(), conflicts: Vec::new(), places: BTreeMap::new(), known: BTreeSet::new() };
        for event in &history.events {
            match event {
                Event::Poll { process, records } => {
                    records.iter().for_each(|&(offset, value)| log.add_read(offset, value, Some(*process)));
                }
                &Event::Send { value, outcome: Sent::Acked(offset), .. } => log.add(offset, value),
                _ => {}
            }
        }
        let last = history.last.iter().flat_map(|last| &last.records);
        last.for_each(|&(offset, value)| log.add_read(offset, value, None));
        log
    }

    fn add_read(&mut self, offset: i64, value: Value, reader: Option<ProcessId>) {
        let (first, _) = *self.read.entry(offset).or_insert((value, reader));
        if first != value {
            self.conflicts.push((offset, first, value));
        }
        self.add(offset, value);
    }

    fn add(&mut self, offset: i64, value: Value) {
        self.places.entry(value).or_default().insert(offset);
        self.known.insert(offset);
    }
}

/// Of a compacted partition the newest offset of each key at the end.
struct Newest<'a> {
    keys: Option<&'a BTreeMap<Value, u64>>,
    offsets: BTreeMap<u64, i64>,
}

impl<'a> Newest<'a> {
    fn of(history: &'a PartitionHistory, last: &FinalRead) -> Newest<'a> {
        let keys = history.keys.as_ref();
        let key = |value: &Value| keys.and_then(|keys| keys.get(value).copied());
        // In the order of offsets, so that the newest stays.
        let offsets = last.records.iter().filter_map(|(offset, value)| Some((key(value)?, *offset))).collect();
        Newest { keys, offsets }
    }

    /// Whether a value may be gone, because a newer one of its key is there.
    fn supersedes(&self, value: Value, offset: i64) -> bool {
        let key = self.keys.and_then(|keys| keys.get(&value));
        key.and_then(|key| self.offsets.get(key)).is_some_and(|&newest| newest > offset)
    }
}

struct Checker<'a, K> {
    history: &'a PartitionHistory,
    report: &'a mut Report<K>,
    partition: K,
    log: Log,
}

impl<'a, K: Key> Checker<'a, K> {
    fn found(&mut self, kind: AnomalyKind) {
        self.report.anomalies.push(Anomaly { partition: self.partition, kind });
    }

    fn outcomes(&self) -> impl Iterator<Item = (ProcessId, Value, Guarantee, Sent)> + use<'a, K> {
        self.history.events.iter().filter_map(|event| match *event {
            Event::Send { process, value, guarantee, outcome } => Some((process, value, guarantee, outcome)),
            _ => None,
        })
    }

    /// One offset, one value.
    fn offsets(&mut self) {
        for (offset, first, second) in std::mem::take(&mut self.log.conflicts) {
            self.found(AnomalyKind::InconsistentOffsets { offset, values: (first, second) });
        }
        let mut acked: BTreeMap<i64, Value> = BTreeMap::new();
        for (_, value, _, outcome) in self.outcomes() {
            let Sent::Acked(offset) = outcome else { continue };
            let other = acked.insert(offset, value);
            let there = self.log.read.get(&offset).map(|&(read, _)| read).or(other);
            if let Some(there) = there.filter(|there| *there != value) {
                self.found(AnomalyKind::InconsistentOffsets { offset, values: (value, there) });
            }
        }
    }

    /// Each value as often as its producer was promised, and none that should not be.
    fn sends(&mut self) {
        let sent: BTreeMap<Value, (Guarantee, Sent)> =
            self.outcomes().map(|(_, value, guarantee, outcome)| (value, (guarantee, outcome))).collect();
        for (value, places) in std::mem::take(&mut self.log.places) {
            let mut offsets = places.into_iter();
            let Some(first) = offsets.next() else { continue };
            let Some(&(guarantee, outcome)) = sent.get(&value) else {
                self.found(AnomalyKind::NeverSent { value, offset: first });
                continue;
            };
            if outcome == Sent::Failed {
                self.found(AnomalyKind::FailedSendRead { value, offset: first });
            }
            for offset in offsets {
                match guarantee {
                    Guarantee::Once => self.found(AnomalyKind::Duplicate { value, offsets: (first, offset) }),
                    Guarantee::AtLeastOnce => self.report.allowed_duplicates += 1,
                }
            }
        }
    }

    /// What one idempotent producer sent later is further on, acknowledged or not.
    fn send_order(&mut self) {
        let mut newest: BTreeMap<ProcessId, i64> = BTreeMap::new();
        for (process, value, guarantee, outcome) in self.outcomes() {
            let place = match outcome {
                Sent::Acked(offset) => Some(offset),
                _ => self.log.places.get(&value).and_then(|places| places.first().copied()),
            };
            let (Guarantee::Once, Some(to)) = (guarantee, place) else { continue };
            let from = newest.insert(process, to).unwrap_or(-1);
            if to < from {
                self.found(AnomalyKind::NonMonotonicSend { process, from, to });
            }
        }
    }

    /// What has to be there at the end.
    fn end(&mut self) {
        let Some(last) = &self.history.last else { return };
        let highest_read = self.log.read.last_key_value().map_or(-1, |(&offset, _)| offset);
        let at_the_end: BTreeMap<i64, Value> = last.records.iter().copied().collect();
        let newest = Newest::of(self.history, last);
        for (_, value, _, outcome) in self.outcomes() {
            let Sent::Acked(offset) = outcome else { continue };
            if offset < last.log_start || at_the_end.get(&offset) == Some(&value) || newest.supersedes(value, offset) {
                continue;
            }
            let never_read = self.log.read.get(&offset).is_none_or(|&(read, _)| read != value);
            if never_read && offset <= highest_read {
                self.found(AnomalyKind::LostWrite { value, offset });
            } else {
                self.found(AnomalyKind::Unseen { value, offset });
            }
        }
        for (offset, (value, reader)) in self.log.read.split_off(&last.log_start) {
            if let (Some(process), None) = (reader, at_the_end.get(&offset))
                && !newest.supersedes(value, offset)
            {
                self.found(AnomalyKind::ReadAbove { process, offset, value });
            }
        }
        self.holes(last);
        self.log_start(last);
    }

    fn holes(&mut self, last: &FinalRead) {
        if self.history.keys.is_some() {
            return;
        }
        let mut next = last.log_start;
        for &(offset, _) in &last.records {
            if offset != next {
                self.found(AnomalyKind::Hole { from: next, to: offset });
            }
            next = offset + 1;
        }
        if next != last.end {
            self.found(AnomalyKind::Hole { from: next, to: last.end });
        }
    }

    fn log_start(&mut self, last: &FinalRead) {
        let (mut confirmed, mut asked) = (0, 0);
        for event in &self.history.events {
            if let Event::DeleteRecords { offset, acked } = *event {
                asked = asked.max(offset);
                confirmed = if acked { confirmed.max(offset) } else { confirmed };
            }
        }
        let found = last.log_start;
        if found < confirmed {
            self.found(AnomalyKind::LogStartWentBack { confirmed, found });
        }
        if found > asked && !self.history.has_retention {
            self.found(AnomalyKind::LogStartRanAhead { asked, found });
        }
    }

    fn commits(&mut self) {
        let mut newest: BTreeMap<u32, i64> = BTreeMap::new();
        for event in &self.history.events {
            match *event {
                Event::Commit { group, offset } => {
                    newest.insert(group, offset);
                }
                Event::Committed { group, offset: found } => {
                    let confirmed = newest.get(&group).copied().unwrap_or(-1);
                    if found < confirmed {
                        self.found(AnomalyKind::CommitWentBack { group, confirmed, found });
                    }
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
