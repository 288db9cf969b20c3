//! Does the load generator measure what it says? Three tests of itself, without a real broker.
//!
//! - [`ceiling`]: against a broker that answers at once: how much this harness can do, the least latency that it can see, and what
//!   a record costs it.
//! - [`stall`]: against a broker that stalls for a second: about as many records as are due in a second must show latencies spread over
//!   0 to 1 s. A harness that waits for answers before it sends (coordinated omission) shows a handful.
//! - [`same`]: two equal runs in a row, several times: what they differ by is nothing that a comparison may claim.

mod answers;
mod broker;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::client::Acks;
use crate::measure::LatencySummary;
use crate::result::{Durability, SystemInfo};
use crate::run::{self, Observer, Options, Outcome, Target};
use crate::scenario::{Group, Producers, Protocol, Rate, Scenario, Timing, Topic, Verify};

pub use broker::{Behaviour, Broker, Fault};

/// When the stall begins, after the first record.
const STALL_AFTER: Duration = Duration::from_millis(1500);
/// Window of the stalled run, in seconds: the stall lies in it even where the first record is late.
const STALL_WINDOW_S: f64 = 6.0;
/// How long it lasts.
const STALL: Duration = Duration::from_secs(1);
/// Records a second of the stalled run.
const STALL_RATE: f64 = 2000.0;
/// What a busy machine may take away of a count that the schedule settles: records at an edge, the histogram's grain.
const STALL_TOLERANCE: f64 = 0.05;

/// A run against a broker that answers at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Ceiling {
    /// Records acknowledged, a second.
    pub records_per_s: f64,
    /// 10⁶ bytes of values, a second.
    pub mb_per_s: f64,
    /// CPU of the client for a record, in ns.
    pub cpu_ns_per_record: f64,
    /// The busiest worker's share of its core.
    pub core_share: f64,
    /// Response latencies.
    pub response: Option<LatencySummary>,
}

/// A run against a broker that stalls.
#[derive(Debug, Clone, PartialEq)]
pub struct Stall {
    /// Records due while the broker stalled.
    pub due: u64,
    /// For each tenth of the stall from 0.1 to 0.9: records that took at least so long, and the fewest that must have.
    pub tenths: Vec<(u64, u64)>,
}

impl Stall {
    /// Whether records that were due in the stall are all seen.
    pub fn is_seen(&self) -> bool {
        self.tenths.iter().all(|(seen, least)| seen >= least)
    }
}

/// Why a self-test could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SelfTestError {
    /// There is no broker without a port.
    #[error("cannot start a broker on the loopback: {0}")]
    Broker(#[from] io::Error),
    /// The run did not come to its end.
    #[error("the run against the built-in broker failed: {0}")]
    Run(String),
}

/// A scenario against a built-in broker.
pub fn scenario(id: &str, producers: Producers, window_s: f64) -> Scenario {
    Scenario {
        id: id.to_owned(),
        family: id.to_owned(),
        shows: "the load generator itself".into(),
        source: None,
        scale: None,
        on_error: Default::default(),
        verify: Verify::Live,
        workers: 1,
        topic: Topic { partitions: 4, ..Topic::default() },
        producers,
        timing: Timing { warm_up_s: 1.0, window_s, drain_s: 60.0 },
        limits: Default::default(),
        backlog: None,
        groups: vec![Group::named("reader", Protocol::Assigned, 1)],
        events: Vec::new(),
    }
}

/// Runs a scenario against a broker of that behaviour.
///
/// # Errors
/// [`SelfTestError::Broker`].
pub fn run(scenario: &Scenario, behaviour: Behaviour, observer: &mut dyn Observer) -> Result<Outcome, SelfTestError> {
    let broker = Broker::start(behaviour)?;
    let system = SystemInfo {
        name: "null".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        revision: String::new(),
        durability: Durability::Unknown,
    };
    let target = Target { bootstrap: broker.bootstrap(), system };
    Ok(run::run(scenario, &target, &Options::default(), observer, &AtomicBool::new(false)))
}

/// How much one worker can do against a broker that answers at once and keeps nothing: batches of 1 MB at most.
///
/// # Errors
/// See [`SelfTestError`].
pub fn ceiling(rate: Rate, batch_bytes: u32, window_s: f64) -> Result<Ceiling, SelfTestError> {
    let producers = Producers { rate, batch_bytes, acks: Acks::All, ..Producers::default() };
    let mut scenario = scenario("ceiling", producers, window_s);
    // Nothing is kept, so nobody can read.
    scenario.groups.clear();
    scenario.verify = Verify::None;
    let outcome = run(&scenario, Behaviour { keeps: false, fault: Fault::None }, &mut ())?;
    let result = outcome.result;
    let (Some(share), Some(cpu_s)) = (result.resources.client_core_share, result.resources.client_cpu_s_per_million)
    else {
        return Err(SelfTestError::Run(result.validity.reasons.join("; ")));
    };
    Ok(Ceiling {
        records_per_s: result.throughput.acked_per_s,
        mb_per_s: result.throughput.acked_mb_per_s,
        cpu_ns_per_record: cpu_s * 1e3,
        core_share: share,
        response: result.latency.response,
    })
}

/// Whether a stall of one second is seen as what it is.
///
/// # Errors
/// See [`SelfTestError`].
pub fn stall() -> Result<Stall, SelfTestError> {
    let producers = Producers { rate: Rate::PerSecond(STALL_RATE), record_bytes: 100, ..Producers::default() };
    let mut scenario = scenario("stall", producers, STALL_WINDOW_S);
    scenario.timing.warm_up_s = 0.5;
    let fault = Fault::Stall { after: STALL_AFTER, length: STALL };
    let outcome = run(&scenario, Behaviour { keeps: true, fault }, &mut ())?;
    if !outcome.result.load.verified {
        return Err(SelfTestError::Run(outcome.result.validity.reasons.join("; ")));
    }
    let due = STALL_RATE * STALL.as_secs_f64();
    let tenths = (1..10).map(|tenth| {
        let part = f64::from(tenth) / 10.0;
        let from_us = (STALL.as_secs_f64() * part * 1e6) as u64;
        let seen = outcome.response.between_us(from_us, u64::MAX);
        // The records that were due before the last `part` of the stall have waited at least that long, whatever the machine does.
        (seen, (due * (1.0 - part) * (1.0 - STALL_TOLERANCE)) as u64)
    });
    Ok(Stall { due: due as u64, tenths: tenths.collect() })
}

/// Equal runs: the records a second of each, pair by pair.
///
/// # Errors
/// See [`SelfTestError`].
pub fn same(pairs: u32, window_s: f64) -> Result<Vec<(f64, f64)>, SelfTestError> {
    let once = || ceiling(Rate::Max, 16 << 10, window_s).map(|ceiling| ceiling.cpu_ns_per_record);
    (0..pairs).map(|_| Ok((once()?, once()?))).collect()
}
