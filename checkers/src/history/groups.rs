//! What the members of one group saw, in the order in which they saw it: the input of [`crate::groups`].
//!
//! A member is a process for as long as the coordinator knows it by one member id. What it holds is a *claim*: given by the
//! coordinator's word, given up by its own. The coordinator may give a partition to somebody else only after the member has
//! given it up, or after the *lease* has run out: that is when the coordinator may take a silent member for dead, or lose
//! patience with one that does not follow a rebalance. A member cannot know that better than by counting from when it sent
//! the last request that was accepted, so a lease never ends late.

use std::collections::BTreeSet;

use super::{Key, ProcessId};

/// One group's part of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupHistory<K> {
    /// Whether a generation is the whole group's (classic), so that a newer one fences every member of an older one.
    pub has_generations: bool,
    /// In the order of their happening.
    pub events: Vec<GroupEvent<K>>,
}

impl<K> Default for GroupHistory<K> {
    fn default() -> GroupHistory<K> {
        GroupHistory { has_generations: false, events: Vec::new() }
    }
}

/// Something that a member did or was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupEvent<K> {
    /// When, in ns since the history's beginning.
    pub at_ns: u64,
    /// Who.
    pub member: ProcessId,
    /// What.
    pub action: GroupAction<K>,
}

/// What was done or told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupAction<K> {
    /// The coordinator has given the member these partitions, beside those that it has not given up.
    Granted {
        /// Generation (classic) or member epoch (KIP-848).
        epoch: i32,
        /// What it may hold from now on.
        partitions: Vec<K>,
        /// When it sent the request that was answered so.
        asked_ns: u64,
        /// Until when its lease lasts.
        lease_ns: u64,
    },
    /// The coordinator has accepted a sign of life without asking for anything.
    Renewed {
        /// When that was sent.
        asked_ns: u64,
        /// Until when its lease lasts.
        lease_ns: u64,
    },
    /// The member is about to wait for an answer. Should its connection be lost meanwhile, its lease ends no later than this.
    Waits {
        /// In ns.
        lease_ns: u64,
    },
    /// The member has given partitions up: it neither reads nor commits them any more.
    Released(Vec<K>),
    /// The member's claim is void by its own side's doing: it asks to leave, or its successor, with the same instance id,
    /// is about to join.
    Abandoned,
    /// The coordinator does not know the member any more and has shown it: by an error, by the confirmation of its
    /// leaving, by the welcome of its successor. Nothing that the member sends from now on may count.
    Fenced {
        /// Whether that was the error for a member that is not known, which tells that it was taken for dead.
        as_unknown: bool,
    },
    /// A commit is sent.
    Commit {
        /// Names it, once in a group.
        id: u64,
        /// Where.
        partition: K,
        /// In which generation or member epoch.
        epoch: i32,
        /// The next offset to read.
        offset: i64,
    },
    /// A commit was answered. Without this, nobody knows whether it took effect.
    CommitEnded {
        /// The commit.
        id: u64,
        /// Whether it was accepted.
        accepted: bool,
    },
    /// The coordinator was asked for a committed offset and has answered.
    Fetched {
        /// Where.
        partition: K,
        /// When the question was sent.
        asked_ns: u64,
        /// The answer; −1 for none.
        offset: i64,
    },
    /// The member begins to read a partition, or goes on elsewhere because the log does not begin before that.
    Started {
        /// Where.
        partition: K,
        /// The next offset to read.
        position: i64,
        /// Whether that is where the log begins, so that nothing before is there to be read.
        at_log_start: bool,
    },
    /// The member has processed records.
    Processed {
        /// Where.
        partition: K,
        /// The first one's offset.
        from: i64,
        /// The offset behind the last one.
        to: i64,
    },
}

impl<K: Key> GroupHistory<K> {
    /// Adds an event.
    pub fn record(&mut self, at_ns: u64, member: ProcessId, action: GroupAction<K>) {
        self.events.push(GroupEvent { at_ns, member, action });
    }

    /// Takes partitions out.
    pub fn forget(&mut self, is_forgotten: impl Fn(&K) -> bool) {
        let is_other = |partition: &K| !is_forgotten(partition);
        for event in &mut self.events {
            if let GroupAction::Granted { partitions, .. } | GroupAction::Released(partitions) = &mut event.action {
                partitions.retain(|partition| is_other(partition));
            }
        }
        let mut forgotten = BTreeSet::new();
        self.events.retain(|event| match &event.action {
            GroupAction::Commit { id, partition, .. } if !is_other(partition) => {
                forgotten.insert(*id);
                false
            }
            GroupAction::CommitEnded { id, .. } => !forgotten.contains(id),
            GroupAction::Fetched { partition, .. }
            | GroupAction::Started { partition, .. }
            | GroupAction::Processed { partition, .. } => is_other(partition),
            _ => true,
        });
    }
}
