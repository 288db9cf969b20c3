//! One partition that this core leads: where its next batch goes, and how far it is durable and readable.
//!
//! Invariants: log start ≤ high watermark ≤ flushed end ≤ log end. This broker alone is in the in-sync set, so the
//! high watermark is the flushed end; without transactions the last stable offset is the high watermark.
//!
//! Deviations: batches of transactions are refused with INVALID_TXN_STATE, which is Kafka's answer to a transaction
//! that its coordinator knows nothing of.

use std::sync::Arc;

use wire::ErrorCode;
use wire::batch::{BatchSummary, NO_TIMESTAMP, TimestampType};

use super::acks::Acks;
use super::producers::{Producers, SequenceError, SequencedBatch, Sequencing};
use crate::config::TopicConfig;

use super::{PartitionStart, PartitionStatus, ProduceDecision, Refusal};

/// Replicas in the in-sync set: this broker.
const IN_SYNC_REPLICAS: i32 = 1;
/// `acks` that asks for all in-sync replicas.
pub(super) const ACKS_ALL: i16 = -1;

#[derive(Debug)]
pub(super) struct Replica {
    leader_epoch: i32,
    log_start: i64,
    log_end: i64,
    flushed_end: i64,
    replication_factor: i32,
    config: Arc<TopicConfig>,
    pub(super) producers: Producers,
    /// Waiting for the flushed end (acks=1).
    pub(super) leader_acks: Acks,
    /// Waiting for the high watermark (acks=all).
    pub(super) all_acks: Acks,
    /// Base offset of the last append, for as long as the store may still refuse it.
    last_append: Option<i64>,
}

impl Replica {
    pub(super) fn new(start: PartitionStart) -> Self {
        let PartitionStart { leader_epoch, log_start, log_end, replication_factor, config } = start;
        assert!(0 <= log_start && log_start <= log_end, "a log starts before it ends: {log_start}..{log_end}");
        assert!(replication_factor >= 1, "a led partition has a replica");
        Replica {
            leader_epoch,
            log_start,
            log_end,
            flushed_end: log_end,
            replication_factor,
            config,
            producers: Producers::default(),
            leader_acks: Acks::default(),
            all_acks: Acks::default(),
            last_append: None,
        }
    }

    pub(super) fn status(&self) -> PartitionStatus {
        let readable = probe::mutated!(self.high_watermark(), ReadBeforeFlush => self.log_end);
        PartitionStatus {
            leader_epoch: self.leader_epoch,
            log_start: self.log_start,
            log_end: self.log_end,
            flushed_end: self.flushed_end,
            high_watermark: readable,
            last_stable: readable,
        }
    }

    pub(super) fn high_watermark(&self) -> i64 {
        self.flushed_end
    }

    pub(super) fn flushed_end(&self) -> i64 {
        self.flushed_end
    }

    pub(super) fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    pub(super) fn configure(&mut self, config: Arc<TopicConfig>) {
        self.config = config;
    }

    pub(super) fn set_log_start(&mut self, log_start: i64) {
        assert!(log_start <= self.log_end, "a log start of {log_start} is beyond the end, {}", self.log_end);
        self.log_start = self.log_start.max(log_start);
    }

    pub(super) fn set_flushed_end(&mut self, flushed_end: i64) {
        assert!(flushed_end <= self.log_end, "nothing beyond the end, {}, is flushed: {flushed_end}", self.log_end);
        self.flushed_end = self.flushed_end.max(flushed_end);
        self.producers.flushed(self.flushed_end);
    }

    pub(super) fn produce(&mut self, now_ms: i64, batch: &BatchSummary, acks: i16) -> Result<ProduceDecision, Refusal> {
        assert!(batch.record_count >= 1 && batch.last_offset_delta == batch.record_count - 1, "a validated batch");
        self.check_appendable(batch, acks)?;
        let log_append_time = (self.config.message_timestamp_type == TimestampType::LogAppendTime).then_some(now_ms);
        let sequenced = self.sequenced(batch, log_append_time)?;
        if let Some(batch) = &sequenced {
            match self.producers.check(batch) {
                Ok(Sequencing::Next) => {}
                Ok(Sequencing::Duplicate(seen)) => {
                    return Ok(ProduceDecision::Duplicate {
                        base_offset: seen.base_offset(),
                        end_offset: seen.last_offset() + 1,
                        append_time: seen.timestamp(),
                    });
                }
                Err(error) => return Err(self.refuse_sequence(error)),
            }
        }
        let base_offset = self.log_end;
        if let Some(batch) = &sequenced {
            self.producers.record(now_ms, batch, base_offset);
        }
        self.log_end = base_offset.checked_add(i64::from(batch.record_count)).expect("offsets do not run out");
        self.last_append = Some(base_offset);
        Ok(ProduceDecision::Append { base_offset, leader_epoch: self.leader_epoch, log_append_time })
    }

    /// Takes the last append back.
    pub(super) fn undo_append(&mut self, base_offset: i64) {
        let last = self.last_append.take().expect("an append is taken back once, before the next");
        assert_eq!(last, base_offset, "only the last append can be taken back");
        assert!(self.flushed_end <= base_offset, "what is flushed stays");
        self.log_end = base_offset;
        self.producers.take_back(base_offset);
    }

    fn check_appendable(&self, batch: &BatchSummary, acks: i16) -> Result<(), Refusal> {
        let in_sync_min = self.config.min_insync_replicas.min(self.replication_factor);
        if acks == ACKS_ALL && IN_SYNC_REPLICAS < in_sync_min {
            let message = format!(
                "The size of the current ISR : {IN_SYNC_REPLICAS} is insufficient to satisfy the min.isr requirement \
                 of {in_sync_min}"
            );
            return Err(self.refuse(ErrorCode::NotEnoughReplicas, message));
        }
        if batch.size as u64 > self.config.segment_bytes {
            let message = format!(
                "The batch's {} bytes exceed the segment size of {} bytes",
                batch.size, self.config.segment_bytes
            );
            return Err(Refusal { log_start_offset: -1, ..self.refuse(ErrorCode::RecordListTooLarge, message) });
        }
        if batch.transactional {
            return Err(self.refuse(ErrorCode::InvalidTxnState, "no transaction is open on this partition".into()));
        }
        Ok(())
    }

    /// What an idempotent producer's batch says of itself; `None` from other producers.
    fn sequenced(&self, batch: &BatchSummary, log_append_time: Option<i64>) -> Result<Option<SequencedBatch>, Refusal> {
        if batch.producer_id < 0 {
            return Ok(None);
        }
        if batch.base_sequence < 0 {
            let message = format!(
                "Invalid sequence number {} in record batch with producerId {}",
                batch.base_sequence, batch.producer_id
            );
            return Err(self.refuse(ErrorCode::InvalidRecord, message));
        }
        Ok(Some(SequencedBatch {
            producer_id: batch.producer_id,
            epoch: batch.producer_epoch,
            base_sequence: batch.base_sequence,
            last_offset_delta: batch.last_offset_delta,
            timestamp: log_append_time.unwrap_or(batch.max_timestamp.max(NO_TIMESTAMP)),
        }))
    }

    fn refuse_sequence(&self, error: SequenceError) -> Refusal {
        let code = match error {
            SequenceError::OldEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            SequenceError::NewEpochNotAtZero { .. } | SequenceError::OutOfOrder { .. } => {
                ErrorCode::OutOfOrderSequenceNumber
            }
        };
        self.refuse(code, error.to_string())
    }

    fn refuse(&self, error: ErrorCode, message: String) -> Refusal {
        Refusal { error, log_start_offset: self.log_start, message: Some(message) }
    }
}
