//! What a broker answers to produced batches, good and bad.

use wire::ErrorCode;
use wire::batch::{
    ATTRIBUTES_AT, BASE_OFFSET_AT, BATCH_LENGTH_AT, BatchBuilder, BatchError, BatchOptions, CRC_AT, HEADER_BYTES,
    LAST_OFFSET_DELTA_AT, MAGIC_AT, MAX_TIMESTAMP_AT, ProduceRules, RECORD_COUNT_AT, RefusalReason, TimestampType,
    recompress, set_max_timestamp, validate_produce,
};
use wire::compression::Compression;

const NOW_MS: i64 = 1_700_000_000_000;
const INVALID_RECORD: ErrorCode = ErrorCode::InvalidRecord;
const CORRUPT_MESSAGE: ErrorCode = ErrorCode::CorruptMessage;
const INVALID_TIMESTAMP: ErrorCode = ErrorCode::InvalidTimestamp;

fn rules() -> ProduceRules {
    ProduceRules {
        now_ms: NOW_MS,
        batch_bytes_max: 1 << 20,
        compacted: false,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        open_compressed: false,
        opened_bytes_max: 1 << 20,
    }
}

/// Timestamp, key and value.
type Plain<'a> = (i64, Option<&'a [u8]>, Option<&'a [u8]>);

fn batch_of(options: &BatchOptions, records: &[Plain<'_>]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for (timestamp, key, value) in records {
        builder.append(*timestamp, *key, *value, &[(b"h", Some(b"v")), (b"n", None)]).unwrap();
    }
    let mut out = Vec::new();
    builder.build(options, &mut out).unwrap();
    out
}

fn batch() -> Vec<u8> {
    compressed(Compression::None)
}

fn compressed(compression: Compression) -> Vec<u8> {
    let records: [Plain<'_>; 3] =
        [(NOW_MS, Some(b"k1"), Some(b"v1")), (NOW_MS + 5, Some(b"k2"), None), (NOW_MS + 2, Some(b"k3"), Some(b"v3"))];
    batch_of(&BatchOptions { compression, ..BatchOptions::default() }, &records)
}

/// Makes the CRC right again after a change, so that what is behind it gets judged.
fn reseal(batch: &mut [u8]) {
    let crc = crc32c::crc32c(&batch[ATTRIBUTES_AT..]);
    batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
}

fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut batch = batch();
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    reseal(&mut batch);
    batch
}

fn refusal(bytes: &[u8]) -> BatchError {
    validate_produce(bytes, &rules()).expect_err("the batch should be refused")
}

#[test]
fn a_good_batch_passes_with_what_there_is_to_know_of_it() {
    for compression in Compression::ALL {
        let batch = compressed(compression);
        for open_compressed in [false, true] {
            let summary = validate_produce(&batch, &ProduceRules { open_compressed, ..rules() }).unwrap();
            assert_eq!(summary.size, batch.len());
            assert_eq!((summary.record_count, summary.last_offset_delta), (3, 2));
            assert_eq!((summary.base_timestamp, summary.max_timestamp), (NOW_MS, NOW_MS + 5));
            assert_eq!(summary.compression, compression);
            assert_eq!((summary.producer_id, summary.producer_epoch, summary.base_sequence), (-1, -1, -1));
            assert!(!summary.max_timestamp_is_wrong && !summary.transactional);
            let looked_at = open_compressed || compression == Compression::None;
            assert_eq!(summary.max_timestamp_offset_delta, if looked_at { 1 } else { 2 });
        }
    }
}

#[test]
fn what_follows_the_batch_is_cut_off_however_large_it_is() {
    let value = vec![b'x'; 50_000];
    let records = [(NOW_MS, None, Some(value.as_slice())), (NOW_MS, None, Some(b"small")), (NOW_MS, None, None)];
    let mut batch = batch_of(&BatchOptions::default(), &records);
    let size = batch.len();
    batch.extend_from_slice(b"cut rest");
    assert_eq!(validate_produce(&batch, &rules()).unwrap().size, size);
}

#[test]
fn every_flipped_byte_under_the_crc_is_refused() {
    for compression in Compression::ALL {
        let good = compressed(compression);
        for at in CRC_AT..good.len() {
            for mask in [1u8, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] ^= mask;
                let error = refusal(&bad);
                assert!(matches!(error, BatchError::BadCrc { .. }), "byte {at} of {compression:?}: {error}");
                assert_eq!(error.code(), CORRUPT_MESSAGE);
            }
        }
    }
}

