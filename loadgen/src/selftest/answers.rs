//! What the null broker answers, API by API.

use std::thread;
use std::time::Duration;

use wire::api::k00_produce::{PartitionProduceResponse, TopicProduceResponse};
use wire::api::k01_fetch::{FetchableTopicResponse, PartitionData};
use wire::api::k02_list_offsets::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use wire::api::k03_metadata::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic};
use wire::api::k10_find_coordinator::Coordinator;
use wire::api::k18_api_versions::ApiVersion;
use wire::api::k19_create_topics::CreatableTopicResult;
use wire::api::k20_delete_topics::DeletableTopicResult;
use wire::api::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, FetchRequest, FetchResponse, FindCoordinatorRequest, FindCoordinatorResponse,
    InitProducerIdRequest, InitProducerIdResponse, ListOffsetsRequest, ListOffsetsResponse, MetadataRequest,
    MetadataResponse, ProduceRequest, ProduceResponse,
};
use wire::codec::{DecodeError, Reader, Records};
use wire::header::{RequestHeader, response_frame};
use wire::message::{Api, Message};
use wire::{ErrorCode, Uuid};

use super::broker::{Log, State};

const NODE: i32 = 1;
/// Before topic ids: topics are known by name alone, which keeps this small.
const PRODUCE_VERSION: i16 = 12;
const FETCH_VERSION: i16 = 12;
/// The earliest offset, in ListOffsets.
const EARLIEST: i64 = -2;

const SERVED: [(ApiKey, i16); 9] = [
    (ApiKey::Produce, PRODUCE_VERSION),
    (ApiKey::Fetch, FETCH_VERSION),
    (ApiKey::ListOffsets, 6),
    (ApiKey::Metadata, 9),
    (ApiKey::FindCoordinator, 3),
    (ApiKey::ApiVersions, 3),
    (ApiKey::CreateTopics, 6),
    (ApiKey::DeleteTopics, 5),
    (ApiKey::InitProducerId, 4),
];

/// One request's answer as a frame; none where none is due. `refusal` is what batches are refused with, 0 for not at all.
pub(super) fn answer(
    header: RequestHeader<'_>,
    mut reader: Reader<'_>,
    state: &State,
    refusal: i16,
) -> Result<Option<Vec<u8>>, DecodeError> {
    let (id, version) = (header.correlation_id, header.api_version);
    let unknown = DecodeError::Unknown { what: "API", value: header.api_key.into() };
    let served = |key: &ApiKey| SERVED.iter().any(|(served, most)| served == key && version <= *most);
    let Some(key) = ApiKey::from_key(header.api_key) else { return Err(unknown) };
    if key == ApiKey::ApiVersions {
        return Ok(Some(versions(id, version)));
    }
    if !served(&key) {
        return Err(unknown);
    }
    let reader = &mut reader;
    let frame = match key {
        ApiKey::Produce => {
            let request = ProduceRequest::decode(reader, version)?;
            let response = produce(&request, state, refusal);
            if request.acks == 0 {
                return Ok(None);
            }
            response_frame::<ProduceRequest>(id, version, &response)
        }
        ApiKey::Fetch => reply::<FetchRequest>(reader, id, version, |request| fetch(&request, state))?,
        ApiKey::ListOffsets => reply::<ListOffsetsRequest>(reader, id, version, |request| offsets(&request, state))?,
        ApiKey::Metadata => reply::<MetadataRequest>(reader, id, version, |request| metadata(&request, state))?,
        ApiKey::FindCoordinator => reply::<FindCoordinatorRequest>(reader, id, version, |_| coordinator(state))?,
        ApiKey::CreateTopics => reply::<CreateTopicsRequest>(reader, id, version, |request| create(&request, state))?,
        ApiKey::DeleteTopics => reply::<DeleteTopicsRequest>(reader, id, version, |request| delete(&request, state))?,
        _ => reply::<InitProducerIdRequest>(reader, id, version, |_| InitProducerIdResponse {
            producer_id: state.producer_ids.fetch_add(1, std::sync::atomic::Ordering::Relaxed) as i64,
            ..InitProducerIdResponse::default()
        })?,
    };
    Ok(Some(frame))
}

