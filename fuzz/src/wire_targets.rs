//! Properties of every decoder in `wire` that must hold for any bytes whatever. `wire/tests/corpora.rs` includes this file.

use bytes::Bytes;
use wire::api::*;
use wire::batch::{
    ATTRIBUTES_AT, Batch, CRC_AT, HEADER_BYTES, ProduceRules, TimestampType, batches, first_at_or_after,
    first_with_max_timestamp, records, validate_produce,
};
use wire::codec::{Reader, Writer};
use wire::compression::{Compression, compress, decompress};
use wire::header::{RequestHeader, ResponseHeader};
use wire::message::{Api, Message};

/// The most that anything may decompress to here.
const OPENED_BYTES_MAX: usize = 1 << 18;

/// A batch that passes validation is what its summary says. The first byte picks the rules, and whether the CRC is
/// made right first: a fuzzer does not find right ones by itself.
pub fn batch_validate(data: &[u8]) {
    let Some((&choice, batch)) = data.split_first() else { return };
    let mut batch = batch.to_vec();
    if choice & 1 != 0 && batch.len() > HEADER_BYTES {
        let crc = crc32c::crc32c(&batch[ATTRIBUTES_AT..]);
        batch[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
    }
    let rules = ProduceRules {
        now_ms: 1_700_000_000_000,
        batch_bytes_max: 1 << 20,
        compacted: choice & 2 != 0,
        timestamp_type: if choice & 4 != 0 { TimestampType::LogAppendTime } else { TimestampType::CreateTime },
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: if choice & 8 != 0 { i64::MAX } else { 3_600_000 },
        open_compressed: choice & 16 != 0,
        opened_bytes_max: OPENED_BYTES_MAX,
    };
    let Ok(summary) = validate_produce(&batch, &rules) else { return };
    let parsed = Batch::parse(&batch).expect("a valid batch parses");
    parsed.check_crc().expect("a valid batch has a right CRC");
    assert_eq!(parsed.bytes.len(), summary.size);
    assert_eq!(summary.last_offset_delta, summary.record_count - 1);
    assert!(!parsed.header.is_control());
    if summary.compression == Compression::None || rules.open_compressed || rules.compacted {
        let mut scratch = Vec::new();
        let found = records(&parsed, OPENED_BYTES_MAX, &mut scratch).expect("a validated batch opens");
        let keys: Vec<bool> = found.map(|record| record.expect("walked before").key.is_some()).collect();
        assert_eq!(keys.len(), summary.record_count as usize);
        assert!(!rules.compacted || keys.iter().all(|has_key| *has_key));
    }
}

/// Whatever is read from a log lies within it, and there is no more of it than the headers say.
pub fn batch_records(data: &[u8]) {
    let mut log = batches(data);
    let mut bytes = 0;
    for batch in log.by_ref() {
        let Ok(batch) = batch else { continue };
        bytes += batch.bytes.len();
        let mut scratch = Vec::new();
        if let Ok(found) = records(&batch, OPENED_BYTES_MAX, &mut scratch) {
            let count = found.map_while(Result::ok).map(|record| record.headers.for_each(drop)).count();
            assert!(count <= usize::try_from(batch.header.record_count).unwrap_or(0));
        }
        let target = batch.header.base_timestamp;
        if let Ok(Some(at)) = first_at_or_after(&batch, target, i64::MIN, OPENED_BYTES_MAX) {
            assert!(at.timestamp >= target);
        }
        if let Ok(Some(at)) = first_with_max_timestamp(&batch, OPENED_BYTES_MAX) {
            assert_eq!(at.timestamp, batch.header.max_timestamp);
        }
    }
    assert_eq!(log.position(), bytes);
    assert!(bytes <= data.len());
}

/// Decompression stays within its limit, and gives back what was compressed. The first byte picks the codec.
pub fn decompress_any(data: &[u8]) {
    let Some((&choice, source)) = data.split_first() else { return };
    let codec = Compression::ALL[usize::from(choice) % Compression::ALL.len()];
    let mut out = Vec::new();
    let _malformed_or_not = decompress(codec, source, OPENED_BYTES_MAX, &mut out).is_ok();
    assert!(out.len() <= OPENED_BYTES_MAX);
    let mut packed = Vec::new();
    compress(codec, source, &mut packed).expect("anything can be compressed");
    out.clear();
    decompress(codec, &packed, source.len(), &mut out).expect("what was compressed opens");
    assert_eq!(out, source);
}

/// A request, header and body, that decodes, encodes to bytes that mean the same.
pub fn request_decode(data: &[u8]) {
    let frame = Bytes::copy_from_slice(data);
    let mut reader = Reader::shared(&frame);
    let Ok(header) = RequestHeader::decode(&mut reader) else { return };
    let Some(key) = ApiKey::from_key(header.api_key) else { return };
    if key.versions().contains(&header.api_version) {
        decode_body(key, header.api_version, &mut reader, Direction::Request);
    }
}

/// A response, header and body, that decodes, encodes to bytes that mean the same. Key and version stand in front.
pub fn response_decode(data: &[u8]) {
    let frame = Bytes::copy_from_slice(data);
    let mut reader = Reader::shared(&frame);
    let (Ok(key), Ok(version)) = (reader.i16(), reader.i16()) else { return };
    let Some(key) = ApiKey::from_key(key) else { return };
    if !key.versions().contains(&version) {
        return;
    }
    if ResponseHeader::decode(&mut reader, key.response_header_version(version)).is_ok() {
        decode_body(key, version, &mut reader, Direction::Response);
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Request,
    Response,
}

fn decode_body(key: ApiKey, version: i16, reader: &mut Reader<'_>, direction: Direction) {
    fn api<A: Api>(version: i16, reader: &mut Reader<'_>, direction: Direction) {
        match direction {
            Direction::Request => round_trip::<A>(version, reader),
            Direction::Response => round_trip::<A::Response>(version, reader),
        }
    }
    macro_rules! dispatch {
        ($($name:ident: $request:ident,)*) => {
            match key {
                $(ApiKey::$name => api::<$request>(version, reader, direction),)*
            }
        };
    }
    dispatch! {
        Produce: ProduceRequest,
        Fetch: FetchRequest,
        ListOffsets: ListOffsetsRequest,
        Metadata: MetadataRequest,
        OffsetCommit: OffsetCommitRequest,
        OffsetFetch: OffsetFetchRequest,
        FindCoordinator: FindCoordinatorRequest,
        JoinGroup: JoinGroupRequest,
        Heartbeat: HeartbeatRequest,
        LeaveGroup: LeaveGroupRequest,
        SyncGroup: SyncGroupRequest,
        DescribeGroups: DescribeGroupsRequest,
        ListGroups: ListGroupsRequest,
        ApiVersions: ApiVersionsRequest,
        CreateTopics: CreateTopicsRequest,
        DeleteTopics: DeleteTopicsRequest,
        DeleteRecords: DeleteRecordsRequest,
        InitProducerId: InitProducerIdRequest,
        OffsetForLeaderEpoch: OffsetForLeaderEpochRequest,
        DescribeConfigs: DescribeConfigsRequest,
        AlterConfigs: AlterConfigsRequest,
        CreatePartitions: CreatePartitionsRequest,
        DeleteGroups: DeleteGroupsRequest,
        IncrementalAlterConfigs: IncrementalAlterConfigsRequest,
        OffsetDelete: OffsetDeleteRequest,
        DescribeCluster: DescribeClusterRequest,
        ConsumerGroupHeartbeat: ConsumerGroupHeartbeatRequest,
        ConsumerGroupDescribe: ConsumerGroupDescribeRequest,
        DescribeTopicPartitions: DescribeTopicPartitionsRequest,
    }
}

/// Encoding is checked against a second pass, because the bytes that came may say the same in more than one way
/// (unknown tags, long varints).
fn round_trip<M: Message>(version: i16, reader: &mut Reader<'_>) {
    let Ok(message) = M::decode(reader, version) else { return };
    let encoded = encode(&message, version);
    let again = M::decode(&mut Reader::new(&encoded), version).expect("what is encoded decodes");
    assert_eq!(encode(&again, version), encoded, "{} v{version}", M::NAME);
}

fn encode<M: Message>(message: &M, version: i16) -> Vec<u8> {
    let mut writer = Writer::new();
    message.encode(&mut writer, version);
    writer.into_vec()
}
