//! Segments that the disk has damaged: a real broker, real files with flipped bits, a client that reads around them.

mod support;

use std::fs;
use std::path::PathBuf;

use support::segments::{RECORDS, TOPIC, batches_of, filled, read_around, segments};
use support::{Broker, batch, edit, wait_until};
use wire::batch::BatchHeader;

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
