//! Produce v9: the request that the driver sends, the answer that the floor gives, and each one's reader.
//!
//! v9 is the newest version of the common shape (flexible, topic by name) that Kafka 4 and Partita both speak. A request
//! carries one batch for one partition, so a request is a prefix, the shared batch and a constant suffix: the batch is never
//! copied. Hand-made, because nothing may be allocated in the timed path; tests hold it against `wire`. Readers check every
//! length; what is not Produce v9 with one partition is `None`.

use std::ops::Range;

use crate::varint::{Reader, put_compact_string, put_unsigned};

/// Bytes of a frame's length.
pub const LENGTH_BYTES: usize = 4;
/// Tagged-field sections of the partition, the topic and the request, all empty.
pub const SUFFIX: [u8; 3] = [0; 3];

const API_KEY: i16 = 0;
const API_VERSION: i16 = 9;
/// Where the correlation id lies in a request that starts with its length.
const CORRELATION_AT: usize = 8;

/// Everything of a request before its batch, the frame's length included. The correlation id is 0 until
/// [`set_correlation`].
pub fn request_prefix(topic: &str, partition: i32, batch_bytes: usize, acks: i16) -> Vec<u8> {
    const TIMEOUT_MS: i32 = 30_000;
    const CLIENT_ID: &str = "drive";
    let mut prefix = vec![0; LENGTH_BYTES];
    prefix.extend_from_slice(&API_KEY.to_be_bytes());
    prefix.extend_from_slice(&API_VERSION.to_be_bytes());
    prefix.extend_from_slice(&0i32.to_be_bytes());
    prefix.extend_from_slice(&(CLIENT_ID.len() as i16).to_be_bytes());
    prefix.extend_from_slice(CLIENT_ID.as_bytes());
    // The header's tagged fields, then a null transactional id.
    prefix.extend_from_slice(&[0, 0]);
    prefix.extend_from_slice(&acks.to_be_bytes());
    prefix.extend_from_slice(&TIMEOUT_MS.to_be_bytes());
    put_unsigned(&mut prefix, 2);
    put_compact_string(&mut prefix, topic);
    put_unsigned(&mut prefix, 2);
    prefix.extend_from_slice(&partition.to_be_bytes());
    put_unsigned(&mut prefix, batch_bytes as u64 + 1);
    let length = prefix.len() - LENGTH_BYTES + batch_bytes + SUFFIX.len();
    let length = i32::try_from(length).expect("a request fits 31 bits");
    prefix[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    prefix
}

/// Writes the correlation id into a prefix made by [`request_prefix`].
pub fn set_correlation(prefix: &mut [u8], correlation: i32) {
    prefix[CORRELATION_AT..CORRELATION_AT + 4].copy_from_slice(&correlation.to_be_bytes());
}

/// A request as the floor sees it; positions count from the start of the frame's body.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// To be echoed in the answer.
    pub correlation: i32,
    /// Topic name, echoed too.
    pub topic: &'a [u8],
    /// Partition index.
    pub partition: i32,
    /// Where the batch lies in the body.
    pub batch: Range<usize>,
}

/// Reads a frame's body (without its length).
pub fn read_request(body: &[u8]) -> Option<Request<'_>> {
    let mut reader = Reader::new(body);
    if (reader.i16()?, reader.i16()?) != (API_KEY, API_VERSION) {
        return None;
    }
    let correlation = reader.i32()?;
    let client_id_bytes = reader.i16()?.max(0);
    reader.bytes(client_id_bytes as usize)?;
    reader.skip_tags()?;
    reader.compact_bytes()?;
    let _acks = reader.i16()?;
    let _timeout_ms = reader.i32()?;
    let topic = single(&mut reader)?.compact_bytes()?;
    let partition = single(&mut reader)?.i32()?;
    let batch = reader.compact_bytes()?;
    let start = batch.as_ptr() as usize - body.as_ptr() as usize;
    Some(Request { correlation, topic, partition, batch: start..start + batch.len() })
}

/// Reads an array's length and goes on only when it is one.
fn single<'r, 'a>(reader: &'r mut Reader<'a>) -> Option<&'r mut Reader<'a>> {
    (reader.compact_length()? == Some(1)).then_some(reader)
}

/// Appends the answer to `request`, its frame's length included.
pub fn put_response(out: &mut Vec<u8>, request: &Request<'_>, error_code: i16, base_offset: i64) {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    out.extend_from_slice(&request.correlation.to_be_bytes());
    out.push(0);
    put_unsigned(out, 2);
    put_unsigned(out, request.topic.len() as u64 + 1);
    out.extend_from_slice(request.topic);
    put_unsigned(out, 2);
    out.extend_from_slice(&request.partition.to_be_bytes());
    out.extend_from_slice(&error_code.to_be_bytes());
    out.extend_from_slice(&base_offset.to_be_bytes());
    const NO_APPEND_TIME: i64 = -1;
    out.extend_from_slice(&NO_APPEND_TIME.to_be_bytes());
    const LOG_START_OFFSET: i64 = 0;
    out.extend_from_slice(&LOG_START_OFFSET.to_be_bytes());
    // No record errors, a null message, the partition's and the topic's tagged fields.
    out.extend_from_slice(&[1, 0, 0, 0]);
    const THROTTLE_MS: i32 = 0;
    out.extend_from_slice(&THROTTLE_MS.to_be_bytes());
    out.push(0);
    let length = (out.len() - start - LENGTH_BYTES) as u32;
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
}

