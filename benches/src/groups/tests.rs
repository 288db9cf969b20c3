//! The harness against brokers made for it: one that stalls, and one that says what members did.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use wire::api::k08_offset_commit::{OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use wire::api::{ConsumerGroupHeartbeatRequest, OffsetCommitRequest};
use wire::codec::Reader;
use wire::header::{FRAME_LENGTH_BYTES, RequestHeader, response_frame};
use wire::message::Message;

use super::commits::Commits;
use super::fleet::{Event, Fleet};
use super::member::{Member, News, Profile, Protocol};
use super::{GroupsError, figures::Tally};

const COMMIT_VERSION: i16 = 9;

/// Listens, and answers each request with what `answer` makes of it, connection by connection.
fn broker(answer: impl Fn(RequestHeader<'_>, Reader<'_>) -> Vec<u8> + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let answer = answer.clone();
            thread::spawn(move || {
                while let Some(frame) = next_frame(&mut socket) {
                    let mut reader = Reader::new(&frame);
                    let header = RequestHeader::decode(&mut reader).unwrap();
                    if socket.write_all(&answer(header, reader)).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn next_frame(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; FRAME_LENGTH_BYTES];
    socket.read_exact(&mut length).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut frame).ok()?;
    Some(frame)
}

fn commit_answer(header: RequestHeader<'_>, mut reader: Reader<'_>, error_code: i16) -> Vec<u8> {
    let request = OffsetCommitRequest::decode(&mut reader, COMMIT_VERSION).unwrap();
    let topics = request
        .topics
        .into_iter()
        .map(|topic| OffsetCommitResponseTopic {
            name: topic.name,
            partitions: topic
                .partitions
                .iter()
                .map(|partition| OffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code,
                })
                .collect(),
            ..Default::default()
        })
        .collect();
    let response = OffsetCommitResponse { topics, ..Default::default() };
    response_frame::<OffsetCommitRequest>(header.correlation_id, COMMIT_VERSION, &response)
}

fn commits(window: Duration) -> Commits {
    Commits {
        rate: 1000.0,
        groups: 10,
        connections: 2,
        topic: "t".into(),
        partitions: 3,
        warm_up: Duration::from_millis(100),
        window,
    }
}

#[test]
fn a_stall_spreads_over_all_that_was_due_meanwhile() {
    const STALL: Duration = Duration::from_millis(500);
    const STALLS_AT: u64 = 1500;
    let answered = Arc::new(Mutex::new(0));
    let address = broker(move |header, reader| {
        // Half a second in which nothing is answered on any connection, in the middle of the window.
        let mut answered = answered.lock().unwrap();
        *answered += 1;
        if *answered == STALLS_AT {
            thread::sleep(STALL);
        }
        commit_answer(header, reader, 0)
    });
    let load = commits(Duration::from_secs(3));
    let (measurement, tally) = load.run(address, std::process::id()).unwrap();
    let offered = measurement.load.offered;
    assert!(offered >= 2900, "{offered} commits were sent at 1000 a second");
    assert_eq!(tally.response.len(), offered, "none is dropped");
    // A harness that waits for answers before it sends would count one or two late ones; a busy machine makes more of them.
    let late = tally.response.iter_recorded().filter(|value| value.value_iterated_to() > 100_000_000);
    let late: u64 = late.map(|value| value.count_at_value()).sum();
    assert!(late >= 300, "{late}, where 400 were due more than 100 ms before the stall's end");
}

#[test]
fn refused_commits_are_counted_and_make_a_run_suspect() {
    let address = broker(|header, reader| commit_answer(header, reader, 25));
    let (measurement, _) = commits(Duration::from_millis(200)).run(address, std::process::id()).unwrap();
    assert!(measurement.load.errors > 0);
    assert_ne!(measurement.validity.verdict, "valid");
}

#[test]
fn a_member_confirms_what_it_is_given_at_once_and_is_settled_then() {
    use wire::api::k68_consumer_group_heartbeat::{Assignment, ConsumerGroupHeartbeatResponse, TopicPartitions};
    const VERSION: i16 = 1;
    let address = broker(|header, mut reader| {
        let request = ConsumerGroupHeartbeatRequest::decode(&mut reader, VERSION).unwrap();
        let given = TopicPartitions { topic_id: wire::Uuid([7; 16]), partitions: vec![2, 1] };
        let joins = request.member_epoch == 0;
        if !joins {
            let owned = TopicPartitions { partitions: vec![1, 2], ..given.clone() };
            assert_eq!(request.topic_partitions, Some(vec![owned]), "what was given is confirmed");
        }
        let response = ConsumerGroupHeartbeatResponse {
            member_id: Some(request.member_id),
            member_epoch: 5,
            heartbeat_interval_ms: 60_000,
            assignment: joins.then(|| Assignment { topic_partitions: vec![given] }),
            ..Default::default()
        };
        response_frame::<ConsumerGroupHeartbeatRequest>(header.correlation_id, VERSION, &response)
    });
    let mut fleet = Fleet::new().unwrap();
    let connection = fleet.open(address).unwrap();
    let profile = Profile {
        group: "g".into(),
        topic: "t".into(),
        partitions: 3,
        session_timeout: Duration::from_secs(45),
        heartbeat_interval: None,
    };
    let member = fleet.seat(Member::new(Protocol::Consumer, profile, 1, Instant::now()), connection);
    let news = [turn(&mut fleet), turn(&mut fleet)];
    assert_eq!(news, [News::Assigned, News::Alive]);
    assert_eq!(fleet.member(member).partitions(), [1, 2]);
    assert_eq!(fleet.member(member).settled(), Some(5));
    assert!(
        fleet.member(member).due().unwrap() > Instant::now() + Duration::from_secs(30),
        "the broker's interval counts"
    );
}

/// The next news of a member.
fn turn(fleet: &mut Fleet) -> News {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut events = Vec::new();
    while events.is_empty() {
        assert!(Instant::now() < deadline, "no answer");
        fleet.turn(deadline, &mut events).unwrap();
    }
    match events.remove(0) {
        Event::Member { news, .. } => news,
        Event::Guest { .. } => panic!("no guest has asked"),
    }
}

#[test]
fn what_is_due_outside_the_window_is_not_counted_and_what_is_late_is_not_in_time() {
    let from = Instant::now();
    let after = |milliseconds| from + Duration::from_millis(milliseconds);
    let mut tally = Tally::new(from, Duration::from_millis(100)).unwrap();
    tally.record(after(50), after(60), after(70));
    tally.record(after(99), after(99), after(200));
    tally.record(after(100), after(100), after(101));
    assert_eq!((tally.response.len(), tally.answered), (2, 1));
    assert!(tally.response.max() >= 100_000_000, "latency counts from when it was due");
}

#[test]
fn an_unknown_error_ends_a_run() {
    assert!(matches!(super::verdict(9999), wire::ErrorCode::UnknownServerError));
    let refused = GroupsError::Refused { what: "a member", code: 30 };
    assert_eq!(refused.to_string(), "a member: the broker answered error code 30");
}
