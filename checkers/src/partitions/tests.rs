//! Every anomaly is found in a history that shows it, and in none that does not.

use super::*;
use crate::History;

const KEY: u32 = 0;
const PRODUCER: ProcessId = ProcessId(1);
const CONSUMER: ProcessId = ProcessId(2);

fn send(value: u64, outcome: Sent) -> Event {
    Event::Send { process: PRODUCER, value: Value(value), guarantee: Guarantee::Once, outcome }
}

fn plain(value: u64, outcome: Sent) -> Event {
    Event::Send { process: PRODUCER, value: Value(value), guarantee: Guarantee::AtLeastOnce, outcome }
}

fn records(records: &[(i64, u64)]) -> Vec<(i64, Value)> {
    records.iter().map(|&(offset, value)| (offset, Value(value))).collect()
}

fn poll(seen: &[(i64, u64)]) -> Event {
    Event::Poll { process: CONSUMER, records: records(seen) }
}

fn last(log_start: i64, seen: &[(i64, u64)]) -> Option<FinalRead> {
    let end = seen.last().map_or(log_start, |(offset, _)| offset + 1);
    Some(FinalRead { log_start, end, records: records(seen) })
}

fn judge(events: Vec<Event>, last: Option<FinalRead>) -> Vec<AnomalyKind> {
    let mut history = History::default();
    *history.partition(KEY) = PartitionHistory { events, last, ..PartitionHistory::default() };
    crate::check(&history).anomalies.into_iter().map(|anomaly| anomaly.kind).collect()
}

#[test]
fn a_faultless_history_has_no_anomaly() {
    let events = vec![
        send(10, Sent::Acked(0)),
        send(11, Sent::Unknown),
        send(12, Sent::Failed),
        poll(&[(0, 10)]),
        poll(&[(1, 11)]),
        Event::Assign { process: CONSUMER },
        poll(&[(0, 10), (1, 11)]),
        send(13, Sent::Acked(2)),
        Event::Commit { group: 1, offset: 2 },
        Event::Committed { group: 1, offset: 2 },
        Event::DeleteRecords { offset: 1, acked: true },
    ];
    assert_eq!(judge(events, last(1, &[(1, 11), (2, 13)])), []);
}

#[test]
fn one_offset_with_two_values_is_inconsistent() {
    let kind = AnomalyKind::InconsistentOffsets { offset: 0, values: (Value(10), Value(11)) };
    let sends = [send(10, Sent::Unknown), send(11, Sent::Unknown)];
    let read_twice = [&sends[..], &[poll(&[(0, 10)])]].concat();
    assert_eq!(judge(read_twice, last(0, &[(0, 11)])), [kind]);
    let acked = vec![send(10, Sent::Acked(0)), send(11, Sent::Unknown)];
    assert!(judge(acked, last(0, &[(0, 11)])).contains(&kind));
    let both = vec![send(11, Sent::Acked(0)), send(10, Sent::Acked(0))];
    assert_eq!(judge(both, None), [kind], "nobody has read it");
}

#[test]
fn a_second_offset_is_a_duplicate_of_idempotent_producers_and_counted_of_others() {
    let end = last(0, &[(0, 10), (1, 10)]);
    let kind = AnomalyKind::Duplicate { value: Value(10), offsets: (0, 1) };
    assert_eq!(judge(vec![send(10, Sent::Acked(0))], end.clone()), [kind]);
    let mut history = History::default();
    *history.partition(KEY) =
        PartitionHistory { events: vec![plain(10, Sent::Acked(1))], last: end, ..PartitionHistory::default() };
    assert_eq!(crate::check(&history), Report { allowed_duplicates: 1, ..Report::default() });
}

#[test]
fn a_duplicate_is_one_even_when_its_first_place_was_deleted() {
    let events = vec![send(10, Sent::Acked(1)), poll(&[(0, 10)]), Event::DeleteRecords { offset: 1, acked: true }];
    let kind = AnomalyKind::Duplicate { value: Value(10), offsets: (0, 1) };
    assert_eq!(judge(events, last(1, &[(1, 10)])), [kind]);
}

#[test]
fn an_acknowledged_value_that_is_not_there_is_lost_or_unseen() {
    let events = vec![send(10, Sent::Acked(0)), send(11, Sent::Acked(1)), send(12, Sent::Acked(2))];
    let found = judge(events, last(0, &[(1, 11)]));
    let hole = AnomalyKind::Hole { from: 0, to: 1 };
    let lost = AnomalyKind::LostWrite { value: Value(10), offset: 0 };
    assert_eq!(found, [lost, AnomalyKind::Unseen { value: Value(12), offset: 2 }, hole]);
}

#[test]
fn an_acknowledged_value_below_the_log_start_is_not_lost() {
    let events = vec![send(10, Sent::Acked(0)), Event::DeleteRecords { offset: 1, acked: false }];
    assert_eq!(judge(events, last(1, &[])), []);
}

