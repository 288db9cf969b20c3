//! What the broker makes of bytes that no good client sends: the right Kafka error or a closed connection, and nobody
//! else notices. Error codes are those that Kafka 4.3 answers.

mod support;

use std::time::Duration;

use support::{ACKS_ALL, Broker, Client, PRODUCE, batch, batch_with, decode, produce_request, wait_until};
use wire::ErrorCode;
use wire::api::*;
use wire::batch::{BatchOptions, set_base_offset};
use wire::codec::Writer;
use wire::compression::Compression;
use wire::header::{RequestHeader, frame, request_frame};

/// Where a batch's fields are.
const BATCH_LENGTH_AT: usize = 8;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const LAST_OFFSET_DELTA_AT: usize = 23;
const RECORD_COUNT_AT: usize = 57;

/// A frame with this header and body.
fn raw_frame(api_key: i16, api_version: i16, body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    frame(|writer| {
        RequestHeader { api_key, api_version, correlation_id: 7, client_id: Some("bad") }.encode(writer);
        body(writer);
    })
    .into_vec()
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as i32).to_be_bytes(), body].concat()
}

#[test]
fn frames_that_cannot_be_read_close_the_connection_and_nobody_else_notices() {
    let broker = Broker::start(&[]);
    let mut other = broker.client();
    other.create_topic("t", 2, &[]);
    let produce = request_frame(1, PRODUCE, None, &produce_request(ACKS_ALL, &[("t", 0, &batch(&[b"v"]))]));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a negative length", (-1i32).to_be_bytes().to_vec()),
        ("the smallest length", i32::MIN.to_be_bytes().to_vec()),
        ("a length of 2 GiB", i32::MAX.to_be_bytes().to_vec()),
        ("one byte above socket.request.max.bytes", 104_857_601i32.to_be_bytes().to_vec()),
        ("an empty frame", framed(&[])),
        ("half a header", framed(&[0, 18, 0])),
        ("an HTTP request", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("a TLS hello", vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]),
        ("noise", (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80).collect()),
        ("an unknown API", raw_frame(999, 0, |_| {})),
        ("a negative API", raw_frame(-3, 0, |_| {})),
        ("an API that Kafka has removed", raw_frame(4, 0, |_| {})),
        ("Produce v2, which is advertised but not served", raw_frame(0, 2, |_| {})),
        ("Fetch v3", raw_frame(1, 3, |_| {})),
        ("Metadata v99", raw_frame(3, 99, |_| {})),
        ("Metadata v-1", raw_frame(3, -1, |_| {})),
        ("a client id longer than its frame", framed(&[0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff, b'x'])),
        ("a client id of negative length", framed(&[0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xfe, b'x'])),
        ("2^31 - 1 topics", raw_frame(3, 1, |writer| writer.i32(i32::MAX))),
        ("-2 topics", raw_frame(3, 1, |writer| writer.i32(-2))),
        ("2^32 - 2 topics, compact", raw_frame(3, 9, |writer| writer.unsigned_varint(u32::MAX))),
        ("a body that is cut", framed(&produce[4..produce.len() - 9])),
    ];
    for (what, bytes) in cases {
        let mut client = broker.client();
        client.send_raw(&bytes);
        client.expect_closed(what);
        other.append("t", 0, &batch(&[b"from another client"]));
    }
    assert_eq!(other.read_all("t", 0, 0).len(), 22, "one record for each case");
    broker.stop();
}

#[test]
fn a_frame_that_never_ends_goes_with_its_connection() {
    let broker = Broker::start(&[]);
    let mut other = broker.client();
    other.create_topic("t", 1, &[]);
    let whole = request_frame(1, PRODUCE, None, &produce_request(ACKS_ALL, &[("t", 0, &batch(&[b"v"]))]));
    for cut in [1, 3, 4, 5, 11, whole.len() - 1] {
        let mut client = broker.client();
        client.send_raw(&whole[..cut]);
        client.stream().shutdown(std::net::Shutdown::Write).expect("our side can be closed");
        client.expect_closed("a cut frame");
    }
    assert_eq!(other.list_offset("t", 0, support::LATEST), Ok(0), "nothing of a cut frame is appended");
}

#[test]
fn requests_that_arrive_byte_by_byte_are_answered() {
    let broker = Broker::start(&[]);
    let mut slow = broker.client();
    let mut other = broker.client();
    other.create_topic("t", 2, &[]);
    let request = request_frame(3, PRODUCE, None, &produce_request(ACKS_ALL, &[("t", 1, &batch(&[b"slow"]))]));
    for (count, byte) in request.iter().enumerate() {
        slow.send_raw(&[*byte]);
        if count % 16 == 0 {
            other.append("t", 1, &batch(&[b"quick"]));
        }
    }
    let answer = decode::<ProduceRequest>(&slow.receive_frame().expect("an answer").expect("open"), PRODUCE, 3);
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
}

