//! Idempotence: tables of batches and verdicts, and random runs against a naive model.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

const ID: i64 = 4000;

fn batch(epoch: i16, base_sequence: i32, records: i32) -> SequencedBatch {
    SequencedBatch { producer_id: ID, epoch, base_sequence, last_offset_delta: records - 1, timestamp: 1_000 }
}

/// What a table says of a batch that is offered.
#[derive(Debug, PartialEq, Eq)]
enum Is {
    Next,
    DuplicateAt(i64),
    OldEpoch,
    NewEpochNotAtZero,
    OutOfOrder,
}

fn judge(producers: &Producers, batch: &SequencedBatch) -> Is {
    match producers.check(batch) {
        Ok(Sequencing::Next) => Is::Next,
        Ok(Sequencing::Duplicate(seen)) => Is::DuplicateAt(seen.base_offset()),
        Err(SequenceError::OldEpoch { .. }) => Is::OldEpoch,
        Err(SequenceError::NewEpochNotAtZero { .. }) => Is::NewEpochNotAtZero,
        Err(SequenceError::OutOfOrder { .. }) => Is::OutOfOrder,
    }
}

/// Offers batches in turn, appends those that are next, and compares the verdicts.
fn run(table: &[(i16, i32, i32, Is)]) {
    let mut producers = Producers::default();
    let mut log_end = 100;
    for (row, (epoch, base_sequence, records, expected)) in table.iter().enumerate() {
        let offered = batch(*epoch, *base_sequence, *records);
        assert_eq!(judge(&producers, &offered), *expected, "row {row}: {offered:?}");
        if *expected == Is::Next {
            producers.record(0, &offered, log_end);
            log_end += i64::from(*records);
        }
    }
}

#[test]
fn an_unknown_producer_may_begin_anywhere() {
    run(&[(3, 77, 2, Is::Next), (3, 79, 1, Is::Next), (3, 81, 1, Is::OutOfOrder)]);
}

#[test]
fn only_the_exact_batch_is_a_duplicate() {
    run(&[
        (0, 0, 3, Is::Next),
        (0, 3, 2, Is::Next),
        (0, 0, 3, Is::DuplicateAt(100)),
        (0, 3, 2, Is::DuplicateAt(103)),
        (0, 3, 1, Is::OutOfOrder),
        (0, 4, 1, Is::OutOfOrder),
        (0, 0, 5, Is::OutOfOrder),
        (0, 5, 1, Is::Next),
    ]);
}

#[test]
fn the_last_five_batches_are_remembered() {
    run(&[
        (0, 0, 1, Is::Next),
        (0, 1, 1, Is::Next),
        (0, 2, 1, Is::Next),
        (0, 3, 1, Is::Next),
        (0, 4, 1, Is::Next),
        (0, 0, 1, Is::DuplicateAt(100)),
        (0, 5, 1, Is::Next),
        (0, 0, 1, Is::OutOfOrder),
        (0, 1, 1, Is::DuplicateAt(101)),
    ]);
}

#[test]
fn sequences_go_on_at_zero_after_the_largest() {
    run(&[
        (0, i32::MAX - 1, 2, Is::Next),
        (0, 1, 1, Is::OutOfOrder),
        (0, 0, 1, Is::Next),
        (0, i32::MAX - 1, 2, Is::DuplicateAt(100)),
    ]);
    run(&[
        (0, i32::MAX - 1, 4, Is::Next),
        (0, 0, 1, Is::OutOfOrder),
        (0, i32::MAX - 1, 4, Is::DuplicateAt(100)),
        (0, 2, 1, Is::Next),
    ]);
}

#[test]
fn a_new_epoch_begins_at_zero_and_ends_the_old_one() {
    run(&[
        (0, 0, 2, Is::Next),
        (1, 2, 1, Is::NewEpochNotAtZero),
        (1, 0, 2, Is::Next),
        (0, 0, 2, Is::OldEpoch),
        (0, 2, 1, Is::OldEpoch),
        (1, 0, 2, Is::DuplicateAt(102)),
        (1, 2, 1, Is::Next),
        (7, 0, 1, Is::Next),
    ]);
}

