//! What the history of a group must not show, in one pass over its events.
//!
//! | anomaly | definition |
//! |---|---|
//! | two owners | a partition is granted to one member while another, granted it in the same or an earlier generation or epoch, has not given it up and its lease has not run out; or in the very same epoch, lease or not |
//! | epoch goes back | a member is granted something in an epoch older than one that was seen before it asked: the group's, with generations; its own otherwise |
//! | fenced commit accepted | a commit is accepted that was sent after its member was seen to be fenced, after the partition was granted to another member in a newer epoch, or, with generations, after anything was granted in a newer one |
//! | committed offset goes back | a fetch answers what no commit can have left: neither the last accepted one, nor one that was under way beside it and is not from an older epoch |
//! | lost records | a commit, or the start of a reading, lies behind records that no member has processed before |
//! | repeated records | a member whose lease lasts processes a record below an offset that was committed before it began |
//! | fenced early | a member is not known any more although its lease lasts |
//!
//! A member that is fenced and does not know it may process records again; that is counted.

use std::collections::BTreeMap;
use std::fmt;

use crate::history::groups::{GroupAction, GroupEvent, GroupHistory};
use crate::history::{Key, ProcessId};

mod offsets;

use offsets::Offsets;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupAnomaly<K> {
    /// In which group, by number.
    pub group: u32,
    /// What.
    pub kind: GroupAnomalyKind<K>,
}

impl<K: Key> fmt::Display for GroupAnomaly<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "group {}: {:?}", self.group, self.kind)
    }
}

/// What must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are who, where, and in which epochs or at which offsets")]
pub enum GroupAnomalyKind<K> {
    /// A partition is granted while somebody else holds it.
    TwoOwners { partition: K, members: (ProcessId, ProcessId), epochs: (i32, i32) },
    /// A grant is older than what was known when it was asked for.
    EpochWentBack { member: ProcessId, known: i32, found: i32 },
    /// A commit of somebody who does not count any more was accepted.
    FencedCommitAccepted { member: ProcessId, partition: K, epoch: i32, offset: i64 },
    /// The committed offset is none that can be.
    CommittedWentBack { partition: K, committed: i64, found: i64 },
    /// The group goes on behind records that no member has processed.
    LostRecords { member: ProcessId, partition: K, from: i64, to: i64 },
    /// A member processes records below the committed offset, though nobody has fenced it.
    RepeatedRecords { member: ProcessId, partition: K, from: i64, committed: i64 },
    /// A member was dropped before its time.
    FencedEarly { member: ProcessId, left_ns: u64 },
}

/// What is wrong with a group, and how many records its members have processed more than once.
pub(crate) fn check<K: Key>(history: &GroupHistory<K>) -> (Vec<GroupAnomalyKind<K>>, u64) {
    let mut checker = Checker::new(history.has_generations);
    for event in &history.events {
        checker.take(event);
    }
    (checker.found, checker.repeated)
}

#[derive(Default)]
struct Member {
    /// When it was granted something in an epoch that is newer than all before.
    epochs: Vec<(u64, i32)>,
    /// Until when nobody else may be given what it holds.
    lease_ns: u64,
    /// It has no claim any more, whatever it is granted: its successor may have come before that.
    is_abandoned: bool,
    /// When it was first seen to be fenced.
    fenced_ns: Option<u64>,
}

struct Checker<K> {
    has_generations: bool,
    members: BTreeMap<ProcessId, Member>,
    /// Who holds a partition by its own account, and since which epoch.
    holders: BTreeMap<K, BTreeMap<ProcessId, i32>>,
    /// When something was granted in an epoch that is newer than all before.
    epochs: Vec<(u64, i32)>,
    /// Likewise for each partition, with the first member that it was granted to.
    partition_epochs: BTreeMap<K, Vec<(u64, i32, ProcessId)>>,
    offsets: BTreeMap<K, Offsets>,
    /// Commits that are not answered: their partition, and when they were sent.
    commits: BTreeMap<u64, (K, u64)>,
    found: Vec<GroupAnomalyKind<K>>,
    repeated: u64,
}

/// The newest epoch that had been seen before a time.
fn known_before(epochs: &[(u64, i32)], at_ns: u64) -> Option<i32> {
    epochs.iter().rev().find(|&&(seen_ns, _)| seen_ns < at_ns).map(|&(_, epoch)| epoch)
}

impl<K: Key> Checker<K> {
    fn new(has_generations: bool) -> Checker<K> {
        Checker {
            has_generations,
            members: BTreeMap::new(),
            holders: BTreeMap::new(),
            epochs: Vec::new(),
            partition_epochs: BTreeMap::new(),
            offsets: BTreeMap::new(),
            commits: BTreeMap::new(),
            found: Vec::new(),
            repeated: 0,
        }
    }

