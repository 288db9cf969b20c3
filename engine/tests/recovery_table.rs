//! Every lettered case of recovery's table (`engine/src/recovery/mod.rs`), alone, on a disk that shows just that.
//!
//! A test is named `case_<letter>_…`; the last one demands that each row has one and each of these its row.

mod support;

use std::path::{Path, PathBuf};

use engine::disk::{BLOCK, Disk, DiskError, Durability, File, OpenMode};
use engine::journal::format::{GROUP_HEADER_BYTES, decode_group};
use engine::memory::Chunk;
use engine::memory_disk::{Fault, MemoryDisk, Operation};
use engine::recovery::{Code, Recovery};
use engine::segment::names::{cleaned_file_name, deleted_folder_name, swap_file_name};
use support::{Core, checkpointed, crashed, data_dir, disk, key, recovered, run};

const JOURNAL: &str = "/data/journal/core-0/000.journal";
const SEGMENT: &str = "/data/topic1-0/00000000000000000000.log";
const THIRD_GROUP: u64 = 3 * BLOCK as u64;

/// Several segments, cleanly closed. Returns the last's base offset too.
fn segments() -> (MemoryDisk, i64) {
    let disk = disk(3);
    let mut core = Core::start(&disk, 0);
    core.create(1);
    for _ in 0..60 {
        core.append_durably(1, 3000);
        core.settle().expect("the disk is fine");
    }
    run(core.store.close()).expect("the disk is fine");
    let entries = run(disk.list(Path::new("/data/topic1-0"))).expect("it is there");
    let last = entries.iter().rev().find_map(|entry| entry.name.strip_suffix(".log")).expect("there are segments");
    (disk, last.parse().expect("an offset"))
}

fn write(disk: &MemoryDisk, path: &Path, bytes: &[u8]) {
    let file = run(disk.open(path, OpenMode::Create)).expect("the disk is fine");
    let chunk = Chunk::padded(bytes);
    run(file.write(0, vec![chunk.slice(0..chunk.len())], Durability::Durable)).expect("the disk is fine");
    run(file.truncate(bytes.len() as u64)).expect("the disk is fine");
}

fn exists(disk: &MemoryDisk, path: &str) -> bool {
    disk.contents(Path::new(path)).is_some()
}

fn end(recovery: &Recovery) -> i64 {
    recovery.logs[0].end.offset
}

fn well(disk: &MemoryDisk) -> Recovery {
    recovered(disk).unwrap_or_else(|error| panic!("{error}"))
}

/// The refusal's code and file; nothing that is acknowledged has changed by then.
fn refused(disk: &MemoryDisk) -> (Code, PathBuf) {
    let contents = || [JOURNAL, SEGMENT].map(|path| disk.contents(Path::new(path)));
    let before = contents();
    let error = recovered(disk).expect_err("it must be refused");
    assert!(error.to_string().starts_with(error.code.as_str()), "{error}");
    assert!(contents() == before, "a refusal changes nothing");
    (error.code, error.path)
}

#[test]
fn case_a_a_clean_stop_leaves_nothing_to_do() {
    let (disk, _) = segments();
    let recovery = well(&disk);
    assert_eq!((end(&recovery), recovery.report), (60, Default::default()));
}

#[test]
fn case_b_whole_groups_are_carried_out() {
    let recovery = well(&crashed());
    assert_eq!((end(&recovery), recovery.report.groups), (3, 3));
    assert!(recovery.report.bytes_written > 0 && recovery.report.torn.is_empty());
}

#[test]
fn case_c_a_bad_last_group_is_cut_and_told() {
    let disk = crashed();
    disk.damage(Path::new(JOURNAL), THIRD_GROUP + 100, &[0xff; 8]);
    let recovery = well(&disk);
    assert_eq!((end(&recovery), recovery.report.torn), (2, vec![(PathBuf::from(JOURNAL), THIRD_GROUP)]));
}

#[test]
fn case_d_a_bad_group_before_a_whole_one_is_refused() {
    let disk = crashed();
    disk.damage(Path::new(JOURNAL), BLOCK as u64 + 100, &[0xff; 8]);
    assert_eq!(refused(&disk), (Code::JournalDamaged, JOURNAL.into()));
}

/// Changes the third group and seals it again.
fn forge(disk: &MemoryDisk, change: impl FnOnce(&mut [u8])) {
    let journal = disk.contents(Path::new(JOURNAL)).expect("it is there");
    let mut group = journal[THIRD_GROUP as usize..].to_vec();
    group.truncate(decode_group(&group).expect("it is whole").header.length as usize);
    change(&mut group);
    let crc = crc32c::crc32c(&group[12..]);
    group[8..12].copy_from_slice(&crc.to_le_bytes());
    disk.damage(Path::new(JOURNAL), THIRD_GROUP, &group);
}

#[test]
fn case_e_a_whole_group_that_does_not_follow_is_refused() {
    let disk = crashed();
    // The checksum of the group before it.
    forge(&disk, |group| group[40] ^= 1);
    assert_eq!(refused(&disk), (Code::JournalDamaged, JOURNAL.into()));
}

