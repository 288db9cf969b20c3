//! Filing, closing, eviction, and what a checkpoint is told.

use wire::records::producer::ProducerEntry;

use super::*;
use crate::disk::{BLOCK, DiskError, block_floor};
use crate::memory_disk::{Fault, Operation};
use crate::producer_snapshot;
use crate::segment::{OffsetIndex, TimeIndex};

#[test]
fn closed_segments_hold_the_appended_batches_byte_for_byte() {
    let mut random = Random::new(seed());
    let mut tested = Tested::new(small_config());
    while tested.log.segment_count() < 5 {
        tested.append_random(&mut random);
        if random.chance(20) {
            tested.file_all(Urgency::WholeBlocks);
        }
    }
    let tested = tested.reopen(ALL_CLOSED);
    let bases = tested.segment_bases();
    assert_eq!(bases.len(), 5);
    let mut entries = 0;
    for (base_offset, next) in bases.iter().zip(bases[1..].iter().chain([&tested.log.log_end()])) {
        let bytes = tested.file(*base_offset, FileKind::Log).expect("it is there");
        assert!(bytes == tested.stored_bytes(*base_offset), "segment {base_offset}");
        let offsets = tested.file(*base_offset, FileKind::OffsetIndex).expect("it is there");
        let offsets = OffsetIndex::decode(*base_offset, &offsets, bytes.len() as u64, *next).expect("Kafka's format");
        entries += offsets.len();
        for index in 0..offsets.len() {
            let (offset, position) = offsets.get(index).expect("in range");
            assert_eq!(header_of(&bytes[position as usize..]).last_offset(), offset);
        }
        let times = tested.file(*base_offset, FileKind::TimeIndex).expect("it is there");
        let times = TimeIndex::decode(*base_offset, &times, *next).expect("Kafka's format");
        let in_segment = tested.stored.iter().filter(|batch| batch.segment_base == *base_offset);
        let largest = in_segment.flat_map(|batch| batch.records.iter().map(|record| record.1)).max();
        assert_eq!(times.last().map(|entry| entry.timestamp), largest);
    }
    assert!(entries > 5, "{entries} entries of offset indexes show too little");
}

#[test]
fn relaxed_filing_waits_for_a_large_piece_and_keeps_the_partial_block() {
    let mut tested = Tested::new(LogConfig::default());
    tested.append(&[NOW], 100_000, 0, NOW);
    assert!(tested.log.poll_filing(Urgency::Relaxed).is_none());
    tested.append(&[NOW], 200_000, 0, NOW);
    let job = tested.log.poll_filing(Urgency::Relaxed).expect("more than 256 KiB wait");
    assert!(tested.log.poll_filing(Urgency::Everything).is_none(), "one is in flight");
    let size = tested.log.size_bytes();
    assert_eq!(job.len() as u64, block_floor(size));
    let done = run(job.perform());
    tested.log.handle_filed(done).expect("the disk takes it");
    assert_eq!(tested.log.unfiled_bytes(), size % BLOCK as u64);
    assert!(tested.log.filed_block().is_none(), "no part of a block is in the file");
}

#[test]
fn extents_are_allocated_ahead_in_growing_steps_but_not_beyond_the_segment() {
    let mut tested = Tested::new(LogConfig { segment_bytes: 6 << 20, ..LogConfig::default() });
    let mut lengths = Vec::new();
    while tested.log.segment_count() == 1 {
        tested.append(&[NOW], 300_000, 0, NOW);
        tested.file_all(Urgency::Relaxed);
        lengths.push(tested.file(0, FileKind::Log).map_or(0, |file| file.len()));
    }
    let exact = lengths.pop().expect("it was rolled");
    assert_eq!(exact, tested.stored_bytes(0).len(), "cut when it was closed");
    lengths.dedup();
    let largest = lengths.pop().expect("it was filed");
    assert_eq!(lengths, [1 << 20, 2 << 20, 4 << 20]);
    assert!(largest >= exact && largest <= (6 << 20) * 21 / 20);
}

