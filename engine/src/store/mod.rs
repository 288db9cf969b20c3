//! Everything that one core keeps on disk: its partitions' logs and its journal.
//!
//! Transitions are synchronous. I/O comes out as jobs that own what they need: the owner awaits `job.perform()` and hands
//! the outcome back. The order of calls in a core's turn:
//!
//! 1. [`Store::append`] for all that has come in. Each goes into its log's tail and into the open journal group.
//! 2. [`Store::poll_journal`] once; the write's outcome goes to [`Store::handle_journal`].
//! 3. [`Store::poll_background`] until it has nothing; the jobs may run side by side, with a smaller share than appends,
//!    and their outcomes go to [`Store::handle_background`].
//! 4. [`Store::poll_event`] until it has nothing.
//!
//! A failed journal write, filing or sync, or a replacement of segments that has failed halfway, is [`Fatal`]: the process must end without acknowledging anything more, and the
//! next start recovers. (A failed filing has lost nothing, as the journal still has it; but a device that fails writes is
//! not one to go on acknowledging on.) A full disk is not: appends are refused until space returns.
//!
//! Invariant: the journal's files are freed only up to what a durable checkpoint says is in the logs' files, on stable
//! storage.

mod background;
mod checkpointing;
mod config;
mod lifecycle;
mod reserve;
mod scrubbing;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use thiserror::Error;
use wire::TopicPartitionId;
use wire::records::producer::ProducerEntry;

pub use background::{BackgroundDone, BackgroundJob};
pub use config::StoreConfig;

use crate::append::{AppendBatch, Mark};
use crate::compaction::{CleaningError, CleaningInput, CleaningStats};
use crate::disk::{BLOCK, Disk, DiskError};
use crate::error::EngineError;
use crate::journal::format::{Entry, EntryKind, Place};
use crate::journal::writer::{Journal, JournalDone, JournalJob};
use crate::log::{FILING_BYTES_MIN, Log};
use crate::memory::ChunkSlice;
use crate::scrub::Scrub;
use crate::segment::Rotten;
use crate::tail::ChunkPool;
use checkpointing::Cycle;

/// Entries that one append may need: the batch, and the beginning of the block that it goes to.
const APPEND_ENTRIES_MAX: usize = 2;

/// Why a batch was not appended. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AppendError {
    /// The disk is full. [`StoreEvent::SpaceBack`] says when it no longer is.
    #[error("the disk is full")]
    Full,
    /// Memory or the journal is used up: try again when a job has been handed back.
    #[error("memory or the journal is used up for now")]
    Busy,
    /// The batch is larger than the store takes.
    #[error("the batch is larger than {0} bytes")]
    TooLarge(usize),
    /// No such log is here.
    #[error("the partition is not on this core")]
    Unknown,
}

/// The end of the process: the disk failed where it must not.
#[derive(Debug, Clone, Error)]
#[error("the disk failed, and nothing more may be acknowledged; the next start recovers: {0}")]
pub struct Fatal(pub EngineError);

/// What an append has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The journal group that makes it durable.
    pub group: u64,
    /// The log's end now.
    pub end_offset: i64,
}

/// What has happened.
#[derive(Debug, Clone)]
pub enum StoreEvent {
    /// Everything below is on stable storage.
    Flushed {
        /// Of which log.
        key: TopicPartitionId,
        /// One past the last such offset.
        end_offset: i64,
    },
    /// The log's start has moved, durably. What lies before it goes once the log has a snapshot of its producers, if
    /// [`Log::wants_producer_snapshot`] says that it needs one.
    LogStartMoved {
        /// Of which log.
        key: TopicPartitionId,
        /// The first offset that may be read.
        log_start: i64,
    },
    /// The disk is full: appends are refused from here on.
    Full,
    /// There is space again: appends are taken.
    SpaceBack,
    /// A log was cleaned. Another may be due.
    Cleaned {
        /// Which log.
        key: TopicPartitionId,
        /// What was done.
        stats: CleaningStats,
        /// Why no more was done. Unless the disk is full, the log is not cleaned any more before it is opened again.
        error: Option<CleaningError>,
    },
    /// A stretch of a segment is damaged on the disk.
    Rotten {
        /// Of which log.
        key: TopicPartitionId,
        /// The segment's file.
        path: PathBuf,
        /// Where, and what is wrong.
        rotten: Rotten,
    },
    /// A segment's files could not be removed; what is left goes at the next start.
    RemovalFailed {
        /// Of which log.
        key: TopicPartitionId,
        /// Why.
        error: EngineError,
    },
}

