//! Appends at the core that owns the partitions: check, decide, copy into the log, wait for the acknowledgement.

use std::rc::Rc;

use broker::Token;
use broker::config::{BatchValidation, TopicConfig};
use broker::partition::{Ack, ProduceDecision};
use bytes::Bytes;
use engine::append::AppendBatch;
use engine::log::Log;
use engine::store::AppendError;
use futures_channel::oneshot;
use wire::api::k00_produce::PartitionProduceResponse;
use wire::batch::{
    BatchError, BatchHeader, BatchSummary, NO_TIMESTAMP, ProduceRules, TimestampType, recompress, set_base_offset,
    set_max_timestamp, validate_produce,
};
use wire::compression::Compression;
use wire::{ErrorCode, TopicPartitionId};

use super::refused::{not_valid, refused};
use crate::core::{Core, State};
use crate::mesh::{ProduceCall, ProducePart};
use crate::waiters::Appended;
use crate::world::World;

/// Produce requests below this version may not carry zstd (KIP-110).
const ZSTD_SINCE: i16 = 7;
/// The most that a compressed batch is opened to, where it is opened: sixty-four times what a batch may be by default.
const OPENED_BYTES_MAX: usize = 64 << 20;
const ACKS_ALL: i16 = -1;

/// A produce call on its way into the logs.
pub(crate) struct Appending {
    acks: i16,
    version: i16,
    parts: std::vec::IntoIter<ProducePart>,
    /// What the first of the parts was found to be, when there was no room for it.
    checked: Option<BatchSummary>,
    answers: Vec<(TopicPartitionId, PartitionProduceResponse)>,
    token: Token,
    sender: oneshot::Sender<Vec<PartitionProduceResponse>>,
}

/// Appends now, unless memory or the journal are used up: then in its turn, when there is room again.
pub(crate) fn begin<W: World>(
    core: &Rc<Core<W>>,
    call: ProduceCall,
) -> oneshot::Receiver<Vec<PartitionProduceResponse>> {
    let (sender, receiver) = oneshot::channel();
    let mut state = core.state();
    let appending = Appending {
        acks: call.acks,
        version: call.version,
        answers: Vec::with_capacity(call.parts.len()),
        parts: call.parts.into_iter(),
        checked: None,
        token: state.waiters.begin(),
        sender,
    };
    state.appending.push_back(appending);
    let is_next = state.appending.len() == 1;
    drop(state);
    if is_next {
        proceed(core);
    }
    receiver
}

/// Appends what waits, oldest first, as far as there is room.
pub(crate) fn proceed<W: World>(core: &Rc<Core<W>>) {
    loop {
        let mut state = core.state();
        let Some(mut oldest) = state.appending.pop_front() else { break };
        match append_parts(core, &mut state, &mut oldest) {
            Ok(()) => {
                let Appending { answers, token, sender, .. } = oldest;
                let settled = state.waiters.complete(token, Appended::Produce { answers, sender });
                drop(state);
                core.settled(settled);
            }
            Err(NoRoom) => {
                state.appending.push_front(oldest);
                break;
            }
        }
    }
    core.pump();
}

/// Memory or the journal are used up for now.
struct NoRoom;

fn append_parts<W: World>(core: &Core<W>, state: &mut State<W>, appending: &mut Appending) -> Result<(), NoRoom> {
    while let Some(key) = appending.parts.as_slice().first().map(|part| part.key) {
        let answer = match append_one(core, state, appending) {
            Ok(answer) => answer,
            Err(Refused::Busy(summary)) => {
                appending.checked = Some(*summary);
                return Err(NoRoom);
            }
            Err(Refused::Answer(answer)) => *answer,
        };
        appending.parts.next();
        appending.checked = None;
        appending.answers.push((key, answer));
    }
    Ok(())
}

/// Why a batch was not appended.
enum Refused {
    /// There is no room now for this batch.
    Busy(Box<BatchSummary>),
    /// This is to be answered.
    Answer(Box<PartitionProduceResponse>),
}