fn reply<A: Api>(
    reader: &mut Reader<'_>,
    id: i32,
    version: i16,
    answer: impl FnOnce(A) -> A::Response,
) -> Result<Vec<u8>, DecodeError> {
    Ok(response_frame::<A>(id, version, &answer(A::decode(reader, version)?)))
}

fn versions(id: i32, version: i16) -> Vec<u8> {
    let (_, most) = SERVED.into_iter().find(|(key, _)| *key == ApiKey::ApiVersions).expect("it is in the table");
    let offer = |(key, max_version): (ApiKey, i16)| ApiVersion { api_key: key.key(), min_version: 0, max_version };
    let mut response = ApiVersionsResponse { api_keys: SERVED.map(offer).to_vec(), ..Default::default() };
    let mut version = version;
    if version > most {
        response.error_code = ErrorCode::UnsupportedVersion.code();
        version = 0;
    }
    response_frame::<ApiVersionsRequest>(id, version, &response)
}

fn produce(request: &ProduceRequest, state: &State, refusal: i16) -> ProduceResponse {
    let mut topics = state.topics();
    let mut responses = Vec::new();
    for topic in &request.topic_data {
        let mut logs = topics.get_mut(&topic.name);
        let mut answer = |part: &wire::api::k00_produce::PartitionProduceData| {
            let log = logs.as_mut().and_then(|logs| logs.get_mut(usize::try_from(part.index).ok()?));
            let chunks = part.records.as_ref().map_or(&[][..], Records::chunks);
            let (error_code, base_offset) = match (refusal, log, chunks) {
                (0, Some(log), [batch]) => match log.append(batch, state.behaviour.keeps) {
                    Some(base) => (0, base),
                    None => (ErrorCode::CorruptMessage.code(), -1),
                },
                (0, None, _) => (ErrorCode::UnknownTopicOrPartition.code(), -1),
                (0, ..) => (ErrorCode::CorruptMessage.code(), -1),
                (refusal, ..) => (refusal, -1),
            };
            PartitionProduceResponse { index: part.index, error_code, base_offset, ..Default::default() }
        };
        let partition_responses = topic.partition_data.iter().map(&mut answer).collect();
        responses.push(TopicProduceResponse { name: topic.name.clone(), partition_responses, ..Default::default() });
    }
    ProduceResponse { responses, ..ProduceResponse::default() }
}

fn fetch(request: &FetchRequest, state: &State) -> FetchResponse {
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0).min(10));
    let response = fetch_now(request, state);
    let has_records = |part: &PartitionData| part.records.as_ref().is_some_and(|records| !records.is_empty());
    if response.responses.iter().flat_map(|topic| &topic.partitions).any(has_records) {
        return response;
    }
    // No watches: a short nap and another look.
    thread::sleep(wait);
    fetch_now(request, state)
}

fn fetch_now(request: &FetchRequest, state: &State) -> FetchResponse {
    let topics = state.topics();
    let mut responses = Vec::new();
    for topic in &request.topics {
        let logs = topics.get(&topic.topic);
        let mut partitions = Vec::new();
        for part in &topic.partitions {
            let log = logs.and_then(|logs| logs.get(usize::try_from(part.partition).ok()?));
            let bytes_max = usize::try_from(part.partition_max_bytes).unwrap_or(0);
            partitions.push(match log {
                Some(log) => PartitionData {
                    partition_index: part.partition,
                    high_watermark: log.end,
                    records: Some(Records::new(log.read(part.fetch_offset, bytes_max))),
                    ..PartitionData::default()
                },
                None => PartitionData {
                    partition_index: part.partition,
                    error_code: ErrorCode::UnknownTopicOrPartition.code(),
                    ..PartitionData::default()
                },
            });
        }
        responses.push(FetchableTopicResponse { topic: topic.topic.clone(), partitions, ..Default::default() });
    }
    FetchResponse { responses, ..FetchResponse::default() }
}

