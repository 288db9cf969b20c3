//! A store's start, after recovery, and its clean stop.

use std::collections::{BTreeMap, VecDeque};

use super::reserve::{FullState, ReserveJob};
use super::{Store, StoreConfig, StoreEvent};
use crate::checkpoint::{self, Checkpoint, PartitionState, RECOVERED_CORE};
use crate::disk::Disk;
use crate::error::EngineError;
use crate::journal::growth::core_dir_name;
use crate::journal::writer::{Identity, Journal};
use crate::log::Log;
use crate::scrub::Scrub;
use crate::tail::ChunkPool;

/// Of the memory that tails may hold, the part that may wait unused to be written again.
const POOL_FRACTION: usize = 8;

impl<D: Disk> Store<D> {
    /// Starts a core's journal afresh, for these logs and for those that are inserted later. Recovery must have run.
    ///
    /// # Errors
    /// The disk's; [`EngineError::Corrupted`] when recovery has not run.
    pub async fn open(disk: D, config: StoreConfig, core: u16, logs: Vec<Log<D>>) -> Result<Self, EngineError> {
        config.check();
        let Some(recovered) = Checkpoint::load(&disk, &config.data_dir, RECOVERED_CORE).await? else {
            let path = checkpoint::path(&config.data_dir, RECOVERED_CORE);
            return Err(EngineError::corrupted(&path, 0, "recovery has not run"));
        };
        let identity = Identity { core, boot_epoch: recovered.identity.boot_epoch + 1, salt: config.salt };
        let dir = config.journal_dir.join(core_dir_name(core));
        let journal = Journal::open(disk.clone(), dir, config.journal, identity).await?;
        let mut store = Store {
            disk,
            journal,
            slots: BTreeMap::new(),
            open_group: Vec::new(),
            group_in_flight: Vec::new(),
            events: VecDeque::new(),
            to_file: VecDeque::new(),
            to_remove: VecDeque::new(),
            evictable: VecDeque::new(),
            to_clean: None,
            memory: 0,
            chunk_pool: ChunkPool::new(config.memory_bytes_max / POOL_FRACTION),
            jobs: Default::default(),
            cycle: None,
            cycle_wanted: false,
            leaving: 0,
            full: None,
            scrub: Scrub::new(config.scrub, config.salt),
            config,
        };
        for log in logs {
            store.insert(log);
        }
        // From here on recovery knows which start's groups count: none may be written before.
        store.checkpoint(false).store(&store.disk, &store.config.data_dir).await?;
        match store.reserve_job(true).perform().await.result {
            Err(error) if error.is_full() => store.disk_is_full(),
            taken => taken?,
        }
        Ok(store)
    }

    /// A clean stop: files everything, cuts files to their exact size, writes what is derived, and empties the journal.
    /// Every job must have been handed back.
    ///
    /// # Errors
    /// The disk's. Nothing that was acknowledged is lost: the next start recovers.
    pub async fn close(mut self) -> Result<(), EngineError> {
        assert_eq!(self.jobs.count(), 0, "a store is closed when no job is in flight");
        while let Some(job) = self.poll_journal() {
            let done = job.perform().await;
            self.handle_journal(done).map_err(|fatal| fatal.0)?;
        }
        assert!(self.journal.is_idle(), "a store is closed when no group is in flight");
        for slot in self.slots.values_mut() {
            slot.mark = slot.log.end_mark();
        }
        let checkpoint = self.checkpoint(true);
        for (_, slot) in std::mem::take(&mut self.slots) {
            slot.log.close().await?;
        }
        checkpoint.store(&self.disk, &self.config.data_dir).await
    }

    /// What is certain now.
    pub(super) fn checkpoint(&self, clean: bool) -> Checkpoint {
        let state = |slot: &super::Slot<D>| PartitionState {
            key: slot.log.key(),
            log_start: slot.log.log_start(),
            mark: slot.mark,
        };
        let needed = self.slots.values().filter_map(|slot| slot.needs.front()).map(|need| need.sequence).min();
        Checkpoint {
            identity: self.journal.identity(),
            clean,
            head: self.journal.head_for(needed.unwrap_or(u64::MAX)),
            partitions: self.slots.values().map(state).collect(),
        }
    }

    pub(super) fn reserve_job(&self, take: bool) -> ReserveJob<D> {
        let core = self.journal.identity().core;
        ReserveJob::new(&self.disk, &self.config.data_dir, core, self.config.reserve_bytes, take)
    }

    /// Refuses appends from here on.
    pub(super) fn disk_is_full(&mut self) {
        if self.full.is_none() {
            self.full = Some(FullState::default());
            self.events.push_back(StoreEvent::Full);
        }
    }
}
