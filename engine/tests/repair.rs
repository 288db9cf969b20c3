//! A repair copies all that can be read, says what it left out, and never changes what it copies from; an inspection says
//! what is wrong.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::disk::Disk;
use engine::error::EngineError;
use engine::inspect::{Problem, Seen, inspect_partition};
use engine::journal::format::decode_group;
use engine::log::{Log, Read};
use engine::memory_disk::MemoryDisk;
use engine::overlay_disk::OverlayDisk;
use engine::recovery::{Code, recover};
use engine::repair::{Repaired, repair};
use support::{Core, batch, data_dir, disk, key, log_config, run};
use wire::batch::batches;

const TARGET: &str = "/copy";
const JOURNAL: &str = "/data/journal/core-0/000.journal";

/// Everything on a disk below a folder.
fn image(disk: &MemoryDisk, dir: &Path, image: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in run(disk.list(dir)).expect("it is there") {
        let path = dir.join(&entry.name);
        if entry.is_dir {
            self::image(disk, &path, image);
        } else {
            image.insert(path.clone(), disk.contents(&path).expect("it is there"));
        }
    }
}

/// Repairs onto the same disk, and demands that the old folder stays as it is.
fn repaired(disk: &MemoryDisk) -> Repaired {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    image(disk, &data_dir(), &mut before);
    let repaired = run(repair(disk, (&data_dir(), &data_dir().join("journal")), disk, Path::new(TARGET)));
    let repaired = repaired.unwrap_or_else(|error| panic!("{error}"));
    image(disk, &data_dir(), &mut after);
    assert!(before == after && before.len() > 3, "the old folder is as it was");
    repaired
}

/// The offsets that the copy of log 1 has, as a start from it finds them; what they hold is checked.
fn offsets_in_copy(disk: &MemoryDisk, lens: &[usize]) -> (Vec<i64>, i64) {
    let target = Path::new(TARGET);
    let recovery = run(recover(disk, target, &target.join("journal"))).unwrap_or_else(|error| panic!("{error}"));
    let found = recovery.logs.iter().find(|log| log.key == key(1)).expect("it was copied");
    let opened = Log::open(disk, target, &found.topic, found.key, log_config(), found.trusted);
    let log = run(opened).expect("it opens");
    let (mut offsets, mut offset) = (Vec::new(), log.log_start());
    while offset < log.log_end() {
        let read = match log.read(offset, 1 << 20, log.log_end(), true).expect("it is in range") {
            Read::Ready(parts) => parts,
            Read::Job(job) => run(job.perform()).expect("it is whole"),
        };
        for found in batches(&read.concat()) {
            let found = found.expect("it is whole");
            let base_offset = found.header.base_offset;
            assert_eq!(found.bytes[16..], batch(lens[base_offset as usize])[16..], "offset {base_offset}");
            offsets.push(base_offset);
            offset = base_offset + 1;
        }
    }
    (offsets, log.log_end())
}

/// Three groups that are in the journal only.
fn crashed() -> (MemoryDisk, Vec<usize>) {
    let disk = disk(1);
    let mut core = Core::start(&disk, 0);
    core.create(1);
    let lens = vec![100, 5000, 100, 300];
    for len in &lens {
        core.append_durably(1, *len);
    }
    disk.crash();
    (disk, lens)
}

/// Several closed segments, cleanly closed.
fn closed() -> (MemoryDisk, Vec<usize>) {
    let disk = disk(1);
    let mut core = Core::start(&disk, 0);
    core.create(1);
    let lens = vec![2000; 90];
    for len in &lens {
        core.append_durably(1, *len);
        core.settle().expect("the disk is fine");
    }
    run(core.store.close()).expect("the disk is fine");
    (disk, lens)
}

fn segment(base_offset: i64) -> PathBuf {
    data_dir().join(format!("topic1-0/{base_offset:020}.log"))
}

#[test]
fn what_is_in_the_journal_only_is_copied_too() {
    let (disk, lens) = crashed();
    let repaired = repaired(&disk);
    assert!(repaired.refusal.is_none() && repaired.partitions[0].left_out.is_empty());
    assert_eq!((repaired.partitions[0].end_offset, repaired.partitions[0].batches), (4, 4));
    assert_eq!(offsets_in_copy(&disk, &lens), ((0..4).collect(), 4));
}

#[test]
fn damaged_batches_are_left_out_and_their_offsets_are_gaps() {
    let (disk, lens) = closed();
    disk.damage(&segment(0), 5000, &[0xff; 4]);
    disk.damage(&segment(0), 8 * 2069 + 8, &[0xff; 2]);
    let repaired = repaired(&disk);
    let left_out: Vec<i64> = repaired.partitions[0].left_out.iter().map(|(_, rotten)| rotten.offsets.start).collect();
    assert_eq!((left_out, repaired.partitions[0].batches), (vec![2, 8], 88));
    let expected: Vec<i64> = (0..90).filter(|offset| ![2, 8].contains(offset)).collect();
    assert_eq!(offsets_in_copy(&disk, &lens), (expected, 90));
}

