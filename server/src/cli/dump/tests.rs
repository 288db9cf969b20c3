//! Segments, indexes and snapshots as lines, damaged ones included.

use std::fs;

use engine::producer_snapshot::encode;
use wire::batch::{BatchBuilder, BatchOptions};
use wire::compression::Compression;
use wire::records::consumer_offsets::OffsetCommitKey;
use wire::records::metadata::TopicRecord;
use wire::records::producer::ProducerEntry;

use super::*;

/// Dumps one file of the given folder and name.
fn dump(folder: &str, name: &str, bytes: &[u8], format: Format) -> (String, Result<(), CliError>) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join(folder).join(name);
    fs::create_dir_all(path.parent().expect("in a folder")).expect("a folder");
    fs::write(&path, bytes).expect("written");
    let args = DumpArgs { files: Vec::new(), no_records: false, decoder: None, format };
    let mut out = Vec::new();
    let result = Dump { path: &path, args: &args, out: &mut out }.file();
    (String::from_utf8(out).expect("text"), result)
}

fn batch(key: &[u8], value: &[u8], compression: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    builder.append(1000, Some(key), Some(value), &[(b"h", None)]).expect("small");
    let mut bytes = Vec::new();
    let options = BatchOptions { base_offset: 7, compression, ..BatchOptions::default() };
    builder.build(&options, &mut bytes).expect("one record");
    bytes
}

#[test]
fn records_are_shown_through_every_codec_up_to_the_unwritten_space() {
    for compression in [Compression::None, Compression::Zstd] {
        let mut bytes = batch(b"k", b"\xff", compression);
        let written = bytes.len();
        bytes.resize(written + 4096, 0);
        let (text, result) = dump("t-0", "00000000000000000000.log", &bytes, Format::Json);
        result.expect("readable");
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!((&lines[0]["base_offset"], &lines[0]["valid"]), (&json!(7), &json!(true)));
        assert_eq!((&lines[1]["key"], &lines[1]["value"]["hex"]), (&json!("k"), &json!("ff")));
        assert_eq!(lines[1]["headers"], json!([["h", null]]));
        assert_eq!(lines[2]["position"], json!(written));
    }
}

#[test]
fn a_damaged_batch_is_marked_and_its_records_are_not_read() {
    let mut bytes = batch(b"k", b"v", Compression::None);
    *bytes.last_mut().expect("not empty") ^= 1;
    let (text, result) = dump("t-0", "00000000000000000000.log", &bytes, Format::Text);
    result.expect("a wrong checksum is shown, not an error");
    assert!(text.contains("valid: false") && !text.contains("record"), "{text}");
}

#[test]
fn a_torn_segment_says_where() {
    let whole = batch(b"k", b"v", Compression::None);
    let torn = [&whole[..], &whole[..whole.len() - 1]].concat();
    let (text, result) = dump("t-0", "00000000000000000000.log", &torn, Format::Text);
    assert_eq!(text.matches("batch").count(), 1, "{text}");
    let error = result.expect_err("torn").to_string();
    assert!(error.contains(&format!("at position {}", whole.len())), "{error}");
}

#[test]
fn brokers_own_records_are_decoded_by_their_folders_name() {
    let topic = MetadataRecordText::bytes();
    let bytes = batch(b"", &topic, Compression::None);
    let (text, result) = dump("__cluster_metadata-0", "00000000000000000000.log", &bytes, Format::Text);
    result.expect("readable");
    assert!(text.contains("TopicRecord { name: \"demo\""), "{text}");

    let key = wire::records::consumer_offsets::OffsetsKey::OffsetCommit(OffsetCommitKey {
        group: "g".into(),
        topic: "t".into(),
        partition: 3,
    });
    let bytes = batch(&key.to_bytes(), b"\0\x63", Compression::None);
    let (text, result) = dump("__consumer_offsets-4", "00000000000000000000.log", &bytes, Format::Text);
    result.expect("readable");
    assert!(text.contains("group: \"g\"") && text.contains("unreadable"), "{text}");
}

struct MetadataRecordText;

impl MetadataRecordText {
    fn bytes() -> Vec<u8> {
        let record = TopicRecord { name: "demo".into(), topic_id: wire::Uuid::from_u128(5) };
        wire::records::metadata::MetadataRecord::from(record).to_bytes(0)
    }
}

#[test]
fn index_entries_are_absolute_and_end_at_the_zeros() {
    let entries = [[0u8, 0, 0, 1, 0, 0, 16, 4], [0, 0, 0, 4, 0, 0, 32, 8], [0; 8]].concat();
    let (text, result) = dump("t-0", "00000000000000001000.index", &entries, Format::Text);
    result.expect("readable");
    assert_eq!(text, "entry offset: 1001 position: 4100\nentry offset: 1004 position: 8200\n");
    let entry = [0u8, 0, 0, 0, 0, 0, 3, 232, 0, 0, 0, 4];
    let (text, result) = dump("t-0", "00000000000000001000.timeindex", &entry, Format::Text);
    result.expect("readable");
    assert_eq!(text, "entry timestamp: 1000 offset: 1004\n");
}

#[test]
fn producers_are_listed_and_other_files_refused() {
    let entry = ProducerEntry {
        producer_id: 42,
        producer_epoch: 1,
        last_sequence: 9,
        last_offset: 99,
        offset_delta: 4,
        timestamp: 1000,
        coordinator_epoch: -1,
        current_txn_first_offset: -1,
    };
    let (text, result) = dump("t-0", "00000000000000000100.snapshot", &encode(&[entry]), Format::Text);
    result.expect("readable");
    assert!(text.starts_with("producer producer_id: 42 producer_epoch: 1 last_sequence: 9"), "{text}");
    let (_, result) = dump("t-0", "partition.metadata", b"version: 0", Format::Text);
    assert!(matches!(result, Err(CliError::Usage(_))));
}
