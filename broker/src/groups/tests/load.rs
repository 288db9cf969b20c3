//! Which of many committed offsets a loaded partition has.

use wire::api::k09_offset_fetch::OffsetFetchRequestGroup;
use wire::batch::{BatchBuilder, BatchOptions};
use wire::compression::Compression;

use super::super::offsets::CommittedOffset;
use super::super::records::GroupRecord;
use super::super::{GroupConfig, GroupEffect, GroupRequest, Groups, partition_for};
use super::show::show;
use crate::config::BrokerConfig;

const GROUP: &str = "g";

fn commit(partition: i32, offset: i64) -> GroupRecord {
    let committed = CommittedOffset {
        offset,
        leader_epoch: -1,
        metadata: String::new(),
        commit_timestamp: 0,
        expire_timestamp: None,
        topic_id: wire::Uuid::ZERO,
    };
    GroupRecord::Offset { topic: "t".into(), partition, committed: Some(committed) }
}

fn append(log: &mut Vec<u8>, compression: Compression, records: &[GroupRecord]) {
    let mut builder = BatchBuilder::new();
    for record in records {
        let (key, value) = record.to_bytes(GROUP);
        builder.append(0, Some(&key), value.as_deref(), &[]).expect("a small record");
    }
    builder.build(&BatchOptions { compression, ..Default::default() }, log).expect("a small batch");
}

fn offsets_of(log: &[u8]) -> String {
    let defaults = BrokerConfig::parse(std::iter::empty::<(&str, &str)>()).expect("the defaults are valid");
    let config = GroupConfig::from(&defaults);
    let mut groups = Groups::new(config);
    let partition = partition_for(GROUP, config.offsets_partitions);
    groups.load(partition, log).expect("it is readable");
    groups.loaded(partition, 0);
    let request = OffsetFetchRequestGroup { group_id: GROUP.into(), topics: None, ..Default::default() };
    groups.handle(1, 7, None, GroupRequest::OffsetFetch { request, version: 8 }, 0);
    match groups.poll_effect() {
        Some(GroupEffect::Respond { token: 7, response }) => show(&response),
        other => panic!("no answer: {other:?}"),
    }
}

#[test]
fn the_newest_of_a_keys_records_counts_whatever_lies_between() {
    let mut log = Vec::new();
    append(&mut log, Compression::None, &[commit(0, 1), commit(1, 1), commit(2, 1), commit(0, 2)]);
    assert_eq!(offsets_of(&log), "offsets NONE [t-0:2 t-1:1 t-2:1]");
    append(&mut log, Compression::Lz4, &[commit(1, 2), commit(1, 3)]);
    assert_eq!(offsets_of(&log), "offsets NONE [t-0:2 t-1:3 t-2:1]");
    append(&mut log, Compression::None, &[GroupRecord::offset_tombstone("t", 0), commit(1, 4)]);
    assert_eq!(offsets_of(&log), "offsets NONE [t-1:4 t-2:1]");
    append(&mut log, Compression::None, &[commit(0, 3), GroupRecord::Metadata(None), commit(2, 2)]);
    assert_eq!(offsets_of(&log), "offsets NONE [t-0:3 t-1:4 t-2:2]");
}
