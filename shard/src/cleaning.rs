//! Compaction: which log is cleaned next, and what became of it.
//!
//! One log a core at a time, the one that is most worth it, in the background. While there are logs that are due the next
//! cleaning follows at once; then `log.cleaner.backoff.ms` passes before they are looked at again. So it is after a
//! failure, too.

use engine::compaction::{CleaningError, CleaningInput, CleaningStats};
use wire::TopicPartitionId;

use crate::core::{Core, State};
use crate::world::World;

/// Has the dirtiest log cleaned, if one is due and none is being cleaned.
pub(crate) fn clean_dirtiest<W: World>(core: &Core<W>, state: &mut State<W>) {
    let limits = core.limits();
    if !limits.cleaner_enabled || core.is_stopping() {
        return;
    }
    let now_ms = core.world().now_ms();
    let State { store, partitions, .. } = state;
    let visible_end = |key| partitions.status(key).map_or(0, |status| status.last_stable);
    let Some(key) = store.dirtiest(now_ms, visible_end) else { return };
    let input = CleaningInput {
        now_ms,
        visible_end: visible_end(key),
        repeatable: partitions.repeatable_batches(key).collect(),
        map_bytes_max: limits.cleaner_map_bytes,
        secret: core.world().random() as u64,
    };
    store.clean(key, input);
}

/// Notes what a cleaning has come to, and has the next log cleaned.
pub(crate) fn cleaned<W: World>(
    core: &Core<W>,
    state: &mut State<W>,
    key: TopicPartitionId,
    stats: CleaningStats,
    error: Option<CleaningError>,
) {
    core.counters().cleaned(stats, error.is_some());
    let name = state.store.log(key).map_or("?", |log| log.topic());
    match error {
        None => {
            let CleaningStats { bytes_before, bytes_after, .. } = stats;
            tracing::debug!(topic = name, partition = key.partition, bytes_before, bytes_after, "cleaned");
            clean_dirtiest(core, state);
        }
        Some(error) => {
            tracing::warn!(topic = name, partition = key.partition, %error, "a log could not be cleaned");
        }
    }
}
