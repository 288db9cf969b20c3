//! What one run does: every parameter, in one value that TOML says and `result.json` repeats whole.
//!
//! - [`Scenario`]: one run. A key that is absent has the default documented here; a key that is unknown is an error.
//! - [`Sweep`]: a file, which is one scenario or one that is varied along axes into several.
//! - [`catalog`]: the scenarios that ship with the tool.
//!
//! Invariant: a [`Scenario`] from [`Sweep::parse`] is possible ([`Scenario::validate`]), and [`Scenario::hash`] differs when any parameter
//! does, so equal hashes mean equal runs.

pub mod catalog;
mod error;
mod hash;
mod serde_text;
mod sweep;
#[cfg(test)]
mod tests;
mod validate;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wire::compression::Compression;

use crate::client::Acks;

pub use error::ScenarioError;
pub use serde_text::Rate;
pub use sweep::{AXES_MAX, RUNS_MAX, Sweep};

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Names the run's folder: lower-case letters, digits, dashes and dots. In a sweep the axes' values are appended.
    pub id: String,
    /// The sweep that the run belongs to; the id itself outside a sweep.
    #[serde(default)]
    pub family: String,
    /// What it shows, in a sentence.
    #[serde(default)]
    pub shows: String,
    /// Who published the workload, if it is not our own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// By what a published workload's rates and sizes were divided to fit this machine; absent when it is as published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// What an error of the broker means for the run.
    #[serde(default)]
    pub on_error: OnError,
    /// How it is proved that nothing was lost, doubled or reordered.
    #[serde(default)]
    pub verify: Verify,
    /// Worker threads of the client; 0: as many as processors that the client may use.
    #[serde(default)]
    pub workers: u32,
    /// The topics.
    #[serde(default)]
    pub topic: Topic,
    /// Who writes.
    #[serde(default)]
    pub producers: Producers,
    /// How long.
    #[serde(default)]
    pub timing: Timing,
    /// When a run has failed.
    #[serde(default)]
    pub limits: Limits,
    /// What is written before any group reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog: Option<Backlog>,
    /// Who reads. Each topic has each group.
    #[serde(default)]
    pub groups: Vec<Group>,
    /// What befalls members during the window.
    #[serde(default)]
    pub events: Vec<Event>,
}

/// The topics; each run has new ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Topic {
    /// How many topics.
    pub count: u32,
    /// Partitions of each.
    pub partitions: u32,
    /// Replicas of each partition.
    pub replication: i16,
    /// The topics' own settings, under Kafka's names.
    pub settings: BTreeMap<String, String>,
}

impl Default for Topic {
    fn default() -> Self {
        Topic { count: 1, partitions: 4, replication: 1, settings: BTreeMap::new() }
    }
}

/// Who writes, and what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Producers {
    /// Producers of each topic, each with a connection to each leader.
    pub count: u32,
    /// Records a second over all producers of all topics, or "max": as many as the broker takes.
    pub rate: Rate,
    /// Bytes of each record's value.
    pub record_bytes: u32,
    /// "0", "1" or "all".
    #[serde(with = "serde_text::acks")]
    pub acks: Acks,
    /// Bytes of records, uncompressed, at which a batch is full.
    pub batch_bytes: u32,
    /// How long a batch that is not full waits for more records, in ms.
    pub linger_ms: f64,
    /// Most bytes of batches in one request.
    pub request_bytes: u32,
    /// Requests without an answer, on each connection.
    pub in_flight: u32,
    /// Most bytes that a producer holds before it has sent them. What is due beyond that waits, and its delay is counted.
    pub buffer_bytes: u32,
    /// none, gzip, snappy, lz4 or zstd.
    #[serde(with = "serde_text::compression")]
    pub compression: Compression,
    /// Whether batches carry sequences, so that one that is sent again is not appended again.
    pub idempotent: bool,
    /// How long a batch is tried, from when it was first sent, in ms. Without idempotence only what a broker surely did not append
    /// is sent again.
    pub delivery_timeout_ms: u64,
    /// How records without a key choose their partition.
    pub partitioner: Partitioner,
    /// Keys; absent: records have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Keys>,
    /// Share of a record's filler that is random; the rest compresses to nearly nothing. From 0 to 1.
    pub random_share: f64,
}

impl Default for Producers {
    fn default() -> Self {
        Producers {
            count: 1,
            rate: Rate::PerSecond(10_000.0),
            record_bytes: 1000,
            acks: Acks::All,
            batch_bytes: 16 << 10,
            linger_ms: 0.0,
            request_bytes: 1 << 20,
            in_flight: 5,
            buffer_bytes: 32 << 20,
            compression: Compression::None,
            idempotent: false,
            delivery_timeout_ms: 30_000,
            partitioner: Partitioner::Sticky,
            keys: None,
            random_share: 1.0,
        }
    }
}

/// How records without a key choose their partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Partitioner {
    /// A batch for one partition, the next for the next.
    Sticky,
    /// A record for each in turn.
    RoundRobin,
}

/// Which keys records have; a key's partition is that which Kafka's Java client chooses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// How often each comes.
    pub distribution: KeyDistribution,
    /// How many different ones.
    pub count: u32,
    /// Zipf's exponent; only with "zipf", where its default is 0.99.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exponent: Option<f64>,
}

/// How often each key comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyDistribution {
    /// All equally often.
    Uniform,
    /// The k-th as often as 1 / k^exponent.
    Zipf,
}

