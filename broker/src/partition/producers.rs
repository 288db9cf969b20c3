//! Idempotent producers of one partition: which batch is next, which was seen before, which is out of order.
//!
//! Behaviour: that of Kafka's `ProducerStateManager` and `ProducerAppendInfo`. The last five batches of each producer
//! id are remembered; a batch with the epoch, first and last sequence of one of them is a duplicate and is answered
//! with the offset of the first time. A producer id that is not known may begin with any sequence.
//!
//! A snapshot is the state as of the flushed end, however much has been appended since: it is true whatever a crash
//! takes, and the log from there on brings the rest back.
//!
//! Invariants: batches of a producer ascend in offset; all of them have the producer's current epoch.
//!
//! Deviations: a producer expires by the broker's clock since its last append; Kafka takes the timestamp that the
//! client put on the batch, which forgets producers of old data while they are still writing. A snapshot has an entry for
//! each batch that is remembered, oldest first, where Kafka writes one for the last batch: reading them, Kafka keeps the last
//! entry of each id.

use std::collections::{BTreeMap, VecDeque};

use wire::records::producer::ProducerEntry;

/// Batches remembered a producer: as many as a client may have in flight (`ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
pub const BATCHES_RETAINED: usize = 5;

/// Sequence before the first one.
const NO_SEQUENCE: i32 = -1;

/// What a batch of an idempotent producer says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequencedBatch {
    /// The producer's id, not negative.
    pub producer_id: i64,
    /// The producer's epoch.
    pub epoch: i16,
    /// Sequence of the first record, not negative.
    pub base_sequence: i32,
    /// Offset of the last record less that of the first.
    pub last_offset_delta: i32,
    /// The largest timestamp, or the append time where the topic has that: ms since the epoch.
    pub timestamp: i64,
}

impl SequencedBatch {
    /// Sequence of the last record; sequences go on at 0 after `i32::MAX`.
    pub fn last_sequence(&self) -> i32 {
        add_sequence(self.base_sequence, self.last_offset_delta)
    }
}

/// `sequence` + `delta`, wrapping from `i32::MAX` to 0 (`DefaultRecordBatch.incrementSequence`).
fn add_sequence(sequence: i32, delta: i32) -> i32 {
    let sum = i64::from(sequence) + i64::from(delta);
    (if sum > i64::from(i32::MAX) { sum - i64::from(i32::MAX) - 1 } else { sum }) as i32
}

/// `sequence` − `delta`, wrapping from 0 to `i32::MAX` (`DefaultRecordBatch.decrementSequence`).
fn subtract_sequence(sequence: i32, delta: i32) -> i32 {
    let difference = i64::from(sequence) - i64::from(delta);
    (if difference < 0 { difference + i64::from(i32::MAX) + 1 } else { difference }) as i32
}

/// A batch that was appended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AppendedBatch {
    last_sequence: i32,
    last_offset: i64,
    offset_delta: i32,
    timestamp: i64,
}

impl AppendedBatch {
    fn new(batch: &SequencedBatch, base_offset: i64) -> Self {
        AppendedBatch {
            last_sequence: batch.last_sequence(),
            last_offset: base_offset + i64::from(batch.last_offset_delta),
            offset_delta: batch.last_offset_delta,
            timestamp: batch.timestamp,
        }
    }

    /// Offset of its first record.
    pub fn base_offset(&self) -> i64 {
        self.last_offset - i64::from(self.offset_delta)
    }

    /// Offset of its last record.
    pub fn last_offset(&self) -> i64 {
        self.last_offset
    }

    /// The largest timestamp, or the append time where the topic has that: ms since the epoch.
    pub fn timestamp(&self) -> i64 {
        self.timestamp
    }

    fn base_sequence(&self) -> i32 {
        subtract_sequence(self.last_sequence, self.offset_delta)
    }
}

/// How a batch follows what its producer wrote before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequencing {
    /// It is the next one.
    Next,
    /// It was appended before.
    Duplicate(AppendedBatch),
}

/// Why a batch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SequenceError {
    /// A younger instance of the producer has written.
    #[error("Epoch of producer {producer_id} is {epoch}, which is smaller than the last seen epoch {current}")]
    OldEpoch {
        /// The producer's id.
        producer_id: i64,
        /// The epoch of the batch.
        epoch: i16,
        /// The epoch last seen.
        current: i16,
    },
    /// A new epoch does not begin with sequence 0.
    #[error(
        "Invalid sequence number for new epoch of producer {producer_id}: {epoch} (request epoch), {base_sequence} (seq. number), {current} (current producer epoch)"
    )]
    NewEpochNotAtZero {
        /// The producer's id.
        producer_id: i64,
        /// The epoch of the batch.
        epoch: i16,
        /// The first sequence of the batch.
        base_sequence: i32,
        /// The epoch last seen.
        current: i16,
    },
    /// Sequences are missing before the batch, or it is older than what is remembered.
    #[error(
        "Out of order sequence number for producer {producer_id}: {base_sequence} (incoming seq. number), {last_sequence} (current end sequence number)"
    )]
    OutOfOrder {
        /// The producer's id.
        producer_id: i64,
        /// The first sequence of the batch.
        base_sequence: i32,
        /// The last sequence appended.
        last_sequence: i32,
    },
}

