//! What a run has found, and the folder that keeps it.
//!
//! ```text
//! results/<system>/<YYYYMMDD>/<machine>/<scenario>/<run>/
//!     result.json  env.json  scenario.toml  broker.conf  latency.hlog  series.csv  server.csv  events.ndjson
//! results/index.ndjson
//! ```
//! `results/run.schema.json` describes `result.json`; a test holds results against it.
//!
//! Units: µs in latencies, 10⁶ bytes a megabyte, 10⁹ a gigabyte, shares of 1. What was not measured is absent, never zero.

pub mod folder;
pub mod hlog;
pub mod schema;
mod series;
#[cfg(test)]
mod tests;
mod time;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::measure::LatencySummary;
use crate::scenario::Scenario;

pub use series::{Interval, series_csv};
pub use time::timestamp;

/// Says that a `result.json` is a [`RunResult`]; the numbers below are those of older shapes.
pub const SCHEMA: u32 = 3;

/// One run, as `result.json` holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Names the run among all; begins with its start.
    pub run: String,
    /// Start of the run, UTC, `YYYYMMDDThhmmssZ`.
    pub started: String,
    /// What was measured.
    pub system: SystemInfo,
    /// Every parameter.
    pub scenario: Scenario,
    /// [`Scenario::hash`].
    pub scenario_hash: String,
    /// The command that made the run.
    pub command: String,
    /// Its place in a comparison, if it is part of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// Length of the measured window, in seconds; less than the scenario's when it was cut short.
    pub window_s: f64,
    /// What was asked for and what became of it.
    pub load: Load,
    /// How much in the window.
    pub throughput: Throughput,
    /// How long.
    pub latency: Latency,
    /// How evenly partitions were written.
    pub partitions: Partitions,
    /// Each group, with each topic a group of its own.
    pub groups: Vec<GroupResult>,
    /// What befell members, and how soon others took over.
    pub events: EventSummary,
    /// What it cost.
    pub resources: Resources,
    /// Whether the figures mean something, and why not.
    pub validity: Validity,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemInfo {
    /// `partita`, `kafka`, `kafka-flush`; of an address: `address`.
    pub name: String,
    /// The system's own version; empty when it does not tell.
    pub version: String,
    /// Commit of the measured source, `-dirty` when it was not clean; empty for a released peer.
    pub revision: String,
    /// When an acknowledged record is safe.
    pub durability: Durability,
}

/// When an acknowledged record is safe. Classes never share a chart unlabelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// In the page cache; lost with the machine.
    PageCacheOnly,
    /// On disk now and then.
    FlushedAtIntervals,
    /// On disk when it is acknowledged.
    FlushedBeforeAck,
    /// Nobody has said.
    Unknown,
}

impl Durability {
    /// The class in few words.
    pub fn words(self) -> &'static str {
        match self {
            Durability::PageCacheOnly => "page cache only",
            Durability::FlushedAtIntervals => "flushed at intervals",
            Durability::FlushedBeforeAck => "flushed before the ack",
            Durability::Unknown => "durability unknown",
        }
    }
}

/// A run's place in a comparison of pairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Names all runs that were made together.
    pub id: String,
    /// Which pair, from 1.
    pub pair: u32,
    /// `a` or `b`; ratios are a / b.
    pub side: String,
    /// 1 when it ran first in its pair, else 2.
    pub position: u32,
}

/// Records over the whole run, warm-up and backlog included.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Due by the schedule until producing ended; with a rate of "max" what was sent.
    pub offered: u64,
    /// Handed to a connection.
    pub sent: u64,
    /// Acknowledged; none with acks = 0.
    pub acked: u64,
    /// Delivered to each group, summed; repetitions included.
    pub delivered: u64,
    /// Records of batches that failed, by Kafka's name of the error, or DISCONNECTED, TIMED_OUT.
    pub errors: BTreeMap<String, u64>,
    /// Batches that were sent again.
    pub retried: u64,
    /// Acknowledged (acks = 0: sent), followed by a later one that was read, and never read.
    pub lost: u64,
    /// In the log more than once.
    pub doubled: u64,
    /// In the log behind a later one of the same producer and partition.
    pub reordered: u64,
    /// Acknowledged (acks = 0: sent), not followed by anything that was read, and not read by the end.
    pub unseen: u64,
    /// Read, and by nobody of this run or torn.
    pub foreign: u64,
    /// Whether the verdict of these five was reached: all was read that there was to read.
    pub verified: bool,
}

/// What the window saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throughput {
    /// Due, records a second.
    pub offered_per_s: f64,
    /// Handed to connections, records a second.
    pub sent_per_s: f64,
    /// Acknowledged, records a second; none with acks = 0.
    pub acked_per_s: f64,
    /// 10⁶ bytes of acknowledged values a second.
    pub acked_mb_per_s: f64,
    /// Delivered over all groups, records a second.
    pub delivered_per_s: f64,
    /// 10⁶ bytes of delivered values a second.
    pub delivered_mb_per_s: f64,
    /// Produce requests a second.
    pub requests_per_s: f64,
    /// Records of a batch, mean.
    pub batch_records: f64,
}

/// Latencies of the records that were due in the window, whenever they came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Intended send time to acknowledgement; a sample a record.
    pub response: Option<LatencySummary>,
    /// Actual send to acknowledgement; a sample a record.
    pub service: Option<LatencySummary>,
    /// Intended to actual send, linger included; a sample a record.
    pub slip: Option<LatencySummary>,
    /// Intended send time to receipt; a sample a record and a group.
    pub e2e: Option<LatencySummary>,
    /// Actual send to acknowledgement; a sample a request.
    pub request: Option<LatencySummary>,
}

