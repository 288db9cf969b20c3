//! The comparisons with groups, by name. What a name stands for does not change: change the load, change the name.

use std::time::Duration;

use super::commits::Commits;
use super::heartbeats::Heartbeats;
use super::member::Protocol;
use super::step_up::{self, StepUp};
use crate::results::Durability;

/// A load, ready to run.
pub enum Scenario {
    /// Groups that stay alive.
    Heartbeats(Heartbeats),
    /// Groups that commit.
    Commits(Commits),
    /// Groups that lose a member.
    StepUp(StepUp),
}

impl Scenario {
    pub(super) fn topic(&self) -> &str {
        match self {
            Scenario::Heartbeats(load) => &load.topic,
            Scenario::Commits(load) => &load.topic,
            Scenario::StepUp(load) => &load.topic,
        }
    }

    pub(super) fn partitions(&self) -> i32 {
        match self {
            Scenario::Heartbeats(load) => load.members as i32,
            Scenario::Commits(load) => load.partitions as i32,
            Scenario::StepUp(_) => step_up::PARTITIONS,
        }
    }

    pub(super) fn toml(&self) -> String {
        match self {
            Scenario::Heartbeats(load) => load.scenario_toml(),
            Scenario::Commits(load) => load.scenario_toml(),
            Scenario::StepUp(load) => load.scenario_toml(),
        }
    }
}

/// Which load.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Heartbeats(Protocol),
    Commits,
    StepUp { session_timeout: Duration },
}

/// How much of it; a name stands for the default.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Groups that send heartbeats.
    pub groups: usize,
    /// Members of each.
    pub members: usize,
    /// Commits a second.
    pub commits_per_second: f64,
    /// Groups of each protocol and way to lose a member.
    pub losses: usize,
}

impl Default for Scale {
    fn default() -> Self {
        Self { groups: 1000, members: 10, commits_per_second: 10_000.0, losses: 5 }
    }
}

const COMMITTING_GROUPS: u64 = 1000;
const COMMITTING_CONNECTIONS: u64 = 500;
const COMMITTED_PARTITIONS: u64 = 10;

/// A comparison of Partita (`a`) with Kafka (`b`).
#[derive(Clone, Debug)]
pub struct Trial {
    /// Names the scenario.
    pub name: &'static str,
    /// What it asks.
    pub about: &'static str,
    /// How Kafka is set up; Partita flushes before it acknowledges.
    pub kafka_durability: Durability,
    kind: Kind,
    scale: Scale,
}

impl Trial {
    pub(super) fn scenario(&self, topic: String, window: Duration, warm_up: Duration) -> Scenario {
        let Scale { groups, members, commits_per_second, losses } = self.scale;
        match self.kind {
            Kind::Heartbeats(protocol) => {
                Scenario::Heartbeats(Heartbeats { protocol, groups, members, topic, warm_up, window })
            }
            Kind::Commits => Scenario::Commits(Commits {
                rate: commits_per_second,
                groups: COMMITTING_GROUPS,
                connections: COMMITTING_CONNECTIONS,
                topic,
                partitions: COMMITTED_PARTITIONS,
                warm_up,
                window,
            }),
            Kind::StepUp { session_timeout } => Scenario::StepUp(StepUp { topic, session_timeout, repeats: losses }),
        }
    }

    pub(super) fn partita_settings(&self) -> Vec<String> {
        let mut settings = vec!["group.initial.rebalance.delay.ms=0".to_owned()];
        if let Kind::StepUp { session_timeout } = self.kind {
            // Each group is told its own; what Kafka's lower bound is here says how Kafka is started.
            settings.push(format!("group.consumer.min.session.timeout.ms={}", session_timeout.as_millis()));
        }
        settings
    }
}

/// What makes a peer's compiler busy; in no list.
pub(super) fn warm_up() -> Trial {
    let scale = Scale::default();
    Trial { name: "warm-up", about: "", kafka_durability: Durability::PageCacheOnly, kind: Kind::Commits, scale }
}

/// All comparisons.
pub fn all(scale: Scale) -> Vec<Trial> {
    use Durability::{FlushedBeforeAck, PageCacheOnly};
    let trial = |name, about, kafka_durability, kind| Trial { name, about, kafka_durability, kind, scale };
    let session = |seconds| Kind::StepUp { session_timeout: Duration::from_secs(seconds) };
    vec![
        trial(
            "step-up-45s",
            "loss of a member to the idle member's first record, session timeout 45 s, both protocols",
            PageCacheOnly,
            session(45),
        ),
        trial("step-up-6s", "the same with a session timeout of 6 s", PageCacheOnly, session(6)),
        trial(
            "heartbeats-classic",
            "1000 groups of 10 members, a heartbeat every 3 s, classic protocol",
            PageCacheOnly,
            Kind::Heartbeats(Protocol::Classic),
        ),
        trial(
            "heartbeats-consumer",
            "the same with the consumer protocol (KIP-848)",
            PageCacheOnly,
            Kind::Heartbeats(Protocol::Consumer),
        ),
        trial("commits", "10000 commits a second, Kafka as shipped (page cache only)", PageCacheOnly, Kind::Commits),
        trial(
            "commits-flushed",
            "10000 commits a second, Kafka with flush.messages=1 on its topic of offsets",
            FlushedBeforeAck,
            Kind::Commits,
        ),
    ]
}
