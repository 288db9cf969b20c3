//! Surveys of segments with damage of every kind.

use std::path::Path;
use std::rc::Rc;

use wire::batch::{
    BASE_OFFSET_AT, BATCH_LENGTH_AT, BatchBuilder, BatchOptions, LAST_OFFSET_DELTA_AT, MAGIC_AT, batches,
};

use super::*;
use crate::disk::{DiskError, Durability, File as _, OpenMode};
use crate::memory::Chunk;
use crate::memory_disk::{Fault, MemoryDisk, NoLatency, Operation};
use crate::segment::SegmentFiles;
use crate::segment::names::{FileKind, file_name};
use crate::testing::run;

const DIR: &str = "/topic-0";
const BASE: i64 = 100;

/// Batches of two records each.
fn segment(value_bytes: &[usize]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, len) in value_bytes.iter().enumerate() {
        let mut builder = BatchBuilder::new();
        for _ in 0..2 {
            builder.append(1000, None, Some(&vec![index as u8 + 1; *len]), &[]).expect("it is small");
        }
        let options = BatchOptions { base_offset: BASE + 2 * index as i64, ..BatchOptions::default() };
        builder.build(&options, &mut bytes).expect("it has records");
    }
    bytes
}

fn starts(bytes: &[u8]) -> Vec<usize> {
    let (mut walk, mut starts) = (batches(bytes), Vec::new());
    while let at = walk.position()
        && walk.next().is_some()
    {
        starts.push(at);
    }
    starts
}

/// What a survey of these bytes finds: of whole batches the base offset, of other stretches position, length and offsets.
type Found = Result<i64, (u64, u64, Range<i64>)>;

fn survey_on(disk: &MemoryDisk, bytes: &[u8], end_offset: i64) -> (Vec<Found>, Vec<String>) {
    let dir: Rc<Path> = Path::new(DIR).into();
    let path = dir.join(file_name(BASE, FileKind::Log));
    run(disk.create_dir(&dir)).expect("the disk is fine");
    let file = run(disk.open(&path, OpenMode::Create)).expect("the disk is fine");
    let chunk = Chunk::padded(bytes);
    run(file.write(0, vec![chunk.slice(0..chunk.len())], Durability::Durable)).expect("the disk is fine");
    run(file.truncate(bytes.len() as u64)).expect("the disk is fine");
    let size = bytes.len() as u64;
    let files = SegmentFiles::new(disk, &dir, BASE);
    let view = SegmentView::new(&files, end_offset, size, (size, Vec::new()), Some(0));
    let mut survey = Survey::new(&view, 0, BASE);
    let (mut found, mut reasons) = (Vec::new(), Vec::new());
    while let Some(stretch) = run(survey.next()).expect("the file is there") {
        found.push(match stretch {
            Stretch::Whole { header, .. } => Ok(header.base_offset),
            Stretch::Rotten(Rotten { position, len, offsets, what, .. }) => {
                reasons.push(what);
                Err((position, len, offsets))
            }
        });
    }
    assert_eq!(survey.position(), size);
    (found, reasons)
}

fn survey(bytes: &[u8], end_offset: i64) -> (Vec<Found>, Vec<String>) {
    survey_on(&MemoryDisk::new(1, NoLatency), bytes, end_offset)
}

#[test]
fn whole_batches_are_found_whatever_their_size() {
    let sizes = [10, 300_000, 40, 9000, 1];
    let (found, reasons) = survey(&segment(&sizes), BASE + 10);
    assert_eq!((found, reasons.len()), ((0..5).map(|index| Ok(BASE + 2 * index)).collect(), 0));
}

