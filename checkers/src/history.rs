//! What clients saw, in the order in which they saw it: the input of [`crate::check`].
//!
//! Whatever drives a broker can write one: how it names partitions is the parameter `K`. Values are unique in a history. A send that
//! was not answered is *unknown*: it may be in the log or not.

pub mod groups;

use std::collections::BTreeMap;
use std::fmt;

use groups::GroupHistory;

/// What names a partition.
pub trait Key: Copy + Ord + fmt::Debug {}

impl<K: Copy + Ord + fmt::Debug> Key for K {}

/// A client whose operations have an order: a producer or a consumer. A producer that begins anew, after an error that it
/// cannot get over, is another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId(pub u32);

/// A record's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value(pub u64);

/// What the producer of a value was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarantee {
    /// Idempotent: once, and in the order of the sends.
    Once,
    /// Sent again when nobody answered: perhaps more than once, in any order.
    AtLeastOnce,
}

/// How a send ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Acknowledged at this offset.
    Acked(i64),
    /// Surely not done.
    Failed,
    /// Nobody knows.
    Unknown,
}

/// An event of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A send, at the time when it was first sent.
    Send {
        /// Who sent it.
        process: ProcessId,
        /// What.
        value: Value,
        /// What it was promised.
        guarantee: Guarantee,
        /// How it ended.
        outcome: Sent,
    },
    /// A fetch returned records, at least one.
    Poll {
        /// Who fetched.
        process: ProcessId,
        /// Offsets and values, as they came.
        records: Vec<(i64, Value)>,
    },
    /// A consumer begins at a position of its choice: what it sees next need not follow what it saw.
    Assign {
        /// Who.
        process: ProcessId,
    },
    /// A client asked for the log to begin at this offset; `acked` once that was confirmed.
    DeleteRecords {
        /// The first offset to keep.
        offset: i64,
        /// Whether the broker has confirmed it.
        acked: bool,
    },
    /// A group's committed offset, at the end of a commit that was confirmed. Offsets of one group only grow.
    Commit {
        /// Which group, by number.
        group: u32,
        /// The next offset to read.
        offset: i64,
    },
    /// What a group's committed offset was found to be; −1 for none.
    Committed {
        /// Which group, by number.
        group: u32,
        /// What the broker said.
        offset: i64,
    },
}

/// A partition as it was read from its beginning to its end after everything was healed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FinalRead {
    /// The first offset that the log has.
    pub log_start: i64,
    /// The high watermark, up to which it was read.
    pub end: i64,
    /// Offsets and values, from the log's start on.
    pub records: Vec<(i64, Value)>,
}

/// One partition's part of a history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionHistory {
    /// In the order of their happening.
    pub events: Vec<Event>,
    /// Whether old records may vanish by themselves (`retention.ms`, `retention.bytes`).
    pub has_retention: bool,
    /// Of a compacted partition the key of every value that was sent: of each key only the newest has to stay.
    pub keys: Option<BTreeMap<Value, u64>>,
    /// The final phase's read. Without one, lost and unseen writes cannot be seen.
    pub last: Option<FinalRead>,
}

impl PartitionHistory {
    /// Whether records may have been deleted.
    pub fn deletes(&self) -> bool {
        self.has_retention || self.events.iter().any(|event| matches!(event, Event::DeleteRecords { .. }))
    }
}

/// Names a send of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket<K> {
    key: K,
    index: usize,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History<K> {
    /// By partition.
    pub partitions: BTreeMap<K, PartitionHistory>,
    /// Groups with members, by number.
    pub groups: BTreeMap<u32, GroupHistory<K>>,
}

impl<K> Default for History<K> {
    fn default() -> History<K> {
        History { partitions: BTreeMap::new(), groups: BTreeMap::new() }
    }
}

impl<K: Key> History<K> {
    /// One partition's part, made if need be.
    pub fn partition(&mut self, key: K) -> &mut PartitionHistory {
        self.partitions.entry(key).or_default()
    }

    /// One group's part, made if need be.
    pub fn group(&mut self, number: u32) -> &mut GroupHistory<K> {
        self.groups.entry(number).or_default()
    }

    /// Adds an event.
    pub fn record(&mut self, key: K, event: Event) {
        self.partition(key).events.push(event);
    }

    /// Adds a send whose end is not known yet; returns its name for [`History::settle`].
    pub fn send(&mut self, key: K, process: ProcessId, value: Value, guarantee: Guarantee) -> Ticket<K> {
        let events = &mut self.partition(key).events;
        events.push(Event::Send { process, value, guarantee, outcome: Sent::Unknown });
        Ticket { key, index: events.len() - 1 }
    }

    /// A send has ended.
    pub fn settle(&mut self, ticket: Ticket<K>, ended: Sent) {
        match self.partition(ticket.key).events.get_mut(ticket.index) {
            Some(Event::Send { outcome, .. }) => *outcome = ended,
            other => panic!("{ticket:?} names no send, but {other:?}"),
        }
    }

    /// Takes out partitions that were deleted: their records are nobody's any more.
    pub fn forget(&mut self, is_forgotten: impl Fn(&K) -> bool) {
        self.partitions.retain(|key, _| !is_forgotten(key));
        self.groups.values_mut().for_each(|group| group.forget(&is_forgotten));
    }

    /// Values that were acknowledged.
    pub fn acked(&self) -> usize {
        let events = self.partitions.values().flat_map(|partition| &partition.events);
        events.filter(|event| matches!(event, Event::Send { outcome: Sent::Acked(_), .. })).count()
    }

    /// Values that the final phase has read.
    pub fn read_at_the_end(&self) -> usize {
        self.partitions.values().filter_map(|partition| partition.last.as_ref()).map(|last| last.records.len()).sum()
    }
}
