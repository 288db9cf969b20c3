//! What one worker records between two reports.

use std::collections::BTreeMap;

use super::clock::Nanos;
use crate::measure::Latencies;

/// Which records' latencies count: those that were due in the window; before it all, so that a warm-up can be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First moment that counts.
    pub from: Nanos,
    /// First moment that does not.
    pub to: Nanos,
}

impl Window {
    /// Before anything is scheduled.
    pub const NEVER: Window = Window { from: Nanos::MAX, to: Nanos::MAX };

    /// Whether a record that was due at `intended` is recorded at `now`.
    #[inline]
    pub fn takes(&self, intended: Nanos, now: Nanos) -> bool {
        now < self.from || (intended >= self.from && intended < self.to)
    }
}

/// Latencies and counts of one interval of one worker.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// Intended send time to acknowledgement.
    pub response: Latencies,
    /// Actual send to acknowledgement, a sample a record.
    pub service: Latencies,
    /// Intended to actual send.
    pub slip: Latencies,
    /// Intended send time to receipt.
    pub e2e: Latencies,
    /// Actual send to acknowledgement, a sample a request.
    pub request: Latencies,
    /// Records due by the schedule.
    pub offered: u64,
    /// Records handed to connections.
    pub sent: u64,
    /// Records acknowledged.
    pub acked: u64,
    /// Bytes of acknowledged values.
    pub acked_bytes: u64,
    /// Records delivered.
    pub delivered: u64,
    /// Bytes of delivered values.
    pub delivered_bytes: u64,
    /// Bytes of values handed to connections.
    pub sent_bytes: u64,
    /// Produce requests sent.
    pub requests: u64,
    /// Batches sent.
    pub batches: u64,
    /// Batches sent again.
    pub retried: u64,
    /// Records given up, by error.
    pub errors: BTreeMap<String, u64>,
    /// CPU time of the worker, in ns.
    pub cpu_ns: u64,
}

impl Recorded {
    /// Adds another worker's, or another interval's.
    pub fn merge(&mut self, other: &Recorded) {
        self.merge_latencies(other);
        self.merge_counts(other);
    }

    /// Adds latencies only.
    pub fn merge_latencies(&mut self, other: &Recorded) {
        self.response.merge(&other.response);
        self.service.merge(&other.service);
        self.slip.merge(&other.slip);
        self.e2e.merge(&other.e2e);
        self.request.merge(&other.request);
    }

    /// Adds counts only.
    pub fn merge_counts(&mut self, other: &Recorded) {
        self.offered += other.offered;
        self.sent += other.sent;
        self.acked += other.acked;
        self.acked_bytes += other.acked_bytes;
        self.delivered += other.delivered;
        self.delivered_bytes += other.delivered_bytes;
        self.sent_bytes += other.sent_bytes;
        self.requests += other.requests;
        self.batches += other.batches;
        self.retried += other.retried;
        self.cpu_ns += other.cpu_ns;
        for (name, count) in &other.errors {
            self.failed(name, *count);
        }
    }

    /// Counts records that were given up.
    pub fn failed(&mut self, name: &str, records: u64) {
        match self.errors.get_mut(name) {
            Some(count) => *count += records,
            None => drop(self.errors.insert(name.to_owned(), records)),
        }
    }
}
