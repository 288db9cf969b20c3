//! Bounds that an operator sets, and what becomes of those who run into them; topics that shrink or go while they are used.

mod support;

use std::time::{Duration, Instant};

use support::{
    ACKS_ALL, Broker, Client, DataDir, EARLIEST, FETCH, LATEST, PATIENCE, PRODUCE, batch, fetch_request,
    produce_request, wait_until,
};
use wire::ErrorCode;
use wire::api::k21_delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use wire::api::*;

/// Kafka's smallest segment.
const SEGMENT_BYTES: &str = "1048576";

/// Demands that a connection is closed, by either side's view of it.
fn is_closed(client: &mut Client) -> bool {
    !client.is_answered()
}

#[test]
fn thousands_of_idle_connections_leave_room_for_others() {
    const IDLE: usize = 2000;
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create_topic("t", 2, &[]);
    let before = broker.resident_bytes();
    let idle: Vec<Client> = (0..IDLE).map(|_| broker.client()).collect();
    wait_until("all are accepted", || broker.metric("partita_connections", &[]) > IDLE as i64);
    let begun = Instant::now();
    for round in 0..50 {
        client.append("t", round % 2, &batch(&[b"v"]));
    }
    assert_eq!(client.read_all("t", 0, 0).len(), 25);
    assert!(begun.elapsed() < PATIENCE, "50 appends took {:?}", begun.elapsed());
    let each = broker.resident_bytes().saturating_sub(before) / IDLE as u64;
    assert!(each < 32 << 10, "an idle connection takes {each} bytes");
    drop(idle);
    wait_until("they have gone", || broker.metric("partita_connections", &[]) <= 1);
    broker.stop();
}

#[test]
fn a_flood_of_connections_leaves_descriptors_for_files() {
    const DESCRIPTORS: u64 = 256;
    let dir = DataDir::new();
    let broker = Broker::start_with_descriptors(&dir, DESCRIPTORS);
    let mut client = broker.client();
    client.create_topic("before", 4, &[]);
    let flood: Vec<Client> = (0..2 * DESCRIPTORS).filter_map(|_| Client::connect(broker.address()).ok()).collect();
    // Each of these opens files.
    client.create_topic("after", 8, &[("segment.bytes", SEGMENT_BYTES)]);
    let large = batch(&[&vec![b'x'; 900_000]]);
    for number in 0..24 {
        client.append("after", number % 8, &large);
    }
    assert_eq!(client.read_all("after", 0, 0).len(), 3);
    drop(flood);
    wait_until("there is room again", || Client::connect(broker.address()).is_ok_and(|mut one| one.is_answered()));
    broker.stop();
}

#[test]
fn connections_beyond_the_limit_are_closed_and_room_is_used_again() {
    let broker = Broker::start(&[("max.connections", "6")]);
    wait_until("the start's connection has gone", || broker.metric("partita_connections", &[]) == 0);
    let mut clients: Vec<Client> = (0..6).map(|_| broker.client()).collect();
    assert!(clients.iter_mut().all(Client::is_answered), "as many as allowed are served");
    for _ in 0..3 {
        assert!(is_closed(&mut broker.client()), "one more is not");
    }
    clients.truncate(4);
    wait_until("the places are free", || broker.metric("partita_connections", &[]) == 4);
    assert!(broker.client().is_answered());
    assert!(clients.iter_mut().all(Client::is_answered));
}

#[test]
fn idle_connections_are_closed_and_busy_ones_are_not() {
    let broker = Broker::start(&[("connections.max.idle.ms", "5000")]);
    let mut idle = broker.client();
    let mut half_sent = broker.client();
    half_sent.send_raw(&[0, 0, 1, 0, 0, 18]);
    let mut busy = broker.client();
    wait_until("the two others have gone", || {
        assert!(busy.is_answered(), "whoever asks is not idle");
        broker.metric("partita_connections", &[]) <= 1
    });
    idle.expect_closed("idle for longer than connections.max.idle.ms");
    half_sent.expect_closed("idle within a frame");
}

