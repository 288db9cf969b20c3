//! What a client is told of a batch that its partition does not take, in Kafka's words where it has any
//! (`RecordValidationException`, `LogValidator.processRecordErrors`).

use wire::api::k00_produce::{BatchIndexAndErrorMessage, PartitionProduceResponse};
use wire::batch::{BatchError, RefusalReason, RefusedRecord};
use wire::{ErrorCode, TopicPartitionId};

/// Refused records that the text for the whole batch shows.
const SHOWN_RECORDS: usize = 3;

/// The answer to a partition's batch, refused whole.
pub(super) fn refused(key: TopicPartitionId, error: ErrorCode, message: Option<String>) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index: key.partition,
        error_code: error.code(),
        base_offset: -1,
        error_message: message,
        ..Default::default()
    }
}

/// The answer to a batch that did not pass the checks; each of its records that is at fault is named.
pub(super) fn not_valid(
    key: TopicPartitionId,
    topic: &str,
    log_start_offset: i64,
    error: &BatchError,
) -> PartitionProduceResponse {
    let BatchError::RecordsRefused { records } = error else {
        return refused(key, error.code(), Some(error.to_string()));
    };
    let describe = |record: &RefusedRecord| match record.reason {
        RefusalReason::NullKey => format!("{record} in topic partition {topic}-{}", key.partition),
        RefusalReason::TimestampOutOfRange { .. } => record.to_string(),
    };
    let message = if error.code() == ErrorCode::InvalidTimestamp {
        "One or more records have been rejected due to invalid timestamp".to_owned()
    } else {
        let shown = records.iter().take(SHOWN_RECORDS);
        let shown: Vec<_> = shown
            .map(|record| format!("RecordError(batchIndex={}, message='{}')", record.index, describe(record)))
            .collect();
        format!(
            "One or more records have been rejected due to {} record errors in total, and only showing the first three \
             errors at most: [{}]",
            records.len(),
            shown.join(", ")
        )
    };
    let record_errors = records.iter().map(|record| BatchIndexAndErrorMessage {
        batch_index: record.index,
        batch_index_error_message: Some(describe(record)),
    });
    PartitionProduceResponse {
        log_start_offset,
        record_errors: record_errors.collect(),
        ..refused(key, error.code(), Some(message))
    }
}
