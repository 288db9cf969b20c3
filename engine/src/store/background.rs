//! The jobs beside the journal's writes: which is next, and what their outcomes mean.

use wire::TopicPartitionId;

use super::checkpointing::{CheckpointDone, CheckpointJob};
use super::reserve::{ReserveDone, ReserveJob};
use super::{Fatal, Store, StoreEvent};
use crate::append::Urgency;
use crate::compaction::{CleaningDone, CleaningError, CleaningInput, CleaningJob};
use crate::disk::{BLOCK, Disk};
use crate::error::EngineError;
use crate::journal::growth::{GrowthDone, GrowthJob};
use crate::log::{FilingDone, FilingJob, RemovalJob, SnapshotDone, SnapshotJob, SyncPlan, Synced};
use crate::scrub::{ScrubDone, ScrubJob};

/// Jobs handed out and not handed back.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    pub filings: usize,
    pub others: usize,
    /// A removal, or the snapshot that it waits for.
    removal: bool,
    reserve: bool,
    cleaning: bool,
}

impl InFlight {
    pub(super) fn count(&self) -> usize {
        self.filings + self.others
    }
}

/// Something to do on the disk beside the journal's writes.
pub enum BackgroundJob<D: Disk> {
    /// Moving a tail's bytes into a segment's file, and maybe closing the segment.
    Filing(FilingJob<D>),
    /// Syncing a log's files.
    Sync(SyncPlan<D>),
    /// Writing what is known of the producers of a segment that is to be removed.
    Snapshot(SnapshotJob<D>),
    /// Removing a segment.
    Removal(RemovalJob<D>),
    /// Cleaning a compacted log.
    Cleaning(CleaningJob<D>),
    /// Looking for damage.
    Scrub(ScrubJob<D>),
    /// Making another journal file.
    Growth(GrowthJob<D>),
    /// Writing a checkpoint.
    Checkpoint(CheckpointJob<D>),
    /// Giving up the reserve of a full disk, or having it again.
    Reserve(ReserveJob<D>),
}

/// How a [`BackgroundJob`] ended.
pub enum BackgroundDone<D: Disk> {
    /// See [`BackgroundJob::Filing`].
    Filing(FilingDone),
    /// See [`BackgroundJob::Sync`].
    Sync(TopicPartitionId, Result<Synced, EngineError>),
    /// See [`BackgroundJob::Snapshot`].
    Snapshot(SnapshotDone),
    /// See [`BackgroundJob::Removal`].
    Removal(TopicPartitionId, Result<(), EngineError>),
    /// See [`BackgroundJob::Cleaning`].
    Cleaning(CleaningDone<D>),
    /// See [`BackgroundJob::Scrub`].
    Scrub(ScrubDone<D>),
    /// See [`BackgroundJob::Growth`].
    Growth(GrowthDone<D>),
    /// See [`BackgroundJob::Checkpoint`].
    Checkpoint(CheckpointDone),
    /// See [`BackgroundJob::Reserve`].
    Reserve(ReserveDone),
}

impl<D: Disk> BackgroundJob<D> {
    /// Does it.
    pub async fn perform(self) -> BackgroundDone<D> {
        match self {
            BackgroundJob::Filing(job) => BackgroundDone::Filing(job.perform().await),
            BackgroundJob::Sync(plan) => BackgroundDone::Sync(plan.key(), plan.perform().await),
            BackgroundJob::Snapshot(job) => BackgroundDone::Snapshot(job.perform().await),
            BackgroundJob::Removal(job) => BackgroundDone::Removal(job.key(), job.perform().await),
            BackgroundJob::Cleaning(job) => BackgroundDone::Cleaning(job.perform().await),
            BackgroundJob::Scrub(job) => BackgroundDone::Scrub(job.perform().await),
            BackgroundJob::Growth(job) => BackgroundDone::Growth(job.perform().await),
            BackgroundJob::Checkpoint(job) => BackgroundDone::Checkpoint(job.perform().await),
            BackgroundJob::Reserve(job) => BackgroundDone::Reserve(job.perform().await),
        }
    }
}

impl<D: Disk> Store<D> {
    /// The next job beside the journal's writes; several may be in flight. `None` when there is nothing to do before
    /// one of them is handed back, or more is appended.
    pub fn poll_background(&mut self) -> Option<BackgroundJob<D>> {
        if self.full.is_some() {
            return self.poll_while_full();
        }
        if let Some(job) = self.journal.poll_growth() {
            self.jobs.others += 1;
            return Some(BackgroundJob::Growth(job));
        }
        self.relieve_memory();
        self.begin_cycle();
        let job = self.poll_filing().or_else(|| self.poll_cycle()).or_else(|| self.poll_removal());
        job.or_else(|| self.poll_cleaning()).or_else(|| self.poll_scrub())
    }