#[test]
fn a_full_fetch_is_answered_whatever_session_it_names() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create_topic("t", 1, &[]);
    client.append("t", 0, &batch(&[b"v"]));
    // segmentio/kafka-go names session -1 at epoch -1.
    for (session_id, session_epoch) in [(0, -1), (-1, -1), (7, -1), (0, 0), (7, 0)] {
        let request = FetchRequest { session_id, session_epoch, ..fetch_request("t", 0, 0, PATIENCE, 1000) };
        let response = client.call(FETCH, &request);
        assert_eq!((response.error_code, response.session_id), (0, 0), "session {session_id} at {session_epoch}");
        assert!(response.responses[0].partitions[0].records.is_some(), "session {session_id} at {session_epoch}");
    }
    for (session_id, session_epoch) in [(0, 1), (7, 1)] {
        let request = FetchRequest { session_id, session_epoch, ..fetch_request("t", 0, 0, PATIENCE, 1000) };
        let response = client.call(FETCH, &request);
        assert_eq!(response.error_code, ErrorCode::FetchSessionIdNotFound.code());
    }
}

#[test]
fn a_fetch_waits_for_its_bytes_but_not_for_nothing() {
    const WAIT: Duration = Duration::from_secs(2);
    /// The broker counts whole milliseconds of its clock, so it may be up to one early by another clock.
    const WAITED: Duration = Duration::from_millis(1990);
    /// Who waited for this would lose patience.
    const TOO_LONG: Duration = Duration::from_secs(600);
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create_topic("t", 1, &[]);
    client.append("t", 0, &batch(&[b"v"]));
    let mut timed = |max_wait: Duration, change: &dyn Fn(&mut FetchRequest)| {
        let mut request = support::fetch_request("t", 0, 0, max_wait, 1 << 20);
        change(&mut request);
        let begun = Instant::now();
        client.call(FETCH, &request);
        begun.elapsed()
    };
    // As Kafka 4.3 does: these are answered although they may wait.
    timed(TOO_LONG, &|request| request.topics.clear());
    timed(TOO_LONG, &|request| request.topics[0].partitions[0].fetch_offset = 99);
    timed(TOO_LONG, &|request| request.max_bytes = 0);
    assert!(timed(WAIT, &|request| request.min_bytes = 1000) >= WAITED, "there are not so many bytes");
    let little = |request: &mut FetchRequest| {
        request.min_bytes = 1000;
        request.topics[0].partitions[0].partition_max_bytes = 1;
    };
    assert!(timed(WAIT, &little) >= WAITED, "not even when the partition is not to send more");
}

#[test]
fn a_segment_below_the_smallest_size_is_refused() {
    let broker = Broker::start(&[]);
    let error = broker.client().try_create_topic("t", 1, &[("segment.bytes", "1048575")]);
    assert_eq!(error, ErrorCode::InvalidConfig.code());
}

/// Appends batches of 100 kB until the partition has more than `segments` segments.
fn fill(broker: &Broker, topic: &str, segments: i64) -> i64 {
    let mut client = broker.client();
    let large = batch(&[&vec![b'x'; 100_000]]);
    let mut end = 0;
    while broker.metric("partita_partition_segments", &[&format!("topic=\"{topic}\"")]) <= segments {
        end = client.append(topic, 0, &large) + 1;
    }
    end
}

#[test]
fn retention_by_size_deletes_the_oldest_segments() {
    let broker = Broker::start(&[("log.retention.check.interval.ms", "100")]);
    let mut client = broker.client();
    client.create_topic("t", 1, &[("segment.bytes", SEGMENT_BYTES)]);
    let end = fill(&broker, "t", 5);
    assert_eq!(client.list_offset("t", 0, EARLIEST), Ok(0));
    set_config(&mut client, "t", "retention.bytes", "2000000");
    let size = || broker.metric("partita_partition_size_bytes", &["topic=\"t\""]);
    wait_until("the partition is about as large as allowed", || size() < 2_000_000 + 1_048_576);
    expect_start_moved(&mut client, "t", end);
}

