//! One partition of one producer: records that gather into batches, and batches that wait to be sent.
//!
//! Invariant: `sealed` is in the order of the records' sequences, those to be sent again included.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use wire::batch::{BatchBuilder, BatchOptions, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE};
use wire::compression::Compression;

use super::EngineError;
use super::clock::Nanos;

/// Bytes around a record's key and value at most: length, attributes, deltas, lengths, header count.
const RECORD_OVERHEAD_BYTES: usize = 30;

/// A batch as it goes to the broker.
#[derive(Debug)]
pub struct Batch {
    /// The batch's bytes.
    pub bytes: Bytes,
    /// When each record was due.
    pub intended: Vec<Nanos>,
    /// The first record's sequence within its producer and partition.
    pub first_sequence: u64,
    /// When it was first sent, if it was.
    pub first_sent: Option<Nanos>,
}

impl Batch {
    /// How many records.
    pub fn records(&self) -> u64 {
        self.intended.len() as u64
    }

    /// Their sequences.
    pub fn sequences(&self) -> Range<u64> {
        self.first_sequence..self.first_sequence + self.records()
    }
}

/// What an idempotent producer puts into its batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Producer id.
    pub id: i64,
    /// Producer epoch.
    pub epoch: i16,
}

/// A partition's records on their way.
#[derive(Debug, Default)]
pub struct Queue {
    builder: BatchBuilder,
    intended: Vec<Nanos>,
    opened_at: Nanos,
    sealed: VecDeque<Batch>,
    next_sequence: u64,
    /// Batches without an answer.
    pub in_flight: u32,
    /// Batches wait to be sent again; nothing is sent until all in flight are answered.
    pub is_retrying: bool,
    /// Nothing is sent before this.
    pub not_before: Nanos,
    /// Whether it stands in its leader's list.
    pub is_listed: bool,
}

impl Queue {
    /// The sequence of the record to come.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Whether a record would make the open batch too large.
    pub fn would_overflow(&self, record_bytes: usize, batch_bytes: usize) -> bool {
        self.builder.record_count() > 0 && self.builder.size() + record_bytes + RECORD_OVERHEAD_BYTES > batch_bytes
    }

    /// Adds a record. True when it opened a batch.
    ///
    /// # Errors
    /// [`EngineError::Batch`].
    #[inline]
    pub fn append(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: &[u8],
        intended: Nanos,
        now: Nanos,
    ) -> Result<bool, EngineError> {
        let opens = self.intended.is_empty();
        self.builder.append(timestamp_ms, key, Some(value), &[])?;
        self.intended.push(intended);
        self.next_sequence += 1;
        if opens {
            self.opened_at = now;
        }
        Ok(opens)
    }

    /// Closes the open batch, if there is one.
    ///
    /// # Errors
    /// [`EngineError::Batch`].
    pub fn seal(&mut self, compression: Compression, identity: Option<Identity>) -> Result<(), EngineError> {
        if self.intended.is_empty() {
            return Ok(());
        }
        let records = self.intended.len() as u64;
        let first_sequence = self.next_sequence - records;
        let options = BatchOptions {
            compression,
            producer_id: identity.map_or(NO_PRODUCER_ID, |identity| identity.id),
            producer_epoch: identity.map_or(NO_PRODUCER_EPOCH, |identity| identity.epoch),
            base_sequence: identity.map_or(NO_SEQUENCE, |_| wire_sequence(first_sequence)),
            ..BatchOptions::default()
        };
        let mut bytes = Vec::with_capacity(self.builder.size());
        self.builder.build(&options, &mut bytes)?;
        let intended = std::mem::replace(&mut self.intended, Vec::with_capacity(records as usize));
        self.sealed.push_back(Batch { bytes: bytes.into(), intended, first_sequence, first_sent: None });
        Ok(())
    }

    /// When the open batch has waited for `linger`; none when nothing is open.
    pub fn linger_ends(&self, linger: Nanos) -> Option<Nanos> {
        (!self.intended.is_empty()).then(|| self.opened_at.saturating_add(linger))
    }

    /// Whether there is something to send.
    pub fn has_due(&self, now: Nanos, linger: Nanos) -> bool {
        !self.sealed.is_empty() || self.linger_ends(linger).is_some_and(|end| end <= now)
    }

    /// Whether it may be sent now.
    pub fn may_send(&self, now: Nanos) -> bool {
        now >= self.not_before && !(self.is_retrying && self.in_flight > 0)
    }

    /// The batch to send next, and whether it was still open.
    ///
    /// # Errors
    /// [`EngineError::Batch`].
    pub fn take(
        &mut self,
        compression: Compression,
        identity: Option<Identity>,
    ) -> Result<Option<(Batch, bool)>, EngineError> {
        let was_open = self.sealed.is_empty();
        if was_open {
            self.seal(compression, identity)?;
        }
        Ok(self.sealed.pop_front().map(|batch| (batch, was_open)))
    }

    /// Puts a batch back where its sequence belongs.
    pub fn put_back(&mut self, batch: Batch) {
        let at = self.sealed.partition_point(|other| other.first_sequence < batch.first_sequence);
        self.sealed.insert(at, batch);
    }

    /// Takes out all that waits: nobody will send it.
    pub fn give_up(&mut self) -> u64 {
        let open = std::mem::take(&mut self.intended).len() as u64;
        self.builder = BatchBuilder::new();
        open + self.sealed.drain(..).map(|batch| batch.records()).sum::<u64>()
    }
}

/// Sequences on the wire go from 0 to 2³¹−1 and begin again (Kafka's `DefaultRecordBatch.incrementSequence`).
fn wire_sequence(sequence: u64) -> i32 {
    (sequence & 0x7fff_ffff) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_that_come_back_stand_in_order() {
        let mut queue = Queue::default();
        for sequence in 0..3 {
            queue.append(0, None, b"value", sequence, 10).expect("room");
            queue.seal(Compression::None, Some(Identity { id: 1, epoch: 0 })).expect("a batch");
        }
        let mut take = || queue.take(Compression::None, None).expect("a batch").expect("three").0;
        let (first, second) = (take(), take());
        queue.put_back(second);
        queue.put_back(first);
        let order: Vec<u64> = queue.sealed.iter().map(|batch| batch.first_sequence).collect();
        assert_eq!(order, [0, 1, 2]);
        assert_eq!(queue.give_up(), 3);
        assert_eq!(wire_sequence(1 << 31), 0);
    }

    #[test]
    fn a_batch_is_due_when_it_is_full_or_has_lingered() {
        let mut queue = Queue::default();
        assert!(!queue.has_due(100, 0));
        assert!(queue.append(0, None, &[0; 100], 5, 10).expect("room"), "the first opens");
        assert!(!queue.append(0, None, &[0; 100], 6, 12).expect("room"));
        assert!(queue.has_due(10, 0) && !queue.has_due(14, 5) && queue.has_due(15, 5));
        assert!(queue.would_overflow(100, 300) && !queue.would_overflow(100, 1000));
        queue.seal(Compression::None, None).expect("a batch");
        assert!(queue.has_due(10, 5));
        assert_eq!(queue.next_sequence(), 2);
    }
}