/// What is remembered of one producer. Small and `Copy`, so that an append can be taken back, or left out of a snapshot, by
/// putting the old state in its place again.
#[derive(Debug, Clone, Copy)]
struct Producer {
    epoch: i16,
    /// Epoch of the transaction coordinator that wrote the last marker, −1 without one: kept for the snapshot.
    coordinator_epoch: i32,
    /// The first `count` are in use, oldest first.
    batches: [AppendedBatch; BATCHES_RETAINED],
    count: usize,
    /// When it last appended, by the broker's clock: ms since the epoch.
    last_append_ms: i64,
}

impl Producer {
    fn new(epoch: i16) -> Self {
        Producer { epoch, coordinator_epoch: -1, batches: Default::default(), count: 0, last_append_ms: 0 }
    }

    fn batches(&self) -> &[AppendedBatch] {
        &self.batches[..self.count]
    }

    fn last_sequence(&self) -> i32 {
        self.batches().last().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    fn push(&mut self, batch: AppendedBatch) {
        probe::mutation!(ForgetRecentBatches => self.count = 0);
        if self.count == BATCHES_RETAINED {
            self.batches.rotate_left(1);
            self.count -= 1;
        }
        self.batches[self.count] = batch;
        self.count += 1;
    }

    /// One for each batch, oldest first; one without a batch where none is known.
    fn entries(&self, producer_id: i64) -> impl Iterator<Item = ProducerEntry> + '_ {
        let none = AppendedBatch { last_sequence: NO_SEQUENCE, last_offset: -1, offset_delta: 0, timestamp: 0 };
        let batches = self.batches().iter().copied().chain((self.count == 0).then_some(none));
        batches.enumerate().map(move |(index, batch)| ProducerEntry {
            producer_id,
            producer_epoch: self.epoch,
            last_sequence: batch.last_sequence,
            last_offset: batch.last_offset,
            offset_delta: batch.offset_delta,
            // Of the last entry it is what the producer expires by.
            timestamp: if index + 1 < self.count { batch.timestamp } else { self.last_append_ms },
            coordinator_epoch: self.coordinator_epoch,
            current_txn_first_offset: -1,
        })
    }

    fn check(&self, batch: &SequencedBatch) -> Result<Sequencing, SequenceError> {
        let SequencedBatch { producer_id, epoch, base_sequence, .. } = *batch;
        if epoch < self.epoch {
            return Err(SequenceError::OldEpoch { producer_id, epoch, current: self.epoch });
        }
        if epoch > self.epoch {
            return match base_sequence {
                0 => Ok(Sequencing::Next),
                _ => Err(SequenceError::NewEpochNotAtZero { producer_id, epoch, base_sequence, current: self.epoch }),
            };
        }
        let last_sequence = batch.last_sequence();
        let same = |seen: &&AppendedBatch| seen.base_sequence() == base_sequence && seen.last_sequence == last_sequence;
        if let Some(seen) = self.batches().iter().find(same) {
            probe::reached!(DuplicateRecognized);
            return Ok(Sequencing::Duplicate(*seen));
        }
        if base_sequence == add_sequence(self.last_sequence(), 1) {
            return Ok(Sequencing::Next);
        }
        probe::reached!(OutOfOrderRefused);
        probe::mutation!(SequenceUnchecked => return Ok(Sequencing::Next));
        Err(SequenceError::OutOfOrder { producer_id, base_sequence, last_sequence: self.last_sequence() })
    }
}

/// A batch that is not flushed yet, and what was known of its producer before.
#[derive(Debug)]
struct Unflushed {
    base_offset: i64,
    producer_id: i64,
    previous: Option<Producer>,
}

/// The producers of one partition.
#[derive(Debug, Default)]
pub struct Producers {
    by_id: BTreeMap<i64, Producer>,
    /// In the order of their offsets.
    unflushed: VecDeque<Unflushed>,
}