#[test]
fn case_f_a_newer_format_or_an_unknown_kind_is_refused() {
    let disk = crashed();
    forge(&disk, |group| group[12] = 2);
    assert_eq!(refused(&disk).0, Code::TooNew);
    let disk = crashed();
    forge(&disk, |group| group[GROUP_HEADER_BYTES] = 4);
    assert_eq!(refused(&disk).0, Code::TooNew);
}

#[test]
fn case_g_a_journal_that_is_needed_and_missing_is_refused() {
    let disk = crashed();
    run(disk.remove_dir(Path::new("/data/journal"))).expect("it is there");
    assert_eq!(refused(&disk), (Code::JournalMissing, JOURNAL.into()));
}

#[test]
fn case_h_a_damaged_checkpoint_is_refused() {
    for name in ["core-0", "recovered"] {
        let disk = crashed();
        let path = Path::new("/data/checkpoint").join(name);
        disk.damage(&path, 20, &[0xff]);
        assert_eq!(refused(&disk), (Code::CheckpointDamaged, path));
    }
}

#[test]
fn case_i_a_journal_that_goes_on_elsewhere_than_the_log_ends_is_refused() {
    let disk = crashed();
    // The position of the third group's batch.
    forge(&disk, |group| group[GROUP_HEADER_BYTES + 48] ^= 1);
    assert_eq!(refused(&disk), (Code::LogIncomplete, SEGMENT.into()));
}

#[test]
fn case_j_a_segment_that_is_vouched_for_and_missing_is_refused() {
    let disk = checkpointed();
    run(disk.remove_file(Path::new(SEGMENT))).expect("it is there");
    assert_eq!(refused(&disk), (Code::LogIncomplete, SEGMENT.into()));
}

#[test]
fn case_k_a_segment_shorter_than_is_vouched_for_is_refused() {
    let disk = checkpointed();
    let file = run(disk.open(Path::new(SEGMENT), OpenMode::ReadWrite)).expect("it is there");
    run(file.truncate(1000)).expect("the disk is fine");
    assert_eq!(refused(&disk), (Code::LogIncomplete, SEGMENT.into()));
}

#[test]
fn case_l_a_batch_of_the_journal_that_is_none_is_refused() {
    let disk = crashed();
    // A byte of the third group's record: the group is sealed again, the batch is not.
    forge(&disk, |group| *group.last_mut().expect("it has bytes") ^= 1);
    let error = recovered(&disk).expect_err("its checksum is wrong");
    assert_eq!((error.code, error.path), (Code::LogDamaged, SEGMENT.into()));
}

#[test]
fn case_m_segments_that_nothing_vouches_for_are_taken_up_to_the_first_fault() {
    let (disk, last) = segments();
    run(disk.remove_dir(Path::new("/data/checkpoint"))).expect("it is there");
    assert_eq!(end(&well(&disk)), 60);

    let (disk, _) = segments();
    run(disk.remove_dir(Path::new("/data/checkpoint"))).expect("it is there");
    disk.damage(Path::new(SEGMENT), 2 * 3069 + 100, &[0xff]);
    let recovery = well(&disk);
    assert_eq!((end(&recovery), recovery.logs[0].end.segment_base), (2, 0));
    assert!(
        last > 0 && !exists(&disk, &format!("/data/topic1-0/{last:020}.log")),
        "nothing behind the fault is of the log"
    );
}

#[test]
fn case_n_what_is_behind_the_end_of_a_segment_is_cut() {
    let disk = checkpointed();
    let len = |disk: &MemoryDisk| disk.contents(Path::new(SEGMENT)).expect("it is there").len();
    let file = run(disk.open(Path::new(SEGMENT), OpenMode::ReadWrite)).expect("it is there");
    run(file.truncate(200_000)).expect("the disk is fine");
    let recovery = well(&disk);
    assert_eq!((end(&recovery), recovery.report.segments_cut), (14, 1));
    assert_eq!(len(&disk) as u64, recovery.logs[0].end.position);
}

#[test]
fn case_o_a_segment_behind_the_end_of_the_log_goes() {
    let disk = checkpointed();
    let beyond = "/data/topic1-0/00000000000000000014.log";
    write(&disk, Path::new(beyond), &[1; 100]);
    assert_eq!(end(&well(&disk)), 14);
    assert!(!exists(&disk, beyond));
}

#[test]
fn case_p_a_segment_below_the_log_start_is_left_to_the_log() {
    let (disk, last) = segments();
    let mut core = Core::start(&disk, 0);
    core.store.delete_records(key(1), 60).expect("there is room");
    core.flush().expect("the disk is fine");
    disk.crash();
    let recovery = well(&disk);
    assert_eq!((recovery.logs[0].trusted.log_start, end(&recovery)), (60, 60));
    assert!(exists(&disk, SEGMENT) && exists(&disk, &format!("/data/topic1-0/{last:020}.log")));
}

#[test]
fn case_q_a_folder_that_was_never_finished_goes() {
    let disk = crashed();
    run(disk.create_dir(Path::new("/data/new-0"))).expect("the disk is fine");
    assert_eq!(well(&disk).report.folders_removed, 1);
    assert!(run(disk.list(Path::new("/data/new-0"))).is_err());
}