/// Up to where a log needs the journal's groups from `sequence` on.
#[derive(Debug, Clone, Copy)]
struct Need {
    sequence: u64,
    end: Place,
}

struct Slot<D: Disk> {
    log: Log<D>,
    /// What the journal is still needed for, oldest first: about one a journal file.
    needs: VecDeque<Need>,
    /// All before it is in the files, on stable storage.
    mark: Mark,
    /// The last group that it has something in, and where in the group's list.
    last_group: (u64, usize),
    /// Bytes that its files do not hold, as of the last filing's end, plus what was appended since.
    unfiled: u64,
    filing: bool,
    /// Whether it is in `to_file`, and in `evictable`.
    queued: bool,
    evictable: bool,
    /// Moves of the log start that are not durable yet.
    starts_pending: u32,
    /// Memory of its tail when last looked at, plus what was appended since.
    memory: usize,
}

/// What a group makes durable for a log.
#[derive(Debug, Clone, Copy)]
struct Pending {
    key: TopicPartitionId,
    end_offset: Option<i64>,
    log_start: Option<i64>,
}

/// See the module.
pub struct Store<D: Disk> {
    disk: D,
    config: StoreConfig,
    journal: Journal<D>,
    slots: BTreeMap<TopicPartitionId, Slot<D>>,
    open_group: Vec<Pending>,
    group_in_flight: Vec<Pending>,
    events: VecDeque<StoreEvent>,
    /// Logs that have enough for a filing.
    to_file: VecDeque<TopicPartitionId>,
    /// Logs that may have segments to remove.
    to_remove: VecDeque<TopicPartitionId>,
    /// Logs whose tails can be let go of, in the order in which they were filed.
    evictable: VecDeque<TopicPartitionId>,
    /// The log to be cleaned next.
    to_clean: Option<(TopicPartitionId, CleaningInput)>,
    memory: usize,
    chunk_pool: ChunkPool,
    jobs: background::InFlight,
    cycle: Option<Cycle>,
    cycle_wanted: bool,
    /// Logs that were taken out and still have their names.
    leaving: usize,
    full: Option<reserve::FullState>,
    scrub: Scrub<D>,
}

impl<D: Disk> Store<D> {
    /// Adds a log, just made or just opened.
    pub fn insert(&mut self, mut log: Log<D>) {
        log.set_chunk_pool(&self.chunk_pool);
        let (key, mark) = (log.key(), log.end_mark());
        let memory = log.memory_bytes();
        let slot = Slot {
            needs: VecDeque::new(),
            mark,
            last_group: (0, 0),
            unfiled: 0,
            filing: false,
            queued: false,
            evictable: false,
            starts_pending: 0,
            memory,
            log,
        };
        self.memory += memory;
        self.to_remove.push_back(key);
        assert!(self.slots.insert(key, slot).is_none(), "a log is inserted once");
    }

    /// Takes a log out, to be deleted. What is under way for it is handed back as usual, to no effect. No checkpoint is
    /// written before [`Store::removed`]: a start that finds the log by its name would not know how much of it to trust.
    pub fn remove(&mut self, key: TopicPartitionId) -> Option<Log<D>> {
        let slot = self.slots.remove(&key)?;
        self.leaving += 1;
        self.scrub.forget(key);
        slot.log.stop_cleaning();
        self.memory -= slot.memory;
        Some(slot.log)
    }

    /// A log that was taken out has been retired: a start does not find it any more.
    pub fn removed(&mut self) {
        assert!(self.leaving > 0, "a log was taken out");
        self.leaving -= 1;
    }

    /// A partition's log.
    pub fn log(&self, key: TopicPartitionId) -> Option<&Log<D>> {
        self.slots.get(&key).map(|slot| &slot.log)
    }

    /// A partition's log, for its settings; the store appends and files.
    pub fn log_mut(&mut self, key: TopicPartitionId) -> Option<&mut Log<D>> {
        self.slots.get_mut(&key).map(|slot| &mut slot.log)
    }

    /// All logs, by key.
    pub fn logs(&self) -> impl Iterator<Item = &Log<D>> {
        self.slots.values().map(|slot| &slot.log)
    }

