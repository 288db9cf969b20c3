//! The checkpoint cycle, which frees the journal: file what its older files are needed for, sync it, write a checkpoint.

use std::collections::VecDeque;

use wire::TopicPartitionId;

use super::background::BackgroundJob;
use super::{Fatal, Store};
use crate::append::{Mark, Urgency};
use crate::checkpoint::Checkpoint;
use crate::disk::Disk;
use crate::error::EngineError;
use crate::journal::format::Place;
use crate::journal::ring::Head;
use crate::log::Synced;

/// One run of the cycle.
#[derive(Debug)]
pub(super) struct Cycle {
    /// Logs to be filed up to their goal, each looked at in turn.
    to_file: VecDeque<(TopicPartitionId, Place)>,
    /// Logs to be synced.
    to_sync: VecDeque<TopicPartitionId>,
    syncs_in_flight: usize,
    writing: bool,
}

/// The writing of a checkpoint.
pub struct CheckpointJob<D: Disk> {
    disk: D,
    data_dir: std::path::PathBuf,
    checkpoint: Checkpoint,
}

/// How a [`CheckpointJob`] ended.
#[derive(Debug)]
pub struct CheckpointDone {
    head: Head,
    marks: Vec<(TopicPartitionId, Mark)>,
    result: Result<(), EngineError>,
}

impl<D: Disk> CheckpointJob<D> {
    /// Does it.
    pub async fn perform(self) -> CheckpointDone {
        let result = self.checkpoint.store(&self.disk, &self.data_dir).await;
        let marks = self.checkpoint.partitions.iter().map(|state| (state.key, state.mark)).collect();
        CheckpointDone { head: self.checkpoint.head, marks, result }
    }
}

impl<D: Disk> Store<D> {
    /// Begins a cycle when the journal has older files to free, or somebody waits for one.
    pub(super) fn begin_cycle(&mut self) {
        if self.cycle.is_some() || !(self.journal.has_older_files() || self.cycle_wanted) {
            return;
        }
        // A cycle that is wanted for its own sake takes in everything there is.
        let below = if self.cycle_wanted { u64::MAX } else { self.journal.current_file_start() };
        self.cycle_wanted = false;
        let goal = |slot: &super::Slot<D>| {
            slot.needs.iter().take_while(|need| need.sequence < below).last().map(|need| need.end)
        };
        let to_file: VecDeque<_> = self.slots.iter().filter_map(|(key, slot)| Some((*key, goal(slot)?))).collect();
        self.cycle = Some(Cycle { to_file, to_sync: VecDeque::new(), syncs_in_flight: 0, writing: false });
    }

    /// The cycle's next step, if there is one that can be taken now.
    pub(super) fn poll_cycle(&mut self) -> Option<BackgroundJob<D>> {
        if self.full.is_some() {
            // What is not filed yet stays in the journal.
            let cycle = self.cycle.as_mut()?;
            cycle.to_sync.extend(cycle.to_file.drain(..).map(|(key, _)| key));
        }
        self.poll_cycle_filing().or_else(|| self.poll_cycle_sync()).or_else(|| self.poll_cycle_write())
    }

    fn poll_cycle_filing(&mut self) -> Option<BackgroundJob<D>> {
        let waiting = self.cycle.as_ref()?.to_file.len();
        for _ in 0..waiting {
            if self.jobs.filings >= self.config.jobs_max {
                return None;
            }
            let cycle = self.cycle.as_mut()?;
            let (key, goal) = cycle.to_file.pop_front()?;
            let Some(slot) = self.slots.get(&key) else { continue };
            let filed = slot.log.filed_mark();
            if (Place { segment_base: filed.segment_base, position: filed.position }) >= goal {
                cycle.to_sync.push_back(key);
                continue;
            }
            cycle.to_file.push_back((key, goal));
            let job = self.poll_log_filing(key, Urgency::WholeBlocks);
            if let Some(job) = job.or_else(|| self.poll_log_filing(key, Urgency::Everything)) {
                return Some(BackgroundJob::Filing(job));
            }
        }
        None
    }

    fn poll_cycle_sync(&mut self) -> Option<BackgroundJob<D>> {
        let jobs_max = self.config.jobs_max;
        let cycle = self.cycle.as_mut()?;
        while cycle.syncs_in_flight < jobs_max {
            let key = cycle.to_sync.pop_front()?;
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            let plan = slot.log.sync_plan();
            if plan.is_empty() {
                slot.synced(plan.mark());
                continue;
            }
            cycle.syncs_in_flight += 1;
            self.jobs.others += 1;
            return Some(BackgroundJob::Sync(plan));
        }
        None
    }

    fn poll_cycle_write(&mut self) -> Option<BackgroundJob<D>> {
        let cycle = self.cycle.as_mut()?;
        let prepared = cycle.to_file.is_empty() && cycle.to_sync.is_empty() && cycle.syncs_in_flight == 0;
        if !prepared || cycle.writing || self.leaving > 0 {
            return None;
        }
        cycle.writing = true;
        self.jobs.others += 1;
        let checkpoint = self.checkpoint(false);
        let data_dir = self.config.data_dir.clone();
        Some(BackgroundJob::Checkpoint(CheckpointJob { disk: self.disk.clone(), data_dir, checkpoint }))
    }

    pub(super) fn handle_synced(
        &mut self,
        key: TopicPartitionId,
        result: Result<Synced, EngineError>,
    ) -> Result<(), Fatal> {
        self.jobs.others -= 1;
        let cycle = self.cycle.as_mut().expect("a cycle waits for its syncs");
        cycle.syncs_in_flight -= 1;
        let Some(slot) = self.slots.get_mut(&key) else { return Ok(()) };
        let synced = result.map_err(Fatal)?;
        slot.log.handle_synced(&synced);
        slot.synced(synced.mark);
        Ok(())
    }

    pub(super) fn handle_checkpoint(&mut self, done: CheckpointDone) -> Result<(), Fatal> {
        self.jobs.others -= 1;
        let cycle = self.cycle.as_mut().expect("a cycle waits for its checkpoint");
        cycle.writing = false;
        match done.result {
            Ok(()) => {}
            Err(error) if error.is_full() => {
                self.disk_is_full();
                self.cycle = None;
                if let Some(full) = &mut self.full {
                    full.checkpoint_failed = true;
                }
                return Ok(());
            }
            Err(error) => return Err(Fatal(error)),
        }
        self.cycle = None;
        self.journal.free_before(done.head);
        for (key, mark) in done.marks {
            if let Some(slot) = self.slots.get_mut(&key) {
                slot.log.set_checkpointed(mark);
                self.to_remove.push_back(key);
            }
        }
        Ok(())
    }
}