#[test]
fn a_refused_value_and_one_that_nobody_sent_may_not_be_read() {
    let found = judge(vec![send(10, Sent::Failed)], last(0, &[(0, 10), (1, 66)]));
    let failed = AnomalyKind::FailedSendRead { value: Value(10), offset: 0 };
    assert_eq!(found, [failed, AnomalyKind::NeverSent { value: Value(66), offset: 1 }]);
}

#[test]
fn a_consumer_neither_skips_nor_repeats_until_it_is_assigned_anew() {
    let sends = [send(10, Sent::Acked(0)), send(11, Sent::Acked(1)), send(12, Sent::Acked(2))];
    let end = last(0, &[(0, 10), (1, 11), (2, 12)]);
    let after = |polls: &[Event]| judge([&sends[..], polls].concat(), end.clone());
    let skip = AnomalyKind::PollSkip { process: CONSUMER, from: 0, to: 2 };
    let back = AnomalyKind::NonMonotonicPoll { process: CONSUMER, from: 1, to: 0 };
    assert_eq!(after(&[poll(&[(0, 10)]), poll(&[(2, 12)])]), [skip]);
    assert_eq!(after(&[poll(&[(0, 10), (2, 12)])]), [skip]);
    assert_eq!(after(&[poll(&[(1, 11)]), poll(&[(0, 10)])]), [back]);
    let assign = Event::Assign { process: CONSUMER };
    assert_eq!(after(&[poll(&[(1, 11)]), assign, poll(&[(0, 10)])]), []);
}

#[test]
fn an_idempotent_producers_sends_do_not_go_back() {
    let end = last(0, &[(0, 11), (1, 10)]);
    let back = AnomalyKind::NonMonotonicSend { process: PRODUCER, from: 1, to: 0 };
    assert_eq!(judge(vec![send(10, Sent::Acked(1)), send(11, Sent::Acked(0))], end.clone()), [back]);
    assert_eq!(judge(vec![send(10, Sent::Unknown), send(11, Sent::Unknown)], end.clone()), [back], "nobody was told");
    assert_eq!(judge(vec![plain(10, Sent::Acked(1)), plain(11, Sent::Acked(0))], end), []);
}

#[test]
fn what_a_consumer_saw_may_not_vanish() {
    let found = judge(vec![send(10, Sent::Unknown), poll(&[(0, 10)])], last(0, &[]));
    assert_eq!(found, [AnomalyKind::ReadAbove { process: CONSUMER, offset: 0, value: Value(10) }]);
}

#[test]
fn the_log_start_is_where_clients_moved_it() {
    let sends = [send(10, Sent::Acked(0)), send(11, Sent::Acked(1))];
    let asked = |acked| [&sends[..], &[Event::DeleteRecords { offset: 1, acked }]].concat();
    let whole = last(0, &[(0, 10), (1, 11)]);
    assert_eq!(judge(asked(false), whole.clone()), []);
    assert_eq!(judge(asked(true), whole), [AnomalyKind::LogStartWentBack { confirmed: 1, found: 0 }]);
    assert_eq!(judge(asked(true), last(2, &[])), [AnomalyKind::LogStartRanAhead { asked: 1, found: 2 }]);
}

#[test]
fn a_committed_offset_is_not_forgotten() {
    let events = vec![Event::Commit { group: 3, offset: 5 }, Event::Committed { group: 3, offset: -1 }];
    assert_eq!(judge(events, None), [AnomalyKind::CommitWentBack { group: 3, confirmed: 5, found: -1 }]);
}

#[test]
fn of_a_compacted_partition_the_newest_of_each_key_stays() {
    let judge = |at_the_end: &[(i64, u64)]| {
        let events = vec![
            send(10, Sent::Acked(0)),
            send(11, Sent::Acked(1)),
            send(12, Sent::Acked(2)),
            poll(&[(0, 10)]),
            poll(&[(2, 12)]),
        ];
        let keys = Some(BTreeMap::from([(Value(10), 7), (Value(11), 8), (Value(12), 7)]));
        let mut history = History::default();
        *history.partition(KEY) =
            PartitionHistory { events, keys, last: last(0, at_the_end), ..PartitionHistory::default() };
        let anomalies = crate::check(&history).anomalies;
        anomalies.into_iter().map(|anomaly| anomaly.kind).collect::<Vec<_>>()
    };
    assert_eq!(judge(&[(0, 10), (1, 11), (2, 12)]), []);
    assert_eq!(judge(&[(1, 11), (2, 12)]), [], "10 is superseded by 12");
    assert_eq!(judge(&[(2, 12)]), [AnomalyKind::LostWrite { value: Value(11), offset: 1 }]);
    let above = AnomalyKind::ReadAbove { process: CONSUMER, offset: 2, value: Value(12) };
    assert_eq!(judge(&[(0, 10), (1, 11)]), [AnomalyKind::Unseen { value: Value(12), offset: 2 }, above]);
}