    /// Whether appends are refused because the disk is full.
    pub fn is_full(&self) -> bool {
        self.full.is_some()
    }

    /// Bytes of memory that the tails hold.
    pub fn memory_bytes(&self) -> usize {
        self.memory
    }

    /// Appends a checked batch: once into the log's tail, once into the open journal group. It is durable once
    /// [`StoreEvent::Flushed`] says so.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing has changed then. After [`AppendError::Full`], poll the background: it looks for space.
    pub fn append(
        &mut self,
        key: TopicPartitionId,
        batch: AppendBatch<'_>,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let len = batch.bytes.len();
        if self.memory + len > self.config.memory_bytes_max {
            // What has been filed since goes now: nobody need be busy behind whose end would be an occasion to try again.
            self.relieve_memory();
        }
        let slot = self.slots.get_mut(&key).ok_or(AppendError::Unknown)?;
        if len > self.config.batch_bytes_max {
            return Err(AppendError::TooLarge(self.config.batch_bytes_max));
        }
        if let Some(full) = &mut self.full {
            full.appends_refused(now_ms);
            return Err(AppendError::Full);
        }
        if self.memory + len > self.config.memory_bytes_max {
            probe::reached!(MemoryFull);
            return Err(AppendError::Busy);
        }
        let filed_block = slot.log.filed_block();
        let block_bytes: usize = filed_block.iter().flat_map(|(_, slices)| slices).map(|slice| slice.len()).sum();
        self.journal.admit(APPEND_ENTRIES_MAX, block_bytes + len).map_err(|_| AppendError::Busy)?;
        if let Some((mark, slices)) = filed_block {
            assert!(block_bytes < BLOCK);
            push_block(&mut self.journal, key, mark, &slices);
        }
        let placed = slot.log.append(&batch, now_ms);
        let place = Place { segment_base: placed.segment_base, position: placed.position };
        let entry = Entry {
            kind: EntryKind::Append,
            key,
            leader_epoch: batch.leader_epoch,
            base_offset: batch.base_offset,
            place,
            bytes: &[],
        };
        let (first, rest) = batch.patched();
        self.journal.push(&entry, [&first, rest]);
        let end = Place { position: placed.position + len as u64, ..place };
        slot.need(self.journal.open_sequence(), self.journal.current_file_start(), end);
        slot.unfiled += len as u64;
        slot.memory += len;
        self.memory += len;
        if placed.rolled || slot.unfiled >= FILING_BYTES_MIN {
            self.queue_filing(key);
        }
        let end_offset = batch.last_offset + 1;
        self.pending(key).end_offset = Some(end_offset);
        Ok(Appended { group: self.journal.open_sequence(), end_offset })
    }

