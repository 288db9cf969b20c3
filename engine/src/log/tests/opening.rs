//! Opening a folder: what is trusted, what is read, what is mended.

use super::*;
use crate::error::EngineError;
use crate::leader_epochs::LEADER_EPOCH_FILE;
use crate::memory_disk::{Fault, Operation};
use crate::partition_metadata::PARTITION_METADATA_FILE;

fn filled(segments: usize) -> Tested {
    let mut random = Random::new(seed());
    let mut tested = Tested::new(small_config());
    while tested.log.segment_count() < segments {
        tested.append_random(&mut random);
    }
    tested.append_random(&mut random);
    tested
}

#[test]
fn everything_is_there_again_after_a_clean_stop() {
    let tested = filled(4);
    let before = (tested.log.log_end(), tested.log.size_bytes(), tested.log.leader_epochs().clone());
    let mut tested = tested.reopen(ALL_CLOSED);
    assert_eq!((tested.log.log_end(), tested.log.size_bytes(), tested.log.leader_epochs().clone()), before);
    assert_eq!(tested.log.flushed_end(), before.0);
    let all: Vec<u8> = tested.stored.iter().flat_map(|batch| batch.bytes.iter().copied()).collect();
    assert!(tested.read_all() == all);
    let block = tested.log.filed_block().map(|(_, slices)| bytes_of(&slices).len() as u64);
    assert_eq!(block.unwrap_or(0), tested.log.end_mark().position % 4096, "the last block is to be journalled");
    tested.append(&[NOW], 5000, 9, NOW);
    let tested = tested.reopen(NONE_CLOSED);
    let base_offset = tested.segment_bases()[3];
    assert!(tested.file(base_offset, FileKind::Log).expect("it is there") == tested.stored_bytes(base_offset));
}

#[test]
fn closed_segments_are_not_read_at_the_start() {
    let tested = filled(4);
    let bases = tested.segment_bases();
    let Tested { disk, log, .. } = tested;
    run(log.close()).expect("the disk takes it");
    let error = crate::disk::DiskError::Io("read at the start".into());
    for base_offset in &bases[..3] {
        let path_part = file_name(*base_offset, FileKind::Log);
        disk.inject(Fault { operation: Operation::Open, path_part, error: error.clone(), after: 0, times: u32::MAX });
    }
    assert!(open(&disk, small_config(), ALL_CLOSED).is_ok());
    assert_eq!(disk.faults_hit(), 0);
    assert!(open(&disk, small_config(), NONE_CLOSED).is_err(), "the test is not valid: nothing ever reads them");
}

#[test]
fn missing_and_wrong_indexes_are_rebuilt_as_they_were() {
    let tested = filled(4);
    let bases = tested.segment_bases();
    let tested = tested.reopen(ALL_CLOSED);
    let kinds = [FileKind::OffsetIndex, FileKind::TimeIndex];
    let before: Vec<_> = bases.iter().flat_map(|base| kinds.map(|kind| tested.file(*base, kind))).collect();
    run(crate::disk::Disk::remove_file(&tested.disk, &tested.path(bases[0], FileKind::OffsetIndex))).expect("there");
    run(crate::disk::Disk::remove_file(&tested.disk, &tested.path(bases[1], FileKind::TimeIndex))).expect("there");
    tested.disk.damage(&tested.path(bases[2], FileKind::TimeIndex), 0, &[0xff; 12]);
    let Tested { disk, log, stored } = tested;
    drop(log);
    let log = open(&disk, small_config(), ALL_CLOSED).expect("indexes are derived");
    let tested = Tested { disk, log, stored };
    let all: Vec<u8> = tested.stored.iter().flat_map(|batch| batch.bytes.iter().copied()).collect();
    assert!(tested.read_all() == all);
    let (offset, timestamp) = tested.stored[0].records[0];
    let found = run(tested.log.find_timestamp(timestamp, i64::MAX).perform()).expect("the disk reads");
    assert!(found.is_some_and(|at| at.offset <= offset));
    let after: Vec<_> = bases.iter().flat_map(|base| kinds.map(|kind| tested.file(*base, kind))).collect();
    assert!(after[..4] == before[..4], "rebuilt at the start");
}

