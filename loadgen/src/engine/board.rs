//! What workers and the run's control thread see of each other while a run goes on: counters, ends and positions of partitions, members.
//!
//! Everything here is written by whoever knows and read by whoever asks; counters are relaxed, because nothing is ordered by them.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::clock::Nanos;

/// Counts of one worker, in records unless said otherwise.
#[derive(Debug, Default)]
pub struct Counters {
    /// Due by the schedule.
    pub offered: AtomicU64,
    /// Handed to a connection.
    pub sent: AtomicU64,
    /// Acknowledged.
    pub acked: AtomicU64,
    /// Given up.
    pub failed: AtomicU64,
    /// Delivered to a member.
    pub delivered: AtomicU64,
    /// When something was last acknowledged, or delivered.
    pub last_answer: AtomicU64,
    /// Sent and without an answer: 1 for each request.
    pub owed: AtomicU64,
}

/// Adds to a counter.
pub fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// Reads a counter.
pub fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// A member as the control thread sees it.
#[derive(Debug, Clone, Default)]
pub struct MemberView {
    /// Its generation or epoch; none while it has no settled place.
    pub generation: Option<i32>,
    /// What it holds.
    pub partitions: Vec<i32>,
    /// Whether it takes part: has not left, been killed or frozen.
    pub is_active: bool,
    /// When it first asked to join.
    pub asked_at: Option<Nanos>,
    /// When it first had an assignment, of whatever.
    pub assigned_at: Option<Nanos>,
    /// When it had its first record.
    pub first_record_at: Option<Nanos>,
    /// Records that it was given.
    pub records: u64,
    /// Assignments after the first.
    pub rebalances: u32,
    /// Whether it ever held a partition.
    pub has_held: bool,
}

/// A group of one topic.
#[derive(Debug)]
pub struct GroupBoard {
    /// Offset of the next record that each partition's owner will be given.
    pub positions: Vec<AtomicI64>,
    /// Its members, by number.
    pub members: Mutex<Vec<MemberView>>,
}

impl GroupBoard {
    /// A group of `members` that nobody has joined yet.
    pub fn new(partitions: usize, members: usize) -> GroupBoard {
        GroupBoard {
            positions: (0..partitions).map(|_| AtomicI64::new(0)).collect(),
            members: Mutex::new(vec![MemberView::default(); members]),
        }
    }

    /// Changes what is seen of a member, making room for a new one.
    pub fn update(&self, member: usize, change: impl FnOnce(&mut MemberView)) {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if members.len() <= member {
            members.resize(member + 1, MemberView::default());
        }
        change(&mut members[member]);
    }

    /// All members as they are.
    pub fn views(&self) -> Vec<MemberView> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// All of it.
#[derive(Debug)]
pub struct Board {
    /// By worker.
    pub workers: Vec<Counters>,
    /// By topic and partition: the end of the log as far as anybody has heard.
    pub ends: Vec<Vec<AtomicI64>>,
    /// By group and topic.
    pub groups: Vec<GroupBoard>,
}

impl Board {
    /// Sums a counter over all workers.
    pub fn sum(&self, counter: impl Fn(&Counters) -> &AtomicU64) -> u64 {
        self.workers.iter().map(|worker| get(counter(worker))).sum()
    }

    /// Somebody has heard that a partition's log goes at least to `end`.
    pub fn heard_end(&self, topic: usize, partition: usize, end: i64) {
        if let Some(known) = self.ends.get(topic).and_then(|ends| ends.get(partition)) {
            known.fetch_max(end, Ordering::Relaxed);
        }
    }

    /// How many records of `topic` a group has not been given.
    pub fn lag(&self, topic: usize, group: usize) -> u64 {
        let (Some(ends), Some(group)) = (self.ends.get(topic), self.groups.get(group)) else { return 0 };
        let behind = |(end, position): (&AtomicI64, &AtomicI64)| {
            u64::try_from(end.load(Ordering::Relaxed) - position.load(Ordering::Relaxed)).unwrap_or(0)
        };
        ends.iter().zip(&group.positions).map(behind).sum()
    }
}