#[test]
fn case_r_a_folder_that_cannot_be_told_is_refused() {
    let disk = checkpointed();
    disk.damage(Path::new("/data/topic1-0/partition.metadata"), 0, b"nonsense");
    assert_eq!(refused(&disk).0, Code::FolderUnclear);
    let disk = checkpointed();
    run(disk.remove_file(Path::new("/data/topic1-0/partition.metadata"))).expect("it is there");
    assert_eq!(refused(&disk).0, Code::FolderUnclear);
    let disk = checkpointed();
    let metadata = disk.contents(Path::new("/data/topic1-0/partition.metadata")).expect("it is there");
    run(disk.create_dir(Path::new("/data/twin-0"))).expect("the disk is fine");
    write(&disk, Path::new("/data/twin-0/partition.metadata"), &metadata);
    assert_eq!(refused(&disk).0, Code::FolderUnclear);
}

#[test]
fn case_s_a_deleted_partitions_folder_goes() {
    let disk = crashed();
    let deleted = data_dir().join(deleted_folder_name("old", 0, 7));
    run(disk.create_dir(&deleted)).expect("the disk is fine");
    write(&disk, &deleted.join("00000000000000000000.log"), &[1; 100]);
    assert_eq!(well(&disk).report.folders_removed, 1);
    assert!(run(disk.list(&deleted)).is_err());
}

#[test]
fn case_t_a_replacement_of_segments_that_was_decided_is_completed() {
    let (disk, last) = segments();
    let dir = Path::new("/data/topic1-0");
    let first = disk.contents(Path::new(SEGMENT)).expect("it is there");
    write(&disk, &dir.join(swap_file_name(0, last)), &first);
    let recovery = well(&disk);
    assert_eq!((recovery.report.swaps_completed, end(&recovery)), (1, 60));
    let logs = run(disk.list(dir)).expect("it is there");
    assert_eq!(logs.iter().filter(|entry| entry.name.ends_with(".log")).count(), 2, "the new one, and the last");
    assert!(disk.contents(Path::new(SEGMENT)) == Some(first));
}

#[test]
fn case_u_a_replacement_that_was_not_decided_goes_when_its_log_is_opened() {
    let (disk, _) = segments();
    let cleaned = Path::new("/data/topic1-0").join(cleaned_file_name(0));
    write(&disk, &cleaned, &[1; 100]);
    let core = Core::start(&disk, 0);
    assert_eq!(core.store.log(key(1)).map(|log| log.log_end()), Some(60));
    assert!(disk.contents(&cleaned).is_none() && exists(&disk, SEGMENT));
}

#[test]
fn case_v_records_of_a_partition_without_a_folder_are_named() {
    let disk = crashed();
    run(disk.remove_dir(Path::new("/data/topic1-0"))).expect("it is there");
    let recovery = well(&disk);
    assert_eq!((recovery.missing, recovery.logs.len()), (vec![key(1)], 0));
}

#[test]
fn case_w_journals_of_cores_that_are_no_more_are_carried_out_too() {
    let disk = disk(4);
    let mut cores = [Core::start(&disk, 0), Core::start_another(&disk, 1)];
    for (number, core) in [1, 2].into_iter().zip(&mut cores) {
        core.create(number);
        core.append_durably(number, 500);
    }
    disk.crash();
    let recovery = well(&disk);
    assert_eq!((recovery.report.journals, recovery.logs.len()), (2, 2));
    assert!(recovery.logs.iter().all(|log| log.end.offset == 1));
}

#[test]
fn case_x_a_disk_that_fails_stops_it_and_another_attempt_goes_through() {
    for operation in [Operation::Read, Operation::Write, Operation::Sync, Operation::SyncDir] {
        let disk = crashed();
        let error = DiskError::Io("injected".into());
        disk.inject(Fault { operation, path_part: "topic1-0".into(), error, after: 0, times: 3 });
        let first = recovered(&disk);
        assert!(disk.faults_hit() > 0, "{operation:?}");
        assert!(first.is_err() || operation == Operation::Read, "{operation:?}");
        disk.clear_faults();
        assert_eq!(end(&well(&disk)), 3, "{operation:?}");
    }
}

#[test]
fn each_case_of_the_table_has_its_test_and_each_test_its_case() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("src/recovery/mod.rs")).expect("it is there");
    let rows = table.lines().filter_map(|line| line.strip_prefix("//! | ")?.split_once(" | "));
    let letters: Vec<char> =
        rows.filter(|(letter, _)| letter.len() == 1).flat_map(|(letter, _)| letter.chars()).collect();
    assert_eq!(letters, ('A'..='X').collect::<Vec<char>>());
    let tests = std::fs::read_to_string(root.join("tests/recovery_table.rs")).expect("it is there");
    for letter in &letters {
        let named = format!("#[test]\nfn case_{}_", letter.to_ascii_lowercase());
        assert_eq!(tests.matches(&named).count(), 1, "case {letter}");
    }
    assert_eq!(tests.matches("#[test]\nfn case_").count(), letters.len());
}
