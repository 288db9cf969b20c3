//! A run's figures as `result.json` holds them: derived from the driver's [`Outcome`], with a verdict on what they are worth.
//!
//! Units are in the names. Percentiles come from one histogram of the whole window and are never averaged.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::driver::{Load, Outcome};
use loadgen::resources::procfs;

/// What was asked of the broker and what it gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// The load's parameters and counts.
    pub load: LoadFigures,
    /// Per second of the window.
    pub throughput: Throughput,
    /// Due (closed loop: sent) to answered.
    pub response: Latency,
    /// Sent to answered.
    pub service: Latency,
    /// CPU, memory, disk.
    pub resources: Resources,
    /// Whether the figures may be used.
    pub validity: Validity,
}

/// The load's parameters and counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadFigures {
    /// `closed` (depth bounds it) or `open` (a rate drives it).
    pub kind: String,
    /// Partitions of the topic.
    pub partitions: u32,
    /// Connections of the client.
    pub connections: u32,
    /// Requests in flight a connection, at most.
    pub depth: u32,
    /// Bytes of one batch, at most; one batch a request.
    pub batch_bytes: u64,
    /// Bytes of a record's value.
    pub record_bytes: u64,
    /// As in the request.
    pub acks: i16,
    /// Length of the warm-up.
    pub warm_up_seconds: f64,
    /// Length of the measured window.
    pub window_seconds: f64,
    /// Bytes a second asked for; none in a closed loop.
    pub rate_bytes_per_second: Option<f64>,
    /// Requests due in the window; none in a closed loop.
    pub offered_requests: Option<u64>,
    /// Requests acknowledged in the window.
    pub acknowledged_requests: u64,
    /// Records in them.
    pub acknowledged_records: u64,
    /// Bytes of their batches.
    pub acknowledged_bytes: u64,
    /// Requests answered with an error; a run ends at the first, so a kept result has none.
    pub errors: u64,
}

/// Per second of the window. Megabytes are 10^6 bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throughput {
    /// Acknowledged megabytes.
    pub megabytes_per_second: f64,
    /// Acknowledged records.
    pub records_per_second: f64,
    /// Acknowledged requests.
    pub requests_per_second: f64,
}

/// A distribution in microseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Samples, one a request.
    pub samples: u64,
    /// Median.
    pub p50_us: f64,
    /// 99th percentile.
    pub p99_us: f64,
    /// 99.9th percentile; only from 10^5 samples up.
    pub p999_us: Option<f64>,
    /// Largest sample.
    pub max_us: f64,
}

/// CPU, memory, disk over the window. Gigabytes are 10^9 acknowledged bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// The broker's CPU time.
    pub server_cpu_seconds: Option<f64>,
    /// The same a gigabyte.
    pub server_cpu_seconds_per_gigabyte: Option<f64>,
    /// The same a million records.
    pub server_cpu_seconds_per_million_records: Option<f64>,
    /// The broker's largest resident set since its start.
    pub server_rss_peak_bytes: Option<u64>,
    /// Bytes that the broker caused to be written, for each acknowledged byte.
    pub server_written_bytes_per_byte: Option<f64>,
    /// Bytes that the machine's disks wrote, for each acknowledged byte.
    pub disk_written_bytes_per_byte: f64,
    /// Flushes of the machine's disks.
    pub disk_flushes: u64,
    /// The client's CPU time.
    pub client_cpu_seconds: f64,
    /// CPU time of neither (the kernel's own threads included), as a share of one core.
    pub foreign_cpu_share: Option<f64>,
    /// Stolen time as a share of the machine.
    pub steal_share: f64,
}

/// Whether the figures may be used, and why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validity {
    /// `valid`, `suspect` or `overloaded`.
    pub verdict: String,
    /// Why it is not valid.
    pub reasons: Vec<String>,
}

const VALID: &str = "valid";
const SUSPECT: &str = "suspect";
const OVERLOADED: &str = "overloaded";

const STEAL_SHARE_MAX: f64 = 0.01;
const FOREIGN_CPU_SHARE_MAX: f64 = 0.05;
const CLIENT_CPU_SHARE_MAX: f64 = 0.8;
const ACKNOWLEDGED_SHARE_MIN: f64 = 0.995;
const SAMPLES_FOR_P999: u64 = 100_000;

impl Measurement {
    /// Derives the figures of one run.
    pub fn new(load: &Load, outcome: &Outcome) -> Self {
        let seconds = outcome.window.as_secs_f64();
        let gigabytes = outcome.bytes as f64 / 1e9;
        let resources = Resources::new(outcome, seconds, gigabytes);
        let load = LoadFigures::new(load, outcome);
        let validity = judge(&load, &resources, seconds);
        Self {
            throughput: Throughput {
                megabytes_per_second: outcome.bytes as f64 / 1e6 / seconds,
                records_per_second: outcome.records as f64 / seconds,
                requests_per_second: outcome.requests as f64 / seconds,
            },
            response: Latency::new(&outcome.response),
            service: Latency::new(&outcome.service),
            load,
            resources,
            validity,
        }
    }
}

