//! Produce: v3–v13.
//! Behaviour: batches are queued at their owners in the order of the connection's requests, and the next request is read;
//! the answer leaves when every batch is acknowledged under the contract of `acks`. With acks=0 there is none, and an error
//! closes the connection, as in Kafka.
//! Deviations: none. Versions: v7 zstd; v9 flexible; v13 topic ids.

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use wire::api::ProduceRequest;
use wire::api::k00_produce::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
use wire::batch::BatchHeader;
use wire::codec::Records;
use wire::{ErrorCode, TopicPartitionId};

use super::{Context, TOPIC_IDS_PRODUCE, spread::Spread};
use crate::connection::Answer;
use crate::mesh::{Call, ProduceCall, ProducePart, Reply};
use crate::world::{CoreId, World};

/// The `acks` that exist.
const ACKS: std::ops::RangeInclusive<i16> = -1..=1;

/// The first stage happens here, the second in the future.
pub(super) fn start<W: World>(context: Context<W>, body: Bytes) -> LocalBoxFuture<'static, Answer> {
    let request = match context.decode::<ProduceRequest>(&body) {
        Ok(request) => request,
        Err(close) => return std::future::ready(close).boxed_local(),
    };
    let (acks, version) = (request.acks, context.version);
    let request_error = request_error(&request);
    let catalog = context.core.catalog();
    let (mut topics, mut answers, mut spread) = (Vec::new(), Vec::new(), Spread::new());
    for topic in request.topic_data {
        let known = if version >= TOPIC_IDS_PRODUCE {
            catalog.image.topic(topic.topic_id)
        } else {
            catalog.image.topic_named(&topic.name)
        };
        topics.push((topic.name, topic.topic_id, topic.partition_data.len()));
        for data in topic.partition_data {
            let slot = answers.len();
            answers.push(PartitionProduceResponse { index: data.index, base_offset: -1, ..Default::default() });
            let placed = known.and_then(|known| {
                let key = TopicPartitionId { topic: known.id, partition: data.index };
                catalog.core_of(key).map(|core| (core, key))
            });
            match placed {
                _ if request_error.is_error() => answers[slot].error_code = request_error.code(),
                Some((core, key)) => {
                    let records = data.records.unwrap_or_default().into_bytes();
                    spread.add(CoreId(core), slot, ProducePart { key, records });
                }
                None if known.is_none() && version >= TOPIC_IDS_PRODUCE => {
                    answers[slot].error_code = ErrorCode::UnknownTopicId.code();
                }
                None => answers[slot].error_code = ErrorCode::UnknownTopicOrPartition.code(),
            }
        }
    }
    let core = context.core.clone();
    let call = move |parts| Call::Produce(ProduceCall { acks, version, parts });
    let acknowledged = spread.begin(&core, answers, call, |reply| match reply {
        Reply::Produce(answers) => Some(answers),
        _ => None,
    });
    async move {
        let answers = acknowledged.await;
        match answers.iter().find(|answer| answer.error_code != 0) {
            Some(refused) if acks == 0 => Answer::Close(format!(
                "a batch of an acks=0 producer was refused with error {}, which only a closed connection can tell it",
                ErrorCode::from_code(refused.error_code).map_or("UNKNOWN", ErrorCode::name)
            )),
            None if acks == 0 => Answer::Silent,
            _ => context.respond::<ProduceRequest>(&response(topics, answers)),
        }
    }
    .boxed_local()
}

/// What is wrong with the request as a whole, which is then the answer for every partition.
fn request_error(request: &ProduceRequest) -> ErrorCode {
    let mut partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let is_transactional = |records: &Records| {
        // The header is in the first piece: records of a request lie in its frame.
        let header = records.chunks().first().and_then(|bytes| BatchHeader::parse(bytes).ok());
        header.is_some_and(|header| header.is_transactional())
    };
    if !ACKS.contains(&request.acks) {
        ErrorCode::InvalidRequiredAcks
    } else if request.transactional_id.is_none()
        && partitions.any(|data| data.records.as_ref().is_some_and(is_transactional))
    {
        ErrorCode::TransactionalIdAuthorizationFailed
    } else {
        ErrorCode::None
    }
}

fn response(topics: Vec<(String, wire::Uuid, usize)>, answers: Vec<PartitionProduceResponse>) -> ProduceResponse {
    let mut answers = answers.into_iter();
    let responses = topics
        .into_iter()
        .map(|(name, topic_id, partitions)| TopicProduceResponse {
            name,
            topic_id,
            partition_responses: answers.by_ref().take(partitions).collect(),
        })
        .collect();
    ProduceResponse { responses, ..Default::default() }
}
