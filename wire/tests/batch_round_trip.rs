//! What the builder writes, the readers and the `kafka-protocol` crate read; and the other way round.

use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::records as oracle;
use proptest::prelude::*;
use wire::batch::{
    Batch, BatchBuilder, BatchOptions, ControlRecord, Header, TimestampType, batches, crc_copy, first_at_or_after,
    first_with_max_timestamp, records, set_base_offset, set_max_timestamp, set_partition_leader_epoch,
};
use wire::compression::Compression;

const OPENED_BYTES_MAX: usize = 1 << 24;

#[derive(Debug, Clone, PartialEq)]
struct Owned {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

fn bytes_or_null() -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200))
}

fn any_record() -> impl Strategy<Value = Owned> {
    // Header keys are distinct because the oracle keeps them in a map.
    let headers = proptest::collection::btree_map("[a-zé]{0,9}", bytes_or_null(), 0..4);
    let timestamp = prop_oneof![-1..2_000_000_000_000i64, Just(0), 1_699_999_999_000..1_700_000_000_000i64];
    (timestamp, bytes_or_null(), bytes_or_null(), headers).prop_map(|(timestamp, key, value, headers)| Owned {
        timestamp,
        key,
        value,
        headers: headers.into_iter().collect(),
    })
}

fn any_compression() -> impl Strategy<Value = Compression> {
    proptest::sample::select(&Compression::ALL[..])
}

fn build(options: &BatchOptions, written: &[Owned]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for record in written {
        let headers: Vec<Header<'_>> =
            record.headers.iter().map(|(key, value)| (key.as_bytes(), value.as_deref())).collect();
        builder.append(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers).unwrap();
    }
    let mut out = Vec::new();
    builder.build(options, &mut out).unwrap();
    assert_eq!(builder.record_count(), 0);
    out
}

fn read(batch: &Batch<'_>) -> Vec<Owned> {
    let mut scratch = Vec::new();
    let records = records(batch, OPENED_BYTES_MAX, &mut scratch).unwrap();
    let owned = records.map(|record| {
        let record = record.unwrap();
        Owned {
            timestamp: batch.header.base_timestamp + record.timestamp_delta,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record
                .headers
                .map(|header| (String::from_utf8(header.key.to_vec()).unwrap(), header.value.map(<[u8]>::to_vec)))
                .collect(),
        }
    });
    owned.collect()
}