fn append_one<W: World>(
    core: &Core<W>,
    state: &mut State<W>,
    appending: &mut Appending,
) -> Result<PartitionProduceResponse, Refused> {
    let part = &mut appending.parts.as_mut_slice()[0];
    let key = part.key;
    let refuse = |error, message| Refused::Answer(Box::new(refused(key, error, message)));
    let now_ms = core.world().now_ms();
    let catalog = core.catalog();
    let Some(config) = catalog.topic_config(key.topic) else {
        return Err(refuse(ErrorCode::UnknownTopicOrPartition, None));
    };
    let summary = match appending.checked {
        Some(summary) => summary,
        None => {
            if appending.version < ZSTD_SINCE && is_zstd(&part.records) {
                return Err(refuse(ErrorCode::UnsupportedCompressionType, None));
            }
            let rules = produce_rules(config, catalog.config.batch_validation, now_ms);
            check(part, &rules, config.compression_type).map_err(|error| {
                let topic = catalog.image.topic(key.topic).map_or("", |topic| &*topic.name);
                let log_start = state.partitions.status(key).map_or(-1, |status| status.log_start);
                Refused::Answer(Box::new(not_valid(key, topic, log_start, &error)))
            })?
        }
    };
    let decision = state.partitions.produce(now_ms, key, &summary, appending.acks).map_err(|refusal| {
        let mut answer = refused(key, refusal.error, refusal.message);
        answer.log_start_offset = refusal.log_start_offset;
        Refused::Answer(Box::new(answer))
    })?;
    let mut answer = PartitionProduceResponse { index: key.partition, ..Default::default() };
    let end_offset = match decision {
        ProduceDecision::Duplicate { base_offset, end_offset, append_time } => {
            (answer.base_offset, answer.log_append_time_ms) = (base_offset, append_time);
            probe::mutated!(end_offset, DuplicateAckedEarly => 0)
        }
        ProduceDecision::Append { base_offset, leader_epoch, log_append_time } => {
            let place = Place { key, base_offset, leader_epoch, log_append_time };
            store(state, &place, &part.records, &summary, now_ms).map_err(|error| match error {
                AppendError::Busy => Refused::Busy(Box::new(summary)),
                error => refuse(append_error(error), None),
            })?;
            core.counters().appended(u64::from(summary.record_count.unsigned_abs()), summary.size);
            (answer.base_offset, answer.log_append_time_ms) = (base_offset, log_append_time.unwrap_or(NO_TIMESTAMP));
            base_offset + i64::from(summary.last_offset_delta) + 1
        }
    };
    answer.log_start_offset = state.partitions.status(key).map_or(-1, |status| status.log_start);
    if state.partitions.await_ack(appending.token, key, end_offset, appending.acks) == Ack::Parked {
        state.waiters.park(appending.token);
    }
    Ok(answer)
}

fn is_zstd(batch: &[u8]) -> bool {
    BatchHeader::parse(batch).is_ok_and(|header| matches!(header.compression(), Ok(Compression::Zstd)))
}

/// Checks the batch, and puts it into the topic's own codec, if it has one.
fn check(part: &mut ProducePart, rules: &ProduceRules, own: Option<Compression>) -> Result<BatchSummary, BatchError> {
    let summary = validate_produce(&part.records, rules)?;
    let Some(codec) = own.filter(|codec| *codec != summary.compression) else { return Ok(summary) };
    let (batch, summary) = recompress(&part.records, &summary, codec, rules.opened_bytes_max)?;
    if summary.size > rules.batch_bytes_max {
        return Err(BatchError::TooLarge { size: summary.size, limit: rules.batch_bytes_max });
    }
    part.records = Bytes::from(batch);
    Ok(summary)
}

/// What a produce call is answered, when some partitions were closed after their batch was appended.
pub(crate) fn answer(
    answers: Vec<(TopicPartitionId, PartitionProduceResponse)>,
    closed: &[TopicPartitionId],
) -> Vec<PartitionProduceResponse> {
    let answer = |(key, answer): (TopicPartitionId, PartitionProduceResponse)| {
        if answer.error_code == 0 && closed.contains(&key) {
            refused(key, ErrorCode::NotLeaderOrFollower, None)
        } else {
            answer
        }
    };
    answers.into_iter().map(answer).collect()
}

/// Where the partition has decided that a batch goes.
struct Place {
    key: TopicPartitionId,
    base_offset: i64,
    leader_epoch: i32,
    log_append_time: Option<i64>,
}

