//! Fetch: v4–v18.
//! Behaviour: reads what there is; with less than min_bytes and no error it waits until the high watermark of a partition
//! passes what was seen, or max_wait_ms is over, and reads again.
//! What is read is held in memory that the core has reserved for it. When that is short, an answer is smaller than it might
//! be.
//! Deviations: no fetch sessions: every answer has session id 0, which KIP-227 allows, and a client that asks for what is new in
//! a session is told FETCH_SESSION_ID_NOT_FOUND. Versions: v10 zstd; v12 flexible, diverging epochs; v13 topic ids.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use wire::api::FetchRequest;
use wire::api::k01_fetch::{FetchResponse, FetchTopic, FetchableTopicResponse, PartitionData};
use wire::codec::Records;
use wire::{ErrorCode, TopicPartitionId, Uuid};

use super::{Context, TOPIC_IDS_FETCH, spread::Spread};
use crate::mesh::{Call, ReadCall, ReadPart, Reply};
use crate::world::{CoreId, World};

/// The session epochs of a fetch that names everything it wants, whatever its session: to open one, and to have none.
const FULL_FETCHES: [i32; 2] = [0, -1];
const READ_COMMITTED: i8 = 1;

/// With memory short, a fetch reads up to this many bytes, or one batch.
const SHORT_BYTES: usize = 1 << 20;

/// A partition of the request: where it is, or why it cannot be read.
struct Slot {
    partition: i32,
    placed: Result<(CoreId, ReadPart), ErrorCode>,
}

pub(super) async fn handle<W: World>(context: Rc<Context<W>>, request: FetchRequest) -> FetchResponse {
    if !FULL_FETCHES.contains(&request.session_epoch) {
        return FetchResponse { error_code: ErrorCode::FetchSessionIdNotFound.code(), ..Default::default() };
    }
    let core = &context.core;
    let deadline_ms = core.world().now_ms() + i64::from(request.max_wait_ms.max(0));
    let (mut topics, mut slots) = (Vec::new(), Vec::new());
    for topic in request.topics {
        let count = topic.partitions.len();
        let (name, id) = place(&context, topic, &mut slots);
        topics.push((name, id, count));
    }
    let max_bytes = usize::try_from(request.max_bytes).unwrap_or(0).min(core.limits().fetch_bytes_max);
    let min_bytes = usize::try_from(request.min_bytes).unwrap_or(0).min(max_bytes);
    let (mut read, mut limit) = read_all(&context, &slots, max_bytes).await;
    while !slots.is_empty() && !is_enough(&read, min_bytes.min(limit)) {
        let left_ms = deadline_ms - core.world().now_ms();
        let Ok(left_ms @ 1..) = u64::try_from(left_ms) else { break };
        // Nothing is held while the client waits.
        let seen = read.iter().map(|data| data.high_watermark).collect();
        drop(read);
        context.answer_memory.take();
        probe::reached!(FetchParked);
        wait_for_more(&context, &slots, seen, Duration::from_millis(left_ms)).await;
        (read, limit) = read_all(&context, &slots, max_bytes).await;
    }
    let (response, bytes) = respond(topics, read, limit, request.isolation_level);
    shrink_memory(&context, bytes);
    response
}

/// Adds the topic's partitions to `slots`; returns what the answer calls the topic.
fn place<W: World>(context: &Context<W>, topic: FetchTopic, slots: &mut Vec<Slot>) -> (String, Uuid) {
    let catalog = context.core.catalog();
    let by_id = context.version >= TOPIC_IDS_FETCH;
    let known = if by_id { catalog.image.topic(topic.topic_id) } else { catalog.image.topic_named(&topic.topic) };
    let unknown = if by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
    for partition in topic.partitions {
        let placed = known.ok_or(unknown).and_then(|known| {
            let key = TopicPartitionId { topic: known.id, partition: partition.partition };
            let core = catalog.core_of(key).ok_or(ErrorCode::UnknownTopicOrPartition)?;
            let part = ReadPart {
                key,
                offset: partition.fetch_offset,
                max_bytes: usize::try_from(partition.partition_max_bytes).unwrap_or(0),
                current_leader_epoch: partition.current_leader_epoch,
                last_fetched_epoch: partition.last_fetched_epoch,
            };
            Ok((CoreId(core), part))
        });
        slots.push(Slot { partition: partition.partition, placed });
    }
    (topic.topic, topic.topic_id)
}

