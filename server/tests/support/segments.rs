//! A partition of several segments, which tests damage.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wire::ErrorCode;
use wire::batch::{BatchBuilder, BatchHeader, BatchOptions, batches};
use wire::codec::Records;

use super::{Broker, Client, DataDir, now_ms, values};

pub const TOPIC: &str = "t";
/// The least that a segment may have.
const SEGMENT_BYTES: &str = "1048576";
const VALUE_BYTES: usize = 40_000;
pub const RECORDS: i64 = 120;

pub fn value(offset: i64) -> Vec<u8> {
    vec![offset as u8; VALUE_BYTES]
}

/// A batch of one record; every tenth has the same key.
pub fn keyed(offset: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    let key = (offset % 10).to_string();
    builder.append(now_ms(), Some(key.as_bytes()), Some(&value(offset)), &[]).expect("a small record");
    let mut bytes = Vec::new();
    builder.build(&BatchOptions::default(), &mut bytes).expect("a small batch");
    bytes
}

/// A stopped broker's folder: one partition of several closed segments, one record a batch.
pub fn filled(configs: &[(&str, &str)]) -> DataDir {
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
pub fn segments(dir: &DataDir) -> Vec<PathBuf> {
    let folder = dir.path().join(format!("{TOPIC}-0"));
    let entries = fs::read_dir(&folder).expect("the folder is there").map(|entry| entry.expect("an entry").path());
    let mut logs: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|kind| kind == "log")).collect();
    logs.sort();
    assert!(logs.len() >= 4, "{logs:?}");
    logs
}

/// Position and header of each batch of a file.
pub fn batches_of(path: &Path) -> Vec<(usize, BatchHeader)> {
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
pub fn read_around(client: &mut Client) -> (Vec<i64>, Vec<i64>) {
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