impl Validity {
    /// Adds a reason not to trust the figures.
    pub fn suspect(&mut self, reason: String) {
        self.reasons.push(reason);
        if self.verdict == VALID {
            self.verdict = SUSPECT.to_owned();
        }
    }

    /// Adds a reason why the load was more than the broker could take.
    pub fn overloaded(&mut self, reason: String) {
        self.reasons.push(reason);
        self.verdict = OVERLOADED.to_owned();
    }
}

impl LoadFigures {
    fn new(load: &Load, outcome: &Outcome) -> Self {
        Self {
            kind: if load.rate.is_some() { "open" } else { "closed" }.to_owned(),
            partitions: load.partitions,
            connections: load.connections,
            depth: load.depth,
            batch_bytes: load.batch_bytes as u64,
            record_bytes: load.record_bytes as u64,
            acks: load.acks,
            warm_up_seconds: load.warm_up.as_secs_f64(),
            window_seconds: outcome.window.as_secs_f64(),
            rate_bytes_per_second: load.rate,
            offered_requests: load.rate.map(|_| outcome.offered),
            acknowledged_requests: outcome.requests,
            acknowledged_records: outcome.records,
            acknowledged_bytes: outcome.bytes,
            errors: 0,
        }
    }
}

impl Latency {
    pub(crate) fn new(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Self {
            samples: histogram.len(),
            p50_us: at(0.5),
            p99_us: at(0.99),
            p999_us: (histogram.len() >= SAMPLES_FOR_P999).then(|| at(0.999)),
            max_us: histogram.max() as f64 / 1e3,
        }
    }
}

impl Resources {
    fn new(outcome: &Outcome, seconds: f64, gigabytes: f64) -> Self {
        let server_cpu = outcome.server.map(|server| server.cpu.as_secs_f64());
        let client_cpu = outcome.client_cpu.as_secs_f64();
        let machine = &outcome.machine;
        let cores = procfs::processors() as f64;
        let per_byte = |bytes: u64| bytes as f64 / (outcome.bytes as f64).max(1.0);
        Self {
            server_cpu_seconds: server_cpu,
            server_cpu_seconds_per_gigabyte: server_cpu.map(|cpu| cpu / gigabytes.max(1e-9)),
            server_cpu_seconds_per_million_records: server_cpu
                .map(|cpu| cpu / (outcome.records as f64 / 1e6).max(1e-6)),
            server_rss_peak_bytes: outcome.server_rss_peak_bytes,
            server_written_bytes_per_byte: outcome.server.map(|server| per_byte(server.written_bytes)),
            disk_written_bytes_per_byte: per_byte(machine.disk_written_bytes),
            disk_flushes: machine.flushes,
            client_cpu_seconds: client_cpu,
            foreign_cpu_share: server_cpu
                .map(|cpu| ((machine.busy.as_secs_f64() - cpu - client_cpu) / seconds).max(0.0)),
            steal_share: machine.steal.as_secs_f64() / (seconds * cores),
        }
    }
}

fn judge(load: &LoadFigures, resources: &Resources, seconds: f64) -> Validity {
    let client_cpu_share = resources.client_cpu_seconds / seconds;
    let mut validity = judge_machine(resources.steal_share, client_cpu_share, resources.foreign_cpu_share);
    if let Some(offered) = load.offered_requests {
        let share = load.acknowledged_requests as f64 / (offered as f64).max(1.0);
        if share < ACKNOWLEDGED_SHARE_MIN {
            validity.overloaded(format!("acknowledged {:.1} % of the offered", share * 100.0));
        }
    }
    validity
}

/// What the machine did besides the run; shares are of a core, steal of the machine.
pub(crate) fn judge_machine(steal_share: f64, client_cpu_share: f64, foreign_cpu_share: Option<f64>) -> Validity {
    let mut reasons = Vec::new();
    let mut limit = |what: &str, share: f64, most: f64| {
        if share > most {
            reasons.push(format!("{what} {:.1} %, above {:.1} %", share * 100.0, most * 100.0));
        }
    };
    limit("steal", steal_share, STEAL_SHARE_MAX);
    limit("client CPU", client_cpu_share, CLIENT_CPU_SHARE_MAX);
    if let Some(share) = foreign_cpu_share {
        limit("foreign CPU", share, FOREIGN_CPU_SHARE_MAX);
    }
    let verdict = if reasons.is_empty() { VALID } else { SUSPECT };
    Validity { verdict: verdict.to_owned(), reasons }
}
