//! Producer state between the partitions, which decide by it, and the logs, which keep it.

use broker::partition::ProducerEntry;
use engine::producer_snapshot::ProducerEntry as StoredEntry;

/// As a log keeps it.
pub(crate) fn to_store(entries: Vec<ProducerEntry>) -> Vec<StoredEntry> {
    let store = |entry: ProducerEntry| StoredEntry {
        producer_id: entry.producer_id,
        producer_epoch: entry.producer_epoch,
        last_sequence: entry.last_sequence,
        last_offset: entry.last_offset,
        offset_delta: entry.offset_delta,
        timestamp: entry.timestamp,
        coordinator_epoch: entry.coordinator_epoch,
        current_txn_first_offset: entry.current_txn_first_offset,
    };
    entries.into_iter().map(store).collect()
}

/// As a partition knows it.
pub(crate) fn from_store(entries: &[StoredEntry]) -> Vec<ProducerEntry> {
    let load = |entry: &StoredEntry| ProducerEntry {
        producer_id: entry.producer_id,
        producer_epoch: entry.producer_epoch,
        last_sequence: entry.last_sequence,
        last_offset: entry.last_offset,
        offset_delta: entry.offset_delta,
        timestamp: entry.timestamp,
        coordinator_epoch: entry.coordinator_epoch,
        current_txn_first_offset: entry.current_txn_first_offset,
    };
    entries.iter().map(load).collect()
}