#[test]
fn every_prefix_is_refused() {
    for compression in Compression::ALL {
        let good = compressed(compression);
        for end in 0..good.len() {
            assert_eq!(refusal(&good[..end]).code(), INVALID_RECORD, "{end} bytes of {compression:?}");
        }
    }
}

#[test]
fn counts_that_disagree_are_invalid() {
    for (at, value) in [
        (RECORD_COUNT_AT, 0),
        (RECORD_COUNT_AT, -1),
        (RECORD_COUNT_AT, 2),
        (RECORD_COUNT_AT, 4),
        (RECORD_COUNT_AT, i32::MAX),
        (RECORD_COUNT_AT, i32::MIN),
        (LAST_OFFSET_DELTA_AT, 1),
        (LAST_OFFSET_DELTA_AT, 3),
        (LAST_OFFSET_DELTA_AT, -1),
        (LAST_OFFSET_DELTA_AT, i32::MIN),
    ] {
        let bad: Vec<u8> = with(at, &value.to_be_bytes());
        let error = refusal(&bad);
        assert!(matches!(error, BatchError::BadCount { .. }), "{value} at {at}: {error}");
        assert_eq!(error.code(), INVALID_RECORD);
    }
}

#[test]
fn counts_that_agree_with_each_other_but_not_with_the_records_are_invalid() {
    for (count, opened) in [(2, false), (4, false), (2, true), (4, true)] {
        let compression = if opened { Compression::Zstd } else { Compression::None };
        let mut bad = compressed(compression);
        bad[RECORD_COUNT_AT..RECORD_COUNT_AT + 4].copy_from_slice(&i32::to_be_bytes(count));
        bad[LAST_OFFSET_DELTA_AT..LAST_OFFSET_DELTA_AT + 4].copy_from_slice(&i32::to_be_bytes(count - 1));
        reseal(&mut bad);
        let error = validate_produce(&bad, &ProduceRules { open_compressed: true, ..rules() }).unwrap_err();
        let expected = match count {
            2 => matches!(error, BatchError::RecordsRemaining { .. }),
            _ => matches!(error, BatchError::MalformedRecord(_)),
        };
        assert!(expected, "{count}: {error}");
        assert_eq!(error.code(), INVALID_RECORD);
    }
}

#[test]
fn one_batch_a_partition_and_no_more() {
    let error = refusal(&[batch(), batch()].concat());
    assert!(matches!(error, BatchError::SeveralBatches));
    assert_eq!(error.code(), INVALID_RECORD);
    assert_eq!(refusal(&[]).code(), INVALID_RECORD);
    let mut cut_second = batch();
    cut_second.extend_from_slice(&batch()[..70]);
    assert_eq!(validate_produce(&cut_second, &rules()).unwrap().size, batch().len());
}