impl Producers {
    /// Whether the batch is the next of its producer, was seen before, or is refused.
    pub fn check(&self, batch: &SequencedBatch) -> Result<Sequencing, SequenceError> {
        match self.by_id.get(&batch.producer_id) {
            Some(producer) => producer.check(batch),
            None => Ok(Sequencing::Next),
        }
    }

    /// Remembers a batch that [`Producers::check`] has found to be the next.
    pub fn record(&mut self, now_ms: i64, batch: &SequencedBatch, base_offset: i64) {
        let previous = self.remember(now_ms, batch, base_offset);
        self.unflushed.push_back(Unflushed { base_offset, producer_id: batch.producer_id, previous });
    }

    /// Forgets the batch with that base offset, if it is the last that was recorded: the log does not have it.
    pub fn take_back(&mut self, base_offset: i64) {
        let Some(last) = self.unflushed.pop_back_if(|last| last.base_offset == base_offset) else { return };
        match last.previous {
            Some(producer) => self.by_id.insert(last.producer_id, producer),
            None => self.by_id.remove(&last.producer_id),
        };
    }

    /// Everything below `end_offset` is flushed.
    pub fn flushed(&mut self, end_offset: i64) {
        while self.unflushed.pop_front_if(|first| first.base_offset < end_offset).is_some() {}
    }

    /// Returns what was known of the producer before.
    fn remember(&mut self, now_ms: i64, batch: &SequencedBatch, base_offset: i64) -> Option<Producer> {
        let previous = self.by_id.get(&batch.producer_id).copied();
        let mut producer = previous.unwrap_or_else(|| Producer::new(batch.epoch));
        if producer.epoch != batch.epoch {
            producer.count = 0;
            producer.epoch = batch.epoch;
        }
        let before = producer.batches().last().map(AppendedBatch::last_offset);
        assert!(before.is_none_or(|before| before < base_offset), "a producer's batches ascend in offset");
        producer.push(AppendedBatch::new(batch, base_offset));
        producer.last_append_ms = now_ms;
        self.by_id.insert(batch.producer_id, producer);
        previous
    }

    /// Takes over a batch that is in the log already. Nothing is refused; what is known already changes nothing.
    pub fn replay(&mut self, now_ms: i64, batch: &SequencedBatch, base_offset: i64) {
        let known = self.by_id.get(&batch.producer_id).and_then(|known| known.batches().last());
        if known.is_none_or(|last| last.last_offset < base_offset) {
            self.remember(now_ms, batch, base_offset);
        }
    }

    /// Takes over the entries of a snapshot, in place of all that is known. As in Kafka the last entry of an id counts; those
    /// before it are its older batches, if they are of the same epoch and ascend.
    pub fn load(&mut self, entries: &[ProducerEntry]) {
        self.by_id.clear();
        self.unflushed.clear();
        for entry in entries {
            let known = self.by_id.remove(&entry.producer_id).filter(|known| known.epoch == entry.producer_epoch);
            let mut producer = known.unwrap_or_else(|| Producer::new(entry.producer_epoch));
            producer.coordinator_epoch = entry.coordinator_epoch;
            producer.last_append_ms = entry.timestamp;
            if producer.batches().last().is_some_and(|last| last.last_offset >= entry.last_offset) {
                producer.count = 0;
            }
            if entry.last_offset >= 0 {
                producer.push(AppendedBatch {
                    last_sequence: entry.last_sequence,
                    last_offset: entry.last_offset,
                    offset_delta: entry.offset_delta,
                    timestamp: entry.timestamp,
                });
            }
            self.by_id.insert(entry.producer_id, producer);
        }
    }

    /// What a snapshot holds: the producers as of the flushed end.
    pub fn snapshot(&self) -> Vec<ProducerEntry> {
        let mut before: BTreeMap<i64, Option<&Producer>> = BTreeMap::new();
        for unflushed in &self.unflushed {
            before.entry(unflushed.producer_id).or_insert(unflushed.previous.as_ref());
        }
        let mut entries = Vec::new();
        for (id, producer) in &self.by_id {
            let as_flushed = before.get(id).copied().unwrap_or(Some(producer));
            entries.extend(as_flushed.into_iter().flat_map(|producer| producer.entries(*id)));
        }
        entries
    }

    /// Producer id and last offset of every batch that is remembered.
    pub fn repeatable_batches(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.by_id
            .iter()
            .flat_map(|(&id, producer)| producer.batches().iter().map(move |batch| (id, batch.last_offset)))
    }

    /// Forgets the producers that have not appended for `expiration_ms`.
    pub fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.by_id.retain(|_, producer| now_ms.saturating_sub(producer.last_append_ms) < expiration_ms);
    }
}

#[cfg(test)]
mod tests;
