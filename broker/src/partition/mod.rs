//! The partitions that this core leads: what may be appended, what is acknowledged when, who is woken.
//!
//! How it is driven. [`Partitions::open`] a partition once its log is open; [`Partitions::load_producers`] and
//! [`Partitions::replay_batch`] bring back what producers have written; then, for each batch that `wire` has validated:
//!
//! 1. [`Partitions::produce`] decides. After `Append` the log end has moved: hand the batch to the store now, or take
//!    the decision back with [`Partitions::append_failed`] before the partition's next one.
//! 2. [`Partitions::await_ack`] says whether the answer may leave, of a duplicate too.
//! 3. [`Partitions::flushed`] tells what has become durable; [`Partitions::poll_effect`] then yields whose answer may
//!    leave and which fetches have something to read.
//!
//! Invariant: an answer never precedes the durability of what it answers for, be it the batch or the original of a
//! duplicate.

mod acks;
mod producers;
mod replica;
mod watches;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use wire::batch::{BatchHeader, BatchSummary};
use wire::records::producer::ProducerEntry;
use wire::{ErrorCode, TopicPartitionId};

pub use producers::BATCHES_RETAINED;
use producers::SequencedBatch;
use replica::{ACKS_ALL, Replica};
use watches::Watches;

use crate::Token;
use crate::config::TopicConfig;

/// What is known of a partition when this core begins to lead it. All of its log is durable then.
#[derive(Debug, Clone)]
pub struct PartitionStart {
    /// The epoch in which this broker leads.
    pub leader_epoch: i32,
    /// The first offset.
    pub log_start: i64,
    /// The next offset to be given.
    pub log_end: i64,
    /// How many replicas the partition is meant to have, at least 1.
    pub replication_factor: i32,
    /// The topic's settings.
    pub config: Arc<TopicConfig>,
}

/// How far a partition has come. Ends are exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionStatus {
    /// The epoch in which this broker leads.
    pub leader_epoch: i32,
    /// The first offset.
    pub log_start: i64,
    /// The next offset to be given.
    pub log_end: i64,
    /// What lies below is on this broker's disk.
    pub flushed_end: i64,
    /// What lies below is on the disks of all in-sync replicas, and may be read.
    pub high_watermark: i64,
    /// What lies below belongs to no open transaction.
    pub last_stable: i64,
}

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProduceDecision {
    /// It gets these offsets.
    Append {
        /// Offset of its first record.
        base_offset: i64,
        /// The epoch to write into its header.
        leader_epoch: i32,
        /// The time to write into its header as LogAppendTime, in ms since the epoch; `None`: the producer's stay.
        log_append_time: Option<i64>,
    },
    /// It is in the log already: nothing is appended, and it is answered as the first time.
    Duplicate {
        /// Offset of its first record.
        base_offset: i64,
        /// The offset after its last record: what [`Partitions::await_ack`] asks for.
        end_offset: i64,
        /// Its timestamp then, in ms since the epoch, which Kafka answers as append time.
        append_time: i64,
    },
}

/// Why a batch is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What to answer.
    pub error: ErrorCode,
    /// The partition's first offset; −1 where Kafka does not tell.
    pub log_start_offset: i64,
    /// What went wrong, for people.
    pub message: Option<String>,
}

/// Whether an answer may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// It may.
    Now,
    /// A [`PartitionEffect`] will say so.
    Parked,
}

/// What comes out of [`Partitions::poll_effect`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionEffect {
    /// What the request appended to the partition is durable: answer.
    Acked {
        /// The parked request.
        token: Token,
        /// Of which partition.
        key: TopicPartitionId,
    },
    /// The partition was closed while the request waited: answer NOT_LEADER_OR_FOLLOWER, so that the client tries
    /// again where the partition is now. Its records may or may not survive.
    Closed {
        /// The parked request.
        token: Token,
        /// Of which partition.
        key: TopicPartitionId,
    },
    /// A watched partition has more, or is gone; the token's watches are removed.
    Wake {
        /// The parked fetch.
        token: Token,
    },
}

/// The partitions that this core leads.
#[derive(Debug)]
pub struct Partitions {
    producer_expiration_ms: i64,
    replicas: BTreeMap<TopicPartitionId, Replica>,
    watches: Watches,
    effects: VecDeque<PartitionEffect>,
}

