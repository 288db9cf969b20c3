//! The figures that systems are compared by, and which way each is better.

use crate::measure::LatencySummary;
use crate::result::{Latency, RunResult};

/// Which way a figure is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Less is: latencies, processor time, memory, written bytes.
    Less,
    /// More is: throughput.
    More,
}

/// A figure that two systems are compared by.
#[derive(Clone, Copy)]
pub struct Metric {
    /// With its unit.
    pub name: &'static str,
    /// Which way it is better.
    pub better: Better,
    /// Reads it off a run; none when the run does not have it, or when it is no positive number.
    read: fn(&RunResult) -> Option<f64>,
}

impl Metric {
    /// The figure of a run, if it can be part of a ratio.
    pub fn of(&self, run: &RunResult) -> Option<f64> {
        (self.read)(run).filter(|value| value.is_finite() && *value > 0.0)
    }
}

fn us(latency: &Option<LatencySummary>, read: fn(&LatencySummary) -> u64) -> Option<f64> {
    latency.as_ref().map(|summary| read(summary) as f64)
}

/// The produce latency of the headline: intended send time to acknowledgement.
fn response(latency: &Latency) -> &Option<LatencySummary> {
    &latency.response
}

/// What survives noise best comes first.
pub const METRICS: [Metric; 12] = [
    less("server CPU-s/GB", |run| run.resources.server_cpu_s_per_gb),
    less("server CPU-s/M records", |run| run.resources.server_cpu_s_per_million),
    less("peak RSS, MB", |run| run.resources.server_rss_peak_bytes.map(|bytes| bytes as f64 / 1e6)),
    less("written bytes/byte", |run| run.resources.written_per_payload_byte),
    less("flushes/1000 acks", |run| run.resources.flushes_per_1000_acks),
    more("acked MB/s", |run| Some(run.throughput.acked_mb_per_s)),
    more("delivered MB/s", |run| Some(run.throughput.delivered_mb_per_s)),
    less("response p50, us", |run| us(response(&run.latency), |summary| summary.p50_us)),
    less("response p99, us", |run| us(response(&run.latency), |summary| summary.p99_us)),
    less("service p99, us", |run| us(&run.latency.service, |summary| summary.p99_us)),
    less("end-to-end p50, us", |run| us(&run.latency.e2e, |summary| summary.p50_us)),
    less("end-to-end p99, us", |run| us(&run.latency.e2e, |summary| summary.p99_us)),
];

const fn less(name: &'static str, read: fn(&RunResult) -> Option<f64>) -> Metric {
    Metric { name, better: Better::Less, read }
}

const fn more(name: &'static str, read: fn(&RunResult) -> Option<f64>) -> Metric {
    Metric { name, better: Better::More, read }
}