fn offsets(request: &ListOffsetsRequest, state: &State) -> ListOffsetsResponse {
    let topics = state.topics();
    let mut responses = Vec::new();
    for topic in &request.topics {
        let logs = topics.get(&topic.name);
        let answer = |part: &wire::api::k02_list_offsets::ListOffsetsPartition| {
            let log = logs.and_then(|logs| logs.get(usize::try_from(part.partition_index).ok()?));
            let end = log.map(|log: &Log| if part.timestamp == EARLIEST { 0 } else { log.end });
            ListOffsetsPartitionResponse {
                partition_index: part.partition_index,
                error_code: if end.is_some() { 0 } else { ErrorCode::UnknownTopicOrPartition.code() },
                offset: end.unwrap_or(-1),
                ..ListOffsetsPartitionResponse::default()
            }
        };
        let partitions = topic.partitions.iter().map(answer).collect();
        responses.push(ListOffsetsTopicResponse { name: topic.name.clone(), partitions });
    }
    ListOffsetsResponse { topics: responses, ..ListOffsetsResponse::default() }
}

fn metadata(request: &MetadataRequest, state: &State) -> MetadataResponse {
    let topics = state.topics();
    let describe = |name: &str| {
        let logs = topics.get(name);
        let partition = |partition_index| MetadataResponsePartition {
            partition_index,
            leader_id: NODE,
            replica_nodes: vec![NODE],
            isr_nodes: vec![NODE],
            ..MetadataResponsePartition::default()
        };
        MetadataResponseTopic {
            error_code: if logs.is_some() { 0 } else { ErrorCode::UnknownTopicOrPartition.code() },
            name: Some(name.to_owned()),
            topic_id: Uuid::ZERO,
            partitions: (0..logs.map_or(0, Vec::len) as i32).map(partition).collect(),
            ..MetadataResponseTopic::default()
        }
    };
    let described = match &request.topics {
        Some(wanted) => wanted.iter().filter_map(|topic| topic.name.as_deref()).map(describe).collect(),
        None => topics.keys().map(|name| describe(name)).collect(),
    };
    let broker = MetadataResponseBroker {
        node_id: NODE,
        host: state.address.ip().to_string(),
        port: i32::from(state.address.port()),
        rack: None,
    };
    MetadataResponse { brokers: vec![broker], controller_id: NODE, topics: described, ..MetadataResponse::default() }
}

fn coordinator(state: &State) -> FindCoordinatorResponse {
    let (host, port) = (state.address.ip().to_string(), i32::from(state.address.port()));
    let found = Coordinator { node_id: NODE, host: host.clone(), port, ..Coordinator::default() };
    FindCoordinatorResponse { node_id: NODE, host, port, coordinators: vec![found], ..Default::default() }
}

fn create(request: &CreateTopicsRequest, state: &State) -> CreateTopicsResponse {
    let mut known = state.topics();
    let result = |topic: &wire::api::k19_create_topics::CreatableTopic| {
        let partitions = topic.num_partitions.max(1);
        let logs = (0..partitions).map(|_| Log::default()).collect();
        let is_new = known.insert(topic.name.clone(), logs).is_none();
        CreatableTopicResult {
            name: topic.name.clone(),
            error_code: if is_new { 0 } else { ErrorCode::TopicAlreadyExists.code() },
            num_partitions: partitions,
            ..CreatableTopicResult::default()
        }
    };
    CreateTopicsResponse { topics: request.topics.iter().map(result).collect(), ..Default::default() }
}

fn delete(request: &DeleteTopicsRequest, state: &State) -> DeleteTopicsResponse {
    let mut known = state.topics();
    let result = |name: &String| {
        let is_gone = known.remove(name).is_some();
        let error_code = if is_gone { 0 } else { ErrorCode::UnknownTopicOrPartition.code() };
        DeletableTopicResult { name: Some(name.clone()), error_code, ..DeletableTopicResult::default() }
    };
    DeleteTopicsResponse { responses: request.topic_names.iter().map(result).collect(), ..Default::default() }
}