#[test]
fn an_unsupported_version_of_api_versions_is_answered_as_version_0() {
    let broker = Broker::start(&[]);
    for version in [99, 5, i16::MAX] {
        let mut client = broker.client();
        client.send_raw(&raw_frame(18, version, |_| {}));
        let frame = client.receive_frame().expect("an answer").expect("the connection stays open");
        let response = decode::<ApiVersionsRequest>(&frame, 0, 7);
        assert_eq!(response.error_code, ErrorCode::UnsupportedVersion.code());
        let own = response.api_keys.iter().find(|api| api.api_key == 18).expect("ApiVersions lists itself");
        assert_eq!((own.min_version, own.max_version), (0, 4));
        let produce = response.api_keys.iter().find(|api| api.api_key == 0).expect("Produce is listed");
        assert_eq!(produce.min_version, 0, "older librdkafka turns compression off otherwise");
        assert!(client.is_answered(), "the client asks again on the same connection");
    }
}

#[test]
fn a_client_with_an_invalid_software_name_is_told_so() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    for (name, version) in [("", "1"), ("x y", "1"), ("x", ""), ("-x", "1"), ("x", "1;")] {
        let request = ApiVersionsRequest { client_software_name: name.into(), client_software_version: version.into() };
        assert_eq!(client.call(3, &request).error_code, ErrorCode::InvalidRequest.code(), "{name:?} {version:?}");
    }
    assert!(client.is_answered());
}

/// A batch of two records, changed, with a CRC that fits again.
fn resealed(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = batch(&[b"one", b"two"]);
    change(&mut bytes);
    let crc = crc32c::crc32c(&bytes[ATTRIBUTES_AT..]);
    put(&mut bytes, CRC_AT, &crc.to_be_bytes());
    bytes
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}

#[test]
fn bad_batches_are_answered_as_kafka_does_and_nothing_is_appended() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create_topic("t", 2, &[("max.message.bytes", "1000")]);
    let good = batch(&[b"one", b"two"]);
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        bytes
    };
    let cases: Vec<(&str, ErrorCode, Vec<u8>)> = vec![
        ("a wrong CRC", ErrorCode::CorruptMessage, changed(&|bytes| bytes[CRC_AT] ^= 1)),
        ("a flipped bit in a record", ErrorCode::CorruptMessage, changed(&|bytes| *bytes.last_mut().unwrap() ^= 1)),
        ("a negative length", ErrorCode::CorruptMessage, changed(&|bytes| put(bytes, BATCH_LENGTH_AT, &[0xff; 4]))),
        ("magic 3", ErrorCode::CorruptMessage, changed(&|bytes| bytes[MAGIC_AT] = 3)),
        ("magic 1", ErrorCode::InvalidRecord, changed(&|bytes| bytes[MAGIC_AT] = 1)),
        ("magic 0", ErrorCode::InvalidRecord, changed(&|bytes| bytes[MAGIC_AT] = 0)),
        ("no batch", ErrorCode::InvalidRecord, Vec::new()),
        ("half a batch", ErrorCode::InvalidRecord, good[..40].to_vec()),
        ("two batches", ErrorCode::InvalidRecord, [good.clone(), good.clone()].concat()),
        ("a count too high", ErrorCode::InvalidRecord, resealed(|b| put(b, RECORD_COUNT_AT, &3i32.to_be_bytes()))),
        ("a negative count", ErrorCode::InvalidRecord, resealed(|b| put(b, RECORD_COUNT_AT, &(-1i32).to_be_bytes()))),
        ("2^31 - 1 records", ErrorCode::InvalidRecord, resealed(|b| put(b, RECORD_COUNT_AT, &i32::MAX.to_be_bytes()))),
        ("a wrong last delta", ErrorCode::InvalidRecord, resealed(|b| put(b, LAST_OFFSET_DELTA_AT, &[0; 4]))),
        (
            "a control batch",
            ErrorCode::InvalidRecord,
            batch_with(&[b"v"], &BatchOptions { control: true, ..Default::default() }),
        ),
        (
            "a transaction's batch without a transactional id",
            ErrorCode::TransactionalIdAuthorizationFailed,
            batch_with(&[b"v"], &BatchOptions { transactional: true, ..Default::default() }),
        ),
        ("a base offset", ErrorCode::InvalidRecord, changed(&|bytes| set_base_offset(bytes, 7))),
        ("a batch above max.message.bytes", ErrorCode::MessageTooLarge, batch(&[&[b'x'; 2000]])),
    ];
    for (what, error, bytes) in &cases {
        let answer = client.produce("t", 0, bytes, ACKS_ALL);
        let name = ErrorCode::from_code(answer.error_code).map(ErrorCode::name);
        assert_eq!(name, Some(error.name()), "{what}");
        assert_eq!(answer.base_offset, -1, "{what}");
    }
    let both = produce_request(ACKS_ALL, &[("t", 0, &cases[0].2), ("t", 1, &good)]);
    let response = client.call(PRODUCE, &both);
    assert_eq!(response.responses[0].partition_responses[0].error_code, ErrorCode::CorruptMessage.code());
    assert_eq!(response.responses[1].partition_responses[0].error_code, 0, "the other partition's batch is taken");
    assert_eq!(client.list_offset("t", 0, support::LATEST), Ok(0), "nothing bad was appended");
    assert_eq!(client.list_offset("t", 1, support::LATEST), Ok(2));
}

