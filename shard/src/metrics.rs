//! What one core counts. Plain cells: each core has its own, and whoever exports them asks every core.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use broker::groups::metrics::GroupsMetrics;
use engine::compaction::CleaningStats;
use engine::scrub::ScrubStats;
use wire::api::ApiKey;

/// The counts of one core, as of now.
#[derive(Clone, Debug, Default)]
pub struct CoreMetrics {
    /// Requests received, by API.
    pub requests: BTreeMap<ApiKey, u64>,
    /// Bytes received from clients.
    pub bytes_received: u64,
    /// Bytes sent to clients.
    pub bytes_sent: u64,
    /// Batches appended to logs.
    pub batches_appended: u64,
    /// Records appended to logs.
    pub records_appended: u64,
    /// Bytes of batches appended to logs.
    pub bytes_appended: u64,
    /// Journal groups written, each one flush.
    pub journal_groups: u64,
    /// Nanoseconds that journal writes took, in all.
    pub journal_ns: u64,
    /// Logs cleaned.
    pub cleanings: u64,
    /// Cleanings that failed.
    pub cleanings_failed: u64,
    /// Bytes of segments that cleanings have rewritten.
    pub cleaned_bytes_before: u64,
    /// Bytes of what has replaced them.
    pub cleaned_bytes_after: u64,
    /// What scrubbing has done.
    pub scrub: ScrubStats,
    /// Connections open now.
    pub connections: u64,
    /// Bytes that requests hold now.
    pub request_bytes: u64,
    /// One entry for each partition of this core.
    pub partitions: Vec<PartitionMetrics>,
    /// The groups that this core coordinates.
    pub groups: GroupsMetrics,
}

/// One partition, as of now.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionMetrics {
    /// The topic's name.
    pub topic: String,
    /// The partition's index.
    pub partition: i32,
    /// The first offset.
    pub log_start: i64,
    /// The next offset.
    pub log_end: i64,
    /// The offset below which clients may read.
    pub high_watermark: i64,
    /// Bytes in its segments.
    pub size_bytes: u64,
    /// How many segments it has.
    pub segments: u64,
    /// The share of the closed segments' bytes that no cleaning has been over, 0 to 1; none for a log that is not compacted.
    pub dirty_ratio: Option<f64>,
    /// Whether compaction has given it up until the next start.
    pub is_uncleanable: bool,
    /// Damaged stretches of its segments that are known.
    pub rotten_batches: u64,
}

/// The counters behind [`CoreMetrics`].
#[derive(Default)]
pub(crate) struct Counters {
    requests: RefCell<BTreeMap<ApiKey, u64>>,
    bytes_received: Cell<u64>,
    bytes_sent: Cell<u64>,
    batches_appended: Cell<u64>,
    records_appended: Cell<u64>,
    bytes_appended: Cell<u64>,
    journal_groups: Cell<u64>,
    journal_ns: Cell<u64>,
    cleanings: Cell<u64>,
    cleanings_failed: Cell<u64>,
    cleaned_bytes_before: Cell<u64>,
    cleaned_bytes_after: Cell<u64>,
    connections: Cell<u64>,
}

fn add(cell: &Cell<u64>, count: u64) {
    cell.set(cell.get() + count);
}

impl Counters {
    pub(crate) fn request(&self, api: ApiKey) {
        *self.requests.borrow_mut().entry(api).or_default() += 1;
    }

    pub(crate) fn received_bytes(&self, count: usize) {
        add(&self.bytes_received, count as u64);
    }

    pub(crate) fn sent_bytes(&self, count: usize) {
        add(&self.bytes_sent, count as u64);
    }

    pub(crate) fn appended(&self, records: u64, bytes: usize) {
        add(&self.batches_appended, 1);
        add(&self.records_appended, records);
        add(&self.bytes_appended, bytes as u64);
    }

    pub(crate) fn journal_group(&self, nanoseconds: u64) {
        add(&self.journal_groups, 1);
        add(&self.journal_ns, nanoseconds);
    }

    pub(crate) fn cleaned(&self, stats: CleaningStats, failed: bool) {
        add(if failed { &self.cleanings_failed } else { &self.cleanings }, 1);
        add(&self.cleaned_bytes_before, stats.bytes_before);
        add(&self.cleaned_bytes_after, stats.bytes_after);
    }

    pub(crate) fn connected(&self) {
        add(&self.connections, 1);
    }

    pub(crate) fn disconnected(&self) {
        self.connections.set(self.connections.get() - 1);
    }

    /// Connections open now.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.get()
    }

    /// All but what others know: the memory in use, the partitions and the groups.
    pub(crate) fn snapshot(&self) -> CoreMetrics {
        CoreMetrics {
            requests: self.requests.borrow().clone(),
            bytes_received: self.bytes_received.get(),
            bytes_sent: self.bytes_sent.get(),
            batches_appended: self.batches_appended.get(),
            records_appended: self.records_appended.get(),
            bytes_appended: self.bytes_appended.get(),
            journal_groups: self.journal_groups.get(),
            journal_ns: self.journal_ns.get(),
            cleanings: self.cleanings.get(),
            cleanings_failed: self.cleanings_failed.get(),
            cleaned_bytes_before: self.cleaned_bytes_before.get(),
            cleaned_bytes_after: self.cleaned_bytes_after.get(),
            connections: self.connections.get(),
            ..CoreMetrics::default()
        }
    }
}
