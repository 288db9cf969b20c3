//! A group member without its socket: which request is due when, and what an answer means.
//!
//! Driving contract: when [`Member::due`] has come, send [`Member::ask`]; hand its answer to [`Member::take`]. One request is out at
//! a time, as with Kafka's own clients. Both protocols do what those clients do: a classic member rejoins when a heartbeat says so and its
//! leader assigns by range; a consumer-protocol member (KIP-848) takes on what it is told and confirms it at once.

use std::time::{Duration, Instant};

use super::GroupsError;
use super::classic::Classic;
use super::connection::{Answer, Connection};
use super::consumer::Consumer;

/// Which group protocol a member speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// JoinGroup, SyncGroup, Heartbeat.
    Classic,
    /// ConsumerGroupHeartbeat (KIP-848).
    Consumer,
}

impl Protocol {
    /// Both.
    pub const ALL: [Protocol; 2] = [Protocol::Classic, Protocol::Consumer];

    /// As clients call it (`group.protocol`).
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Classic => "classic",
            Protocol::Consumer => "consumer",
        }
    }
}

/// What a member is to be.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    pub(super) group: String,
    pub(super) topic: String,
    /// Partitions of the topic.
    pub(super) partitions: i32,
    /// Of a classic member; the consumer protocol's is the broker's setting.
    pub(super) session_timeout: Duration,
    /// Between heartbeats; none: as the broker says, or three seconds where it does not.
    pub(super) heartbeat_interval: Option<Duration>,
}

/// Kafka's clients' default.
pub(super) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(3);
/// Before a request that was refused for the moment is sent again.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// What an answer has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing: an answered heartbeat.
    Alive,
    /// The member has let go of all its partitions and joins again.
    Rejoining,
    /// The member's partitions are others, or given anew.
    Assigned,
    /// A step on the way to a place in the group.
    Step,
}

pub(super) enum Member {
    Classic(Classic),
    Consumer(Consumer),
}

impl Member {
    /// A member that joins at `due`; `random` becomes its id where the client makes it.
    pub(super) fn new(protocol: Protocol, profile: Profile, random: u128, due: Instant) -> Self {
        match protocol {
            Protocol::Classic => Member::Classic(Classic::new(profile, due)),
            Protocol::Consumer => Member::Consumer(Consumer::new(profile, random, due)),
        }
    }

    /// When the next request is to be sent; `None` while one is out.
    pub(super) fn due(&self) -> Option<Instant> {
        match self {
            Member::Classic(member) => member.due(),
            Member::Consumer(member) => member.due(),
        }
    }

    /// Sends what is due.
    pub(super) fn ask<T>(&mut self, connection: &mut Connection<T>, token: T) -> std::io::Result<()> {
        match self {
            Member::Classic(member) => member.ask(connection, token),
            Member::Consumer(member) => member.ask(connection, token),
        }
    }

    /// Takes the answer to the request that is out.
    pub(super) fn take<T>(&mut self, answer: &Answer<T>) -> Result<News, GroupsError> {
        match self {
            Member::Classic(member) => member.take(answer),
            Member::Consumer(member) => member.take(answer),
        }
    }

    /// Sends a goodbye; the member is not to be used any more.
    pub(super) fn leave<T>(&mut self, connection: &mut Connection<T>, token: T) -> std::io::Result<()> {
        match self {
            Member::Classic(member) => member.leave(connection, token),
            Member::Consumer(member) => member.leave(connection, token),
        }
    }

    /// From now on a heartbeat each `interval`, the next one at `due` unless one is out.
    pub(super) fn pace(&mut self, interval: Duration, due: Instant) {
        match self {
            Member::Classic(member) => member.pace(interval, due),
            Member::Consumer(member) => member.pace(interval, due),
        }
    }

    /// The member's partitions.
    pub(super) fn partitions(&self) -> &[i32] {
        match self {
            Member::Classic(member) => member.partitions(),
            Member::Consumer(member) => member.partitions(),
        }
    }

    /// The generation or epoch, while the member has a settled place in the group.
    pub(super) fn settled(&self) -> Option<i32> {
        match self {
            Member::Classic(member) => member.settled(),
            Member::Consumer(member) => member.settled(),
        }
    }

    /// Member id and generation or epoch, as a commit names them.
    pub(super) fn identity(&self) -> (&str, i32) {
        match self {
            Member::Classic(member) => member.identity(),
            Member::Consumer(member) => member.identity(),
        }
    }
}