proptest! {
    #[test]
    fn what_is_built_reads_back(
        written in proptest::collection::vec(any_record(), 1..30),
        compression in any_compression(),
        base_offset in 0..i64::MAX / 2,
    ) {
        let options = BatchOptions { base_offset, compression, ..BatchOptions::default() };
        let bytes = build(&options, &written);
        let batch = Batch::parse(&bytes).unwrap();
        batch.check_crc().unwrap();
        prop_assert_eq!(batch.bytes.len(), bytes.len());
        prop_assert_eq!(batch.header.last_offset(), base_offset + written.len() as i64 - 1);
        prop_assert_eq!(read(&batch), written);
    }

    #[test]
    fn the_oracle_reads_what_is_built(
        written in proptest::collection::vec(any_record(), 1..20),
        compression in any_compression(),
        producer_id in 0..i64::MAX,
        base_sequence in 0..1_000_000i32,
        transactional: bool,
    ) {
        let options = BatchOptions {
            base_offset: 77,
            partition_leader_epoch: 5,
            compression,
            producer_id,
            producer_epoch: 3,
            base_sequence,
            transactional,
            ..BatchOptions::default()
        };
        let mut bytes = Bytes::from(build(&options, &written));
        let set = oracle::RecordBatchDecoder::decode(&mut bytes).unwrap();
        prop_assert!(bytes.is_empty());
        prop_assert_eq!(set.records.len(), written.len());
        for ((found, wanted), index) in set.records.iter().zip(&written).zip(0..) {
            prop_assert_eq!(found.offset, 77 + i64::from(index));
            prop_assert_eq!(found.sequence, base_sequence + index);
            prop_assert_eq!((found.producer_id, found.producer_epoch), (producer_id, 3));
            prop_assert_eq!((found.partition_leader_epoch, found.transactional), (5, transactional));
            let headers = found.headers.iter();
            let headers = headers.map(|(key, value)| (key.to_string(), value.as_ref().map(|value| value.to_vec())));
            let found = Owned {
                timestamp: found.timestamp,
                key: found.key.as_ref().map(|key| key.to_vec()),
                value: found.value.as_ref().map(|value| value.to_vec()),
                headers: headers.collect(),
            };
            prop_assert_eq!(&found, wanted);
        }
    }

    #[test]
    fn what_the_oracle_writes_reads_back(
        written in proptest::collection::vec(any_record(), 1..20),
        compression in any_compression(),
    ) {
        let bytes = oracle_batch(&written, compression);
        let batch = Batch::parse(&bytes).unwrap();
        batch.check_crc().unwrap();
        prop_assert_eq!(batch.header.compression().unwrap(), compression);
        prop_assert_eq!(read(&batch), written);
    }

    #[test]
    fn patches_leave_the_crc_right(
        written in proptest::collection::vec(any_record(), 1..20),
        compression in any_compression(),
        max_timestamp: i64,
        log_append_time: bool,
    ) {
        let mut bytes = build(&BatchOptions { compression, ..BatchOptions::default() }, &written);
        let kind = if log_append_time { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
        set_base_offset(&mut bytes, 1 << 40);
        set_partition_leader_epoch(&mut bytes, 9);
        set_max_timestamp(&mut bytes, kind, max_timestamp);
        let batch = Batch::parse(&bytes).unwrap();
        batch.check_crc().unwrap();
        let header = batch.header;
        prop_assert_eq!((header.base_offset, header.partition_leader_epoch), (1 << 40, 9));
        prop_assert_eq!((header.timestamp_type(), header.max_timestamp), (kind, max_timestamp));
        prop_assert_eq!(header.compression().unwrap(), compression);
    }

    #[test]
    fn a_patch_does_not_mend_a_damaged_batch(at in 61usize..100, mask in 1..=255u8) {
        let written = Owned { timestamp: 1, key: None, value: Some(vec![0; 100]), headers: Vec::new() };
        let mut bytes = build(&BatchOptions::default(), &[written]);
        bytes[at] ^= mask;
        set_max_timestamp(&mut bytes, TimestampType::LogAppendTime, 12_345);
        prop_assert!(Batch::parse(&bytes).unwrap().check_crc().is_err());
    }

    #[test]
    fn the_first_record_at_a_time_is_the_one_that_a_plain_search_finds(
        written in proptest::collection::vec(any_record(), 1..20),
        compression in any_compression(),
        target in -1..2_000_000_000_000i64,
        skip in 0..20usize,
    ) {
        let options = BatchOptions { base_offset: 100, compression, ..BatchOptions::default() };
        let bytes = build(&options, &written);
        let batch = Batch::parse(&bytes).unwrap();
        let found = first_at_or_after(&batch, target, 100 + skip as i64, OPENED_BYTES_MAX).unwrap();
        let wanted = written.iter().enumerate().skip(skip).find(|(_, record)| record.timestamp >= target);
        prop_assert_eq!(
            found.map(|at| (at.offset, at.timestamp)),
            wanted.map(|(index, record)| (100 + index as i64, record.timestamp))
        );
        let latest = first_with_max_timestamp(&batch, OPENED_BYTES_MAX).unwrap();
        let max = written.iter().map(|record| record.timestamp).max().unwrap();
        let wanted = written.iter().position(|record| record.timestamp == max).filter(|_| max != -1);
        prop_assert_eq!(latest.map(|at| at.offset), wanted.map(|index| 100 + index as i64));
    }

    #[test]
    fn a_copy_in_pieces_has_the_checksum_of_the_whole(
        source in proptest::collection::vec(any::<u8>(), 0..70_000),
        cut in 0..70_000usize,
    ) {
        let cut = cut.min(source.len());
        let mut target = vec![0; source.len()];
        let (front, back) = target.split_at_mut(cut);
        let crc = crc_copy(crc_copy(0, &source[..cut], front), &source[cut..], back);
        prop_assert_eq!(crc, crc32c::crc32c(&source));
        prop_assert_eq!(target, source);
    }
}

fn oracle_batch(written: &[Owned], compression: Compression) -> Vec<u8> {
    let records: Vec<oracle::Record> = written
        .iter()
        .zip(0..)
        .map(|(record, index)| oracle::Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: 0,
            producer_id: -1,
            producer_epoch: -1,
            timestamp_type: oracle::TimestampType::Creation,
            offset: i64::from(index),
            sequence: index,
            timestamp: record.timestamp,
            key: record.key.clone().map(Bytes::from),
            value: record.value.clone().map(Bytes::from),
            headers: record
                .headers
                .iter()
                .map(|(key, value)| (key.clone().into(), value.clone().map(Bytes::from)))
                .collect::<IndexMap<_, _>>(),
        })
        .collect();
    let compression = match compression {
        Compression::None => oracle::Compression::None,
        Compression::Gzip => oracle::Compression::Gzip,
        Compression::Snappy => oracle::Compression::Snappy,
        Compression::Lz4 => oracle::Compression::Lz4,
        Compression::Zstd => oracle::Compression::Zstd,
    };
    let mut out = BytesMut::new();
    let options = oracle::RecordEncodeOptions { version: 2, compression };
    oracle::RecordBatchEncoder::encode(&mut out, &records, &options).unwrap();
    out.to_vec()
}

