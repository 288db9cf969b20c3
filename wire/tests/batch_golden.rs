//! Segments that Apache Kafka wrote with records of real clients: tests/golden/README.md says how they were made.

use wire::batch::{
    Batch, BatchHeader, ControlRecord, ProduceRules, TimestampType, batches, first_at_or_after, records,
    validate_produce,
};
use wire::compression::Compression;

const OPENED_BYTES_MAX: usize = 1 << 16;

/// Key, value and headers as they were typed in.
type Typed = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

fn golden(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/golden/{name}.log", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn whole_batches(log: &[u8]) -> Vec<Batch<'_>> {
    let mut reader = batches(log);
    let found: Vec<Batch<'_>> = reader.by_ref().collect::<Result<_, _>>().unwrap();
    assert_eq!(reader.position(), log.len());
    found.iter().for_each(|batch| batch.check_crc().unwrap());
    found
}

fn typed() -> Vec<Typed> {
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    let headers = vec![(b"h1".to_vec(), bytes("one")), (b"h2".to_vec(), bytes("zwei"))];
    let pairs = [
        (bytes("k1"), bytes("v1")),
        (bytes("k2"), None),
        (None, bytes("keyless")),
        (bytes("ключ"), bytes("значение ✓")),
        (bytes("long"), bytes(&"partita ".repeat(250))),
    ];
    pairs.into_iter().map(|(key, value)| (key, value, headers.clone())).collect()
}

fn read(batch: &Batch<'_>) -> Vec<Typed> {
    let mut scratch = Vec::new();
    let records = records(batch, OPENED_BYTES_MAX, &mut scratch).unwrap();
    let typed = records.zip(0..).map(|(record, index)| {
        let record = record.unwrap();
        assert_eq!(record.offset_delta, index);
        let headers = record.headers.map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec)));
        (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec), headers.collect())
    });
    typed.collect()
}

fn rules(header: &BatchHeader) -> ProduceRules {
    ProduceRules {
        now_ms: header.max_timestamp,
        batch_bytes_max: 1 << 20,
        compacted: false,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: 60_000,
        timestamp_after_max_ms: 0,
        open_compressed: true,
        opened_bytes_max: OPENED_BYTES_MAX,
    }
}

#[test]
fn records_of_the_java_client_and_librdkafka_read_as_typed_in_every_codec() {
    for client in ["java", "kcat"] {
        for compression in Compression::ALL {
            let name = format!("{client}-{}", compression.name());
            let log = golden(&name);
            let [batch] = whole_batches(&log)[..] else { panic!("{name} holds one batch") };
            assert_eq!(batch.header.compression().unwrap(), compression);
            assert_eq!(batch.header.has_producer_id(), client == "java");
            assert_eq!(read(&batch), typed(), "{name}");
        }
    }
}

#[test]
fn batches_of_real_clients_pass_validation() {
    for client in ["java", "kcat"] {
        for compression in Compression::ALL {
            let log = golden(&format!("{client}-{}", compression.name()));
            let header = BatchHeader::parse(&log).unwrap();
            let summary = validate_produce(&log, &rules(&header)).unwrap();
            assert_eq!((summary.record_count, summary.size), (5, log.len()));
            assert!(!summary.max_timestamp_is_wrong);
            assert_eq!(summary.producer_id, header.producer_id);
            let compacted = ProduceRules { compacted: true, ..rules(&header) };
            validate_produce(&log, &compacted).expect_err("the third record has no key");
        }
    }
}

#[test]
fn a_real_batch_with_any_byte_flipped_or_cut_is_refused() {
    for client in ["java", "kcat"] {
        for compression in Compression::ALL {
            let log = golden(&format!("{client}-{}", compression.name()));
            let rules = rules(&BatchHeader::parse(&log).unwrap());
            for at in wire::batch::CRC_AT..log.len() {
                let mut bad = log.clone();
                bad[at] ^= 0x55;
                validate_produce(&bad, &rules).expect_err("flipped");
                validate_produce(&log[..at], &rules).expect_err("cut");
            }
        }
    }
}

#[test]
fn a_transaction_ends_with_its_marker() {
    let log = golden("java-transaction");
    let found = whole_batches(&log);
    let [first, second, marker] = &found[..] else { panic!("three batches, not {}", found.len()) };
    for batch in [first, second, marker] {
        assert!(batch.header.is_transactional());
        assert_eq!(batch.header.producer_id, first.header.producer_id);
    }
    assert!(!first.header.is_control() && marker.header.is_control());
    let mut scratch = Vec::new();
    let record = records(marker, 0, &mut scratch).unwrap().next().unwrap().unwrap();
    assert_eq!(ControlRecord::from_key(record.key.unwrap()), Some(ControlRecord::Commit));
    assert_eq!(record.key.unwrap(), ControlRecord::Commit.key());
}

#[test]
fn a_metadata_log_begins_with_the_quorums_control_records() {
    let log = golden("kraft-metadata");
    let found = whole_batches(&log);
    let control = found.first().unwrap();
    assert!(control.header.is_control() && !found.last().unwrap().header.is_control());
    let mut scratch = Vec::new();
    let kinds: Vec<_> = records(control, 0, &mut scratch)
        .unwrap()
        .map(|record| ControlRecord::from_key(record.unwrap().key.unwrap()).unwrap())
        .collect();
    assert_eq!(kinds, [ControlRecord::LeaderChange, ControlRecord::KRaftVersion, ControlRecord::KRaftVoters]);
}

#[test]
fn a_broker_stamped_batch_has_one_time_for_all() {
    let log = golden("kcat-log-append-time");
    let [batch] = whole_batches(&log)[..] else { panic!("one batch") };
    assert_eq!(batch.header.timestamp_type(), TimestampType::LogAppendTime);
    let stamp = batch.header.max_timestamp;
    let found = first_at_or_after(&batch, stamp, 1, OPENED_BYTES_MAX).unwrap().unwrap();
    assert_eq!((found.offset, found.timestamp), (1, stamp));
    assert_eq!(first_at_or_after(&batch, stamp + 1, 0, OPENED_BYTES_MAX).unwrap(), None);
}