    /// Nothing that needs more than the reserve: looking for space, checkpoints of what is filed already, removals.
    fn poll_while_full(&mut self) -> Option<BackgroundJob<D>> {
        if let Some(job) = self.poll_reserve() {
            return Some(job);
        }
        if self.cycle_wanted && self.full.is_some_and(|full| full.released) {
            self.begin_cycle();
        }
        self.poll_cycle().or_else(|| self.poll_removal())
    }

    fn poll_reserve(&mut self) -> Option<BackgroundJob<D>> {
        let full = self.full.as_mut()?;
        let take = full.released;
        if self.jobs.reserve || take && !full.look {
            return None;
        }
        full.look = false;
        full.snapshot_failed = false;
        self.cycle_wanted |= std::mem::take(&mut full.checkpoint_failed);
        self.jobs.reserve = true;
        self.jobs.others += 1;
        Some(BackgroundJob::Reserve(self.reserve_job(take)))
    }

    pub(super) fn queue_filing(&mut self, key: TopicPartitionId) {
        if let Some(slot) = self.slots.get_mut(&key)
            && !std::mem::replace(&mut slot.queued, true)
        {
            self.to_file.push_back(key);
        }
    }

    fn poll_filing(&mut self) -> Option<BackgroundJob<D>> {
        let pressed = self.memory > self.config.memory_bytes_max / 2;
        let urgency = if pressed { Urgency::WholeBlocks } else { Urgency::Relaxed };
        while self.jobs.filings < self.config.jobs_max {
            let key = self.to_file.pop_front()?;
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            slot.queued = false;
            if let Some(job) = self.poll_log_filing(key, urgency) {
                return Some(BackgroundJob::Filing(job));
            }
        }
        None
    }

    pub(super) fn poll_log_filing(&mut self, key: TopicPartitionId, urgency: Urgency) -> Option<FilingJob<D>> {
        let slot = self.slots.get_mut(&key)?;
        if slot.filing {
            return None;
        }
        let job = slot.log.poll_filing(urgency)?;
        slot.filing = true;
        self.jobs.filings += 1;
        Some(job)
    }

    /// Above half of the memory's bound, lets go of tails that are filed, and has the others filed.
    pub(super) fn relieve_memory(&mut self) {
        let wanted = self.config.memory_bytes_max / 2;
        while self.memory > wanted
            && let Some(key) = self.evictable.pop_front()
        {
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            slot.evictable = false;
            probe::reached!(TailEvicted);
            slot.log.evict(self.memory - wanted);
            self.measure(key);
        }
        if self.memory > wanted && self.to_file.is_empty() {
            for (key, slot) in &mut self.slots {
                // Asked of the log: the block that a checkpoint filed in part counts again once more has come into it.
                if !slot.queued && !slot.filing && slot.log.unfiled_bytes() >= BLOCK as u64 {
                    probe::reached!(FilingForced);
                    slot.queued = true;
                    self.to_file.push_back(*key);
                }
            }
        }
    }

    /// Looks at how much memory a log's tail holds.
    fn measure(&mut self, key: TopicPartitionId) {
        if let Some(slot) = self.slots.get_mut(&key) {
            let memory = slot.log.memory_bytes();
            self.memory = self.memory - slot.memory + memory;
            slot.memory = memory;
        }
    }

    fn poll_removal(&mut self) -> Option<BackgroundJob<D>> {
        let waits_for_space = self.full.is_some_and(|full| full.snapshot_failed);
        while !self.jobs.removal && !waits_for_space {
            let key = self.to_remove.pop_front()?;
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            // The move of a log's start must be durable before anything goes that lies before it.
            if slot.starts_pending > 0 {
                continue;
            }
            let snapshot = slot.log.poll_snapshot().map(BackgroundJob::Snapshot);
            let job = snapshot.or_else(|| slot.log.poll_removal().map(BackgroundJob::Removal));
            if job.is_some() {
                self.to_remove.push_back(key);
                self.jobs.removal = true;
                self.jobs.others += 1;
                return job;
            }
        }
        None
    }

    fn handle_snapshot(&mut self, done: SnapshotDone) -> Result<(), Fatal> {
        self.jobs.removal = false;
        self.jobs.others -= 1;
        let (key, is_written) = (done.key(), done.is_written());
        let Some(slot) = self.slots.get_mut(&key) else { return Ok(()) };
        let written = slot.log.handle_snapshot(done);
        self.unless_full(written)?;
        if let (Some(full), false) = (&mut self.full, is_written) {
            full.snapshot_failed = true;
        }
        Ok(())
    }