#[test]
fn a_nearly_full_disk_takes_what_is_needed_without_allocating_ahead() {
    let mut tested = Tested::new(LogConfig::default());
    tested.append(&[NOW], 300_000, 0, NOW);
    tested.disk.set_capacity(tested.disk.used() + 400_000);
    tested.file_all(Urgency::Everything);
    assert_eq!(tested.log.unfiled_bytes(), 0);
}

#[test]
fn an_idle_log_holds_one_block_of_memory() {
    let mut tested = Tested::new(LogConfig::default());
    for _ in 0..50 {
        tested.append(&[NOW], 30_000, 0, NOW);
    }
    assert!(tested.log.memory_bytes() > 1_000_000);
    tested.file_all(Urgency::WholeBlocks);
    tested.log.evict(usize::MAX);
    assert_eq!(tested.log.memory_bytes(), BLOCK);
    let mut one = Tested::new(LogConfig::default());
    one.append(&[NOW], 10, 0, NOW);
    assert_eq!(one.log.memory_bytes(), BLOCK);
}

#[test]
fn a_filed_block_is_rewritten_only_when_the_batch_behind_it_is_flushed() {
    let mut tested = Tested::new(LogConfig::default());
    tested.append(&[NOW], 5000, 0, NOW);
    tested.file_all(Urgency::Everything);
    let size = tested.log.size_bytes();
    let (mark, block) = tested.log.filed_block().expect("a part of a block is in the file");
    assert_eq!(mark.position, BLOCK as u64);
    assert_eq!(bytes_of(&block), tested.stored[0].bytes[BLOCK..]);
    let flushed = tested.log.log_end();
    let batch = tested.stored[0].bytes.clone();
    let append = AppendBatch {
        bytes: &batch,
        base_offset: flushed,
        leader_epoch: 0,
        last_offset: flushed,
        max_timestamp: NOW,
        max_timestamp_offset: flushed,
    };
    tested.log.append(&append, NOW);
    assert!(tested.log.filed_block().is_none(), "asked for once");
    assert!(tested.log.poll_filing(Urgency::Everything).is_none(), "the journal does not have it yet");
    tested.log.set_flushed_end(flushed + 1);
    tested.file_all(Urgency::Everything);
    assert_eq!(tested.log.filed_mark().position, size + batch.len() as u64);
}

#[test]
fn a_partial_block_that_grew_while_it_was_filed_does_not_count_as_filed() {
    let mut tested = Tested::new(LogConfig::default());
    tested.append(&[NOW], 5000, 0, NOW);
    let job = tested.log.poll_filing(Urgency::Everything).expect("it is worth it");
    tested.append(&[NOW], 100, 0, NOW);
    let done = run(job.perform());
    tested.log.handle_filed(done).expect("the disk takes it");
    assert_eq!(tested.log.filed_mark().offset, 0, "the first batch ends within the block");
    assert!(tested.log.filed_block().is_none());
}

#[test]
fn a_sync_plan_marks_a_batch_boundary_that_the_file_holds() {
    let mut random = Random::new(seed());
    let mut tested = Tested::new(small_config());
    let mut moved = 0;
    let mut last = tested.log.filed_mark();
    for _ in 0..200 {
        tested.append_random(&mut random);
        if random.chance(30) {
            tested.file_all(if random.chance(50) { Urgency::WholeBlocks } else { Urgency::Everything });
        }
        let synced = run(tested.log.sync_plan().perform()).expect("the disk syncs");
        tested.log.handle_synced(&synced);
        assert!(tested.log.sync_plan().is_empty());
        let mark = synced.mark;
        assert!(mark >= last, "{mark:?} after {last:?}");
        moved += usize::from(mark > last);
        last = mark;
        let file = tested.file(mark.segment_base, FileKind::Log).unwrap_or_default();
        let stored = tested.stored_bytes(mark.segment_base);
        assert!(file[..mark.position as usize] == stored[..mark.position as usize]);
        let before = tested.stored.iter().filter(|batch| batch.segment_base == mark.segment_base);
        let before = before.filter(|batch| batch.base_offset < mark.offset).map(|batch| batch.bytes.len() as u64);
        assert_eq!(before.sum::<u64>(), mark.position, "{mark:?} is a batch boundary");
        let filed_end = tested.log.segments[tested.log.first_open()].filed_end;
        let next = tested.stored.iter().find(|batch| batch.base_offset >= mark.offset);
        let next = next.filter(|batch| batch.segment_base == mark.segment_base).map_or(0, |batch| batch.bytes.len());
        assert!(mark.position + next as u64 >= filed_end, "{mark:?} is the last one below {filed_end}");
    }
    assert!(moved > 20);
}

