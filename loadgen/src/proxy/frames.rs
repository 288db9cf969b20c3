//! What the proxy reads of requests, and the answers that it changes or makes.

use std::net::SocketAddr;

use bytes::Bytes;
use wire::api::k00_produce::{PartitionProduceResponse, TopicProduceResponse};
use wire::api::{
    ApiKey, FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest, MetadataResponse, ProduceRequest,
    ProduceResponse,
};
use wire::codec::Reader;
use wire::header::{FRAME_LENGTH_BYTES, RequestHeader, ResponseHeader, response_frame};
use wire::message::{Api, Message};

/// A request as far as the proxy understands it.
#[derive(Debug)]
pub(super) struct Request {
    key: i16,
    version: i16,
    correlation_id: i32,
    /// Of Produce.
    produce: Option<ProduceRequest>,
}

impl Request {
    /// Reads a frame with its length; none when it is no request.
    pub(super) fn read(frame: &[u8]) -> Option<Self> {
        let bytes = Bytes::copy_from_slice(frame.get(FRAME_LENGTH_BYTES..)?);
        let mut reader = Reader::shared(&bytes);
        let RequestHeader { api_key: key, api_version: version, correlation_id, .. } =
            RequestHeader::decode(&mut reader).ok()?;
        let produce =
            if key == ProduceRequest::KEY { Some(ProduceRequest::decode(&mut reader, version).ok()?) } else { None };
        Some(Self { key, version, correlation_id, produce })
    }

    pub(super) fn is_produce(&self) -> bool {
        self.produce.is_some()
    }

    /// Only acks=0 has no answer.
    pub(super) fn is_answered(&self) -> bool {
        self.produce.as_ref().is_none_or(|produce| produce.acks != 0)
    }
}

/// The answer to a produce request that nobody has appended; none when it is owed none.
pub(super) fn acknowledge(request: &Request) -> Option<Vec<u8>> {
    let produce = request.produce.as_ref().filter(|produce| produce.acks != 0)?;
    let responses = produce.topic_data.iter().map(|topic| TopicProduceResponse {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partition_responses: topic
            .partition_data
            .iter()
            .map(|partition| PartitionProduceResponse {
                index: partition.index,
                log_start_offset: 0,
                ..PartitionProduceResponse::default()
            })
            .collect(),
    });
    let response = ProduceResponse { responses: responses.collect(), ..ProduceResponse::default() };
    Some(response_frame::<ProduceRequest>(request.correlation_id, request.version, &response))
}

/// An answer that says where brokers are, with `own` in their places; none when it says nothing of the kind.
pub(super) fn redirect(request: &Request, answer: &[u8], own: SocketAddr) -> Option<Vec<u8>> {
    let (host, port) = (own.ip().to_string(), i32::from(own.port()));
    match request.key {
        MetadataRequest::KEY => change::<MetadataRequest>(request, answer, |response: &mut MetadataResponse| {
            for broker in &mut response.brokers {
                (broker.host, broker.port) = (host.clone(), port);
            }
        }),
        FindCoordinatorRequest::KEY => {
            change::<FindCoordinatorRequest>(request, answer, |response: &mut FindCoordinatorResponse| {
                // Where there is no coordinator, there is no port either.
                if response.port > 0 {
                    (response.host, response.port) = (host.clone(), port);
                }
                for coordinator in response.coordinators.iter_mut().filter(|coordinator| coordinator.port > 0) {
                    (coordinator.host, coordinator.port) = (host.clone(), port);
                }
            })
        }
        _ => None,
    }
}

fn change<A: Api>(request: &Request, answer: &[u8], change: impl FnOnce(&mut A::Response)) -> Option<Vec<u8>> {
    let bytes = Bytes::copy_from_slice(answer.get(FRAME_LENGTH_BYTES..)?);
    let mut reader = Reader::shared(&bytes);
    let header_version = ApiKey::from_key(request.key)?.response_header_version(request.version);
    let header = ResponseHeader::decode(&mut reader, header_version).ok()?;
    let mut response = A::Response::decode(&mut reader, request.version).ok()?;
    change(&mut response);
    Some(response_frame::<A>(header.correlation_id, request.version, &response))
}
