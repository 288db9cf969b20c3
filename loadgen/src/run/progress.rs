//! What a run shows while it goes on, at most ten times a second.

use std::time::Duration;

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Topics are made, groups join.
    Setup,
    /// A backlog is written.
    Backlog,
    /// Full rate, nothing counts.
    WarmUp,
    /// What counts.
    Window,
    /// Nothing is sent; answers come, groups catch up.
    Drain,
    /// All is read from the beginning.
    ReadBack,
    /// Over.
    Done,
}

impl Phase {
    /// For people and for `series.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Setup => "setup",
            Phase::Backlog => "backlog",
            Phase::WarmUp => "warm-up",
            Phase::Window => "window",
            Phase::Drain => "drain",
            Phase::ReadBack => "read-back",
            Phase::Done => "done",
        }
    }
}

/// A run at one moment. Rates are of the last second, latencies those of the last whole second, merged over all workers.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// What is measured.
    pub system: String,
    /// The scenario's id.
    pub scenario: String,
    /// This run's number among `runs`, from 1.
    pub run: usize,
    /// How many runs there are.
    pub runs: usize,
    /// Where the run is.
    pub phase: Phase,
    /// Since the run began.
    pub elapsed: Duration,
    /// How long the run is expected to take in all; grows when a phase takes longer.
    pub total: Duration,
    /// Records due, a second.
    pub offered_per_s: f64,
    /// Records handed to connections, a second.
    pub sent_per_s: f64,
    /// Records acknowledged, a second.
    pub acked_per_s: f64,
    /// Records delivered over all groups, a second.
    pub delivered_per_s: f64,
    /// 10⁶ bytes of values acknowledged (acks = 0: sent), a second.
    pub mb_per_s: f64,
    /// Response latencies in µs: p50, p99, p99.9; absent without acknowledgements (acks = 0).
    pub response_us: Option<[u64; 3]>,
    /// End-to-end latencies in µs: p50, p99, p99.9; absent when nobody reads.
    pub e2e_us: Option<[u64; 3]>,
    /// How far each group is behind, in records.
    pub lag: Vec<(String, u64)>,
    /// Records that failed so far.
    pub errors: u64,
}