/// Reserves what the answer may come to; returns how much that may be: less than was asked for when memory is short.
async fn reserve_memory<W: World>(context: &Context<W>, slots: &[Slot], max_bytes: usize) -> usize {
    let wanted = slots
        .iter()
        .filter_map(|slot| slot.placed.ok())
        .fold(0usize, |sum, (_, part)| sum.saturating_add(part.max_bytes));
    let wanted = wanted.min(max_bytes);
    let budget = context.core.fetch_budget();
    if let Some(reservation) = budget.try_reserve(wanted) {
        context.answer_memory.set(Some(reservation));
        return max_bytes;
    }
    let reservation = budget.reserve(wanted.min(SHORT_BYTES)).await;
    context.answer_memory.set(Some(reservation));
    max_bytes.min(SHORT_BYTES)
}

fn shrink_memory<W: World>(context: &Context<W>, bytes: usize) {
    let Some(mut reservation) = context.answer_memory.take() else { return };
    reservation.shrink_to(bytes);
    context.answer_memory.set(Some(reservation));
}

/// Reads every partition; returns also how many bytes the answer may have.
async fn read_all<W: World>(context: &Context<W>, slots: &[Slot], max_bytes: usize) -> (Vec<PartitionData>, usize) {
    let max_bytes = reserve_memory(context, slots, max_bytes).await;
    let (mut answers, mut spread) = (Vec::with_capacity(slots.len()), Spread::new());
    for (index, slot) in slots.iter().enumerate() {
        answers.push(PartitionData {
            partition_index: slot.partition,
            high_watermark: -1,
            records: Some(Records::default()),
            ..Default::default()
        });
        match slot.placed {
            Ok((core, part)) => spread.add(core, index, part),
            Err(error) => answers[index].error_code = error.code(),
        }
    }
    let version = context.version;
    let read = spread
        .begin(
            &context.core,
            answers,
            move |parts| Call::Read(ReadCall { max_bytes, version, parts }),
            |reply| match reply {
                Reply::Read(answers) => Some(answers),
                _ => None,
            },
        )
        .await;
    (read, max_bytes)
}

/// Whether an answer may leave before the deadline: an error, a divergence or enough bytes.
fn is_enough(read: &[PartitionData], min_bytes: usize) -> bool {
    let mut bytes = 0;
    for data in read {
        if data.error_code != 0 || data.diverging_epoch.end_offset >= 0 {
            return true;
        }
        bytes += data.records.as_ref().map_or(0, Records::len);
    }
    bytes >= min_bytes
}

/// Returns when one of the partitions has more than was seen, or the time is over.
async fn wait_for_more<W: World>(context: &Context<W>, slots: &[Slot], seen: Vec<i64>, time: Duration) {
    let seen = slots.iter().zip(seen).filter_map(|(slot, high_watermark)| {
        let (core, part) = slot.placed.ok()?;
        Some((core, part.key, high_watermark))
    });
    let mut watch = context.core.watch(seen);
    let sleep = std::pin::pin!(context.core.world().sleep(time));
    match select(std::pin::pin!(watch.woken()), sleep).await {
        Either::Left(((), _)) | Either::Right(((), _)) => {}
    }
}

/// Cores read side by side, each up to the request's limit; what is too much in all is left out again, except for one batch.
fn respond(
    topics: Vec<(String, Uuid, usize)>,
    mut read: Vec<PartitionData>,
    max_bytes: usize,
    isolation_level: i8,
) -> (FetchResponse, usize) {
    let mut sent = 0;
    let mut left = max_bytes;
    let mut any = false;
    for data in &mut read {
        let bytes = data.records.as_ref().map_or(0, Records::len);
        if bytes > left && any {
            data.records = Some(Records::default());
            continue;
        }
        any |= bytes > 0;
        sent += bytes;
        left = left.saturating_sub(bytes);
        if isolation_level == READ_COMMITTED {
            data.aborted_transactions = Some(Vec::new());
        }
    }
    let mut read = read.into_iter();
    let responses = topics
        .into_iter()
        .map(|(topic, topic_id, partitions)| FetchableTopicResponse {
            topic,
            topic_id,
            partitions: read.by_ref().take(partitions).collect(),
        })
        .collect();
    (FetchResponse { responses, ..Default::default() }, sent)
}
