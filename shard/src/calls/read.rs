//! Reads at the core that owns the partitions: from the tails at once, from segments by the disk.

use std::rc::Rc;

use broker::partition::PartitionStatus;
use bytes::Bytes;
use engine::error::EngineError;
use engine::log::{Read, ReadError};
use wire::api::k01_fetch::{EpochEndOffset, PartitionData};
use wire::batch::{BatchHeader, batches};
use wire::codec::Records;
use wire::compression::Compression;
use wire::{ErrorCode, TopicPartitionId};

use crate::core::{Core, State};
use crate::mesh::{ReadCall, ReadPart};
use crate::world::World;

/// Fetch requests below this version may not get zstd (KIP-110).
const ZSTD_SINCE: i16 = 10;

/// Reads one partition after the other, so that the limit is used in the order of the request.
pub(crate) async fn read<W: World>(core: Rc<Core<W>>, call: ReadCall) -> Vec<PartitionData> {
    let mut left = call.max_bytes;
    let mut any = false;
    let mut answers = Vec::with_capacity(call.parts.len());
    for part in call.parts {
        let data = read_one(&core, part, left, !any, call.version).await;
        let bytes = data.records.as_ref().map_or(0, Records::len);
        any |= bytes > 0;
        left = left.saturating_sub(bytes);
        answers.push(data);
    }
    answers
}

async fn read_one<W: World>(
    core: &Rc<Core<W>>,
    part: ReadPart,
    left: usize,
    at_least_one: bool,
    version: i16,
) -> PartitionData {
    let mut data = PartitionData {
        partition_index: part.key.partition,
        high_watermark: -1,
        records: Some(Records::default()),
        ..Default::default()
    };
    match read_beyond_empty(core, part, left, at_least_one, &mut data).await {
        Ok(chunks) if version < ZSTD_SINCE => {
            // A batch may lie across two pieces; for these old clients they are put together.
            let records = Records::new(chunks).into_bytes();
            if has_zstd(&records) {
                data.error_code = ErrorCode::UnsupportedCompressionType.code();
            } else {
                data.records = Some(records.into());
            }
        }
        Ok(chunks) => data.records = Some(Records::new(chunks)),
        Err(error) => data.error_code = error.code(),
    }
    data
}

/// As [`read_records`], but where compaction has left nothing but batches without records, those behind them: librdkafka
/// takes an answer without any record for a batch that is too large for it, and asks for it again.
async fn read_beyond_empty<W: World>(
    core: &Rc<Core<W>>,
    mut part: ReadPart,
    left: usize,
    at_least_one: bool,
    data: &mut PartitionData,
) -> Result<Vec<Bytes>, ErrorCode> {
    let first = read_records(core, part, left, at_least_one, data).await?;
    let mut read = first.clone();
    while let Some(next_offset) = behind_empty_batches(&read) {
        part.offset = next_offset;
        read = match read_records(core, part, left, at_least_one, data).await {
            // What is before the damage is for the reader all the same.
            Err(ErrorCode::CorruptMessage) => return Ok(first),
            read => read?,
        };
    }
    // At the log's end they tell how far the reader has come.
    Ok(if read.is_empty() { first } else { read })
}

/// The offset behind batches none of which has a record; `None` when one has, or when there are none.
fn behind_empty_batches(chunks: &[Bytes]) -> Option<i64> {
    let first = BatchHeader::parse(chunks.first()?).ok()?;
    if first.record_count > 0 {
        return None;
    }
    let records = Records::new(chunks.to_vec()).into_bytes();
    let headers = || batches(&records).flatten().map(|batch| batch.header);
    let is_empty = headers().all(|header| header.record_count == 0);
    headers().last().filter(|_| is_empty).map(|last| last.last_offset() + 1)
}

/// Fills in what is known of the partition, and returns the records.
async fn read_records<W: World>(
    core: &Rc<Core<W>>,
    part: ReadPart,
    left: usize,
    at_least_one: bool,
    data: &mut PartitionData,
) -> Result<Vec<Bytes>, ErrorCode> {
    let read = {
        let state = core.state_if_open().ok_or(ErrorCode::NotLeaderOrFollower)?;
        let status = leader_status(&state, part.key, part.current_leader_epoch)?;
        data.high_watermark = status.high_watermark;
        data.last_stable_offset = status.last_stable;
        data.log_start_offset = status.log_start;
        if let Some(diverging) = diverging_epoch(&state, &part) {
            data.diverging_epoch = diverging;
            return Ok(Vec::new());
        }
        if !(status.log_start..=status.log_end).contains(&part.offset) {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        if part.offset >= status.high_watermark || (left == 0 && !at_least_one) {
            return Ok(Vec::new());
        }
        let max_bytes = part.max_bytes.min(left);
        let log = state.store.log(part.key).ok_or(ErrorCode::NotLeaderOrFollower)?;
        log.read(part.offset, max_bytes, status.high_watermark, at_least_one)
            .map_err(|error| read_error(part.key, &error))?
    };
    match read {
        Read::Ready(chunks) => Ok(chunks),
        Read::Job(job) => match job.perform().await {
            // Retention has been there meanwhile.
            Err(error) if error.is_not_found() => Err(ErrorCode::OffsetOutOfRange),
            Err(EngineError::Rotten { path, rotten }) => {
                if let Some(mut state) = core.state_if_open() {
                    state.store.note_rotten(part.key, path, *rotten);
                }
                core.pump();
                Err(ErrorCode::CorruptMessage)
            }
            read => read.map_err(|error| read_error(part.key, &ReadError::Engine(error))),
        },
    }
}

fn read_error(key: TopicPartitionId, error: &ReadError) -> ErrorCode {
    match error {
        ReadError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Engine(error) => {
            tracing::error!(topic = %key.topic, partition = key.partition, %error, "a read failed");
            ErrorCode::KafkaStorageError
        }
    }
}

/// The partition's status, if this core leads it in the epoch that the client knows (KIP-320).
pub(crate) fn leader_status<W: World>(
    state: &State<W>,
    key: TopicPartitionId,
    current_leader_epoch: i32,
) -> Result<PartitionStatus, ErrorCode> {
    state.partitions.check_leader_epoch(key, current_leader_epoch)?;
    state.partitions.status(key).ok_or(ErrorCode::NotLeaderOrFollower)
}

/// Where the client's log parts from ours, if it does (KIP-595's check, which consumers use too).
fn diverging_epoch<W: World>(state: &State<W>, part: &ReadPart) -> Option<EpochEndOffset> {
    if part.last_fetched_epoch < 0 {
        return None;
    }
    let (epoch, end_offset) = state.store.log(part.key)?.end_offset_for_epoch(part.last_fetched_epoch);
    (epoch < part.last_fetched_epoch || end_offset < part.offset).then_some(EpochEndOffset { epoch, end_offset })
}

fn has_zstd(records: &[u8]) -> bool {
    batches(records).flatten().any(|batch| matches!(batch.header.compression(), Ok(Compression::Zstd)))
}
