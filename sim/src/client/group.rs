//! Groups with members: what a seed decides about one, and the board on which its members show what they hold.
//!
//! The board is the simulator's own view, from above: nobody in the protocol sees it. It tells when a group has settled.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use checkers::history::ProcessId;
use wire::TopicPartitionId;

use super::link::Link;
use super::member::assignor::Assignor;
use super::member::script::MemberPlan;

/// What a group is and does.
#[derive(Clone, Debug)]
pub struct GroupPlan {
    /// Its number in the history.
    pub number: u32,
    /// How its members speak to the coordinator.
    pub protocol: Protocol,
    /// The assignors that its members can do, in the classic protocol, each member's favourite first.
    pub assignors: Vec<Assignor>,
    /// What it reads.
    pub topics: Vec<String>,
    /// How long a member may be silent.
    pub session: Duration,
    /// How long the group waits for a member to follow a rebalance.
    pub rebalance: Duration,
    /// How long the coordinator waits for a member whose connection is lost while it waits for an answer, if it does not
    /// wait for its whole session.
    pub grace: Option<Duration>,
    /// Between two heartbeats of a member.
    pub heartbeat: Duration,
    /// Between two commits of a member.
    pub commit: Duration,
    /// Whether members commit what they are about to give up.
    pub commits_before_revoking: bool,
    /// Of 100 members that learn that they are fenced, how many commit nevertheless.
    pub stubborn_percent: u64,
    /// Bytes that a member asks for at a time.
    pub fetch_bytes: i32,
    /// How long the broker may keep a fetch, in ms.
    pub wait_ms: i32,
    /// Which requests its members send.
    pub versions: Versions,
    /// Its members.
    pub members: Vec<MemberPlan>,
}

/// A group's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The members assign (JoinGroup, SyncGroup).
    Classic,
    /// The broker assigns (KIP-848).
    Consumer {
        /// The assignor that the members ask for.
        assignor: Option<&'static str>,
        /// How often the broker asks for heartbeats: so long it waits after the last one before a lost connection counts.
        interval: Duration,
    },
}

/// The versions of the requests that a group's members send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// JoinGroup.
    pub join: i16,
    /// SyncGroup.
    pub sync: i16,
    /// Heartbeat or ConsumerGroupHeartbeat.
    pub heartbeat: i16,
    /// LeaveGroup.
    pub leave: i16,
    /// OffsetCommit, by topic names.
    pub commit: i16,
    /// OffsetFetch.
    pub fetch: i16,
}

impl Versions {
    /// Those of today's clients.
    pub const NEW: Versions = Versions { join: 9, sync: 5, heartbeat: 4, leave: 5, commit: 8, fetch: 7 };
    /// With a member id that has to be asked for.
    pub const MIDDLE: Versions = Versions { join: 5, sync: 3, heartbeat: 3, leave: 3, commit: 7, fetch: 5 };
    /// Those of the new protocol.
    pub const CONSUMER: Versions = Versions { heartbeat: 1, commit: 9, fetch: 9, ..Versions::NEW };
    /// From before a new member had to ask for its id.
    pub const OLD: Versions = Versions { join: 1, sync: 0, heartbeat: 0, leave: 0, commit: 2, fetch: 1 };
}

impl GroupPlan {
    /// The group's id.
    pub fn id(&self) -> String {
        format!("members-{}", self.number)
    }

    /// Until when after a sign of life the coordinator may neither take a member for dead nor lose patience with it. Its
    /// clock counts whole milliseconds.
    pub fn lease(&self) -> Duration {
        let patience = self.session.min(self.rebalance) - Duration::from_millis(1);
        match (self.protocol, self.grace) {
            (Protocol::Consumer { interval, .. }, Some(grace)) => patience.min(interval + grace),
            _ => patience,
        }
    }

    /// Whether a member keeps its partitions over a rebalance.
    pub fn is_cooperative(&self) -> bool {
        self.assignors.contains(&Assignor::CooperativeSticky)
    }

    /// How long after the last fault, and after the last change of topics, every partition must be owned again: the dead
    /// are noticed after a session, which a restart begins anew; then a rebalance waits for the slowest, a cooperative one
    /// is followed by another, and a change that comes meanwhile by a third.
    pub fn settles_within(&self) -> Duration {
        const REBALANCES: u32 = 3;
        const NETWORK_AND_DISK: Duration = Duration::from_secs(2);
        self.session + REBALANCES * (self.rebalance + self.heartbeat) + NETWORK_AND_DISK
    }
}

/// What a member has of a partition.
#[derive(Clone, Debug)]
pub struct Held {
    /// The topic's name.
    pub topic: String,
    /// The next offset to read, once that is known.
    pub position: Option<i64>,
    /// What is committed as far as the member knows.
    pub committed: i64,
}

/// What a member shows.
#[derive(Clone, Debug, Default)]
pub struct Seat {
    /// By which the coordinator knows it.
    pub member_id: String,
    /// Whether it has its assignment and knows of no rebalance.
    pub is_settled: bool,
    /// What it holds.
    pub held: BTreeMap<TopicPartitionId, Held>,
}

/// A group while it lives.
pub struct Group {
    /// What it is and does.
    pub plan: GroupPlan,
    /// Its members that live.
    pub seats: RefCell<BTreeMap<ProcessId, Seat>>,
    /// Who was last given a member id for an instance id.
    pub instances: RefCell<BTreeMap<String, ProcessId>>,
    /// Connections of members that have vanished without closing them.
    pub graveyard: RefCell<Vec<Link>>,
    next_commit: Cell<u64>,
}

impl Group {
    /// A group that nobody has joined.
    pub fn new(plan: GroupPlan) -> Group {
        Group {
            plan,
            seats: RefCell::default(),
            instances: RefCell::default(),
            graveyard: RefCell::default(),
            next_commit: Cell::new(0),
        }
    }

    /// Names a commit.
    pub fn new_commit(&self) -> u64 {
        self.next_commit.replace(self.next_commit.get() + 1)
    }

    /// Whether a member that lives waits for a rebalance.
    pub fn is_rebalancing(&self) -> bool {
        self.seats.borrow().values().any(|seat| !seat.is_settled)
    }
}
