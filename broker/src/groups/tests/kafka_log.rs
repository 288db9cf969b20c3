//! A partition of `__consumer_offsets` as Kafka 4.3.1 wrote it: the group `fixture` with a static and a dynamic member,
//! joined one after the other, and commits by both, one of them with a retention of its own.

use wire::api::k09_offset_fetch::OffsetFetchRequestGroup;
use wire::api::k47_offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use wire::api::{HeartbeatRequest, OffsetDeleteRequest};
use wire::batch;

use super::super::records::GroupRecord;
use super::super::{GroupConfig, GroupEffect, GroupRequest, Groups, partition_for};
use super::show::show;
use crate::config::BrokerConfig;

const LOG: &[u8] = include_bytes!("../testdata/kafka-4.3.1-consumer-offsets.log");
const GROUP: &str = "fixture";

fn load() -> Groups {
    let defaults = BrokerConfig::parse(std::iter::empty::<(&str, &str)>()).expect("the defaults are valid");
    let config = GroupConfig::from(&defaults);
    let mut groups = Groups::new(config);
    let partition = partition_for(GROUP, config.offsets_partitions);
    groups.load(partition, &[]).expect("nothing to read");
    groups.load(partition, LOG).expect("Kafka's log is readable");
    groups.loaded(partition, 0);
    groups
}

fn ask(groups: &mut Groups, request: GroupRequest) -> String {
    groups.handle(1, 7, None, request, 0);
    match groups.poll_effect() {
        Some(GroupEffect::Respond { token: 7, response }) => show(&response),
        other => panic!("no answer: {other:?}"),
    }
}

#[test]
fn kafkas_group_comes_back() {
    let mut groups = load();
    let described = ask(&mut groups, GroupRequest::DescribeGroups { group_id: GROUP.into(), version: 5 });
    assert!(described.starts_with("group fixture NONE Stable type \"consumer\" protocol \"range\""), "{described}");
    assert!(described.contains(":AA2") && described.contains(":BB2"), "{described}");

    let request = OffsetFetchRequestGroup { group_id: GROUP.into(), topics: None, ..Default::default() };
    let request = GroupRequest::OffsetFetch { request, version: 8 };
    assert_eq!(ask(&mut groups, request), "offsets NONE [pt1-0:5/md pt2-0:8/exp]");

    let heartbeat = HeartbeatRequest {
        group_id: GROUP.into(),
        generation_id: 2,
        member_id: "i1-4f93b14e-c30f-4915-bc0f-5464561ba50b".into(),
        group_instance_id: Some("i1".into()),
    };
    assert_eq!(ask(&mut groups, GroupRequest::Heartbeat(heartbeat)), "NONE");

    let partitions = vec![OffsetDeleteRequestPartition { partition_index: 0 }];
    let topics = vec![OffsetDeleteRequestTopic { name: "pt2".into(), partitions }];
    let request = OffsetDeleteRequest { group_id: GROUP.into(), topics };
    assert_eq!(
        ask(&mut groups, GroupRequest::OffsetDelete { request, refused: Vec::new() }),
        "offset-delete NONE [pt2-0:GROUP_SUBSCRIBED_TO_TOPIC]",
        "the subscriptions are read"
    );
}

#[test]
fn records_are_written_as_kafka_writes_them() {
    let mut records = 0;
    for batch in batch::batches(LOG) {
        let batch = batch.expect("a batch");
        let mut scratch = Vec::new();
        for record in batch::records(&batch, 1 << 20, &mut scratch).expect("records") {
            let record = record.expect("a record");
            let key = record.key.expect("a key");
            let (group, read) = GroupRecord::from_bytes(key, record.value).expect("readable").expect("known");
            let (written_key, written_value) = read.to_bytes(&group);
            assert_eq!((written_key.as_slice(), written_value.as_deref()), (key, record.value), "{read:?}");
            records += 1;
        }
    }
    assert_eq!(records, 6);
}