#[test]
fn impossible_lengths_are_corrupt() {
    for length in [i32::MIN, -1, 0, 13] {
        let error = refusal(&with(BATCH_LENGTH_AT, &length.to_be_bytes()));
        assert!(matches!(error, BatchError::BadLength { .. }), "{length}: {error}");
        assert_eq!(error.code(), CORRUPT_MESSAGE);
    }
    let mut short = batch();
    short.truncate(HEADER_BYTES - 1);
    let length = (HEADER_BYTES - 1 - 12) as i32;
    short[BATCH_LENGTH_AT..BATCH_LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
    assert_eq!(refusal(&short).code(), CORRUPT_MESSAGE);
}

#[test]
fn other_magics_are_invalid_when_old_and_corrupt_when_unknown() {
    for (magic, code) in [(0, INVALID_RECORD), (1, INVALID_RECORD), (3, CORRUPT_MESSAGE), (0xff, CORRUPT_MESSAGE)] {
        assert_eq!(refusal(&with(MAGIC_AT, &[magic])).code(), code, "magic {magic}");
    }
}

#[test]
fn a_base_offset_other_than_zero_is_invalid() {
    let error = refusal(&with(BASE_OFFSET_AT, &1i64.to_be_bytes()));
    assert!(matches!(error, BatchError::BaseOffsetNotZero { base_offset: 1 }));
    assert_eq!(error.code(), INVALID_RECORD);
}

#[test]
fn a_batch_beyond_the_topics_limit_is_too_large() {
    let batch = batch();
    let limit = |batch_bytes_max| ProduceRules { batch_bytes_max, ..rules() };
    validate_produce(&batch, &limit(batch.len())).unwrap();
    let error = validate_produce(&batch, &limit(batch.len() - 1)).unwrap_err();
    assert_eq!(error.code(), ErrorCode::MessageTooLarge);
}

#[test]
fn control_batches_and_the_brokers_timestamps_are_not_for_clients() {
    let control = batch_of(&BatchOptions { control: true, ..BatchOptions::default() }, &[(NOW_MS, None, None)]);
    assert!(matches!(refusal(&control), BatchError::ControlBatch));
    let timestamp_type = TimestampType::LogAppendTime;
    let stamped = batch_of(&BatchOptions { timestamp_type, ..BatchOptions::default() }, &[(NOW_MS, None, None)]);
    assert_eq!(refusal(&stamped).code(), INVALID_TIMESTAMP);
}

#[test]
fn a_producer_id_without_a_sequence_is_invalid() {
    let options = BatchOptions { producer_id: 5, producer_epoch: 0, ..BatchOptions::default() };
    let error = refusal(&batch_of(&options, &[(NOW_MS, None, None)]));
    assert!(matches!(error, BatchError::NoSequence { producer_id: 5 }));
    assert_eq!(error.code(), INVALID_RECORD);
}

#[test]
fn undefined_compression_is_refused() {
    assert_eq!(refusal(&with(ATTRIBUTES_AT, &5i16.to_be_bytes())).code(), ErrorCode::UnsupportedCompressionType);
}

#[test]
fn timestamps_must_lie_in_the_topics_range_unless_the_broker_sets_them() {
    let future = NOW_MS + rules().timestamp_after_max_ms + 1;
    for compression in [Compression::None, Compression::Lz4] {
        for (timestamp, before_max, code) in [
            (future, i64::MAX, Some(INVALID_TIMESTAMP)),
            (future - 1, i64::MAX, None),
            (NOW_MS - 11, 10, Some(INVALID_TIMESTAMP)),
            (NOW_MS - 10, 10, None),
            (-1, 10, None),
            (i64::MIN, 10, Some(INVALID_TIMESTAMP)),
            (i64::MAX, i64::MAX, Some(INVALID_TIMESTAMP)),
        ] {
            let options = BatchOptions { compression, ..BatchOptions::default() };
            let batch = batch_of(&options, &[(timestamp, None, Some(b"v"))]);
            let rules = ProduceRules { timestamp_before_max_ms: before_max, open_compressed: true, ..rules() };
            let answer = validate_produce(&batch, &rules).err().map(|error| error.code());
            assert_eq!(answer, code, "{timestamp} in {compression:?}");
            let stamped_here = ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..rules };
            validate_produce(&batch, &stamped_here).unwrap();
        }
    }
}

#[test]
fn compacted_topics_take_no_record_without_a_key_even_compressed() {
    for compression in Compression::ALL {
        let options = BatchOptions { compression, ..BatchOptions::default() };
        let late = NOW_MS + rules().timestamp_after_max_ms;
        let keyless = batch_of(&options, &[(late, None, None), (NOW_MS, Some(b"k"), None), (NOW_MS, None, Some(b"v"))]);
        validate_produce(&keyless, &rules()).unwrap();
        let compacted = ProduceRules { compacted: true, ..rules() };
        assert_eq!(refused_of(&keyless, &compacted), [(0, "no key"), (2, "no key")], "{compression:?}");
        assert_eq!(validate_produce(&keyless, &compacted).unwrap_err().code(), INVALID_RECORD);
        // A record's key is looked at before its time.
        let earlier = ProduceRules { timestamp_after_max_ms: 0, ..compacted };
        assert_eq!(refused_of(&keyless, &earlier), [(0, "no key"), (2, "no key")], "{compression:?}");
        validate_produce(&compressed(compression), &compacted).unwrap();
    }
}

#[test]
fn every_record_out_of_time_is_named_even_in_batches_that_stay_closed() {
    for compression in Compression::ALL {
        let options = BatchOptions { compression, ..BatchOptions::default() };
        let late = NOW_MS + rules().timestamp_after_max_ms + 1;
        let batch = batch_of(&options, &[(NOW_MS, None, None), (late, None, None), (late, None, None)]);
        assert_eq!(refused_of(&batch, &rules()), [(1, "time"), (2, "time")], "{compression:?}");
        assert_eq!(validate_produce(&batch, &rules()).unwrap_err().code(), INVALID_TIMESTAMP);
    }
}