#[test]
fn a_log_reads_up_to_its_last_whole_batch() {
    let record = Owned { timestamp: 5, key: None, value: Some(b"v".to_vec()), headers: Vec::new() };
    let batch_at =
        |base_offset| build(&BatchOptions { base_offset, ..BatchOptions::default() }, std::slice::from_ref(&record));
    let whole = [batch_at(0), batch_at(1), batch_at(2)].concat();
    let batch_bytes = whole.len() / 3;
    for end in 0..=whole.len() {
        let mut log = batches(&whole[..end]);
        let offsets: Vec<i64> = log.by_ref().map(|batch| batch.unwrap().header.base_offset).collect();
        assert_eq!(offsets, (0..(end / batch_bytes) as i64).collect::<Vec<_>>());
        assert_eq!(log.position(), end / batch_bytes * batch_bytes);
    }
}

#[test]
fn a_log_ends_with_the_first_impossible_batch() {
    let record = Owned { timestamp: 5, key: None, value: None, headers: Vec::new() };
    let good = build(&BatchOptions::default(), &[record]);
    let mut bad = good.clone();
    bad[wire::batch::MAGIC_AT] = 7;
    let log = [good.clone(), bad, good].concat();
    let outcome: Vec<bool> = batches(&log).map(|batch| batch.is_ok()).collect();
    assert_eq!(outcome, [true, false]);
}

#[test]
fn records_of_a_broker_stamped_batch_all_have_its_time() {
    let records = [1, 2, 3].map(|timestamp| Owned { timestamp, key: None, value: None, headers: Vec::new() });
    let mut bytes = build(&BatchOptions { base_offset: 10, ..BatchOptions::default() }, &records);
    set_max_timestamp(&mut bytes, TimestampType::LogAppendTime, 1000);
    let batch = Batch::parse(&bytes).unwrap();
    let found = first_at_or_after(&batch, 900, 11, OPENED_BYTES_MAX).unwrap().unwrap();
    assert_eq!((found.offset, found.timestamp), (11, 1000));
    let latest = first_with_max_timestamp(&batch, OPENED_BYTES_MAX).unwrap().unwrap();
    assert_eq!((latest.offset, latest.timestamp), (10, 1000));
}

#[test]
fn a_control_record_tells_its_kind() {
    let mut builder = BatchBuilder::new();
    builder.append(9, Some(&ControlRecord::LeaderChange.key()), Some(b"body"), &[]).unwrap();
    let mut bytes = Vec::new();
    builder.build(&BatchOptions { control: true, ..BatchOptions::default() }, &mut bytes).unwrap();
    let batch = Batch::parse(&bytes).unwrap();
    assert!(batch.header.is_control());
    let mut scratch = Vec::new();
    let record = records(&batch, 0, &mut scratch).unwrap().next().unwrap().unwrap();
    assert_eq!(ControlRecord::from_key(record.key.unwrap()), Some(ControlRecord::LeaderChange));
    assert_eq!(ControlRecord::from_key(&[0, 0, 0]), None);
    assert_eq!(ControlRecord::from_key(&[0, 0, 0, 99]), None);
}

#[test]
fn a_builder_without_records_refuses_and_leaves_the_output_alone() {
    let mut out = b"kept".to_vec();
    assert!(BatchBuilder::new().build(&BatchOptions::default(), &mut out).is_err());
    assert_eq!(out, b"kept");
}
