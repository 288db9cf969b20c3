//! What recovery must not go over: each refusal has its code and names the place.

mod support;

use std::path::{Path, PathBuf};

use engine::disk::{BLOCK, Disk};
use engine::journal::format::{GROUP_HEADER_BYTES, decode_group};
use engine::memory_disk::MemoryDisk;
use engine::recovery::Code;
use support::{checkpointed, crashed, recovered, run};

const JOURNAL: &str = "/data/journal/core-0/000.journal";
const SEGMENT: &str = "/data/topic1-0/00000000000000000000.log";

fn refusal(disk: &MemoryDisk) -> (Code, PathBuf, u64) {
    let before = (disk.contents(Path::new(JOURNAL)), disk.contents(Path::new(SEGMENT)));
    let error = recovered(disk).expect_err("it must be refused");
    let text = error.to_string();
    assert!(text.starts_with(error.code.as_str()) && text.contains(&error.path.display().to_string()), "{text}");
    assert_eq!((disk.contents(Path::new(JOURNAL)), disk.contents(Path::new(SEGMENT))), before, "nothing is changed");
    (error.code, error.path, error.position)
}

/// Where the groups begin: of one block, of two, of one.
const GROUPS: [u64; 3] = [0, BLOCK as u64, 3 * BLOCK as u64];

#[test]
fn the_setting_is_what_the_cases_build_on() {
    let disk = crashed();
    let journal = disk.contents(Path::new(JOURNAL)).expect("it is there");
    for (index, position) in GROUPS.iter().enumerate() {
        let group = decode_group(&journal[*position as usize..]).expect("it is whole");
        assert_eq!(group.header.sequence, index as u64 + 1);
    }
    assert_eq!(recovered(&disk).expect("it is well").logs[0].end.offset, 3);
}

#[test]
fn damage_to_the_last_group_is_cut_as_torn_and_damage_before_it_is_refused() {
    let disk = crashed();
    disk.damage(Path::new(JOURNAL), GROUPS[2] + 100, &[0xff; 8]);
    let recovery = recovered(&disk).expect("it cannot be told from a torn write");
    assert_eq!(recovery.logs[0].end.offset, 2);
    assert_eq!(recovery.report.torn, [(PathBuf::from(JOURNAL), GROUPS[2])]);
    assert!(recovery.report.to_string().contains("cut short at byte 12288"));

    for (group, offset) in [(0, 0), (0, 80), (1, 0), (1, 5000)] {
        let disk = crashed();
        disk.damage(Path::new(JOURNAL), GROUPS[group] + offset, &[0xff; 8]);
        assert_eq!(refusal(&disk), (Code::JournalDamaged, JOURNAL.into(), GROUPS[group]));
    }
}

#[test]
fn an_unknown_kind_and_a_newer_format_are_refused_even_in_the_last_group() {
    let seal = |disk: &MemoryDisk, change: &dyn Fn(&mut [u8])| {
        let journal = disk.contents(Path::new(JOURNAL)).expect("it is there");
        let mut group = journal[GROUPS[2] as usize..].to_vec();
        let length = decode_group(&group).expect("it is whole").header.length as usize;
        group.truncate(length);
        change(&mut group);
        let crc = crc32c::crc32c(&group[12..]);
        group[8..12].copy_from_slice(&crc.to_le_bytes());
        disk.damage(Path::new(JOURNAL), GROUPS[2], &group);
    };
    for change in [&(|group: &mut [u8]| group[GROUP_HEADER_BYTES] = 4) as &dyn Fn(&mut [u8]), &|group| group[12] = 2] {
        let disk = crashed();
        seal(&disk, change);
        assert_eq!(refusal(&disk), (Code::TooNew, JOURNAL.into(), GROUPS[2]));
    }
}

#[test]
fn a_missing_journal_is_refused() {
    let disk = crashed();
    run(disk.remove_dir(Path::new("/data/journal"))).expect("it is there");
    assert_eq!(refusal(&disk), (Code::JournalMissing, JOURNAL.into(), 0));
}

#[test]
fn damaged_checkpoints_are_refused() {
    for name in ["core-0", "recovered"] {
        let disk = crashed();
        let path = Path::new("/data/checkpoint").join(name);
        disk.damage(&path, 20, &[0xff]);
        assert_eq!(refusal(&disk), (Code::CheckpointDamaged, path, 0));
    }
}

#[test]
fn a_log_that_lacks_what_the_checkpoint_vouches_for_is_refused() {
    let disk = checkpointed();
    run(disk.remove_file(Path::new(SEGMENT))).expect("it is there");
    assert_eq!(refusal(&disk), (Code::LogIncomplete, SEGMENT.into(), 0));

    let disk = checkpointed();
    let file = run(disk.open(Path::new(SEGMENT), engine::disk::OpenMode::ReadWrite)).expect("it is there");
    run(engine::disk::File::truncate(&file, 1000)).expect("the disk is fine");
    assert_eq!(refusal(&disk), (Code::LogIncomplete, SEGMENT.into(), 1000));
}

#[test]
fn folders_that_cannot_be_told_are_refused() {
    let disk = checkpointed();
    let metadata = Path::new("/data/topic1-0/partition.metadata");
    disk.damage(metadata, 0, b"nonsense");
    assert_eq!(refusal(&disk), (Code::FolderUnclear, metadata.into(), 0));

    let disk = checkpointed();
    run(disk.remove_file(metadata)).expect("it is there");
    assert_eq!(refusal(&disk).0, Code::FolderUnclear, "a folder with segments is not thrown away");
}

#[test]
fn records_of_a_partition_without_a_folder_are_named() {
    let disk = crashed();
    run(disk.remove_dir(Path::new("/data/topic1-0"))).expect("it is there");
    let recovery = recovered(&disk).expect("the catalog has to say whether that is well");
    assert_eq!(recovery.missing, [support::key(1)]);
}
