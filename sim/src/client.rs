//! Simulated Kafka clients, on `wire`: what they do lies in their files, what they saw goes into the history.

pub mod admin;
pub mod committer;
pub mod consumer;
pub mod finale;
pub mod group;
pub mod link;
pub mod member;
pub mod producer;
pub mod records;
pub mod settle;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use checkers::History;
use checkers::history::{ProcessId, Value};
use wire::{TopicPartitionId, Uuid};

use crate::broker::Broker;
use crate::clock::Clock;
use crate::coverage::{Coverage, Reached};
use crate::dice::Dice;
use crate::trace::Trace;
use group::Group;
use link::Link;

/// How long a client waits before it tries to connect again.
const RECONNECT: Duration = Duration::from_millis(40);
/// How long a client waits before it repeats a request that was refused for a while.
pub const RETRY: Duration = Duration::from_millis(50);

/// What became of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicState {
    /// Its creation was acknowledged.
    Alive,
    /// Its deletion was asked for.
    Deleting,
    /// Its deletion was acknowledged.
    Deleted,
}

/// A topic that clients know.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Uuid,
    /// How many partitions it has.
    pub partitions: i32,
    /// Whether it lives now.
    pub state: TopicState,
    /// Settings that were changed and confirmed.
    pub configs: BTreeMap<&'static str, &'static str>,
}

/// What all clients of a run share.
pub struct Shared {
    /// The time.
    pub clock: Clock,
    /// The clients' randomness.
    pub dice: Dice,
    /// Where events go.
    pub trace: Trace,
    /// Whom they talk to.
    pub broker: Rc<Broker>,
    /// What they saw.
    pub history: RefCell<History<TopicPartitionId>>,
    /// The topics, in the order of their creation.
    pub topics: RefCell<Vec<Topic>>,
    /// What broke the protocol's promises, beyond what the history shows.
    pub violations: RefCell<Vec<String>>,
    /// When topics last changed, in ns.
    pub topics_changed_ns: Cell<u64>,
    /// Groups with members.
    pub groups: RefCell<Vec<Rc<Group>>>,
    /// What happened to them.
    pub coverage: RefCell<Coverage>,
    /// When the last fault is over, in ns: whoever stands still or is dead for a time comes back then.
    pub faults_end_ns: Cell<u64>,
    /// Consumers are to end.
    pub stopping: Cell<bool>,
    next_value: Cell<u64>,
    next_process: Cell<u32>,
}

impl Shared {
    /// For a run that begins.
    pub fn new(clock: Clock, dice: Dice, trace: Trace, broker: Rc<Broker>) -> Rc<Shared> {
        Rc::new(Shared {
            clock,
            dice,
            trace,
            broker,
            history: RefCell::default(),
            topics: RefCell::default(),
            violations: RefCell::default(),
            topics_changed_ns: Cell::new(0),
            groups: RefCell::default(),
            coverage: RefCell::default(),
            faults_end_ns: Cell::new(0),
            stopping: Cell::new(false),
            next_value: Cell::new(1),
            next_process: Cell::new(1),
        })
    }

    /// A connection, as soon as the broker takes one.
    pub async fn link(&self, client: &str) -> Link {
        loop {
            if let Some(stream) = self.broker.connect(client) {
                return Link::new(stream, client, self.clock.clone());
            }
            self.clock.sleep(self.dice.delay(&(RECONNECT / 4..=RECONNECT))).await;
        }
    }

    /// A value that nobody else has.
    pub fn new_value(&self) -> Value {
        Value(self.next_value.replace(self.next_value.get() + 1))
    }

    /// A process that nobody else is.
    pub fn new_process(&self) -> ProcessId {
        ProcessId(self.next_process.replace(self.next_process.get() + 1))
    }

    /// Something happened to a group.
    pub fn reached(&self, what: Reached) {
        *self.coverage.borrow_mut().entry(what).or_insert(0) += 1;
    }

    /// When something ends that is to last so long, but no longer than the faults.
    pub fn fault_ends_ns(&self, lasts: Duration) -> u64 {
        (self.clock.now_ns() + lasts.as_nanos() as u64).min(self.faults_end_ns.get())
    }

    /// Topics have changed: groups need time to follow.
    pub fn topics_changed(&self) {
        self.topics_changed_ns.set(self.clock.now_ns());
    }

    /// Whether a group reads a topic.
    pub fn is_read_by_groups(&self, topic: &str) -> bool {
        self.groups.borrow().iter().any(|group| group.plan.topics.iter().any(|name| name == topic))
    }

    /// Something happened that never may.
    pub fn violation(&self, what: String) {
        self.trace.event(format_args!("VIOLATION {what}"));
        self.violations.borrow_mut().push(what);
    }

    /// Whether a topic may be gone.
    pub fn may_be_gone(&self, id: Uuid) -> bool {
        self.topics.borrow().iter().any(|topic| topic.id == id && topic.state != TopicState::Alive)
    }
}