#[test]
fn retention_by_time_deletes_what_is_older() {
    let broker = Broker::start(&[("log.retention.check.interval.ms", "100")]);
    let mut client = broker.client();
    client.create_topic("t", 1, &[("segment.bytes", SEGMENT_BYTES)]);
    let end = fill(&broker, "t", 3);
    set_config(&mut client, "t", "retention.ms", "1");
    wait_until("all closed segments are gone", || client.list_offset("t", 0, EARLIEST).is_ok_and(|start| start > 0));
    let start = client.list_offset("t", 0, EARLIEST).expect("the partition is there");
    assert!(start <= end);
    let data = client.fetch("t", 0, 0, Duration::ZERO);
    assert_eq!(data.error_code, ErrorCode::OffsetOutOfRange.code());
    assert_eq!(client.append("t", 0, &batch(&[b"goes on"])), end);
}

fn expect_start_moved(client: &mut Client, topic: &str, end: i64) {
    let start = client.list_offset(topic, 0, EARLIEST).expect("the partition is there");
    assert!(start > 0 && start < end, "log start {start} of {end}");
    let below = client.fetch(topic, 0, start - 1, Duration::ZERO);
    assert_eq!(below.error_code, ErrorCode::OffsetOutOfRange.code());
    assert_eq!(client.read_all(topic, 0, start).len() as i64, end - start, "everything from the log start on is there");
}

fn set_config(client: &mut Client, topic: &str, name: &str, value: &str) {
    use wire::api::k44_incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
    const TOPIC_RESOURCE: i8 = 2;
    let config = AlterableConfig { name: name.into(), value: Some(value.into()), ..Default::default() };
    let resource =
        AlterConfigsResource { resource_type: TOPIC_RESOURCE, resource_name: topic.into(), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    let response = client.call(1, &request);
    assert_eq!(response.responses[0].error_code, 0, "{:?}", response.responses[0].error_message);
}

fn delete_records(client: &mut Client, topic: &str, offset: i64) -> (i16, i64) {
    let partition = DeleteRecordsPartition { partition_index: 0, offset };
    let topic = DeleteRecordsTopic { name: topic.into(), partitions: vec![partition] };
    let request = DeleteRecordsRequest { topics: vec![topic], timeout_ms: 10_000 };
    let result = client.call(2, &request).topics.remove(0).partitions.remove(0);
    (result.error_code, result.low_watermark)
}

#[test]
fn delete_records_moves_the_log_start_and_frees_segments() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create_topic("t", 1, &[("segment.bytes", SEGMENT_BYTES)]);
    let end = fill(&broker, "t", 4);
    let segments = || broker.metric("partita_partition_segments", &["topic=\"t\""]);
    let before = segments();
    assert_eq!(delete_records(&mut client, "t", end + 1).0, ErrorCode::OffsetOutOfRange.code());
    assert_eq!(delete_records(&mut client, "t", -2).0, ErrorCode::OffsetOutOfRange.code());
    assert_eq!(delete_records(&mut client, "t", end - 5), (0, end - 5));
    assert_eq!(client.list_offset("t", 0, EARLIEST), Ok(end - 5));
    wait_until("the segments below are gone", || segments() < before);
    expect_start_moved(&mut client, "t", end);
    assert_eq!(delete_records(&mut client, "t", 3), (0, end - 5), "a log start never moves back");
    assert_eq!(delete_records(&mut client, "t", -1), (0, end), "−1 is the high watermark");
    assert_eq!(client.append("t", 0, &batch(&[b"goes on"])), end);
}

#[test]
fn a_topic_that_is_deleted_in_use_gives_definite_answers() {
    let broker = Broker::start(&[]);
    let mut admin = broker.client();
    for round in 0..10 {
        admin.create_topic("t", 2, &[]);
        std::thread::scope(|scope| {
            let producers = [0, 1].map(|partition| {
                let broker = &broker;
                scope.spawn(move || produce_until_gone(&mut broker.client(), partition))
            });
            let pollers = [0, 1].map(|partition| {
                let mut client = broker.client();
                // Ten million records ahead nobody writes: only the deletion ends the poll.
                let fetch = support::fetch_request("t", partition, 0, Duration::from_secs(600), 1 << 20);
                let fetch = FetchRequest { min_bytes: i32::MAX, ..fetch };
                let id = client.send(FETCH, &fetch);
                scope.spawn(move || client.receive::<FetchRequest>(FETCH, id))
            });
            // The deletion comes when both have something.
            wait_until("both partitions have records", || {
                [0, 1].iter().all(|partition| admin.list_offset("t", *partition, LATEST).is_ok_and(|end| end > 3))
            });
            assert_eq!(admin.delete_topic("t"), 0);
            for producer in producers {
                let error = producer.join().expect("the producer ends");
                let definite = [ErrorCode::UnknownTopicOrPartition, ErrorCode::NotLeaderOrFollower];
                assert!(definite.iter().any(|known| known.code() == error), "round {round}: error {error}");
            }
            for poller in pollers {
                let response = poller.join().expect("the poller ends");
                assert_ne!(response.responses[0].partitions[0].error_code, 0, "round {round}");
            }
        });
        assert_eq!(admin.list_offset("t", 0, LATEST), Err(ErrorCode::UnknownTopicOrPartition.code()));
    }
    broker.stop();
}

