//! What becomes of produced batches beyond being kept as they are: refused record by record, or kept in the topic's codec.
//! The answers are those of Kafka 4.3.1.

mod support;

use std::time::Duration;

use support::{ACKS_ALL, Broker, batch, batch_with, now_ms};
use wire::ErrorCode;
use wire::batch::{BatchBuilder, BatchHeader, BatchOptions};
use wire::compression::Compression;

#[test]
fn each_record_at_fault_is_named_and_none_of_its_batch_is_kept() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create_topic("compacted", 1, &[("cleanup.policy", "compact")]);
    let now = now_ms();
    let mut build = |records: &[(i64, Option<&[u8]>)]| {
        let mut builder = BatchBuilder::new();
        for (timestamp, key) in records {
            builder.append(*timestamp, *key, Some(b"v"), &[]).expect("a small record");
        }
        let mut out = Vec::new();
        builder.build(&BatchOptions::default(), &mut out).expect("a small batch");
        client.produce("compacted", 0, &out, ACKS_ALL)
    };
    let keyless = "Compacted topic cannot accept message without key in topic partition compacted-0";

    let answer = build(&[(now, Some(b"k")), (now, None)]);
    assert_eq!(answer.error_code, ErrorCode::InvalidRecord.code());
    assert_eq!((answer.base_offset, answer.log_start_offset), (-1, 0));
    let named =
        answer.record_errors.iter().map(|error| (error.batch_index, error.batch_index_error_message.as_deref()));
    assert_eq!(named.collect::<Vec<_>>(), [(1, Some(keyless))]);
    assert_eq!(
        answer.error_message.as_deref(),
        Some(
            "One or more records have been rejected due to 1 record errors in total, and only showing the first three errors at \
             most: [RecordError(batchIndex=1, message='Compacted topic cannot accept message without key in topic partition \
             compacted-0')]"
        )
    );

    let in_a_day = now + 24 * 3_600_000;
    let answer = build(&[(now, None), (in_a_day, Some(b"k"))]);
    assert_eq!(answer.error_code, ErrorCode::InvalidTimestamp.code());
    assert_eq!(
        answer.error_message.as_deref(),
        Some("One or more records have been rejected due to invalid timestamp")
    );
    assert_eq!(answer.record_errors.iter().map(|error| error.batch_index).collect::<Vec<_>>(), [0, 1]);
    let late = answer.record_errors[1].batch_index_error_message.as_deref().unwrap_or_default();
    assert!(late.starts_with(&format!("Timestamp {in_a_day} of message with offset 1 is out of range.")), "{late}");

    assert_eq!(client.list_offset("compacted", 0, support::LATEST), Ok(0));
}

#[test]
fn a_topic_with_a_codec_keeps_every_batch_in_it() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    let values: [&[u8]; 2] = [&[b'a'; 500], &[b'b'; 500]];
    for (name, codec) in [("gzip", Compression::Gzip), ("uncompressed", Compression::None)] {
        client.create_topic(name, 1, &[("compression.type", name)]);
        for produced in Compression::ALL {
            let options = BatchOptions { compression: produced, ..BatchOptions::default() };
            let offset = client.append(name, 0, &batch_with(&values, &options));
            let data = client.fetch(name, 0, offset, Duration::from_secs(60));
            let kept = data.records.clone().unwrap_or_default().into_bytes();
            let header = BatchHeader::parse(&kept).expect("the broker serves batches");
            assert_eq!(header.compression().expect("a known codec"), codec, "{produced:?} in {name}");
            let read = support::values(data);
            assert_eq!(
                read,
                [(offset, values[0].to_vec()), (offset + 1, values[1].to_vec())],
                "{produced:?} in {name}"
            );
        }
    }
}

#[test]
fn a_batch_that_only_fits_compressed_is_too_large_for_a_topic_that_keeps_it_open() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create_topic("small", 1, &[("compression.type", "uncompressed"), ("max.message.bytes", "1000")]);
    let gzip = BatchOptions { compression: Compression::Gzip, ..BatchOptions::default() };
    let answer = client.produce("small", 0, &batch_with(&[&[b'x'; 2000]], &gzip), ACKS_ALL);
    assert_eq!(answer.error_code, ErrorCode::MessageTooLarge.code());
    assert_eq!(client.append("small", 0, &batch(&[b"fits"])), 0);
}
