//! Retention and the removal of segments.

use super::*;

/// A log of five segments, filed, closed and checkpointed.
fn five_segments(config: LogConfig) -> Tested {
    let mut tested = Tested::new(config);
    while tested.log.segment_count() < 5 {
        tested.append(&[NOW + tested.log.log_end()], 3000, 0, NOW);
    }
    tested.file_all(Urgency::Everything);
    tested.checkpoint();
    tested
}

/// Removes what can be, once somebody has told of the producers.
fn remove_all(tested: &mut Tested) -> usize {
    if tested.log.wants_producer_snapshot() {
        tested.log.set_producer_snapshot(tested.log.log_start(), Vec::new());
    }
    while let Some(job) = tested.log.poll_snapshot() {
        let done = run(job.perform());
        tested.log.handle_snapshot(done).expect("the disk takes it");
    }
    let mut removed = 0;
    while let Some(job) = tested.log.poll_removal() {
        run(job.perform()).expect("the disk removes");
        removed += 1;
    }
    removed
}

#[test]
fn size_retention_removes_the_oldest_segments_with_all_their_files() {
    let mut tested = five_segments(small_config());
    let bases = tested.segment_bases();
    let two = tested.stored_bytes(bases[4]).len() + tested.stored_bytes(bases[3]).len();
    tested.log.set_config(LogConfig { retention_bytes: Some(two as u64), ..small_config() });
    let end = tested.log.log_end();
    assert_eq!(tested.log.retain(end, NOW), Some(bases[3]));
    assert_eq!(tested.log.retain(end, NOW), None);
    assert_eq!(remove_all(&mut tested), 3);
    assert_eq!((tested.log.log_start(), tested.log.segment_count()), (bases[3], 2));
    for base_offset in &bases[..3] {
        for kind in FileKind::ALL {
            assert!(tested.file(*base_offset, kind).is_none());
        }
    }
    assert!(tested.file(bases[3], FileKind::Log).is_some());
}

#[test]
fn when_all_is_expired_the_active_segment_is_rolled_and_goes_too() {
    let mut tested = five_segments(small_config());
    tested.log.set_config(LogConfig { retention_ms: Some(1000), ..small_config() });
    let end = tested.log.log_end();
    assert_eq!(tested.log.retain(end, NOW + 1_000_000), Some(end));
    tested.file_all(Urgency::Relaxed);
    tested.checkpoint();
    assert_eq!(remove_all(&mut tested), 5);
    assert_eq!((tested.log.log_start(), tested.log.log_end(), tested.log.size_bytes()), (end, end, 0));
    let tested = tested.reopen(ALL_CLOSED);
    assert_eq!((tested.log.log_start(), tested.log.log_end()), (end, end), "the folder still knows the log's end");
}

#[test]
fn a_compacted_topic_and_what_is_not_visible_yet_are_kept() {
    let mut tested = five_segments(small_config());
    let end = tested.log.log_end();
    tested.log.set_config(LogConfig { retention_bytes: Some(0), cleanup_delete: false, ..small_config() });
    assert_eq!(tested.log.retain(end, NOW), None);
    tested.log.set_config(LogConfig { retention_bytes: Some(0), ..small_config() });
    let second = tested.segment_bases()[1];
    assert_eq!(tested.log.retain(second, NOW), Some(second));
}

#[test]
fn nothing_is_removed_that_a_replay_could_bring_back() {
    let mut tested = Tested::new(small_config());
    while tested.log.segment_count() < 3 {
        tested.append(&[NOW], 3000, 0, NOW);
    }
    tested.log.set_log_start(tested.log.log_end());
    assert!(tested.log.poll_removal().is_none(), "not closed");
    tested.file_all(Urgency::Everything);
    assert!(tested.log.poll_removal().is_none(), "not below a checkpoint");
    tested.checkpoint();
    assert_eq!(remove_all(&mut tested), 2);
}

#[test]
fn segments_are_removed_only_when_their_producers_are_in_a_snapshot() {
    let mut tested = five_segments(small_config());
    let (bases, end) = (tested.segment_bases(), tested.log.log_end());
    let entry = ProducerEntry {
        producer_id: 9,
        producer_epoch: 0,
        last_sequence: 0,
        last_offset: 0,
        offset_delta: 0,
        timestamp: NOW,
        coordinator_epoch: -1,
        current_txn_first_offset: -1,
    };
    tested.log.set_log_start(bases[1] - 1);
    assert!(!tested.log.wants_producer_snapshot(), "no segment goes yet");
    tested.log.set_log_start(bases[4] + 1);
    assert!(tested.log.poll_removal().is_none(), "nobody knows their producers");
    assert!(tested.log.wants_producer_snapshot());
    tested.log.set_producer_snapshot(bases[2], Vec::new());
    assert!(tested.log.wants_producer_snapshot(), "it does not tell of all that go");
    tested.log.set_producer_snapshot(end, vec![entry]);
    assert!(!tested.log.wants_producer_snapshot());
    assert!(tested.log.poll_removal().is_none(), "the snapshot is not written yet");
    let job = tested.log.poll_snapshot().expect("it is due");
    assert!(tested.log.poll_snapshot().is_none(), "it is under way");
    let done = run(job.perform());
    tested.log.handle_snapshot(done).expect("the disk takes it");
    assert_eq!(remove_all(&mut tested), 4);
    assert_eq!(tested.log.producers_from(), bases[4], "without a snapshot, all that is there tells of them");

    let tested = tested.reopen(Trusted { log_start: bases[4] + 1, ..ALL_CLOSED });
    assert_eq!(tested.log.producer_snapshot(), Some(&(end, vec![entry])));
    assert_eq!(tested.log.producers_from(), end);
}

#[test]
fn what_is_deleted_is_read_for_its_producers_while_its_segment_stays() {
    let mut tested = five_segments(small_config());
    tested.log.set_log_start(3);
    let Ok(Read::Ready(read)) = tested.log.read_left(2, 1) else { panic!("it is in memory") };
    assert_eq!(read.concat(), tested.stored[2].bytes);
    tested.log.set_log_start(tested.segment_bases()[1]);
    assert_eq!(remove_all(&mut tested), 1);
    assert!(tested.log.read_left(2, 1).is_err(), "now it is gone");
}

#[test]
fn deleted_records_are_out_of_range_while_their_segment_stays() {
    let mut tested = five_segments(small_config());
    assert!(tested.log.set_log_start(3));
    assert!(!tested.log.set_log_start(2), "it never goes back");
    assert_eq!(remove_all(&mut tested), 0);
    assert!(tested.log.read(2, 100, i64::MAX, true).is_err());
    assert_eq!(tested.read(3, 1, i64::MAX, true), tested.stored[3].bytes);
    let tested = tested.reopen(Trusted { log_start: 3, ..ALL_CLOSED });
    assert_eq!(tested.log.log_start(), 3);
}

#[test]
fn a_reader_finishes_in_a_segment_that_was_removed_meanwhile() {
    let mut tested = five_segments(small_config());
    tested.log.evict(usize::MAX);
    let Ok(Read::Job(job)) = tested.log.read(2, 1, i64::MAX, true) else { panic!("it is evicted") };
    tested.log.set_log_start(tested.segment_bases()[1]);
    assert_eq!(remove_all(&mut tested), 1);
    assert!(tested.file(0, FileKind::Log).is_none());
    assert_eq!(run(job.perform()).expect("the file is held").concat(), tested.stored[2].bytes);
}
