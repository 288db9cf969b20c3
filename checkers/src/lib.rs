//! What clients of a broker saw, and what that must not show.
//!
//! The definitions come from Jepsen's Kafka workload and from what it found in other brokers. Nothing here knows a broker, a
//! clock or a file: the simulator, the kill tests and the load generator all hand in what they saw, and get one kind of verdict.
//!
//! | who | hands in | is judged by |
//! |---|---|---|
//! | whoever can keep a whole history | [`History`]: every operation, values unique | [`check`], in linear passes over one order of values per partition |
//! | a load run, whose records are too many to keep | [`Deliveries`]: operations as they happen, values numbered by producer and partition | [`Deliveries::verdict`], in memory that grows with gaps and not with records |
//!
//! [`edn::export`] writes a history down for Jepsen's own checker.

pub mod deliveries;
pub mod edn;
pub mod groups;
pub mod history;
pub mod partitions;

pub use deliveries::{Deliveries, Verdict};
pub use groups::{GroupAnomaly, GroupAnomalyKind};
pub use history::History;
pub use partitions::{Anomaly, AnomalyKind};

use history::Key;

/// What the checkers found, and what they merely counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<K> {
    /// Errors.
    pub anomalies: Vec<Anomaly<K>>,
    /// Errors of groups.
    pub group_anomalies: Vec<GroupAnomaly<K>>,
    /// Further offsets of values that were sent again, without idempotence.
    pub allowed_duplicates: usize,
    /// Records that members processed again, because the first one's commit was not done or it did not know yet that it is
    /// fenced.
    pub allowed_repeats: u64,
}

impl<K> Default for Report<K> {
    fn default() -> Report<K> {
        Report { anomalies: Vec::new(), group_anomalies: Vec::new(), allowed_duplicates: 0, allowed_repeats: 0 }
    }
}

/// Judges a history.
pub fn check<K: Key>(history: &History<K>) -> Report<K> {
    let mut report = Report::default();
    for (&partition, events) in &history.partitions {
        partitions::check(partition, events, &mut report);
    }
    for (&group, events) in &history.groups {
        let (found, repeated) = groups::check(events);
        report.group_anomalies.extend(found.into_iter().map(|kind| GroupAnomaly { group, kind }));
        report.allowed_repeats += repeated;
    }
    report
}
