//! Segments that the disk has damaged: a real broker, real files with flipped bits, a client that reads around them.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use support::{Broker, Client, DataDir, batch, edit, now_ms, values, wait_until};
use wire::ErrorCode;
use wire::batch::{BatchBuilder, BatchHeader, BatchOptions, batches};
use wire::codec::Records;

const TOPIC: &str = "t";
/// The least that a segment may have.
const SEGMENT_BYTES: &str = "1048576";
const VALUE_BYTES: usize = 40_000;
const RECORDS: i64 = 120;

fn value(offset: i64) -> Vec<u8> {
    vec![offset as u8; VALUE_BYTES]
}

/// A batch of one record; every tenth has the same key.
fn keyed(offset: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    let key = (offset % 10).to_string();
    builder.append(now_ms(), Some(key.as_bytes()), Some(&value(offset)), &[]).expect("a small record");
    let mut bytes = Vec::new();
    builder.build(&BatchOptions::default(), &mut bytes).expect("a small batch");
    bytes
}

/// A stopped broker's folder: one partition of several closed segments, one record a batch.
fn filled(configs: &[(&str, &str)]) -> DataDir {
    let dir = DataDir::new();
    let broker = Broker::start_in(&dir, 2, &[("log.cleaner.enable", "false")]);
    let mut client = broker.client();
    let segment = [("segment.bytes", SEGMENT_BYTES)];
    client.create_topic(TOPIC, 1, &[&segment, configs].concat());
    for offset in 0..RECORDS {
        assert_eq!(client.append(TOPIC, 0, &keyed(offset)), offset);
    }
    drop(client);
    broker.stop();
    dir
}

/// All segments' files, in order; the last is the active one.
fn segments(dir: &DataDir) -> Vec<PathBuf> {
    let folder = dir.path().join(format!("{TOPIC}-0"));
    let entries = fs::read_dir(&folder).expect("the folder is there").map(|entry| entry.expect("an entry").path());
    let mut logs: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|kind| kind == "log")).collect();
    logs.sort();
    assert!(logs.len() >= 4, "{logs:?}");
    logs
}

/// Position and header of each batch of a file.
fn batches_of(path: &Path) -> Vec<(usize, BatchHeader)> {
    let bytes = fs::read(path).expect("the file is there");
    let (mut walk, mut all) = (batches(&bytes), Vec::new());
    while let at = walk.position()
        && let Some(batch) = walk.next()
    {
        all.push((at, batch.expect("the file is whole").header));
    }
    all
}

/// Reads to the end past everything damaged, as a consumer that seeks: offsets read, and offsets that were refused.
fn read_around(client: &mut Client) -> (Vec<i64>, Vec<i64>) {
    let (mut read, mut refused, mut offset) = (Vec::new(), Vec::new(), 0);
    while offset < RECORDS {
        let data = client.fetch(TOPIC, 0, offset, Duration::ZERO);
        if data.error_code == ErrorCode::CorruptMessage.code() {
            assert!(data.records.as_ref().is_none_or(Records::is_empty), "no records go with a refusal");
            refused.push(offset);
            offset += 1;
            continue;
        }
        assert_eq!(data.error_code, 0, "at {offset}");
        let records = values(data);
        assert!(!records.is_empty(), "a fetch below the end finds something: {offset}");
        for (found, bytes) in records {
            assert!(found >= offset && bytes == value(found), "offset {found}");
            read.push(found);
            offset = found + 1;
        }
    }
    (read, refused)
}