#[test]
fn a_full_disk_leaves_the_bytes_in_memory_and_heals() {
    let mut tested = Tested::new(small_config());
    while tested.log.segment_count() < 2 {
        tested.append(&[NOW], 3000, 0, NOW);
    }
    tested.disk.set_capacity(tested.disk.used() + 8192);
    let job = tested.log.poll_filing(Urgency::Relaxed).expect("a rolled segment is to be closed");
    let done = run(job.perform());
    let error = tested.log.handle_filed(done).expect_err("the disk is full");
    assert!(error.is_full());
    let last = tested.stored.last().expect("appended").clone();
    assert_eq!(tested.read(last.base_offset, 5000, i64::MAX, true), last.bytes);
    tested.disk.set_capacity(u64::MAX);
    let tested = tested.reopen(ALL_CLOSED);
    assert!(tested.file(0, FileKind::Log).expect("it is there") == tested.stored_bytes(0));
}

#[test]
fn a_failed_sync_is_reported_and_the_segment_is_not_closed() {
    let mut tested = Tested::new(small_config());
    while tested.log.segment_count() < 2 {
        tested.append(&[NOW], 3000, 0, NOW);
    }
    let error = DiskError::Io("broken".into());
    tested.disk.inject(Fault { operation: Operation::Sync, path_part: ".log".into(), error, after: 0, times: 1 });
    let job = tested.log.poll_filing(Urgency::Relaxed).expect("a rolled segment is to be closed");
    let done = run(job.perform());
    let error = tested.log.handle_filed(done).expect_err("the sync failed");
    assert!(!error.is_full());
    assert_eq!(tested.disk.faults_hit(), 1);
    assert!(tested.file(0, FileKind::OffsetIndex).is_none());
}

#[test]
fn producer_state_is_written_when_a_segment_closes_and_two_files_are_kept() {
    let entry = |producer_id| ProducerEntry {
        producer_id,
        producer_epoch: 0,
        last_sequence: 1,
        last_offset: 2,
        offset_delta: 0,
        timestamp: NOW,
        coordinator_epoch: -1,
        current_txn_first_offset: -1,
    };
    let mut tested = Tested::new(small_config());
    let mut offsets = Vec::new();
    while tested.log.segment_count() < 6 {
        if tested.append(&[NOW], 3000, 0, NOW).rolled {
            let offset = tested.log.log_end() - 1;
            tested.log.set_producer_snapshot(offset, vec![entry(offset)]);
            tested.file_all(Urgency::Relaxed);
            offsets.push(offset);
        }
    }
    let files: Vec<i64> =
        offsets.iter().copied().filter(|at| tested.file(*at, FileKind::ProducerSnapshot).is_some()).collect();
    assert_eq!(files, offsets[3..]);
    let bytes = tested.file(offsets[4], FileKind::ProducerSnapshot).expect("it is there");
    assert_eq!(producer_snapshot::decode(&bytes), Ok(vec![entry(offsets[4])]));
    let newest = tested.path(offsets[4], FileKind::ProducerSnapshot);
    let tested = tested.reopen(ALL_CLOSED);
    assert_eq!(tested.log.producer_snapshot(), Some(&(offsets[4], vec![entry(offsets[4])])));
    tested.disk.damage(&newest, 12, b"x");
    let tested = tested.reopen(ALL_CLOSED);
    assert_eq!(tested.log.producer_snapshot(), Some(&(offsets[3], vec![entry(offsets[3])])), "the newest whole one");
}