#[test]
fn a_flipped_bit_anywhere_costs_its_batch_and_no_other() {
    let bytes = segment(&[20, 30, 40]);
    let starts = starts(&bytes);
    let (from, to) = (starts[1], starts[2]);
    for position in from..to {
        // The leader epoch is outside the checksum, and any is well.
        if (12..16).contains(&(position - from)) {
            continue;
        }
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[position] ^= 1 << bit;
            let (found, reasons) = survey(&bytes, BASE + 6);
            let rotten = Err((from as u64, (to - from) as u64, BASE + 2..BASE + 4));
            assert_eq!(found, [Ok(BASE), rotten, Ok(BASE + 4)], "byte {} bit {bit}: {reasons:?}", position - from);
        }
    }
}

#[test]
fn damage_to_the_first_and_to_the_last_batch_is_found() {
    let bytes = segment(&[20, 30, 40]);
    let starts = starts(&bytes);
    for at in [BASE_OFFSET_AT, BATCH_LENGTH_AT, MAGIC_AT, LAST_OFFSET_DELTA_AT, 70] {
        for index in [0, 2] {
            let mut bytes = bytes.clone();
            bytes[starts[index] + at] ^= 0x40;
            let (found, _) = survey(&bytes, BASE + 6);
            let wrong: Vec<usize> = (0..found.len()).filter(|index| found[*index].is_err()).collect();
            assert_eq!((wrong, found.len()), (vec![index], 3), "byte {at} of batch {index}");
        }
    }
}

#[test]
fn zeros_and_overwritten_blocks_cost_the_batches_they_touch() {
    let bytes = segment(&[3000; 8]);
    let starts = starts(&bytes);
    let mut damaged = bytes.clone();
    damaged[8192..12288].fill(0);
    let touched = |start: usize, end: usize| start < 12288 && end > 8192;
    let ends = starts.iter().copied().skip(1).chain([bytes.len()]);
    let lost: Vec<usize> = starts.iter().copied().zip(ends).filter(|(s, e)| touched(*s, *e)).map(|(s, _)| s).collect();
    let (found, _) = survey(&damaged, BASE + 16);
    assert_eq!(found.iter().filter(|found| found.is_ok()).count(), 8 - lost.len());
    let rotten: u64 = found.iter().filter_map(|found| found.as_ref().err()).map(|(_, len, _)| len).sum();
    let next = starts.iter().find(|start| **start > lost[lost.len() - 1]).expect("there are more");
    assert_eq!(rotten, (next - lost[0]) as u64);
}

#[test]
fn what_cannot_be_read_is_named_and_what_is_behind_it_is_found() {
    let bytes = segment(&[5000; 4]);
    let disk = MemoryDisk::new(1, NoLatency);
    // The window, and then the second of its blocks.
    for after in [0, 1] {
        let error = DiskError::Io("Input/output error".into());
        disk.inject(Fault { operation: Operation::Read, path_part: ".log".into(), error, after, times: 1 });
    }
    let (found, reasons) = survey_on(&disk, &bytes, BASE + 8);
    assert_eq!(disk.faults_hit(), 2);
    assert!(found[0].is_err() && found[1..] == [Ok(BASE + 2), Ok(BASE + 4), Ok(BASE + 6)], "{found:?}");
    assert!(reasons[0].contains("cannot be read") && reasons[0].contains("Input/output error"), "{reasons:?}");
}

#[test]
fn a_segment_that_ends_within_a_batch_says_so() {
    let bytes = segment(&[20, 30]);
    let (found, reasons) = survey(&bytes[..bytes.len() - 1], BASE + 4);
    assert!(found[0] == Ok(BASE) && found[1].is_err(), "{found:?}");
    assert!(reasons[0].contains("ends before"), "{reasons:?}");
}

#[test]
fn gaps_that_compaction_leaves_are_no_damage() {
    let bytes = segment(&[20, 30, 40, 50]);
    let starts = starts(&bytes);
    let kept = [&bytes[..starts[1]], &bytes[starts[2]..]].concat();
    assert_eq!(survey(&kept, BASE + 20).0, [Ok(BASE), Ok(BASE + 4), Ok(BASE + 6)]);
}