#[test]
fn indexes_that_are_behind_their_segment_are_brought_up_to_date() {
    let tested = filled(1);
    let mut tested = tested.reopen(ALL_CLOSED);
    let stale = tested.file(0, FileKind::OffsetIndex).expect("it is there");
    let stale_times = tested.file(0, FileKind::TimeIndex).expect("it is there");
    let mut random = Random::new(7);
    while tested.log.segment_count() < 2 {
        tested.append_random(&mut random);
    }
    let tested = tested.reopen(ALL_CLOSED);
    let whole = tested.file(0, FileKind::OffsetIndex).expect("it is there");
    assert!(whole.len() > stale.len());
    let Tested { disk, log, .. } = tested;
    let (offsets, times) =
        (log.dir().join(file_name(0, FileKind::OffsetIndex)), log.dir().join(file_name(0, FileKind::TimeIndex)));
    drop(log);
    run(crate::files::write_file(&disk, &offsets, &stale)).expect("the disk takes it");
    run(crate::files::write_file(&disk, &times, &stale_times)).expect("the disk takes it");
    open(&disk, small_config(), NONE_CLOSED).map(drop).expect("indexes are derived");
    assert!(disk.contents(&offsets) == Some(whole));
}

#[test]
fn a_time_index_that_speaks_of_later_batches_is_not_believed() {
    let mut tested = Tested::new(small_config());
    for step in 0..12 {
        tested.append(&[NOW + step], 600, 0, NOW);
    }
    let indexes = |log: &Log<MemoryDisk>| log.active().indexes.clone().expect("the last segment has them");
    let before = indexes(&tested.log);
    let (offsets, times) = (tested.path(0, FileKind::OffsetIndex), tested.path(0, FileKind::TimeIndex));
    let Tested { disk, log, .. } = tested;
    run(log.close()).expect("the disk takes it");
    let first_offsets = &before.offsets.encode()[..crate::segment::OFFSET_ENTRY_BYTES];
    let entry = |timestamp: i64, offset: u32| [&timestamp.to_be_bytes()[..], &offset.to_be_bytes()[..]].concat();
    let (first, _) = before.offsets.get(0).expect("batches are larger than the interval");
    for lie in [entry(5, 11), entry(5, first as u32)] {
        run(crate::files::write_file(&disk, &offsets, first_offsets)).expect("the disk takes it");
        run(crate::files::write_file(&disk, &times, &lie)).expect("the disk takes it");
        let log = open(&disk, small_config(), NONE_CLOSED).expect("indexes are derived");
        let after = indexes(&log);
        assert_eq!((&after.offsets, &after.times), (&before.offsets, &before.times));
        assert_eq!(after.largest_timestamp(), before.largest_timestamp());
    }
}

#[test]
fn leader_epochs_come_back_from_the_batches_where_the_file_is_behind() {
    let mut tested = Tested::new(small_config());
    for epoch in 0..20 {
        tested.append(&[NOW], 500, epoch / 3, NOW);
    }
    let epochs = tested.log.leader_epochs().clone();
    let dir = tested.log.dir().to_path_buf();
    let Tested { disk, log, .. } = tested;
    run(log.close()).expect("the disk takes it");
    run(crate::disk::Disk::remove_file(&disk, &dir.join(LEADER_EPOCH_FILE))).expect("there");
    for kind in [FileKind::OffsetIndex, FileKind::TimeIndex] {
        run(crate::disk::Disk::remove_file(&disk, &dir.join(file_name(0, kind)))).expect("there");
    }
    let log = open(&disk, small_config(), NONE_CLOSED).expect("all is derived");
    assert_eq!(log.leader_epochs(), &epochs);
    assert_eq!(log.end_offset_for_epoch(2), (2, 9));
}

#[test]
fn leftovers_of_removals_go_and_strangers_stay() {
    let tested = filled(2);
    let dir = tested.log.dir().to_path_buf();
    let deleted = dir.join(crate::segment::names::deleted_file_name(0, FileKind::Log));
    let stranger = dir.join("notes.txt");
    run(crate::files::write_file(&tested.disk, &deleted, b"x")).expect("the disk takes it");
    run(crate::files::write_file(&tested.disk, &stranger, b"x")).expect("the disk takes it");
    let tested = tested.reopen(ALL_CLOSED);
    assert!(tested.disk.contents(&deleted).is_none());
    assert!(tested.disk.contents(&stranger).is_some());
}

#[test]
fn a_folder_of_another_topic_id_is_refused() {
    let tested = filled(1);
    let path = tested.log.dir().join(PARTITION_METADATA_FILE);
    let Tested { disk, log, .. } = tested;
    run(log.close()).expect("the disk takes it");
    let other = crate::partition_metadata::encode(Uuid::from_u128(78));
    run(crate::files::write_file(&disk, &path, other.as_bytes())).expect("the disk takes it");
    assert!(matches!(open(&disk, small_config(), ALL_CLOSED), Err(EngineError::Corrupted { .. })));
}

#[test]
fn a_deleted_partition_leaves_nothing() {
    let mut tested = filled(3);
    tested.file_all(Urgency::Everything);
    let Tested { disk, log, .. } = tested;
    run(log.delete(0xabc)).expect("the disk removes");
    assert_eq!(run(crate::disk::Disk::list(&disk, Path::new(DATA_DIR))), Ok(vec![]));
}
