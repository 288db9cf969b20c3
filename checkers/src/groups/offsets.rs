//! One partition's offsets in a group: what may be committed, and what was processed.

use std::collections::BTreeMap;

use super::GroupAnomalyKind;
use crate::history::{Key, ProcessId};

/// "Nothing is committed."
const NO_OFFSET: i64 = -1;

/// Who commits, in which epoch, which offset.
pub(super) type Commit = (ProcessId, i32, i64);

/// What was processed again.
#[derive(Default)]
pub(super) struct Repeated {
    /// How many records.
    pub records: u64,
    /// The offset that was committed before the reading began, if there are records below it.
    pub below: Option<i64>,
}

/// See the module.
pub(super) struct Offsets {
    /// Commits without an answer, by id.
    open: BTreeMap<u64, Commit>,
    /// The newest accepted commit's epoch and offset.
    accepted: (i32, i64),
    /// What was accepted before, and until when.
    former: Vec<(u64, i64)>,
    /// Up to here every record was processed, or was never there.
    processed: i64,
    /// The accepted offset when a member began to read.
    floors: BTreeMap<ProcessId, i64>,
}

impl Default for Offsets {
    fn default() -> Offsets {
        Offsets {
            open: BTreeMap::new(),
            accepted: (i32::MIN, NO_OFFSET),
            former: Vec::new(),
            processed: 0,
            floors: BTreeMap::new(),
        }
    }
}

impl Offsets {
    /// A commit is sent.
    pub fn commit(&mut self, id: u64, commit: Commit) {
        self.open.insert(id, commit);
    }

    /// A commit was answered; returns it if it was accepted. One of an older epoch than the newest accepted one took effect
    /// before that, and only its answer comes late.
    pub fn ended(&mut self, id: u64, accepted: bool, at_ns: u64) -> Option<Commit> {
        let commit = self.open.remove(&id)?;
        let (_, epoch, offset) = commit;
        if accepted && epoch >= self.accepted.0 {
            self.former.push((at_ns, self.accepted.1));
            self.accepted = (epoch, offset);
        }
        accepted.then_some(commit)
    }

    /// A fetch was answered.
    pub fn fetched<K: Key>(&self, partition: K, asked_ns: u64, found: i64) -> Option<GroupAnomalyKind<K>> {
        let (newest, committed) = self.accepted;
        // An older epoch's commit took effect before the newer one's, or never will.
        let is_open = self.open.values().any(|&(_, epoch, offset)| offset == found && epoch >= newest);
        let was_before = self.former.iter().any(|&(until_ns, offset)| offset == found && until_ns >= asked_ns);
        let is_possible = found == committed || is_open || was_before;
        (!is_possible).then_some(GroupAnomalyKind::CommittedWentBack { partition, committed, found })
    }

    /// The log has nothing below this offset.
    pub fn log_starts_at(&mut self, offset: i64) {
        self.processed = self.processed.max(offset);
    }

    /// A member begins to read.
    pub fn started(&mut self, member: ProcessId) {
        self.floors.insert(member, self.accepted.1);
    }

    /// Whether the group would leave records out when it goes on at an offset.
    pub fn lost<K: Key>(&self, member: ProcessId, partition: K, to: i64) -> Option<GroupAnomalyKind<K>> {
        let from = self.processed;
        (to > from).then_some(GroupAnomalyKind::LostRecords { member, partition, from, to })
    }

    /// A member has processed records.
    pub fn processed(&mut self, member: ProcessId, (from, to): (i64, i64)) -> Repeated {
        let records = (self.processed.min(to) - from).max(0) as u64;
        self.processed = self.processed.max(to);
        let below = self.floors.get(&member).copied().filter(|&floor| from < floor);
        Repeated { records, below }
    }
}
