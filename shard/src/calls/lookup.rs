//! ListOffsets, DeleteRecords and OffsetForLeaderEpoch at the core that owns the partitions.

use std::rc::Rc;

use engine::error::EngineError;
use engine::log::FoundTimestamp;
use futures_channel::oneshot;
use wire::api::k02_list_offsets::ListOffsetsPartitionResponse;
use wire::api::k21_delete_records::DeleteRecordsPartitionResult;
use wire::api::k23_offset_for_leader_epoch::EpochEndOffset;
use wire::{ErrorCode, TopicPartitionId};

use super::produce::append_error;
use super::read::leader_status;
use crate::core::Core;
use crate::mesh::{EpochQuery, OffsetQuery};
use crate::waiters::LogStartWaiter;
use crate::world::World;

/// ListOffsets' names for what is not a timestamp (`ListOffsetsRequest.java`).
mod named {
    pub(super) const LATEST: i64 = -1;
    pub(super) const EARLIEST: i64 = -2;
    pub(super) const MAX_TIMESTAMP: i64 = -3;
    pub(super) const EARLIEST_LOCAL: i64 = -4;
    pub(super) const LATEST_TIERED: i64 = -5;
    pub(super) const EARLIEST_PENDING_UPLOAD: i64 = -6;
}

/// What a log that has no leader epochs yet answers.
const NO_EPOCH: i32 = -1;
/// DeleteRecords' name for the high watermark.
const HIGH_WATERMARK: i64 = -1;

pub(crate) async fn list_offsets<W: World>(
    core: Rc<Core<W>>,
    queries: Vec<OffsetQuery>,
) -> Vec<ListOffsetsPartitionResponse> {
    let mut answers = Vec::with_capacity(queries.len());
    for query in queries {
        let mut answer = ListOffsetsPartitionResponse { partition_index: query.key.partition, ..Default::default() };
        match list_one(&core, query).await {
            Ok(Some(found)) => {
                (answer.timestamp, answer.offset, answer.leader_epoch) =
                    (found.timestamp, found.offset, found.leader_epoch);
            }
            Ok(None) => {}
            Err(error) => answer.error_code = error.code(),
        }
        answers.push(answer);
    }
    answers
}

async fn list_one<W: World>(core: &Core<W>, query: OffsetQuery) -> Result<Option<FoundTimestamp>, ErrorCode> {
    let lookup = {
        let state = core.state_if_open().ok_or(ErrorCode::NotLeaderOrFollower)?;
        let status = leader_status(&state, query.key, query.current_leader_epoch)?;
        let log = state.store.log(query.key).ok_or(ErrorCode::NotLeaderOrFollower)?;
        let at = |offset| {
            Ok(Some(FoundTimestamp {
                timestamp: -1,
                offset,
                leader_epoch: log.leader_epochs().epoch_of(offset).unwrap_or(NO_EPOCH),
            }))
        };
        match query.timestamp {
            named::LATEST => return at(status.high_watermark),
            named::EARLIEST | named::EARLIEST_LOCAL => return at(status.log_start),
            named::LATEST_TIERED | named::EARLIEST_PENDING_UPLOAD => return Ok(None),
            named::MAX_TIMESTAMP => log.find_max_timestamp(status.high_watermark),
            timestamp if timestamp >= 0 => log.find_timestamp(timestamp, status.high_watermark),
            _ => return Err(ErrorCode::UnsupportedVersion),
        }
    };
    lookup.perform().await.map_err(|error| {
        tracing::error!(topic = %query.key.topic, partition = query.key.partition, %error, "a lookup failed");
        match error {
            EngineError::Corrupted { .. } | EngineError::Rotten { .. } => ErrorCode::CorruptMessage,
            _ => ErrorCode::KafkaStorageError,
        }
    })
}

pub(crate) async fn delete_records<W: World>(
    core: Rc<Core<W>>,
    parts: Vec<(TopicPartitionId, i64)>,
) -> Vec<DeleteRecordsPartitionResult> {
    let mut answers = Vec::with_capacity(parts.len());
    for (key, before) in parts {
        let (low_watermark, error) = match delete_before(&core, key, before).await {
            Ok(low_watermark) => (low_watermark, ErrorCode::None),
            Err(error) => (-1, error),
        };
        answers.push(DeleteRecordsPartitionResult {
            partition_index: key.partition,
            low_watermark,
            error_code: error.code(),
        });
    }
    answers
}

/// Moves the log start; returns it once it is durable.
async fn delete_before<W: World>(core: &Rc<Core<W>>, key: TopicPartitionId, before: i64) -> Result<i64, ErrorCode> {
    let receiver = {
        let mut state = core.state_if_open().ok_or(ErrorCode::NotLeaderOrFollower)?;
        let status = leader_status(&state, key, -1)?;
        let policy = core.catalog().topic_config(key.topic).map(|config| config.cleanup_policy);
        if policy.is_some_and(|policy| policy.compact && !policy.delete) {
            return Err(ErrorCode::PolicyViolation);
        }
        let before = if before == HIGH_WATERMARK { status.high_watermark } else { before };
        if before < 0 || before > status.high_watermark {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        if before <= status.log_start {
            return Ok(status.log_start);
        }
        state.store.delete_records(key, before).map_err(append_error)?;
        let (sender, receiver) = oneshot::channel();
        state.log_starts.push(LogStartWaiter { key, offset: before, sender });
        receiver
    };
    core.pump();
    receiver.await.map_err(|oneshot::Canceled| ErrorCode::NotLeaderOrFollower)
}

pub(crate) fn epoch_ends<W: World>(core: &Core<W>, queries: Vec<EpochQuery>) -> Vec<EpochEndOffset> {
    let state = core.state();
    let answer = |query: EpochQuery| {
        let mut answer = EpochEndOffset { partition: query.key.partition, ..Default::default() };
        match leader_status(&state, query.key, query.current_leader_epoch) {
            Ok(_) => {
                if let Some(log) = state.store.log(query.key) {
                    (answer.leader_epoch, answer.end_offset) = log.end_offset_for_epoch(query.leader_epoch);
                }
            }
            Err(error) => answer.error_code = error.code(),
        }
        answer
    };
    queries.into_iter().map(answer).collect()
}