#[test]
fn a_batch_in_another_codec_holds_the_same_records_and_passes_again() {
    for (from, to) in Compression::ALL.into_iter().flat_map(|from| Compression::ALL.map(|to| (from, to))) {
        let options = BatchOptions { compression: from, ..BatchOptions::default() };
        let records: [Plain<'_>; 2] = [(NOW_MS, Some(b"key"), Some(b"value")), (NOW_MS + 1, None, None)];
        let batch = batch_of(&options, &records);
        let opened = ProduceRules { open_compressed: true, ..rules() };
        let summary = validate_produce(&batch, &opened).unwrap();
        let (again, expected) = recompress(&batch, &summary, to, 1 << 20).unwrap();
        assert_eq!(validate_produce(&again, &opened).unwrap(), expected, "{from:?} to {to:?}");
        assert_eq!(expected.compression, to);
        let back = recompress(&again, &expected, from, 1 << 20).unwrap().0;
        assert_eq!(back, batch, "{from:?} to {to:?} and back");
    }
}

/// The records that are refused, by place.
fn refused_of(batch: &[u8], rules: &ProduceRules) -> Vec<(i32, &'static str)> {
    let Err(BatchError::RecordsRefused { records }) = validate_produce(batch, rules) else {
        panic!("the batch has records to be refused");
    };
    let name = |reason| if reason == RefusalReason::NullKey { "no key" } else { "time" };
    records.iter().map(|record| (record.index, name(record.reason))).collect()
}

#[test]
fn offset_deltas_out_of_order_pass_uncompressed() {
    let batch = batch_of(&BatchOptions::default(), &[(NOW_MS, None, None), (NOW_MS + 1, None, None)]);
    let mut swapped = batch.clone();
    let record_bytes = (batch.len() - HEADER_BYTES) / 2;
    let delta_at = |record: usize| HEADER_BYTES + record * record_bytes + 3;
    assert_eq!((batch[delta_at(0)], batch[delta_at(1)]), (0, 2), "zigzag of 0 and 1");
    swapped[delta_at(0)] = 2;
    swapped[delta_at(1)] = 0;
    reseal(&mut swapped);
    let summary = validate_produce(&swapped, &rules()).unwrap();
    assert_eq!(summary.max_timestamp_offset_delta, 1);
}

#[test]
fn a_wrong_max_timestamp_is_told_and_can_be_put_right() {
    let mut batch = with(MAX_TIMESTAMP_AT, &(NOW_MS + 1000).to_be_bytes());
    let summary = validate_produce(&batch, &rules()).unwrap();
    assert_eq!((summary.max_timestamp, summary.max_timestamp_is_wrong), (NOW_MS + 5, true));
    set_max_timestamp(&mut batch, TimestampType::CreateTime, summary.max_timestamp);
    assert_eq!(batch, self::batch());
}

#[test]
fn bytes_behind_the_header_that_are_no_records_are_invalid() {
    let seed = 7;
    println!("seed {seed}");
    let mut random = random_bytes(seed);
    let mut refused = 0;
    for _ in 0..2_000 {
        let mut bad = batch();
        for byte in &mut bad[HEADER_BYTES..] {
            *byte = random();
        }
        reseal(&mut bad);
        if let Err(error) = validate_produce(&bad, &rules()) {
            assert!([INVALID_RECORD, INVALID_TIMESTAMP].contains(&error.code()), "{error}");
            refused += 1;
        }
    }
    assert!(refused > 1_900, "{refused} refused");
}

#[test]
fn random_bytes_never_panic() {
    let seed = std::process::id().into();
    println!("seed {seed}");
    let mut random = random_bytes(seed);
    let full = ProduceRules { open_compressed: true, compacted: true, ..rules() };
    for round in 0..20_000 {
        let mut bytes = compressed(Compression::ALL[round % 5]);
        for _ in 0..=random() % 8 {
            let at = usize::from(random()) % bytes.len();
            bytes[at] = random();
        }
        if round % 3 != 0 {
            reseal(&mut bytes);
        }
        // Either answer will do: the decompressors' output may happen to be the same.
        let _ = validate_produce(&bytes, &full).is_ok();
    }
}

/// A small generator (splitmix64), so that a printed seed is all it takes to run a test again.
fn random_bytes(seed: u64) -> impl FnMut() -> u8 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 56) as u8
    }
}
