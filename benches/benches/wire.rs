//! What a produced or fetched byte costs in `wire`: decode, validate, checksum and copy, encode.
//!
//! Each bench states its throughput in bytes, so that CPU-s/GB can be read off: 1 GB/s on one core is 1 CPU-s/GB.

use std::hint::black_box;

use benches::{batch, produce};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wire::api::ProduceRequest;
use wire::api::k01_fetch::{FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData};
use wire::batch::{ProduceRules, TimestampType, crc_copy, validate_produce};
use wire::codec::{Reader, Records};
use wire::header::{RequestHeader, response_chunks};
use wire::message::Message;

const SIZES: [usize; 4] = [1 << 10, 16 << 10, 64 << 10, 1 << 20];
const RECORD_BYTES: usize = 1000;
const TIMESTAMP_MS: i64 = 1_700_000_000_000;

fn batch_of(size: usize, record_bytes: usize) -> Vec<u8> {
    batch::build(batch::records_that_fit(size, record_bytes), record_bytes, TIMESTAMP_MS, 1)
}

/// A Produce v9 body with one batch.
fn produce_body(batch: &[u8]) -> Vec<u8> {
    let mut frame = produce::request_prefix("bench", 3, batch.len(), -1);
    frame.extend_from_slice(batch);
    frame.extend_from_slice(&produce::SUFFIX);
    frame.split_off(produce::LENGTH_BYTES)
}

fn decode_produce(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode produce request");
    for size in SIZES {
        let body = Bytes::from(produce_body(&batch_of(size, RECORD_BYTES)));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(size), &body, |bencher, body| {
            bencher.iter(|| {
                let mut reader = Reader::shared(black_box(body));
                let header = RequestHeader::decode(&mut reader).expect("the request is well-formed");
                let request = ProduceRequest::decode(&mut reader, header.api_version);
                black_box(request.expect("the request is well-formed").topic_data.len())
            });
        });
    }
    group.finish();
}

fn validate(criterion: &mut Criterion) {
    let rules = ProduceRules {
        now_ms: TIMESTAMP_MS,
        batch_bytes_max: 2 << 20,
        compacted: false,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        open_compressed: false,
        opened_bytes_max: 2 << 20,
    };
    for record_bytes in [100, RECORD_BYTES] {
        let mut group = criterion.benchmark_group(format!("validate batch of {record_bytes} B records"));
        for size in SIZES {
            let batch = batch_of(size, record_bytes);
            group.throughput(Throughput::Bytes(batch.len() as u64));
            group.bench_with_input(BenchmarkId::from_parameter(size), &batch, |bencher, batch| {
                bencher.iter(|| validate_produce(black_box(batch), &rules).expect("the batch is valid"));
            });
        }
        group.finish();
    }
}

fn checksum_and_copy(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("crc and copy");
    for size in SIZES {
        let source = vec![7; size];
        let mut target = vec![0; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_with_input(BenchmarkId::from_parameter(size), &source, |bencher, source| {
            bencher.iter(|| crc_copy(0, black_box(source), &mut target));
        });
    }
    group.finish();
}

fn encode_fetch(criterion: &mut Criterion) {
    const VERSION: i16 = 12;
    let mut group = criterion.benchmark_group("encode fetch response");
    for partitions in [1, 10, 1000] {
        let records = Bytes::from(batch_of(16 << 10, RECORD_BYTES));
        let partition = |partition_index| PartitionData {
            partition_index,
            high_watermark: 1,
            records: Some(Records::from(records.clone())),
            ..PartitionData::default()
        };
        let topic = FetchableTopicResponse {
            topic: "bench".to_owned(),
            partitions: (0..partitions).map(partition).collect(),
            ..FetchableTopicResponse::default()
        };
        let response = FetchResponse { responses: vec![topic], ..FetchResponse::default() };
        group.throughput(Throughput::Elements(partitions as u64));
        group.bench_with_input(BenchmarkId::from_parameter(partitions), &response, |bencher, response| {
            bencher.iter(|| black_box(response_chunks::<FetchRequest>(7, VERSION, black_box(response))).len());
        });
    }
    group.finish();
}

criterion_group!(wire_benches, decode_produce, validate, checksum_and_copy, encode_fetch);
criterion_main!(wire_benches);
