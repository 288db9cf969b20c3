//! Changes of the catalog at every core, and the clean stop.
//!
//! A change is shown in two steps: first every core opens what it creates, then every core shows it. So no client hears of
//! a partition that does not take writes yet.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use broker::catalog::OFFSETS_TOPIC;
use engine::log::Log;

use crate::core::{Core, State};
use crate::mesh::{Call, Change, Reply};
use crate::start::{log_config, partition_start};
use crate::world::World;

/// Carries a change to every core, then tells the controller.
pub(crate) async fn publish<W: World>(core: &Rc<Core<W>>, change: Arc<Change>) {
    for step in [Call::Prepare, Call::Show] {
        let steps: Vec<_> = core.all().map(|id| core.call(id, step(change.clone()))).collect();
        for reply in futures_util::future::join_all(steps).await {
            if let Reply::Done(Err(reason)) = reply {
                // The change is durable already: the cores would no longer agree on what there is.
                core.world().fail(&reason);
                return;
            }
        }
    }
    if let Some(State { controller: Some(controller), .. }) = core.state_if_open().as_deref_mut() {
        controller.published(change.write_id);
    }
    core.pump();
}

/// Opens the logs that the change gives to this core.
pub(crate) async fn prepare<W: World>(core: Rc<Core<W>>, change: Arc<Change>) -> Result<(), String> {
    for placed in change.created.iter().filter(|placed| placed.core == core.id().0) {
        let config = change.catalog.topic_config(placed.key.topic).expect("a created topic has a configuration");
        let data_dir = core.data_dir();
        let created = Log::create(core.world().disk(), data_dir, &placed.topic, placed.key, log_config(config)).await;
        let log = created.map_err(|error| {
            format!("the log of {}-{} cannot be created: {error}", placed.topic, placed.key.partition)
        })?;
        let Some(mut state) = core.state_if_open() else {
            // The next start opens what the change has created.
            return std::future::pending().await;
        };
        let start = partition_start(&log, &change.catalog, placed.key);
        state.partitions.open(placed.key, start);
        state.store.insert(log);
        if &*placed.topic == OFFSETS_TOPIC {
            let now_ms = core.world().now_ms();
            state.groups.loaded(placed.key.partition, now_ms);
        }
    }
    Ok(())
}

/// Shows the catalog, and takes down what the change deletes: afterwards the names are free for new topics.
pub(crate) async fn show<W: World>(core: Rc<Core<W>>, change: Arc<Change>) -> Result<(), String> {
    let removed = show_at_once(&core, &change);
    if removed.is_empty() {
        return Ok(());
    }
    // They may still open files by the names that are about to be free.
    core.jobs.ended().await;
    for log in removed {
        let unique = core.world().random();
        let retired =
            log.retire(unique).await.map_err(|error| format!("a deleted partition stays in place: {error}"))?;
        core.world().spawn_background(async move {
            if let Err(error) = retired.remove().await {
                tracing::warn!(%error, "a deleted partition's files are left over; the next start removes them");
            }
        });
    }
    Ok(())
}

/// Shows the catalog; returns the logs that are to be deleted.
fn show_at_once<W: World>(core: &Rc<Core<W>>, change: &Change) -> Vec<Log<W::Disk>> {
    core.set_catalog(change.catalog.clone());
    for topic in &change.reconfigured {
        let Some(config) = change.catalog.topic_config(*topic) else { continue };
        let mut state = core.state();
        let keys: Vec<_> = state.partitions.keys().filter(|key| key.topic == *topic).collect();
        for key in keys {
            state.partitions.configure(key, config.clone());
            if let Some(log) = state.store.log_mut(key) {
                log.set_config(log_config(config));
            }
        }
    }
    let mut removed = Vec::new();
    for placed in change.deleted.iter().filter(|placed| placed.core == core.id().0) {
        let mut state = core.state();
        state.partitions.close(placed.key);
        removed.extend(state.store.remove(placed.key));
        // Whoever waits for a log start to move hears that the partition is gone.
        state.log_starts.retain(|waiter| waiter.key != placed.key);
    }
    let topics: BTreeSet<_> = change.deleted.iter().map(|placed| &placed.topic).collect();
    for topic in topics {
        core.state().groups.topic_deleted(core.world().now_ms(), topic);
    }
    core.pump();
    removed
}

/// Ends connections; whoever waits for an answer gets none.
pub(crate) fn drain<W: World>(core: &Rc<Core<W>>) {
    core.drain();
    core.signals.background.notify();
    core.signals.timers.notify();
}

/// Closes the logs: afterwards every file is exact and the journal empty.
pub(crate) async fn close<W: World>(core: Rc<Core<W>>) -> Result<(), String> {
    core.jobs.all_ended().await;
    let State { mut store, partitions, .. } = core.take_state();
    let keys: Vec<_> = store.logs().map(Log::key).collect();
    for key in keys {
        if let Some(log) = store.log_mut(key) {
            let (offset, producers) = partitions.producer_snapshot(core.world().now_ms(), key);
            log.set_producer_snapshot(offset, producers);
        }
    }
    store.close().await.map_err(|error| error.to_string())
}