#[test]
fn what_is_taken_back_is_forgotten_and_nothing_else() {
    let mut producers = Producers::default();
    producers.record(5, &batch(0, 0, 1), 10);
    producers.take_back(10);
    assert_eq!(judge(&producers, &batch(0, 7, 1)), Is::Next, "the producer is not known any more");

    for sequence in 0..6 {
        producers.record(5, &batch(0, sequence, 1), i64::from(sequence));
    }
    producers.record(9, &batch(1, 0, 1), 6);
    producers.take_back(6);
    producers.take_back(6);
    assert_eq!(judge(&producers, &batch(0, 1, 1)), Is::DuplicateAt(1));
    assert_eq!(judge(&producers, &batch(0, 6, 1)), Is::Next);
    producers.flushed(6);
    producers.take_back(5);
    assert_eq!(judge(&producers, &batch(0, 5, 1)), Is::DuplicateAt(5), "what is flushed stays");
}

/// Five batches and the offsets where they are: all that is remembered of a producer.
const FIVE: [(i32, i32, i64); 5] = [(2, 2, 10), (4, 3, 12), (7, 1, 15), (8, 4, 16), (12, 1, 20)];

fn written(batches: &[(i32, i32, i64)]) -> Producers {
    let mut producers = Producers::default();
    for &(sequence, records, offset) in batches {
        producers.record(50, &batch(0, sequence, records), offset);
    }
    producers.flushed(i64::MAX);
    producers
}

fn restored(entries: &[ProducerEntry]) -> Producers {
    let mut producers = Producers::default();
    producers.load(entries);
    producers
}

#[test]
fn a_snapshot_holds_every_batch_that_may_be_sent_again() {
    let before = written(&FIVE);
    let after = restored(&before.snapshot());
    for (sequence, records, offset) in FIVE {
        assert_eq!(judge(&after, &batch(0, sequence, records)), Is::DuplicateAt(offset));
    }
    assert_eq!(judge(&after, &batch(0, 13, 1)), Is::Next);
    assert_eq!(after.snapshot(), before.snapshot());
}