/// Keeps a few batches in flight; returns the first error.
fn produce_until_gone(client: &mut Client, partition: i32) -> i16 {
    let records = batch(&[&[b'x'; 10_000]]);
    loop {
        let ids = [(); 4].map(|()| client.send(PRODUCE, &produce_request(ACKS_ALL, &[("t", partition, &records)])));
        let errors = ids.map(|id| {
            let response = client.receive::<ProduceRequest>(PRODUCE, id);
            response.responses[0].partition_responses[0].error_code
        });
        if let Some(error) = errors.into_iter().find(|error| *error != 0) {
            return error;
        }
    }
}

#[test]
fn a_topic_that_is_created_again_begins_empty() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    for round in 0..30i64 {
        // Other numbers of partitions move the partitions to other cores.
        let partitions = 1 + (round % 3) as i32;
        client.create_topic("t", partitions, &[]);
        for partition in 0..partitions {
            assert_eq!(client.list_offset("t", partition, LATEST), Ok(0), "round {round}");
            let value = format!("round {round}").into_bytes();
            // Enough that segments are filed while the topic goes.
            let filler = vec![b'x'; 300_000];
            assert_eq!(client.append("t", partition, &batch(&[&value, &filler])), 0);
            assert_eq!(client.append("t", partition, &batch(&[&filler])), 2);
            assert_eq!(client.read_all("t", partition, 0)[0].1, value);
        }
        if round < 29 {
            assert_eq!(client.delete_topic("t"), 0);
        }
    }
    broker.stop();
}

#[test]
fn producers_beyond_memory_and_journal_are_held_back_not_refused() {
    const PRODUCERS: i32 = 8;
    const BATCHES: i64 = 24;
    const VALUE_BYTES: usize = 2 << 20;
    let settings =
        [("tail.bytes.max", "16777216"), ("journal.bytes.max", "67108864"), ("message.max.bytes", "20000000")];
    let broker = Broker::start(&settings);
    broker.client().create_topic("t", 4, &[]);
    let before = broker.resident_bytes();
    let large = batch(&[&vec![b'x'; VALUE_BYTES]]);
    std::thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let (mut client, large) = (broker.client(), &large);
            scope.spawn(move || {
                let request = produce_request(ACKS_ALL, &[("t", producer % 4, large)]);
                let ids: Vec<i32> = (0..4).map(|_| client.send(PRODUCE, &request)).collect();
                for id in ids.into_iter().chain((4..BATCHES).map(|_| -1)) {
                    let id = if id < 0 { client.send(PRODUCE, &request) } else { id };
                    let response = client.receive::<ProduceRequest>(PRODUCE, id);
                    assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
                }
            });
        }
    });
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < 400 << 20, "768 MiB of batches leave {grown} bytes in memory");
    let mut client = broker.client();
    for partition in 0..4 {
        let end = client.list_offset("t", partition, LATEST);
        assert_eq!(end, Ok(BATCHES * i64::from(PRODUCERS) / 4));
        assert_eq!(client.read_all("t", partition, 0).len() as i64, BATCHES * i64::from(PRODUCERS) / 4);
    }
    let answer = client.produce("t", 0, &batch(&[&vec![b'x'; 12 << 20]]), ACKS_ALL);
    assert_eq!(answer.error_code, ErrorCode::MessageTooLarge.code(), "it would not fit beside another");
    broker.stop();
}