#[test]
fn a_fetch_refuses_damaged_batches_only_whatever_was_damaged_in_them() {
    let dir = filled(&[]);
    let segments = segments(&dir);
    // In a batch's bytes: a record, the length, the magic, the base offset, a whole block of zeros.
    let changes: [fn(&mut [u8]); 5] = [
        |batch| batch[5000] ^= 1,
        |batch| batch[8] ^= 0x40,
        |batch| batch[16] = 0,
        |batch| batch[7] ^= 0x20,
        |batch| batch[4096..8192].fill(0),
    ];
    let whole: Vec<Vec<(usize, BatchHeader)>> = segments.iter().map(|path| batches_of(path)).collect();
    let mut damaged = Vec::new();
    for (number, change) in changes.into_iter().enumerate() {
        let path = &segments[number % 3];
        let (position, header) = whole[number % 3][2 + 4 * number];
        let range = position..position + header.size();
        edit(path, |bytes| change(&mut bytes[range]));
        damaged.push(header.base_offset);
    }
    damaged.sort_unstable();
    let broker = Broker::start_in(&dir, 2, &[("log.scrub.bytes.per.second", "0")]);
    let mut client = broker.client();
    for round in 0..2 {
        let (read, refused) = read_around(&mut client);
        assert_eq!(refused, damaged, "round {round}");
        assert_eq!(read, (0..RECORDS).filter(|offset| !damaged.contains(offset)).collect::<Vec<_>>());
    }
    assert_eq!(broker.metric("partita_partition_rotten_batches", &["topic=\"t\""]), damaged.len() as i64);
    assert_eq!(broker.log().matches("P0401").count(), damaged.len(), "each is told once:\n{}", broker.log());
    client.append(TOPIC, 0, &batch(&[b"goes on"]));
    broker.stop();
}

#[test]
fn scrubbing_finds_damage_before_any_reader_and_names_its_place() {
    let dir = filled(&[]);
    let segments = segments(&dir);
    let (position, header) = batches_of(&segments[1])[3];
    edit(&segments[1], |bytes| bytes[position + 1000] ^= 0x80);
    let before: Vec<Vec<u8>> = segments.iter().map(|path| fs::read(path).expect("it is there")).collect();
    let settings = [("log.scrub.bytes.per.second", "67108864"), ("log.scrub.interval.ms", "200")];
    let broker = Broker::start_in(&dir, 2, &settings);
    wait_until("two passes are over", || broker.metric("partita_log_scrub_passes_total", &["core=\"0\""]) >= 2);
    wait_until("the damage is found", || broker.metric("partita_log_rotten_batches_found_total", &[]) >= 1);
    assert_eq!(broker.metric("partita_partition_rotten_batches", &["topic=\"t\""]), 1);
    let log = broker.log();
    let line = log.lines().find(|line| line.contains("P0401")).expect("it is told");
    for part in [
        segments[1].to_str().expect("a path of text"),
        &format!("position={position}"),
        &format!("first_offset={}", header.base_offset),
        &format!("last_offset={}", header.last_offset()),
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    broker.stop();
    for (path, before) in segments.iter().zip(before) {
        assert!(fs::read(path).expect("it is there") == before, "{} is as it was", path.display());
    }
}

#[test]
fn compaction_leaves_a_log_with_damage_as_it_is() {
    let dir = filled(&[("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0")]);
    let segments = segments(&dir);
    let (position, _) = batches_of(&segments[0])[4];
    // A base offset far ahead, which no checksum covers: its records would pass for the newest.
    edit(&segments[0], |bytes| bytes[position + 5] ^= 1);
    let before: Vec<Vec<u8>> = segments.iter().map(|path| fs::read(path).expect("it is there")).collect();
    let broker = Broker::start_in(&dir, 2, &[("log.cleaner.backoff.ms", "100")]);
    wait_until("the cleaning has failed", || broker.metric("partita_log_cleanings_failed_total", &[]) >= 1);
    for (path, before) in segments.iter().zip(before) {
        assert!(fs::read(path).expect("it is there") == before, "{} is as it was", path.display());
    }
    broker.stop();
}

#[test]
fn a_start_that_has_to_look_for_producers_goes_on_behind_what_is_damaged() {
    let dir = filled(&[]);
    let segments = segments(&dir);
    let folder = fs::read_dir(segments[0].parent().expect("it is in a folder")).expect("the folder is there");
    let files = folder.map(|entry| entry.expect("an entry").path());
    let snapshots: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|kind| kind == "snapshot")).collect();
    assert!(!snapshots.is_empty(), "a roll and a clean stop leave some");
    for path in snapshots {
        fs::remove_file(path).expect("it is there");
    }
    let (position, header) = batches_of(&segments[1])[3];
    edit(&segments[1], |bytes| bytes[position + 1000] ^= 0x80);
    let broker = Broker::start_in(&dir, 2, &[("log.scrub.bytes.per.second", "0")]);
    assert!(broker.log().contains("skipped what is damaged"), "{}", broker.log());
    let (read, refused) = read_around(&mut broker.client());
    assert_eq!((read.len() as i64, refused), (RECORDS - 1, vec![header.base_offset]));
    broker.stop();
}