/// What the driver checks of an answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// Of the request that is answered.
    pub correlation: i32,
    /// Partition index.
    pub partition: i32,
    /// Kafka's error code; 0 is success.
    pub error_code: i16,
    /// The batch's first offset.
    pub base_offset: i64,
}

/// Reads an answer's body (without its length).
pub fn read_response(body: &[u8]) -> Option<Response> {
    let mut reader = Reader::new(body);
    let correlation = reader.i32()?;
    reader.skip_tags()?;
    let _topic = single(&mut reader)?.compact_bytes()?;
    let partition = single(&mut reader)?.i32()?;
    let error_code = reader.i16()?;
    let base_offset = reader.i64()?;
    Some(Response { correlation, partition, error_code, base_offset })
}

#[cfg(test)]
mod tests {
    use wire::api::k00_produce::{PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse};
    use wire::header::{RequestHeader, response_frame};
    use wire::message::Message;

    use super::*;
    use crate::batch;

    #[test]
    fn a_request_reads_back_with_its_batch() {
        let batch = batch::build(5, 100, 1, 2);
        let mut frame = request_prefix("demo", 17, batch.len(), -1);
        set_correlation(&mut frame, 99);
        frame.extend_from_slice(&batch);
        frame.extend_from_slice(&SUFFIX);
        let length = i32::from_be_bytes(frame[..LENGTH_BYTES].try_into().unwrap());
        assert_eq!(length as usize, frame.len() - LENGTH_BYTES);
        let body = &frame[LENGTH_BYTES..];
        let request = read_request(body).unwrap();
        assert_eq!((request.correlation, request.topic, request.partition), (99, &b"demo"[..], 17));
        assert_eq!(body[request.batch], batch);
    }

    #[test]
    fn a_response_reads_back() {
        let request = Request { correlation: 5, topic: b"demo", partition: 3, batch: 0..0 };
        let mut frame = Vec::new();
        put_response(&mut frame, &request, 6, 1234);
        let expected = Response { correlation: 5, partition: 3, error_code: 6, base_offset: 1234 };
        assert_eq!(read_response(&frame[LENGTH_BYTES..]), Some(expected));
    }

    #[test]
    fn wire_reads_the_same_request() {
        let batch = batch::build(5, 100, 1, 2);
        let mut frame = request_prefix("demo", 17, batch.len(), -1);
        set_correlation(&mut frame, 99);
        frame.extend_from_slice(&batch);
        frame.extend_from_slice(&SUFFIX);
        let body = &frame[LENGTH_BYTES..];
        let mut reader = wire::codec::Reader::new(body);
        let header = RequestHeader::decode(&mut reader).unwrap();
        assert_eq!((header.api_key, header.api_version, header.correlation_id), (API_KEY, API_VERSION, 99));
        let request = ProduceRequest::decode(&mut reader, API_VERSION).unwrap();
        let [topic] = &request.topic_data[..] else { panic!("one topic") };
        let [partition] = &topic.partition_data[..] else { panic!("one partition") };
        let records = partition.records.clone().unwrap().into_bytes();
        assert_eq!((request.acks, partition.index, &records[..]), (-1, 17, &batch[..]));
        assert_eq!(reader.left(), 0, "bytes are left over");
    }

    #[test]
    fn wire_writes_the_answer_that_is_read_here() {
        let partition = PartitionProduceResponse {
            index: 3,
            error_code: 6,
            base_offset: 1234,
            log_start_offset: 0,
            ..PartitionProduceResponse::default()
        };
        let topic = TopicProduceResponse {
            name: "demo".to_owned(),
            partition_responses: vec![partition],
            ..TopicProduceResponse::default()
        };
        let response = ProduceResponse { responses: vec![topic], ..ProduceResponse::default() };
        let theirs = response_frame::<ProduceRequest>(5, API_VERSION, &response);
        let mut ours = Vec::new();
        put_response(&mut ours, &Request { correlation: 5, topic: b"demo", partition: 3, batch: 0..0 }, 6, 1234);
        assert_eq!(ours, theirs);
    }

    #[test]
    fn every_cut_of_a_request_is_refused() {
        let mut frame = request_prefix("demo", 1, 10, -1);
        frame.extend_from_slice(&[7; 10]);
        let body = &frame[LENGTH_BYTES..];
        assert!(read_request(body).is_some());
        for cut in 0..body.len() {
            assert_eq!(read_request(&body[..cut]), None, "cut at {cut}");
        }
    }
}