impl Partitions {
    /// No partitions. Producers are forgotten after `producer_expiration_ms` (`producer.id.expiration.ms`).
    pub fn new(producer_expiration_ms: i64) -> Self {
        assert!(producer_expiration_ms > 0, "producers live for a while");
        Partitions {
            producer_expiration_ms,
            replicas: BTreeMap::new(),
            watches: Watches::default(),
            effects: VecDeque::new(),
        }
    }

    /// Begins to lead a partition, which must not be open.
    pub fn open(&mut self, key: TopicPartitionId, start: PartitionStart) {
        let before = self.replicas.insert(key, Replica::new(start));
        assert!(before.is_none(), "partition {key:?} is open already");
    }

    /// Stops leading a partition: whoever waits for it is told.
    pub fn close(&mut self, key: TopicPartitionId) {
        let Some(mut replica) = self.replicas.remove(&key) else { return };
        let parked = replica.leader_acks.drain().chain(replica.all_acks.drain());
        self.effects.extend(parked.map(|token| PartitionEffect::Closed { token, key }));
        self.wake(key, i64::MAX);
    }

    /// Takes over changed settings.
    pub fn configure(&mut self, key: TopicPartitionId, config: Arc<TopicConfig>) {
        if let Some(replica) = self.replicas.get_mut(&key) {
            replica.configure(config);
        }
    }

    /// How far a partition has come; `None` where this core does not lead it.
    pub fn status(&self, key: TopicPartitionId) -> Option<PartitionStatus> {
        self.replicas.get(&key).map(Replica::status)
    }

