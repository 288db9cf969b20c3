//! One run of a scenario: topics, groups, warm-up, window, drain, the proof, the verdict; and what can be seen of it while it goes on.
//!
//! [`run`] always returns what was measured: what ended a run before its time is a reason in its verdict, in words for people.

mod control;
mod error;
mod failures;
mod progress;
mod proof;
mod setup;
mod tally;
mod verdict;
mod verify;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;
use std::time::SystemTime;

use crate::measure::Latencies;
use crate::result::{Interval, RunEvent, RunResult, SystemInfo, timestamp};
use crate::scenario::Scenario;

pub use error::RunError;
pub use progress::{Phase, Progress};
pub use verify::verify;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Target {
    /// Brokers to begin with, `host:port`, several separated by commas.
    pub bootstrap: String,
    /// What it is.
    pub system: SystemInfo,
}

/// What does not change what is measured.
#[derive(Debug, Clone)]
pub struct Options {
    /// The command, for the result.
    pub command: String,
    /// This run's number among `runs`, from 1.
    pub run: usize,
    /// How many runs there are.
    pub runs: usize,
    /// Whether the topics stay.
    pub keeps_topics: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { command: String::new(), run: 1, runs: 1, keeps_topics: false }
    }
}

/// Who watches a run. Both are called on the run's control thread, which must not be held up.
pub trait Observer {
    /// A phase has begun.
    fn phase(&mut self, _phase: Phase) {}

    /// A look at the run, at most ten times a second.
    fn progress(&mut self, _progress: Progress) {}
}

/// Nobody.
impl Observer for () {}

/// A channel; a receiver that is gone misses nothing but the view.
impl Observer for Sender<Progress> {
    fn progress(&mut self, progress: Progress) {
        let _ = self.send(progress);
    }
}

/// What a run leaves.
#[derive(Debug)]
pub struct Outcome {
    /// The figures; of the resources only the client's.
    pub result: RunResult,
    /// The window's response latencies.
    pub response: Latencies,
    /// A line a second.
    pub series: Vec<Interval>,
    /// What happened.
    pub events: Vec<RunEvent>,
    /// `latency.hlog`.
    pub latency_log: Vec<u8>,
}

/// Runs a scenario. `stop` ends it early, with what was measured until then.
pub fn run(
    scenario: &Scenario,
    target: &Target,
    options: &Options,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Outcome {
    let started = timestamp(SystemTime::now());
    // The standard library's own source of randomness: a fresh hasher's keys.
    let random = RandomState::new().build_hasher().finish();
    let id = format!("{started}-{:04x}", random as u16);
    control::Control::run(scenario, target, options, observer, stop, control::Identity { id, started, random })
}