#[test]
fn a_snapshot_and_a_replay_from_its_offset_on_bring_the_state_back() {
    for split in 0..FIVE.len() {
        let mut after = restored(&written(&FIVE[..split]).snapshot());
        // Replay may begin at a batch that the snapshot holds already.
        for (sequence, records, offset) in &FIVE[split.saturating_sub(1)..] {
            after.replay(50, &batch(0, *sequence, *records), *offset);
        }
        let expected: Vec<_> = FIVE.iter().map(|(_, records, offset)| offset + i64::from(*records) - 1).collect();
        assert_eq!(after.repeatable_batches().map(|(_, last_offset)| last_offset).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_snapshot_is_the_state_before_whatever_is_not_flushed() {
    let mut producers = written(&FIVE);
    let flushed = producers.snapshot();
    for sequence in 13..19 {
        producers.record(60, &batch(0, sequence, 1), i64::from(sequence) + 8);
    }
    producers.record(60, &batch(1, 0, 1), 40);
    producers.record(60, &SequencedBatch { producer_id: ID + 1, ..batch(0, 0, 1) }, 41);
    assert_eq!(producers.snapshot(), flushed, "batches that push older ones out, a new epoch and a new producer");
    producers.flushed(22);
    let last_offsets: Vec<_> = producers.snapshot().iter().map(|entry| entry.last_offset).collect();
    assert_eq!(last_offsets, [14, 15, 19, 20, 21]);
    producers.flushed(41);
    let epochs: Vec<_> = producers.snapshot().iter().map(|entry| (entry.producer_id, entry.producer_epoch)).collect();
    assert_eq!(epochs, [(ID, 1)]);
}

#[test]
fn of_a_snapshot_the_last_entry_of_an_id_counts() {
    let mut entries = written(&FIVE).snapshot();
    entries[4].producer_epoch = 1;
    let after = restored(&entries);
    assert_eq!(judge(&after, &batch(0, 2, 2)), Is::OldEpoch);
    assert_eq!(judge(&after, &batch(1, 12, 1)), Is::DuplicateAt(20));
    entries[4] = ProducerEntry { last_offset: 11, ..entries[3] };
    let after = restored(&entries);
    assert_eq!(after.repeatable_batches().collect::<Vec<_>>(), [(ID, 11)]);
}

#[test]
fn a_producer_expires_by_the_clock_and_not_by_its_timestamps() {
    let mut producers = Producers::default();
    producers.record(1_000_000, &batch(0, 0, 1), 0);
    producers.expire(1_000_099, 100);
    assert_eq!(judge(&producers, &batch(0, 5, 1)), Is::OutOfOrder);
    producers.expire(1_000_100, 100);
    assert_eq!(judge(&producers, &batch(0, 5, 1)), Is::Next);
}

/// The rules said naively: every batch of every epoch is kept, and sequences are counted without wrapping.
#[derive(Default)]
struct Model {
    by_id: BTreeMap<i64, Vec<(SequencedBatch, i64)>>,
}

const SEQUENCES: i64 = 1 << 31;

impl Model {
    fn judge(&self, offered: &SequencedBatch) -> Is {
        let Some(history) = self.by_id.get(&offered.producer_id) else { return Is::Next };
        let (last, _) = history.last().expect("a known producer has written");
        if offered.epoch < last.epoch {
            return Is::OldEpoch;
        }
        if offered.epoch > last.epoch {
            return if offered.base_sequence == 0 { Is::Next } else { Is::NewEpochNotAtZero };
        }
        let in_epoch: Vec<_> = history.iter().filter(|(seen, _)| seen.epoch == offered.epoch).collect();
        for (seen, offset) in in_epoch.iter().rev().take(5).rev() {
            if (seen.base_sequence, seen.last_offset_delta) == (offered.base_sequence, offered.last_offset_delta) {
                return Is::DuplicateAt(*offset);
            }
        }
        let next = (i64::from(last.base_sequence) + i64::from(last.last_offset_delta) + 1) % SEQUENCES;
        if next == i64::from(offered.base_sequence) { Is::Next } else { Is::OutOfOrder }
    }
}

#[test]
fn random_producers_are_judged_as_by_the_naive_model() {
    // SEED=… at compile time repeats a run.
    let seed = option_env!("SEED").and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u64>);
    println!("SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (mut producers, mut model) = (Producers::default(), Model::default());
    let mut log_end = 0;
    let mut seen = BTreeMap::new();
    for step in 0..20_000 {
        let producer_id = random.random_range(0..4);
        let history = model.by_id.entry(producer_id).or_default();
        let offered = match (random.random_range(0..10), history.len()) {
            (_, 0) => SequencedBatch {
                base_sequence: i32::MAX - random.random_range(0..20),
                producer_id,
                ..batch(0, 0, random.random_range(1..5))
            },
            (0..5, n) => history[n - 1 - random.random_range(0..n.min(8))].0,
            (5..9, n) => {
                let last = history[n - 1].0;
                let gap = i64::from(random.random_range(0..8) == 0);
                let next = i64::from(last.base_sequence) + i64::from(last.last_offset_delta) + 1 + gap;
                SequencedBatch {
                    base_sequence: (next % SEQUENCES) as i32,
                    last_offset_delta: random.random_range(0..4),
                    ..last
                }
            }
            (_, n) => SequencedBatch {
                epoch: history[n - 1].0.epoch + 1,
                base_sequence: random.random_range(0..2),
                ..history[n - 1].0
            },
        };
        if history.is_empty() {
            model.by_id.remove(&producer_id);
        }
        let expected = model.judge(&offered);
        assert_eq!(judge(&producers, &offered), expected, "step {step}, SEED={seed}: {offered:?}");
        if expected == Is::Next {
            producers.record(0, &offered, log_end);
            if random.random_range(0..10) == 0 {
                producers.take_back(log_end);
            } else {
                model.by_id.entry(producer_id).or_default().push((offered, log_end));
                log_end += i64::from(offered.last_offset_delta) + 1;
            }
        }
        *seen.entry(format!("{expected:?}").split('(').next().map(str::to_owned)).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 5, "the test is not valid unless every verdict was met: {seen:?}");
}
