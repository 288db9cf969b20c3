//! Every anomaly of a load run shows in its verdict, however the telling is spread over workers.

use super::*;

const PRODUCER: Producer = 5;
const READER: Reader = 0;
const KEY: i32 = 3;

fn one(run: &mut Deliveries<i32>, reader: Reader, offset: i64, (producer, sequence): (Producer, u64)) {
    run.received(reader, KEY, offset, (producer, sequence..sequence + 1));
}

/// A producer's records 0 to `acknowledged`, at offsets from 0, and these (offset, sequence) read.
fn run(acknowledged: u64, read: &[(i64, u64)]) -> Deliveries<i32> {
    let mut run = Deliveries::default();
    run.acknowledged(PRODUCER, KEY, 0..acknowledged, Some(0));
    read.iter().for_each(|&(offset, sequence)| one(&mut run, READER, offset, (PRODUCER, sequence)));
    run
}

fn clean(acknowledged: u64, received: u64) -> Verdict {
    Verdict { acknowledged, received, ..Verdict::default() }
}

#[test]
fn a_faultless_run_keeps_one_run_of_each_kind_and_no_place() {
    let run = run(100_000, &(0..100_000).map(|at| (at, at as u64)).collect::<Vec<_>>());
    assert_eq!(run.verdict(), clean(100_000, 100_000));
    assert!(run.verdict().keeps_every_promise());
    let sent = &run.sent[&(PRODUCER, KEY)];
    assert_eq!(sent.places.clone().into_runs().count(), 0, "all were compared");
}

#[test]
fn what_was_acknowledged_and_did_not_come_is_lost_wherever_it_was() {
    assert_eq!(run(3, &[(0, 0), (2, 2)]).verdict(), Verdict { lost: 1, skipped: 1, ..clean(3, 2) });
    assert_eq!(run(4, &[(0, 0), (1, 1)]).verdict(), Verdict { unseen: 2, ..clean(4, 2) });
    assert_eq!(run(4, &[]).verdict(), Verdict { unseen: 4, ..clean(4, 0) });
    assert!(!run(4, &[]).verdict().keeps_every_promise());
    assert_eq!(run(2, &[(0, 0), (1, 1), (2, 2)]).verdict(), clean(2, 3), "more than was acknowledged may come");
}

#[test]
fn each_reader_of_a_partition_has_to_get_everything() {
    let mut run = run(2, &[(0, 0), (1, 1)]);
    one(&mut run, READER + 1, 0, (PRODUCER, 0));
    assert_eq!(run.verdict(), Verdict { unseen: 1, ..clean(2, 3) });
}

#[test]
fn a_gap_below_a_later_record_shows_although_nobody_told_of_it() {
    let mut run = Deliveries::default();
    [0, 2, 5].into_iter().enumerate().for_each(|(at, sequence)| one(&mut run, READER, at as i64, (PRODUCER, sequence)));
    assert_eq!(run.verdict(), Verdict { gaps: 3, ..clean(0, 3) });
    run.refused(PRODUCER, KEY, 3..5);
    assert_eq!(run.verdict(), Verdict { gaps: 1, ..clean(0, 3) });
}

#[test]
fn doubled_reordered_and_repeated_records_are_told_apart() {
    assert_eq!(run(2, &[(0, 0), (1, 1), (2, 1)]).verdict(), Verdict { doubled: 1, ..clean(2, 3) });
    let swapped = run(3, &[(0, 0), (1, 2), (2, 1)]).verdict();
    assert_eq!(swapped, Verdict { reordered: 1, misplaced: 2, ..clean(3, 3) });
    assert_eq!(run(2, &[(0, 0), (1, 1), (0, 0)]).verdict(), Verdict { went_back: 1, ..clean(2, 3) });
    let mut again = run(2, &[(0, 0), (1, 1)]);
    again.assigned(READER, KEY);
    one(&mut again, READER, 0, (PRODUCER, 0));
    assert_eq!(again.verdict(), Verdict { repeated: 1, ..clean(2, 3) });
}

#[test]
fn refused_records_may_not_be_there() {
    let mut run = run(1, &[(0, 0), (1, 1)]);
    run.refused(PRODUCER, KEY, 1..3);
    assert_eq!(run.verdict(), Verdict { refused_read: 1, ..clean(1, 2) });
}

#[test]
fn a_record_is_where_its_acknowledgement_says_whichever_comes_first() {
    let elsewhere = Verdict { misplaced: 2, ..clean(2, 2) };
    assert_eq!(run(2, &[(7, 0), (8, 1)]).verdict(), elsewhere);
    let mut read_first = Deliveries::default();
    one(&mut read_first, READER, 7, (PRODUCER, 0));
    one(&mut read_first, READER, 8, (PRODUCER, 1));
    let mut other = read_first.clone();
    read_first.acknowledged(PRODUCER, KEY, 0..2, Some(0));
    assert_eq!(read_first.verdict(), elsewhere);
    let mut producers = Deliveries::default();
    producers.acknowledged(PRODUCER, KEY, 0..2, Some(0));
    other.merge(producers);
    assert_eq!(other.verdict(), elsewhere);
}

#[test]
fn records_of_others_are_counted_and_leave_no_hole() {
    let mut run = run(0, &[]);
    one(&mut run, READER, 0, (PRODUCER, 0));
    run.foreign(READER, KEY, 1);
    one(&mut run, READER, 2, (PRODUCER, 1));
    assert_eq!(run.verdict(), Verdict { foreign: 1, ..clean(0, 2) });
}

#[test]
fn interleaved_batches_cancel_out_in_any_order() {
    let mut run = Deliveries::default();
    // Two producers take turns with batches of two.
    for (producer, sequence, offset) in [(0, 0, 0), (1, 0, 2), (0, 2, 4), (1, 2, 6)] {
        if offset == 4 {
            one(&mut run, READER, offset, (producer, sequence));
        }
        run.acknowledged(producer, KEY, sequence..sequence + 2, Some(offset));
    }
    run.assigned(READER, KEY);
    for (offset, value) in [(5, (0, 3)), (6, (1, 2)), (7, (1, 3))] {
        one(&mut run, READER, offset, value);
    }
    assert_eq!(run.verdict(), Verdict { lost: 4, ..clean(8, 4) });
    let left: usize = run.sent.values().map(|sent| sent.places.clone().into_runs().count()).sum();
    assert_eq!(left, 2, "the places of what was not read");
}

#[test]
fn batches_are_judged_as_their_records_are() {
    let batches = [(0, 0..4), (4, 6..8), (6, 4..6), (8, 7..9), (8, 8..10), (11, 12..14)];
    let (mut whole, mut single) = (Deliveries::default(), Deliveries::default());
    for (offset, sequences) in batches {
        whole.acknowledged(PRODUCER, KEY, sequences.clone(), Some(offset));
        single.acknowledged(PRODUCER, KEY, sequences.clone(), Some(offset));
        whole.received(READER, KEY, offset, (PRODUCER, sequences.clone()));
        sequences.enumerate().for_each(|(at, sequence)| {
            one(&mut single, READER, offset + at as i64, (PRODUCER, sequence));
        });
    }
    assert_eq!(whole.verdict(), single.verdict());
    let Verdict { received, reordered, doubled, went_back, skipped, .. } = whole.verdict();
    assert_eq!((received, reordered, doubled, went_back, skipped), (14, 2, 1, 1, 1));
}