#[test]
fn groups_behind_a_damaged_one_are_salvaged() {
    let (disk, lens) = crashed();
    let journal = disk.contents(Path::new(JOURNAL)).expect("it is there");
    let second = decode_group(&journal).expect("it is whole").header.padded_length();
    disk.damage(Path::new(JOURNAL), second + 200, &[0xff; 8]);
    let repaired = repaired(&disk);
    assert_eq!(repaired.refusal.as_ref().map(|refusal| refusal.code), Some(Code::JournalDamaged));
    assert_eq!(offsets_in_copy(&disk, &lens), (vec![0, 2, 3], 4));
    assert_eq!(repaired.partitions[0].left_out[0].1.offsets, 1..2);
}

#[test]
fn a_damaged_checkpoint_costs_no_record() {
    for name in ["core-0", "recovered"] {
        let (disk, lens) = crashed();
        disk.damage(&Path::new("/data/checkpoint").join(name), 20, &[0xff]);
        let repaired = repaired(&disk);
        assert_eq!(repaired.refusal.as_ref().map(|refusal| refusal.code), Some(Code::CheckpointDamaged));
        assert_eq!(offsets_in_copy(&disk, &lens), ((0..4).collect(), 4));
    }
}

#[test]
fn a_segment_that_is_gone_is_a_gap() {
    let (disk, lens) = closed();
    let second = run(disk.list(&data_dir().join("topic1-0"))).expect("it is there");
    let second = second.iter().filter(|entry| entry.name.ends_with(".log")).nth(1).expect("there are more");
    run(disk.remove_file(&data_dir().join("topic1-0").join(&second.name))).expect("it is there");
    repaired(&disk);
    let (offsets, end) = offsets_in_copy(&disk, &lens);
    assert!(offsets.len() < 90 && offsets[0] == 0 && offsets.last() == Some(&89) && end == 90, "{offsets:?}");
}

#[test]
fn a_copy_goes_into_an_empty_folder_only() {
    let (disk, _) = crashed();
    let target = Path::new("/data/topic1-0");
    let refused = run(repair(&disk, (&data_dir(), &data_dir().join("journal")), &disk, target));
    assert!(matches!(refused, Err(EngineError::Corrupted { .. })), "it is not empty");
}

fn inspected(disk: &MemoryDisk) -> (Seen, Vec<(PathBuf, Problem)>) {
    let overlay = OverlayDisk::new(disk.clone());
    run(recover(&overlay, &data_dir(), &data_dir().join("journal"))).unwrap_or_else(|error| panic!("{error}"));
    let (mut seen, mut problems) = (Seen::default(), Vec::new());
    let dir = data_dir().join("topic1-0");
    run(inspect_partition(&overlay, &dir, true, &mut seen, &mut |found| problems.push((found.path, found.problem))))
        .expect("the disk is fine");
    (seen, problems)
}

#[test]
fn an_inspection_counts_what_there_is_and_finds_nothing_wrong_with_a_sound_folder() {
    for (disk, lens) in [closed(), crashed()] {
        let (seen, problems) = inspected(&disk);
        assert_eq!(problems, []);
        let bytes: usize = lens.iter().map(|len| batch(*len).len()).sum();
        assert_eq!((seen.batches, seen.records, seen.bytes), (lens.len() as u64, lens.len() as u64, bytes as u64));
    }
}

#[test]
fn an_inspection_names_damaged_batches_wrong_indexes_and_unreadable_neighbours() {
    let (disk, _) = closed();
    disk.damage(&segment(0), 5000, &[0xff; 4]);
    let (seen, problems) = inspected(&disk);
    assert_eq!((seen.batches, problems.len()), (89, 1));
    assert!(matches!(&problems[0], (path, Problem::Rotten(rotten)) if *path == segment(0) && rotten.offsets == (2..3)));

    let (disk, _) = closed();
    let index = segment(0).with_extension("index");
    let mut entries = disk.contents(&index).expect("it is there");
    assert!(entries.len() > 16, "{} bytes", entries.len());
    // The second entry's position.
    entries[15] ^= 1;
    disk.damage(&index, 0, &entries);
    let epochs = data_dir().join("topic1-0/leader-epoch-checkpoint");
    disk.damage(&epochs, 0, b"x");
    let (_, problems) = inspected(&disk);
    let kinds: Vec<&str> = problems
        .iter()
        .map(|(path, problem)| match problem {
            Problem::Index(_) if *path == index => "index",
            Problem::Derived(_) if *path == epochs => "epochs",
            _ => "something else",
        })
        .collect();
    assert_eq!(kinds, ["index", "epochs"], "{problems:?}");
}