    /// All open partitions, in the order of their keys.
    pub fn keys(&self) -> impl Iterator<Item = TopicPartitionId> + '_ {
        self.replicas.keys().copied()
    }

    /// Checks the leader epoch that a client believes in (Fetch, ListOffsets, OffsetForLeaderEpoch; KIP-320). −1 is
    /// none, and right. Errors: NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH.
    pub fn check_leader_epoch(&self, key: TopicPartitionId, epoch: i32) -> Result<(), ErrorCode> {
        let current = self.replicas.get(&key).ok_or(ErrorCode::NotLeaderOrFollower)?.leader_epoch();
        match epoch {
            _ if epoch < 0 || epoch == current => Ok(()),
            _ if epoch < current => Err(ErrorCode::FencedLeaderEpoch),
            _ => Err(ErrorCode::UnknownLeaderEpoch),
        }
    }

    /// Decides about a batch that `wire::batch` has validated. After `Append` the log end has moved beyond it.
    pub fn produce(
        &mut self,
        now_ms: i64,
        key: TopicPartitionId,
        batch: &BatchSummary,
        acks: i16,
    ) -> Result<ProduceDecision, Refusal> {
        match self.replicas.get_mut(&key) {
            Some(replica) => replica.produce(now_ms, batch, acks),
            None => Err(Refusal { error: ErrorCode::NotLeaderOrFollower, log_start_offset: -1, message: None }),
        }
    }

    /// Takes back the partition's last `Append`, which the store has refused.
    pub fn append_failed(&mut self, key: TopicPartitionId, base_offset: i64) {
        probe::reached!(AppendTakenBack);
        probe::mutation!(UndoNothing => return);
        if let Some(replica) = self.replicas.get_mut(&key) {
            replica.undo_append(base_offset);
        }
    }

    /// Whether the answer for what lies below `end_offset` may leave, by DESIGN's table: with acks=1 once this broker
    /// has flushed it, with acks=all (−1) once the high watermark has passed it. Parked answers come out of
    /// [`Partitions::poll_effect`], in the order of their offsets. A partition that is gone answers `Closed`.
    pub fn await_ack(&mut self, token: Token, key: TopicPartitionId, end_offset: i64, acks: i16) -> Ack {
        let Some(replica) = self.replicas.get_mut(&key) else {
            self.effects.push_back(PartitionEffect::Closed { token, key });
            return Ack::Parked;
        };
        let (end, parked) = match acks {
            0 => return Ack::Now,
            ACKS_ALL => (replica.high_watermark(), &mut replica.all_acks),
            _ => (probe::mutated!(replica.flushed_end(), AckBeforeFlush => end_offset), &mut replica.leader_acks),
        };
        if end >= end_offset {
            return Ack::Now;
        }
        parked.park(end_offset, token);
        Ack::Parked
    }

    /// Forgets a parked answer whose time is up.
    pub fn cancel_ack(&mut self, token: Token, key: TopicPartitionId) {
        if let Some(replica) = self.replicas.get_mut(&key) {
            replica.leader_acks.cancel(token);
            replica.all_acks.cancel(token);
        }
    }

    /// All below `end_offset` is on this broker's disk.
    pub fn flushed(&mut self, key: TopicPartitionId, end_offset: i64) {
        let Some(replica) = self.replicas.get_mut(&key) else { return };
        let readable_before = replica.high_watermark();
        replica.set_flushed_end(probe::mutated!(end_offset, HighWatermarkBehind => end_offset - 1));
        let (flushed_end, high_watermark) = (replica.flushed_end(), replica.high_watermark());
        while let Some(token) = replica.leader_acks.release(flushed_end) {
            self.effects.push_back(PartitionEffect::Acked { token, key });
        }
        while let Some(token) = replica.all_acks.release(high_watermark) {
            self.effects.push_back(PartitionEffect::Acked { token, key });
        }
        if high_watermark > readable_before {
            self.wake(key, high_watermark);
        }
    }

    /// Wakes `token` once, when the partition's high watermark passes `seen_end_offset` or the partition closes: at
    /// once if that is so already.
    pub fn watch(&mut self, token: Token, key: TopicPartitionId, seen_end_offset: i64) {
        self.watches.insert(token, key, seen_end_offset);
        let readable = self.replicas.get(&key).map_or(i64::MAX, Replica::high_watermark);
        self.wake(key, readable);
    }

    /// Forgets all watches of `token`.
    pub fn unwatch(&mut self, token: Token) {
        self.watches.remove(token);
    }

    /// The log begins later now: retention, or DeleteRecords. A start before the known one changes nothing.
    pub fn set_log_start(&mut self, key: TopicPartitionId, log_start: i64) {
        if let Some(replica) = self.replicas.get_mut(&key) {
            replica.set_log_start(log_start);
        }
    }

    /// Takes over the producers of a snapshot; those that have expired are left out.
    pub fn load_producers(&mut self, now_ms: i64, key: TopicPartitionId, entries: &[ProducerEntry]) {
        if let Some(replica) = self.replicas.get_mut(&key) {
            replica.producers.load(entries);
            replica.producers.expire(now_ms, self.producer_expiration_ms);
        }
    }

    /// Takes over what a batch of the log says of its producer; batches come in the log's order, from the snapshot's
    /// offset on.
    pub fn replay_batch(&mut self, now_ms: i64, key: TopicPartitionId, batch: &BatchHeader) {
        probe::mutation!(ForgetProducers => return);
        if !batch.has_producer_id() || batch.is_control() || batch.base_sequence < 0 {
            return;
        }
        let sequenced = SequencedBatch {
            producer_id: batch.producer_id,
            epoch: batch.producer_epoch,
            base_sequence: batch.base_sequence,
            last_offset_delta: batch.last_offset_delta,
            timestamp: batch.max_timestamp,
        };
        if let Some(replica) = self.replicas.get_mut(&key) {
            replica.producers.replay(now_ms, &sequenced, batch.base_offset);
        }
    }

    /// The producers as of the flushed end, and that offset: after a start, they come back from this and from the batches
    /// that the log has from there on.
    pub fn producer_snapshot(&self, key: TopicPartitionId) -> (i64, Vec<ProducerEntry>) {
        let Some(replica) = self.replicas.get(&key) else { return (0, Vec::new()) };
        let offset = probe::mutated!(replica.flushed_end(), SnapshotAtLogEnd => replica.status().log_end);
        (offset, replica.producers.snapshot())
    }

    /// Producer id and last offset of all batches by which producers are recognized.
    pub fn repeatable_batches(&self, key: TopicPartitionId) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.replicas.get(&key).into_iter().flat_map(|replica| replica.producers.repeatable_batches())
    }

    /// Forgets the producers that have been silent too long. To be called every few minutes.
    pub fn expire_producers(&mut self, now_ms: i64) {
        for replica in self.replicas.values_mut() {
            replica.producers.expire(now_ms, self.producer_expiration_ms);
        }
    }

    /// What is to be done next.
    pub fn poll_effect(&mut self) -> Option<PartitionEffect> {
        self.effects.pop_front()
    }

    fn wake(&mut self, key: TopicPartitionId, end_offset: i64) {
        while let Some(token) = self.watches.wake(key, end_offset) {
            self.effects.push_back(PartitionEffect::Wake { token });
        }
    }
}

#[cfg(test)]
mod tests;