/// Some members that share the partitions of one topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Names it within the scenario.
    pub name: String,
    /// Who assigns the partitions.
    #[serde(default)]
    pub protocol: Protocol,
    /// How many members; more than partitions is allowed, the rest are idle.
    #[serde(default = "one")]
    pub members: u32,
    /// How long a silent member counts as alive, in ms; of the protocol "classic" only.
    #[serde(default = "Group::default_session_timeout_ms")]
    pub session_timeout_ms: u32,
    /// Between heartbeats, in ms; with the protocol "consumer" the broker says.
    #[serde(default = "Group::default_heartbeat_ms")]
    pub heartbeat_ms: u32,
    /// How long the group waits for a member in a rebalance, in ms.
    #[serde(default = "Group::default_rebalance_timeout_ms")]
    pub rebalance_timeout_ms: u32,
    /// Between commits, in ms; 0: none, but when partitions are given up.
    #[serde(default = "Group::default_commit_ms")]
    pub commit_ms: u32,
    /// How long a fetch waits for news, in ms.
    #[serde(default = "Group::default_fetch_wait_ms")]
    pub fetch_wait_ms: u32,
    /// Bytes that end a fetch's wait.
    #[serde(default = "one")]
    pub fetch_min_bytes: u32,
    /// Most bytes of a fetch.
    #[serde(default = "Group::default_fetch_bytes")]
    pub fetch_bytes: u32,
    /// Most bytes of one partition in a fetch.
    #[serde(default = "Group::default_partition_fetch_bytes")]
    pub partition_fetch_bytes: u32,
}

fn one() -> u32 {
    1
}

/// Kafka's clients' defaults.
impl Group {
    fn default_session_timeout_ms() -> u32 {
        45_000
    }
    fn default_heartbeat_ms() -> u32 {
        3_000
    }
    fn default_rebalance_timeout_ms() -> u32 {
        300_000
    }
    fn default_commit_ms() -> u32 {
        5_000
    }
    fn default_fetch_wait_ms() -> u32 {
        500
    }
    fn default_fetch_bytes() -> u32 {
        50 << 20
    }
    fn default_partition_fetch_bytes() -> u32 {
        1 << 20
    }

    /// A group with every default.
    pub fn named(name: &str, protocol: Protocol, members: u32) -> Group {
        Group {
            name: name.to_owned(),
            protocol,
            members,
            session_timeout_ms: Group::default_session_timeout_ms(),
            heartbeat_ms: Group::default_heartbeat_ms(),
            rebalance_timeout_ms: Group::default_rebalance_timeout_ms(),
            commit_ms: Group::default_commit_ms(),
            fetch_wait_ms: Group::default_fetch_wait_ms(),
            fetch_min_bytes: 1,
            fetch_bytes: Group::default_fetch_bytes(),
            partition_fetch_bytes: Group::default_partition_fetch_bytes(),
        }
    }
}

/// Who assigns partitions to members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// The tool, once: no group exists at the broker and nothing is committed.
    #[default]
    Assigned,
    /// The group's leader, by range: JoinGroup, SyncGroup, Heartbeat.
    Classic,
    /// The broker (KIP-848): ConsumerGroupHeartbeat.
    Consumer,
}

impl Protocol {
    /// As a scenario says it.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Assigned => "assigned",
            Protocol::Classic => "classic",
            Protocol::Consumer => "consumer",
        }
    }
}

/// What befalls a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When, in seconds from the window's start.
    pub at_s: f64,
    /// What.
    #[serde(rename = "do")]
    pub action: EventAction,
    /// Which group.
    pub group: String,
    /// Which member of it, from 0, by the order in which they joined. A member that holds no partition when the event comes is passed over
    /// for the next one that does.
    #[serde(default)]
    pub member: u32,
}

/// What can befall a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventAction {
    /// It says goodbye.
    Leave,
    /// Its connections close without a word, as when its process is killed.
    Kill,
    /// It is silent, its connections stay open.
    Freeze,
    /// It joins: one that is away again, or one more.
    Join,
}

impl EventAction {
    /// As a scenario says it.
    pub fn name(self) -> &'static str {
        match self {
            EventAction::Leave => "leave",
            EventAction::Kill => "kill",
            EventAction::Freeze => "freeze",
            EventAction::Join => "join",
        }
    }
}

/// What is written, as fast as the broker takes it, before any group reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backlog {
    /// 10⁶ bytes of values.
    pub megabytes: u64,
    /// How long filling may take, in seconds.
    #[serde(default = "Backlog::default_fill_s")]
    pub fill_s: f64,
}

impl Backlog {
    fn default_fill_s() -> f64 {
        600.0
    }
}

/// How long a run lasts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// Seconds at full rate before anything counts.
    pub warm_up_s: f64,
    /// Seconds that count.
    pub window_s: f64,
    /// Most seconds after the window for answers to come and for groups to catch up.
    pub drain_s: f64,
}

impl Default for Timing {
    fn default() -> Self {
        Timing { warm_up_s: 3.0, window_s: 15.0, drain_s: 30.0 }
    }
}

/// When a run has failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Seconds of the rate that may be due and unsent; beyond that the run ends as overloaded.
    pub backlog_s: f64,
    /// Seconds without any answer while some are owed, after which the run ends.
    pub silence_s: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { backlog_s: 10.0, silence_s: 30.0 }
    }
}

/// What an error of the broker means for the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// The run ends, invalid.
    #[default]
    End,
    /// It is counted and the run goes on.
    Count,
}

/// How it is proved that nothing was lost, doubled or reordered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verify {
    /// After the run all partitions are read from their beginning.
    #[default]
    ReadBack,
    /// By what the first group of the protocol "assigned" reads during the run.
    Live,
    /// Not at all; the run is then suspect.
    None,
}
