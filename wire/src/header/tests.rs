//! Frames as they travel.

use bytes::Bytes;

use super::*;
use crate::api::k01_fetch::{FetchableTopicResponse, PartitionData};
use crate::api::{ApiVersionsRequest, ApiVersionsResponse, FetchRequest, FetchResponse, HeartbeatRequest};
use crate::codec::Records;

#[test]
fn a_request_frame_is_what_java_sends() {
    let request = ApiVersionsRequest { client_software_name: "a".into(), client_software_version: "b".into() };
    let frame = request_frame(7, 3, Some("id"), &request);
    assert_eq!(frame, b"\0\0\0\x12\0\x12\0\x03\0\0\0\x07\0\x02id\0\x02a\x02b\0");
    let mut reader = Reader::new(&frame[FRAME_LENGTH_BYTES..]);
    let header = RequestHeader::decode(&mut reader).unwrap();
    assert_eq!(header, RequestHeader { api_key: 18, api_version: 3, correlation_id: 7, client_id: Some("id") });
    assert_eq!(ApiVersionsRequest::decode(&mut reader, 3), Ok(request));
    assert_eq!(reader.left(), 0);
}

#[test]
fn api_versions_answers_with_header_0_and_others_with_header_1() {
    let frame = response_frame::<ApiVersionsRequest>(7, 3, &ApiVersionsResponse::default());
    assert_eq!(frame, b"\0\0\0\x0c\0\0\0\x07\0\0\x01\0\0\0\0\0");
    let frame = response_frame::<HeartbeatRequest>(7, 4, &Default::default());
    assert_eq!(frame, b"\0\0\0\x0c\0\0\0\x07\0\0\0\0\0\0\0\0");
}

#[test]
fn fetched_records_travel_as_the_very_bytes_they_came_in() {
    let first = Bytes::from(vec![1; 100]);
    let second = Bytes::from(vec![2; 50]);
    let partition =
        PartitionData { records: Some(Records::new(vec![first.clone(), second.clone()])), ..PartitionData::default() };
    let topic = FetchableTopicResponse { partitions: vec![partition], ..Default::default() };
    let response = FetchResponse { responses: vec![topic], ..FetchResponse::default() };
    for version in FetchRequest::VERSIONS {
        let chunks = response_chunks::<FetchRequest>(1, version, &response);
        assert!(chunks.iter().any(|chunk| chunk.as_ptr() == first.as_ptr()));
        assert!(chunks.iter().any(|chunk| chunk.as_ptr() == second.as_ptr()));
        let whole = Bytes::from(response_frame::<FetchRequest>(1, version, &response));
        assert_eq!(chunks.concat(), whole);
        assert_eq!(whole[..4], (whole.len() as i32 - 4).to_be_bytes());
        let frame = whole.slice(FRAME_LENGTH_BYTES..);
        let mut reader = Reader::shared(&frame);
        ResponseHeader::decode(&mut reader, ApiKey::Fetch.response_header_version(version)).unwrap();
        let decoded = FetchResponse::decode(&mut reader, version).unwrap();
        let records = decoded.responses[0].partitions[0].records.clone().unwrap().into_bytes();
        assert!(frame.as_ptr_range().contains(&records.as_ptr()), "records are a slice of the frame");
        assert_eq!(records, [vec![1; 100], vec![2; 50]].concat());
    }
}