#[test]
fn acks_that_do_not_exist_are_refused() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create_topic("t", 1, &[]);
    for acks in [2, -2, i16::MAX] {
        let answer = client.produce("t", 0, &batch(&[b"v"]), acks);
        assert_eq!(answer.error_code, ErrorCode::InvalidRequiredAcks.code(), "acks={acks}");
    }
    assert_eq!(client.list_offset("t", 0, support::LATEST), Ok(0));
}

#[test]
fn zstd_needs_produce_v7() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create_topic("t", 1, &[]);
    let zstd = batch_with(&[b"v"], &BatchOptions { compression: Compression::Zstd, ..Default::default() });
    let request = produce_request(ACKS_ALL, &[("t", 0, &zstd)]);
    let error = |response: ProduceResponse| response.responses[0].partition_responses[0].error_code;
    assert_eq!(error(client.call(6, &request)), ErrorCode::UnsupportedCompressionType.code());
    assert_eq!(error(client.call(7, &request)), 0);
}

#[test]
fn a_refused_batch_of_an_acks_0_producer_closes_its_connection() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create_topic("t", 1, &[]);
    client.send(PRODUCE, &produce_request(0, &[("t", 0, &batch(&[b"good"]))]));
    assert!(client.is_answered(), "a good batch gets no answer, and the next request gets its own");
    let mut bad = batch(&[b"bad"]);
    bad[CRC_AT] ^= 1;
    client.send(PRODUCE, &produce_request(0, &[("t", 0, &bad)]));
    client.expect_closed("a bad batch");
    let mut client = broker.client();
    client.send(PRODUCE, &produce_request(0, &[("nowhere", 0, &batch(&[b"v"]))]));
    client.expect_closed("an unknown topic");
    let mut reader = broker.client();
    wait_until("what nobody waited for is readable", || reader.list_offset("t", 0, support::LATEST) == Ok(1));
    assert_eq!(reader.read_all("t", 0, 0), [(0, b"good".to_vec())]);
}

#[test]
fn announced_frames_that_never_come_cost_nothing_and_starve_nobody() {
    const ANNOUNCERS: usize = 60;
    let broker = Broker::start(&[]);
    let mut other = broker.client();
    other.create_topic("t", 2, &[]);
    other.append("t", 0, &batch(&[b"warm"]));
    let before = broker.resident_bytes();
    let announcement = [&104_857_600i32.to_be_bytes()[..], &[0, 0, 0, 9, 0, 0, 0, 1]].concat();
    let mut announcers: Vec<Client> = (0..ANNOUNCERS).map(|_| broker.client()).collect();
    for client in &mut announcers {
        client.send_raw(&announcement);
    }
    // A large batch needs memory of its own while all those hold theirs.
    let large = batch(&[&vec![b'x'; 900_000]]);
    for partition in [0, 1, 0, 1] {
        broker.client().append("t", partition, &large);
    }
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "60 announcements of 100 MB cost {grown} bytes");
}

#[test]
fn clients_that_stall_within_a_megabyte_do_not_starve_others() {
    const STALLED: usize = 400;
    let broker = Broker::start(&[]);
    let mut other = broker.client();
    other.create_topic("t", 2, &[]);
    let start = [&1_000_000i32.to_be_bytes()[..], &[0; 2000]].concat();
    let mut stalled: Vec<Client> = (0..STALLED).map(|_| broker.client()).collect();
    for client in &mut stalled {
        client.send_raw(&start);
    }
    wait_until("the broker has all their bytes", || {
        broker.metric("partita_received_bytes_total", &[]) >= (STALLED * start.len()) as i64
    });
    let large = batch(&[&vec![b'x'; 900_000]]);
    for partition in [0, 1, 0, 1] {
        broker.client().append("t", partition, &large);
    }
}