    /// Takes what all batches below `offset`, at most the flushed end, tell of their producers. To be called when a log wants it
    /// ([`Log::wants_producer_snapshot`]), which it may whenever its start has moved, and when a log has rolled.
    pub fn set_producer_snapshot(&mut self, key: TopicPartitionId, offset: i64, entries: Vec<ProducerEntry>) {
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.log.set_producer_snapshot(offset, entries);
            self.to_remove.push_back(key);
        }
    }

    /// Moves a log's start to `before_offset`, at most its flushed end, unless it is there already.
    ///
    /// # Errors
    /// [`AppendError::Busy`], [`AppendError::Unknown`].
    pub fn delete_records(&mut self, key: TopicPartitionId, before_offset: i64) -> Result<Appended, AppendError> {
        let slot = self.slots.get_mut(&key).ok_or(AppendError::Unknown)?;
        self.journal.admit(1, 0).map_err(|_| AppendError::Busy)?;
        let offset = before_offset.min(slot.log.flushed_end());
        let end_offset = slot.log.log_end();
        if !slot.log.set_log_start(offset) {
            return Ok(Appended { group: self.journal.open_sequence() - 1, end_offset });
        }
        self.journal_log_start(key, offset);
        Ok(Appended { group: self.journal.open_sequence(), end_offset })
    }

    /// Lets go of what retention does not keep. The work comes out of [`Store::poll_background`].
    pub fn retain(&mut self, now_ms: i64) {
        let mut moved = Vec::new();
        for (key, slot) in &mut self.slots {
            // Before the log changes, there must be room for the entry that makes the change durable.
            if self.journal.admit(moved.len() + 1, 0).is_err() {
                break;
            }
            let visible_end = slot.log.flushed_end();
            if let Some(log_start) = slot.log.retain(visible_end, now_ms) {
                moved.push((*key, log_start));
            }
        }
        for (key, log_start) in moved {
            self.journal_log_start(key, log_start);
        }
        if let Some(full) = &mut self.full {
            full.appends_refused(now_ms);
        }
    }

    fn journal_log_start(&mut self, key: TopicPartitionId, log_start: i64) {
        let place = Place { segment_base: 0, position: 0 };
        let kind = EntryKind::LogStart;
        let base_offset = probe::mutated!(log_start, LogStartUnjournaled => 0);
        let entry = Entry { kind, key, leader_epoch: -1, base_offset, place, bytes: &[] };
        self.journal.push(&entry, [&[], &[]]);
        let is_first = self.pending(key).log_start.replace(log_start).is_none();
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.starts_pending += u32::from(is_first);
        }
        // Retention may have rolled the log: then there is a segment to close.
        self.queue_filing(key);
    }

    /// The open group's line for a log.
    fn pending(&mut self, key: TopicPartitionId) -> &mut Pending {
        let slot = self.slots.get_mut(&key).expect("the caller has looked it up");
        let sequence = self.journal.open_sequence();
        if slot.last_group.0 != sequence {
            slot.last_group = (sequence, self.open_group.len());
            self.open_group.push(Pending { key, end_offset: None, log_start: None });
        }
        &mut self.open_group[slot.last_group.1]
    }

    /// The write of what has been appended; `None` while one is in flight or nothing waits.
    pub fn poll_journal(&mut self) -> Option<JournalJob<D>> {
        let job = self.journal.poll()?;
        assert!(self.group_in_flight.is_empty(), "one group is in flight at a time");
        std::mem::swap(&mut self.open_group, &mut self.group_in_flight);
        Some(job)
    }

    /// Takes the outcome of a journal write.
    ///
    /// # Errors
    /// [`Fatal`]: the write may be on disk wholly, in part or not at all.
    pub fn handle_journal(&mut self, done: JournalDone) -> Result<(), Fatal> {
        let path = self.config.journal_dir.clone();
        self.journal.handle(done).map_err(|error: DiskError| Fatal(EngineError::Disk { path, error }))?;
        for Pending { key, end_offset, log_start } in self.group_in_flight.drain(..) {
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            if let Some(end_offset) = end_offset {
                slot.log.set_flushed_end(end_offset);
                self.events.push_back(StoreEvent::Flushed { key, end_offset });
            }
            if let Some(log_start) = log_start {
                slot.starts_pending -= 1;
                self.to_remove.push_back(key);
                self.cycle_wanted = true;
                self.events.push_back(StoreEvent::LogStartMoved { key, log_start });
            }
        }
        Ok(())
    }

    /// The next thing that has happened.
    pub fn poll_event(&mut self) -> Option<StoreEvent> {
        self.events.pop_front()
    }
}

fn push_block<D: Disk>(journal: &mut Journal<D>, key: TopicPartitionId, mark: Mark, slices: &[ChunkSlice]) {
    probe::reached!(BlockJournaled);
    probe::mutation!(DropBlockEntry => return);
    let mut position = mark.position;
    for slice in slices {
        let place = Place { segment_base: mark.segment_base, position };
        let entry = Entry { kind: EntryKind::Block, key, leader_epoch: -1, base_offset: -1, place, bytes: &[] };
        journal.push(&entry, [slice, &[]]);
        position += slice.len() as u64;
    }
}

impl<D: Disk> Slot<D> {
    /// Notes that the log needs group `sequence` for what ends at `end`. What comes into one journal file counts as one
    /// need, with the older group and the later end: that keeps the journal a little longer, never too short.
    fn need(&mut self, sequence: u64, file_start: u64, end: Place) {
        match self.needs.back_mut() {
            Some(last) if last.sequence >= file_start => last.end = end,
            _ => self.needs.push_back(Need { sequence, end }),
        }
    }

    /// Notes that everything before `mark` is in the files, on stable storage.
    fn synced(&mut self, mark: Mark) {
        self.mark = self.mark.max(mark);
        let reached = Place { segment_base: self.mark.segment_base, position: self.mark.position };
        while self.needs.front().is_some_and(|need| need.end <= reached) {
            self.needs.pop_front();
        }
    }
}