/// Hands the batch to the log, or takes the decision back.
fn store<W: World>(
    state: &mut State<W>,
    place: &Place,
    records: &Bytes,
    summary: &BatchSummary,
    now_ms: i64,
) -> Result<(), AppendError> {
    let mut max_timestamp = summary.max_timestamp;
    let mut max_timestamp_offset_delta = summary.max_timestamp_offset_delta;
    let mut bytes = records.slice(..summary.size);
    if place.log_append_time.is_some() || summary.max_timestamp_is_wrong {
        // The timestamps are under the CRC: this batch alone is copied once more, to be changed.
        let mut changed = bytes.to_vec();
        match place.log_append_time {
            Some(time) => {
                (max_timestamp, max_timestamp_offset_delta) = (time, 0);
                set_max_timestamp(&mut changed, TimestampType::LogAppendTime, time);
            }
            None => set_max_timestamp(&mut changed, TimestampType::CreateTime, max_timestamp),
        }
        bytes = Bytes::from(changed);
    }
    let batch = AppendBatch {
        bytes: &bytes,
        base_offset: place.base_offset,
        leader_epoch: place.leader_epoch,
        last_offset: place.base_offset + i64::from(summary.last_offset_delta),
        max_timestamp,
        max_timestamp_offset: place.base_offset + i64::from(max_timestamp_offset_delta),
    };
    let segments = |state: &State<W>| state.store.log(place.key).map(Log::segment_count);
    let before = segments(state);
    state.store.append(place.key, batch, now_ms).inspect_err(|_| {
        state.partitions.append_failed(place.key, place.base_offset);
    })?;
    if segments(state) != before {
        // With a segment closes what recovery would have to read to know its producers.
        let (offset, producers) = state.partitions.producer_snapshot(place.key);
        state.store.set_producer_snapshot(place.key, offset, producers);
    }
    Ok(())
}

/// What a client is told of a refused append.
pub(crate) fn append_error(error: AppendError) -> ErrorCode {
    match error {
        AppendError::Full => ErrorCode::KafkaStorageError,
        AppendError::Busy => ErrorCode::RequestTimedOut,
        AppendError::TooLarge(_) => ErrorCode::MessageTooLarge,
        AppendError::Unknown => ErrorCode::NotLeaderOrFollower,
    }
}

/// Appends a batch of the broker's own, whose records nobody else may write; `then` happens when it is durable.
pub(crate) fn append_own<W: World>(
    core: &Core<W>,
    state: &mut State<W>,
    key: TopicPartitionId,
    mut batch: Vec<u8>,
    then: Appended,
) -> Result<(), ErrorCode> {
    // As a client sends it; the log gives it its offset.
    set_base_offset(&mut batch, 0);
    let now_ms = core.world().now_ms();
    let rules = own_rules(now_ms);
    let bytes = Bytes::from(batch);
    let summary = validate_produce(&bytes, &rules).expect("the broker's own batches are well formed");
    let decision = state.partitions.produce(now_ms, key, &summary, ACKS_ALL).map_err(|refusal| refusal.error)?;
    let ProduceDecision::Append { base_offset, leader_epoch, .. } = decision else {
        unreachable!("a batch without a producer id is never a duplicate")
    };
    let place = Place { key, base_offset, leader_epoch, log_append_time: None };
    store(state, &place, &bytes, &summary, now_ms).map_err(append_error)?;
    let token = state.waiters.begin();
    let end_offset = base_offset + i64::from(summary.last_offset_delta) + 1;
    let ack = state.partitions.await_ack(token, key, end_offset, ACKS_ALL);
    assert_eq!(ack, Ack::Parked, "what was appended just now is not durable yet");
    state.waiters.park(token);
    let settled = state.waiters.complete(token, then);
    assert!(settled.is_none(), "it is parked");
    Ok(())
}

/// What a topic demands of a batch now.
fn produce_rules(config: &TopicConfig, validation: BatchValidation, now_ms: i64) -> ProduceRules {
    ProduceRules {
        now_ms,
        batch_bytes_max: config.max_message_bytes,
        compacted: config.cleanup_policy.compact,
        timestamp_type: config.message_timestamp_type,
        timestamp_before_max_ms: config.message_timestamp_before_max_ms,
        timestamp_after_max_ms: config.message_timestamp_after_max_ms,
        open_compressed: validation == BatchValidation::Full || config.compression_type.is_some(),
        opened_bytes_max: OPENED_BYTES_MAX,
    }
}

/// What the broker demands of its own batches.
fn own_rules(now_ms: i64) -> ProduceRules {
    ProduceRules {
        now_ms,
        batch_bytes_max: usize::MAX,
        compacted: false,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        open_compressed: false,
        opened_bytes_max: OPENED_BYTES_MAX,
    }
}