    fn take(&mut self, event: &GroupEvent<K>) {
        let (at_ns, who) = (event.at_ns, event.member);
        match &event.action {
            GroupAction::Granted { epoch, partitions, asked_ns, lease_ns } => {
                self.check_epoch(who, *epoch, (*asked_ns, at_ns));
                for partition in partitions {
                    self.granted(who, *partition, *epoch, at_ns);
                }
                self.members.entry(who).or_default().lease_ns = *lease_ns;
            }
            &GroupAction::Renewed { asked_ns, lease_ns } => {
                let member = self.members.entry(who).or_default();
                if asked_ns < member.lease_ns {
                    member.lease_ns = member.lease_ns.max(lease_ns);
                }
            }
            &GroupAction::Waits { lease_ns } => {
                let member = self.members.entry(who).or_default();
                member.lease_ns = member.lease_ns.min(lease_ns);
            }
            GroupAction::Released(partitions) => {
                for partition in partitions {
                    self.holders.entry(*partition).or_default().remove(&who);
                }
            }
            GroupAction::Abandoned => self.members.entry(who).or_default().is_abandoned = true,
            &GroupAction::Fenced { as_unknown } => self.fenced(who, as_unknown, at_ns),
            &GroupAction::Commit { id, partition, epoch, offset } => {
                self.commits.insert(id, (partition, at_ns));
                let offsets = self.offsets.entry(partition).or_default();
                offsets.commit(id, (who, epoch, offset));
                self.found.extend(offsets.lost(who, partition, offset));
            }
            &GroupAction::CommitEnded { id, accepted } => self.commit_ended(id, accepted, at_ns),
            &GroupAction::Fetched { partition, asked_ns, offset } => {
                let offsets = self.offsets.entry(partition).or_default();
                self.found.extend(offsets.fetched(partition, asked_ns, offset));
            }
            &GroupAction::Started { partition, position, at_log_start } => {
                let offsets = self.offsets.entry(partition).or_default();
                if at_log_start {
                    offsets.log_starts_at(position);
                }
                self.found.extend(offsets.lost(who, partition, position));
                offsets.started(who);
            }
            &GroupAction::Processed { partition, from, to } => {
                let lasts =
                    self.members.get(&who).is_some_and(|member| !member.is_abandoned && at_ns < member.lease_ns);
                let offsets = self.offsets.entry(partition).or_default();
                self.found.extend(offsets.lost(who, partition, from));
                let repeated = offsets.processed(who, (from, to));
                self.repeated += repeated.records;
                if let (Some(committed), true) = (repeated.below, lasts) {
                    self.found.push(GroupAnomalyKind::RepeatedRecords { member: who, partition, from, committed });
                }
            }
        }
    }

    fn check_epoch(&mut self, who: ProcessId, found: i32, (asked_ns, at_ns): (u64, u64)) {
        let member = self.members.entry(who).or_default();
        let epochs = if self.has_generations { &mut self.epochs } else { &mut member.epochs };
        if let Some(known) = known_before(epochs, asked_ns).filter(|known| found < *known) {
            self.found.push(GroupAnomalyKind::EpochWentBack { member: who, known, found });
        }
        if epochs.last().is_none_or(|&(_, newest)| newest < found) {
            epochs.push((at_ns, found));
        }
    }

    fn granted(&mut self, who: ProcessId, partition: K, epoch: i32, at_ns: u64) {
        let holders = self.holders.entry(partition).or_default();
        // Somebody's former self may hear late what it was given before.
        let is_former = self.members.get(&who).is_some_and(|member| member.is_abandoned);
        for (&other, &since) in holders.iter().filter(|&(&other, _)| other != who) {
            let holder = self.members.get(&other).expect("who holds something is a member");
            let may_hold = at_ns < holder.lease_ns && since <= epoch;
            if !is_former && !holder.is_abandoned && holder.fenced_ns.is_none() && (may_hold || since == epoch) {
                let (members, epochs) = ((other, who), (since, epoch));
                self.found.push(GroupAnomalyKind::TwoOwners { partition, members, epochs });
            }
        }
        holders.insert(who, epoch);
        let epochs = self.partition_epochs.entry(partition).or_default();
        if epochs.last().is_none_or(|&(_, newest, _)| newest < epoch) {
            epochs.push((at_ns, epoch, who));
        }
    }

    fn fenced(&mut self, who: ProcessId, as_unknown: bool, at_ns: u64) {
        let member = self.members.entry(who).or_default();
        if as_unknown && !member.is_abandoned && member.fenced_ns.is_none() && at_ns < member.lease_ns {
            self.found.push(GroupAnomalyKind::FencedEarly { member: who, left_ns: member.lease_ns - at_ns });
        }
        member.fenced_ns.get_or_insert(at_ns);
        member.lease_ns = 0;
        for holders in self.holders.values_mut() {
            holders.remove(&who);
        }
    }

    fn commit_ended(&mut self, id: u64, accepted: bool, at_ns: u64) {
        let (partition, sent_ns) = self.commits.remove(&id).expect("a commit is answered once, after it was sent");
        let offsets = self.offsets.entry(partition).or_default();
        let Some((member, epoch, offset)) = offsets.ended(id, accepted, at_ns) else { return };
        let is_fenced = self.members.get(&member).and_then(|known| known.fenced_ns).is_some_and(|ns| ns < sent_ns);
        let is_old = self.has_generations && known_before(&self.epochs, sent_ns).is_some_and(|newest| epoch < newest);
        let grants = self.partition_epochs.get(&partition).into_iter().flatten();
        let is_replaced =
            grants.rev().any(|&(seen_ns, newer, owner)| seen_ns < sent_ns && epoch < newer && owner != member);
        if is_fenced || is_old || is_replaced {
            self.found.push(GroupAnomalyKind::FencedCommitAccepted { member, partition, epoch, offset });
        }
    }
}

#[cfg(test)]
mod tests;
