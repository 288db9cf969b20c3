//! Changes of the catalog at every core, and the clean stop.
//!
//! A change is shown in two steps: first every core opens what it creates, then every core shows it. So no client hears of
//! a partition that does not take writes yet.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use broker::catalog::OFFSETS_TOPIC;
use broker::controller::PlacedPartition;
use engine::log::Log;

use crate::core::{Core, State};
use crate::mesh::{Call, Change, Reply};
use crate::start::{log_config, partition_start};
use crate::world::World;

/// How long a partition that finds the disk full waits before it is tried again.
const FULL_DISK_PAUSE: Duration = Duration::from_secs(1);

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
        let log = create_log(&core, &change, placed).await?;
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

/// Creates the log of a partition. A full disk is waited for: the partition is in the catalog already, and whoever asked for
/// it waits, while everybody else is served.
async fn create_log<W: World>(
    core: &Rc<Core<W>>,
    change: &Change,
    placed: &PlacedPartition,
) -> Result<Log<W::Disk>, String> {
    let config = change.catalog.topic_config(placed.key.topic).expect("a created topic has a configuration");
    let name = format!("{}-{}", placed.topic, placed.key.partition);
    loop {
        let (disk, config) = (core.world().disk(), log_config(config));
        match Log::create(disk, core.data_dir(), &placed.topic, placed.key, config).await {
            Err(error) if error.is_full() => {
                tracing::error!(
                    partition = name,
                    "the disk is full: the partition is created when there is space again"
                );
                core.world().sleep(FULL_DISK_PAUSE).await;
            }
            created => return created.map_err(|error| format!("the log of {name} cannot be created: {error}")),
        }
    }
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
        if let Some(mut state) = core.state_if_open() {
            state.store.removed();
        }
        core.world().spawn_background(async move {
            if let Err(error) = retired.remove().await {
                tracing::warn!(%error, "a deleted partition's files are left over; the next start removes them");
            }
        });
    }
    core.pump();
    Ok(())
}

/// Shows the catalog; returns the logs that are to be deleted.
fn show_at_once<W: World>(core: &Rc<Core<W>>, change: &Change) -> Vec<Log<W::Disk>> {
    core.set_catalog(change.catalog.clone());
    core.state().groups.set_image(change.catalog.image.clone());
    for topic in &change.reconfigured {
        let Some(config) = change.catalog.topic_config(*topic) else { continue };
        let mut state = core.state();
        let keys: Vec<_> = state.partitions.keys().filter(|key| key.topic == *topic).collect();
        for key in keys {
            state.partitions.configure(key, config.clone());
            if let Some(log) = state.store.log_mut(key) {
                let config = log_config(config);
                log.set_config(config);
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
    core.state().store.stop_cleaning();
    core.signals.background.notify();
    core.signals.timers.notify();
}

/// Closes the logs: afterwards every file is exact and the journal empty.
pub(crate) async fn close<W: World>(core: Rc<Core<W>>) -> Result<(), String> {
    core.jobs.all_ended().await;
    let State { mut store, partitions, .. } = core.take_state();
    let keys: Vec<_> = store.logs().map(Log::key).collect();
    for key in keys {
        let (offset, producers) = partitions.producer_snapshot(key);
        store.set_producer_snapshot(key, offset, producers);
    }
    store.close().await.map_err(|error| error.to_string())
}