    /// The compacted log whose cleaning is due and the most worth it, if any; none while one is being cleaned.
    /// `visible_end` says up to where a log's readers may see. If only a checkpoint is missing, it is made.
    pub fn dirtiest(&mut self, now_ms: i64, visible_end: impl Fn(TopicPartitionId) -> i64) -> Option<TopicPartitionId> {
        if self.jobs.cleaning || self.to_clean.is_some() {
            return None;
        }
        let due = self.slots.iter().filter_map(|(key, slot)| {
            let dirtiness = slot.log.dirtiness(visible_end(*key), now_ms)?;
            dirtiness.is_due.then(|| (*key, dirtiness.ratio()))
        });
        let dirtiest = due.max_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(key, _)| key);
        if dirtiest.is_none() {
            let mut slots = self.slots.iter();
            self.cycle_wanted |= slots.any(|(key, slot)| slot.log.awaits_checkpoint(visible_end(*key), now_ms));
        }
        dirtiest
    }

    /// Has a log cleaned: the job comes out of [`Store::poll_background`], and then a [`StoreEvent::Cleaned`].
    pub fn clean(&mut self, key: TopicPartitionId, input: CleaningInput) {
        assert!(!self.jobs.cleaning && self.to_clean.is_none(), "one log is cleaned at a time");
        self.to_clean = Some((key, input));
    }

    /// Lets the cleaning that is under way end soon, for a clean stop.
    pub fn stop_cleaning(&mut self) {
        self.to_clean = None;
        for slot in self.slots.values() {
            slot.log.stop_cleaning();
        }
    }

    fn poll_cleaning(&mut self) -> Option<BackgroundJob<D>> {
        let (key, input) = self.to_clean.take()?;
        let job = self.slots.get_mut(&key)?.log.poll_cleaning(input)?;
        self.jobs.cleaning = true;
        self.jobs.others += 1;
        Some(BackgroundJob::Cleaning(job))
    }

    fn handle_cleaned(&mut self, done: CleaningDone<D>) -> Result<(), Fatal> {
        self.jobs.cleaning = false;
        self.jobs.others -= 1;
        let (key, stats) = (done.key(), done.stats);
        let Some(slot) = self.slots.get_mut(&key) else { return Ok(()) };
        let error = match slot.log.handle_cleaned(done) {
            Ok(()) => None,
            Err(CleaningError::Halfway(error)) => return Err(Fatal(error)),
            Err(error) => Some(error),
        };
        self.measure(key);
        // Meanwhile its segments had to stay.
        self.to_remove.push_back(key);
        self.events.push_back(StoreEvent::Cleaned { key, stats, error });
        Ok(())
    }

    /// Takes the outcome of a background job.
    ///
    /// # Errors
    /// [`Fatal`]: a write or a sync failed for another reason than a full disk.
    pub fn handle_background(&mut self, done: BackgroundDone<D>) -> Result<(), Fatal> {
        match done {
            BackgroundDone::Filing(done) => self.handle_filed(done),
            BackgroundDone::Sync(key, result) => self.handle_synced(key, result),
            BackgroundDone::Checkpoint(done) => self.handle_checkpoint(done),
            BackgroundDone::Snapshot(done) => self.handle_snapshot(done),
            BackgroundDone::Removal(key, result) => {
                self.jobs.removal = false;
                self.jobs.others -= 1;
                if let Err(error) = result {
                    self.events.push_back(StoreEvent::RemovalFailed { key, error });
                }
                Ok(())
            }
            BackgroundDone::Cleaning(done) => self.handle_cleaned(done),
            BackgroundDone::Scrub(done) => {
                self.handle_scrubbed(done);
                Ok(())
            }
            BackgroundDone::Growth(done) => {
                self.jobs.others -= 1;
                let grown = self.journal.handle_growth(done);
                self.unless_full(grown)
            }
            BackgroundDone::Reserve(done) => self.handle_reserve(done),
        }
    }

    fn handle_filed(&mut self, done: FilingDone) -> Result<(), Fatal> {
        self.jobs.filings -= 1;
        let (key, has_snapshot) = (done.key(), done.has_snapshot());
        let Some(slot) = self.slots.get_mut(&key) else { return Ok(()) };
        slot.filing = false;
        let filed = slot.log.handle_filed(done);
        slot.unfiled = slot.log.unfiled_bytes();
        if !std::mem::replace(&mut slot.evictable, true) {
            self.evictable.push_back(key);
        }
        // More may have come together meanwhile, or a segment waits to be closed.
        self.queue_filing(key);
        if has_snapshot {
            // A removal may have waited for it.
            self.to_remove.push_back(key);
        }
        self.measure(key);
        self.unless_full(filed)
    }

    fn handle_reserve(&mut self, done: ReserveDone) -> Result<(), Fatal> {
        self.jobs.reserve = false;
        self.jobs.others -= 1;
        match done.result {
            Err(error) if error.is_full() => Ok(()),
            Err(error) => Err(Fatal(error)),
            Ok(()) if done.took => {
                probe::reached!(SpaceReturned);
                self.full = None;
                self.events.push_back(StoreEvent::SpaceBack);
                Ok(())
            }
            Ok(()) => {
                if let Some(full) = &mut self.full {
                    full.released = true;
                    full.snapshot_failed = false;
                }
                Ok(())
            }
        }
    }

    fn unless_full(&mut self, result: Result<(), EngineError>) -> Result<(), Fatal> {
        match result {
            Err(error) if error.is_full() => {
                self.disk_is_full();
                Ok(())
            }
            Err(error) => Err(Fatal(error)),
            Ok(()) => Ok(()),
        }
    }
}
