//! What a run with groups has measured, as `result.json` holds it; described by `results/group-result.schema.json`.
//!
//! Units are in the names. Percentiles come from one histogram of the whole window and are never averaged.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::GroupsError;
use crate::driver::{Counters, LATENCY_MAX};
use crate::measurement::{Latency, Validity, judge_machine};
use loadgen::resources::procfs;

/// Figures of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupMeasurement {
    /// What was asked and what came.
    pub load: GroupLoad,
    /// Latencies by name.
    pub latencies: Vec<NamedLatency>,
    /// CPU, memory, disk.
    pub resources: GroupResources,
    /// Whether the figures may be used.
    pub validity: Validity,
}

/// What was asked and what came.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupLoad {
    /// Groups.
    pub groups: u32,
    /// Members of each; 0 where groups only commit.
    pub members_per_group: u32,
    /// Connections that carry them.
    pub connections: u32,
    /// Requests a second; open loop.
    pub rate_per_second: f64,
    /// Length of the measured window.
    pub window_seconds: f64,
    /// Requests due in the window.
    pub offered: u64,
    /// Those of them that were answered within it.
    pub answered: u64,
    /// Answers with an error.
    pub errors: u64,
}

/// A distribution and its name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedLatency {
    /// Of what.
    pub name: String,
    /// The distribution.
    pub latency: Latency,
    /// All values, in microseconds, where there are few.
    pub points_us: Vec<f64>,
}

/// CPU, memory, disk over the window.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupResources {
    /// The broker's CPU time.
    pub server_cpu_seconds: f64,
    /// The same as a share of one core.
    pub server_cpu_share: f64,
    /// The same for each answered request, in microseconds.
    pub server_cpu_us_per_request: Option<f64>,
    /// The broker's resident set at the end.
    pub server_rss_bytes: u64,
    /// Its largest since the broker's start.
    pub server_rss_peak_bytes: u64,
    /// Flushes of the machine's disks.
    pub disk_flushes: u64,
    /// Bytes that the machine's disks wrote.
    pub disk_written_bytes: u64,
    /// The client's CPU time.
    pub client_cpu_seconds: f64,
    /// CPU time of neither, as a share of one core.
    pub foreign_cpu_share: f64,
    /// Stolen time as a share of the machine.
    pub steal_share: f64,
}

/// Largest number of values that are kept one by one.
const POINTS_MAX: u64 = 100;
const ACKNOWLEDGED_SHARE_MIN: f64 = 0.995;

/// Latencies of what was due within a window; what comes later than its end counts for latency only.
pub(super) struct Tally {
    from: Instant,
    end: Instant,
    pub(super) response: Histogram<u64>,
    pub(super) service: Histogram<u64>,
    pub(super) offered: u64,
    pub(super) answered: u64,
}

impl Tally {
    pub(super) fn new(from: Instant, window: Duration) -> Result<Self, GroupsError> {
        Ok(Self { from, end: from + window, response: histogram()?, service: histogram()?, offered: 0, answered: 0 })
    }

    /// A request that is due then has been sent.
    pub(super) fn offer(&mut self, due: Instant) {
        self.offered += u64::from(self.holds(due));
    }

    fn holds(&self, due: Instant) -> bool {
        due >= self.from && due < self.end
    }

    pub(super) fn record(&mut self, due: Instant, sent: Instant, received: Instant) {
        if !self.holds(due) {
            return;
        }
        self.response.saturating_record((received - due).as_nanos() as u64);
        self.service.saturating_record((received - sent).as_nanos() as u64);
        self.answered += u64::from(received <= self.end);
    }
}

/// One microsecond to a minute at three digits, kept in nanoseconds.
pub(super) fn histogram() -> Result<Histogram<u64>, GroupsError> {
    Histogram::new_with_bounds(1_000, LATENCY_MAX.as_nanos() as u64, 3)
        .map_err(|error| GroupsError::Io(std::io::Error::other(error)))
}

impl NamedLatency {
    pub(super) fn new(name: String, histogram: &Histogram<u64>) -> Self {
        let points = if histogram.len() <= POINTS_MAX {
            histogram.iter_recorded()
        } else {
            return Self::of_many(name, histogram);
        };
        let points_us = points
            .flat_map(|value| {
                std::iter::repeat_n(value.value_iterated_to() as f64 / 1e3, value.count_at_value() as usize)
            })
            .collect();
        Self { name, latency: Latency::new(histogram), points_us }
    }

    fn of_many(name: String, histogram: &Histogram<u64>) -> Self {
        Self { name, latency: Latency::new(histogram), points_us: Vec::new() }
    }
}

impl GroupMeasurement {
    /// Derives the figures of one run from what was counted before and after its window.
    pub(super) fn new(
        load: GroupLoad,
        latencies: Vec<NamedLatency>,
        server: u32,
        before: &Counters,
        after: &Counters,
    ) -> Result<Self, GroupsError> {
        let seconds = (after.at - before.at).as_secs_f64();
        let machine = after.machine - before.machine;
        let server_cpu =
            after.server.zip(before.server).map_or(0.0, |(after, before)| (after - before).cpu.as_secs_f64());
        let client_cpu = (after.client_cpu - before.client_cpu).as_secs_f64();
        let resources = GroupResources {
            server_cpu_seconds: server_cpu,
            server_cpu_share: server_cpu / seconds,
            server_cpu_us_per_request: (load.answered > 0).then(|| server_cpu * 1e6 / load.answered as f64),
            server_rss_bytes: procfs::rss_bytes(server)?,
            server_rss_peak_bytes: procfs::rss_peak_bytes(server)?,
            disk_flushes: machine.flushes,
            disk_written_bytes: machine.disk_written_bytes,
            client_cpu_seconds: client_cpu,
            foreign_cpu_share: ((machine.busy.as_secs_f64() - server_cpu - client_cpu) / seconds).max(0.0),
            steal_share: machine.steal.as_secs_f64() / (seconds * procfs::processors() as f64),
        };
        let mut validity =
            judge_machine(resources.steal_share, client_cpu / seconds, Some(resources.foreign_cpu_share));
        if (load.answered as f64) < load.offered as f64 * ACKNOWLEDGED_SHARE_MIN {
            validity.overloaded(format!("answered {} of {} in time", load.answered, load.offered));
        }
        if load.errors > 0 {
            validity.suspect(format!("{} answers with an error", load.errors));
        }
        Ok(Self { load, latencies, resources, validity })
    }
}