/// How evenly partitions were written: acknowledged records (acks = 0: sent ones).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partitions {
    /// Of all topics.
    pub count: u32,
    /// In the partition with the fewest.
    pub records_min: u64,
    /// In the partition with the most.
    pub records_max: u64,
    /// Jain's index: 1 when all are equal, 1/n when one has all.
    pub fairness: f64,
}

/// One group of one topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupResult {
    /// Its name in the scenario; with several topics the topic's number is appended.
    pub name: String,
    /// `assigned`, `classic` or `consumer`.
    pub protocol: String,
    /// Its members, in the order in which they were made.
    pub members: Vec<MemberResult>,
    /// Records in the window, a second.
    pub delivered_per_s: f64,
    /// Records that it had read before: at-least-once, after rebalances.
    pub redelivered: u64,
    /// Records that it was not given when the run ended.
    pub lag_end: u64,
    /// The most that it was behind, in records.
    pub lag_max: u64,
    /// Jain's index over the records of the members that hold partitions.
    pub fairness: f64,
    /// From the first read to having caught up, in seconds, where there was a backlog and it was drained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drained_s: Option<f64>,
    /// Records a second while it caught up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_per_s: Option<f64>,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberResult {
    /// Its name: group and number.
    pub name: String,
    /// Partitions that it held when the run ended.
    pub partitions: u32,
    /// Records that it was given.
    pub records: u64,
    /// From its first request to join to its first record, in ms.
    pub first_record_ms: Option<f64>,
    /// From its first request to join to its first assignment, in ms.
    pub assigned_ms: Option<f64>,
    /// Whether it had no partition when the run ended, though it was in the group.
    pub idle: bool,
    /// How often it was given partitions anew.
    pub rebalances: u32,
}

/// What befell members.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventSummary {
    /// Each event that took effect.
    pub failures: Vec<Failure>,
    /// Assignments that members got after their first.
    pub rebalances: u64,
}

/// One event and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// When, in seconds from the window's start.
    pub at_s: f64,
    /// `leave`, `kill`, `freeze` or `join`.
    pub action: String,
    /// The group.
    pub group: String,
    /// The member.
    pub member: String,
    /// Partitions that it held.
    pub partitions: Vec<i32>,
    /// From the event until another member held all of these, in ms; absent when that was never.
    pub reassigned_ms: Option<f64>,
    /// From the event until another member had read a record of each, in ms; absent when that was never.
    pub step_up_ms: Option<f64>,
}

/// What a run cost; what could not be seen is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// The server's CPU in the window, in seconds.
    pub server_cpu_s: Option<f64>,
    /// The same by gigabyte of values produced.
    pub server_cpu_s_per_gb: Option<f64>,
    /// The same by million records produced.
    pub server_cpu_s_per_million: Option<f64>,
    /// The server's peak memory since its start, in bytes.
    pub server_rss_peak_bytes: Option<u64>,
    /// What the server had written to disk in the window, in bytes.
    pub server_written_bytes: Option<u64>,
    /// The same by byte of values produced.
    pub written_per_payload_byte: Option<f64>,
    /// The device's flushes by thousand acknowledged records.
    pub flushes_per_1000_acks: Option<f64>,
    /// The server's share of the processors that it may use.
    pub server_core_share: Option<f64>,
    /// CPU of the kernel's own threads in the window, in seconds: writing dirty pages back, completing flushes.
    pub kernel_cpu_s: Option<f64>,
    /// Share of the window in which a disk had something to do (above 1 with several disks).
    pub disk_busy_share: Option<f64>,
    /// The client's CPU in the window, in seconds.
    pub client_cpu_s: Option<f64>,
    /// The busiest worker's share of its core.
    pub client_core_share: Option<f64>,
    /// The client's CPU by million records produced, in seconds.
    pub client_cpu_s_per_million: Option<f64>,
    /// Share of the machine's time that the host took.
    pub steal_share: Option<f64>,
    /// CPU time of neither server, client nor the kernel's own threads, as a share of one core.
    pub foreign_cpu_share: Option<f64>,
    /// How late a sleeping thread woke, p99.9, in µs.
    pub jitter_p999_us: Option<u64>,
}

/// Whether the figures mean something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validity {
    /// In a word.
    pub verdict: Verdict,
    /// Why it is not valid, a sentence each.
    pub reasons: Vec<String>,
}

/// Whether the figures mean something, in a word. The worst that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// They do.
    Valid,
    /// The machine or the client disturbed them.
    Suspect,
    /// The run was ended before its time; what is there is what was measured until then.
    CutShort,
    /// The run failed, or records were lost, doubled or reordered.
    Invalid,
}

impl Validity {
    /// Nothing is known against the figures.
    pub fn valid() -> Validity {
        Validity { verdict: Verdict::Valid, reasons: Vec::new() }
    }

    /// Adds a reason; the worst verdict stays.
    pub fn lower(&mut self, verdict: Verdict, reason: impl Into<String>) {
        self.verdict = self.verdict.max(verdict);
        self.reasons.push(reason.into());
    }
}

/// Something that happened, as `events.ndjson` holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunEvent {
    /// Seconds from the window's start; before it negative.
    pub at_s: f64,
    /// `phase`, `join`, `assigned`, `leave`, `kill`, `freeze`, `first-record`, `error`, `disconnected`, `retry`, `note`.
    pub kind: String,
    /// The group, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The member, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// For people.
    pub detail: String,
}