#[test]
fn large_frames_that_together_exceed_the_budget_all_arrive() {
    const PRODUCERS: usize = 8;
    const FRAME_BYTES: usize = 3 << 20;
    // One core, whose budget holds two frames and a half.
    let budget = (FRAME_BYTES * 5 / 2).to_string();
    let frame_max = (FRAME_BYTES + (64 << 10)).to_string();
    let dir = support::DataDir::new();
    let settings = [
        ("queued.max.request.bytes", budget.as_str()),
        ("socket.request.max.bytes", frame_max.as_str()),
        ("message.max.bytes", frame_max.as_str()),
    ];
    let broker = Broker::start_in(&dir, 1, &settings);
    broker.client().create_topic("t", 1, &[]);
    let bytes = batch(&[&vec![b'x'; FRAME_BYTES]]);
    let request = request_frame(1, PRODUCE, None, &produce_request(ACKS_ALL, &[("t", 0, &bytes)]));
    let mut producers: Vec<Client> = (0..PRODUCERS).map(|_| broker.client()).collect();
    // All of them hold a part before any is complete.
    for (start, end) in [(0, request.len() / 2), (request.len() / 2, request.len())] {
        std::thread::scope(|scope| {
            for producer in &mut producers {
                let part = &request[start..end];
                scope.spawn(move || producer.send_raw(part));
            }
        });
    }
    for producer in &mut producers {
        let frame = producer.receive_frame().expect("an answer").expect("open");
        let answer = decode::<ProduceRequest>(&frame, PRODUCE, 1);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
    assert_eq!(broker.client().list_offset("t", 0, support::LATEST), Ok(PRODUCERS as i64));
}

#[test]
fn clients_that_never_read_their_answers_do_not_grow_memory() {
    const READERS: usize = 24;
    const VALUE_BYTES: usize = 1_000_000;
    let broker = Broker::start(&[("tail.bytes.max", "16777216")]);
    let mut other = broker.client();
    other.create_topic("t", 2, &[]);
    let large = batch(&[&vec![b'x'; VALUE_BYTES]]);
    for _ in 0..60 {
        other.append("t", 0, &large);
        other.append("t", 1, &large);
    }
    let before = broker.resident_bytes();
    let mut readers: Vec<Client> = (0..READERS).map(|_| broker.client()).collect();
    for reader in &mut readers {
        for partition in [0, 1, 0, 1] {
            let fetch = support::fetch_request("t", partition, 0, Duration::ZERO, 52_428_800);
            reader.send(support::FETCH, &fetch);
        }
    }
    let mut most = 0;
    for _ in 0..20 {
        // Each round is served, and shows how much the others hold meanwhile.
        other.append("t", 1, &batch(&[b"still served"]));
        other.fetch("t", 0, 0, Duration::ZERO);
        most = most.max(broker.resident_bytes().saturating_sub(before));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(most < 400 << 20, "answers that nobody reads hold {most} bytes");
}

#[test]
fn whoever_keeps_memory_that_others_wait_for_is_disconnected() {
    // With memory short each reads 1 MiB at a time: four hold all there is, and one waits.
    const STUCK: usize = 5;
    let dir = support::DataDir::new();
    // One core, whose fetches have 4 MiB together.
    let settings = [
        ("fetch.max.bytes", "4194304"),
        ("queued.max.request.bytes", "4194304"),
        ("socket.request.max.bytes", "4194304"),
    ];
    let broker = Broker::start_in(&dir, 1, &settings);
    let mut other = broker.client();
    other.create_topic("t", 1, &[]);
    for _ in 0..8 {
        other.append("t", 0, &batch(&[&vec![b'x'; 1_000_000]]));
    }
    let mut stuck: Vec<Client> = (0..STUCK).map(|_| broker.client()).collect();
    for client in &mut stuck {
        // More than the kernel's buffers take.
        for _ in 0..20 {
            let fetch = support::fetch_request("t", 0, 0, Duration::ZERO, 4 << 20);
            client.send(support::FETCH, &fetch);
        }
    }
    wait_until("they are found out", || broker.log().contains("too slow to take its answer"));
    let mut reader = broker.client();
    assert_eq!(reader.read_all("t", 0, 0).len(), 8, "there is memory for those who read");
}
