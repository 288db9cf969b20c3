//! Topics of offset requests: what is known is passed on, what is not is answered for.

use wire::Uuid;
use wire::api::k08_offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::api::k09_offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
};
use wire::api::k47_offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use wire::records::metadata::{MetadataRecord, PartitionRecord, TopicRecord};

use super::*;

const T: Uuid = Uuid::from_u128(0x1_0000_0001);
const GONE: Uuid = Uuid::from_u128(0x1_0000_0002);

/// One topic, `t`, with two partitions.
fn image() -> Image {
    let mut records: Vec<MetadataRecord> = vec![TopicRecord { name: "t".into(), topic_id: T }.into()];
    records.extend([0, 1].map(|partition_id| {
        let replicas = vec![1];
        PartitionRecord { partition_id, topic_id: T, isr: replicas.clone(), replicas, ..Default::default() }.into()
    }));
    let mut image = Image::default();
    for (offset, record) in records.iter().enumerate() {
        image.apply(offset as i64, record).expect("the records fit each other");
    }
    image
}

fn commit(topics: &[(&str, Uuid, &[i32])]) -> OffsetCommitRequest {
    let partition = |&partition_index: &i32| OffsetCommitRequestPartition { partition_index, ..Default::default() };
    let topic = |&(name, topic_id, partitions): &(&str, Uuid, &[i32])| OffsetCommitRequestTopic {
        name: name.into(),
        topic_id,
        partitions: partitions.iter().map(partition).collect(),
    };
    OffsetCommitRequest { group_id: "g".into(), topics: topics.iter().map(topic).collect(), ..Default::default() }
}

fn refusal(name: &str, topic_id: Uuid, partition_index: i32, error: ErrorCode) -> OffsetCommitResponseTopic {
    let partitions = vec![OffsetCommitResponsePartition { partition_index, error_code: error.code() }];
    OffsetCommitResponseTopic { name: name.into(), topic_id, partitions }
}

#[test]
fn commits_by_name_are_refused_for_what_is_not_there() {
    let asked = commit(&[("t", Uuid::ZERO, &[0, 2]), ("gone", Uuid::ZERO, &[0])]);
    let unknown = ErrorCode::UnknownTopicOrPartition;
    assert_eq!(
        GroupRequest::offset_commit(&image(), asked, 9),
        GroupRequest::OffsetCommit {
            request: commit(&[("t", T, &[0])]),
            version: 9,
            refused: vec![refusal("t", T, 2, unknown), refusal("gone", Uuid::ZERO, 0, unknown)],
        }
    );
}

#[test]
fn commits_by_id_get_the_topics_name() {
    let asked = commit(&[("", T, &[1, -1]), ("", GONE, &[0])]);
    assert_eq!(
        GroupRequest::offset_commit(&image(), asked, 10),
        GroupRequest::OffsetCommit {
            request: commit(&[("t", T, &[1])]),
            version: 10,
            refused: vec![
                refusal("t", T, -1, ErrorCode::UnknownTopicOrPartition),
                refusal("", GONE, 0, ErrorCode::UnknownTopicId),
            ],
        }
    );
}

#[test]
fn offsets_are_deleted_of_partitions_that_are_there() {
    let request = |topics: &[(&str, i32)]| OffsetDeleteRequest {
        group_id: "g".into(),
        topics: topics
            .iter()
            .map(|&(name, partition_index)| OffsetDeleteRequestTopic {
                name: name.into(),
                partitions: vec![OffsetDeleteRequestPartition { partition_index }],
            })
            .collect(),
    };
    let GroupRequest::OffsetDelete { request: known, refused } =
        GroupRequest::offset_delete(&image(), request(&[("t", 1), ("gone", 0)]))
    else {
        panic!("it stays what it is");
    };
    assert_eq!(known, request(&[("t", 1)]));
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].partitions[0].error_code, ErrorCode::UnknownTopicOrPartition.code());
}

fn answered(name: &str, topic_id: Uuid, error: ErrorCode) -> OffsetFetchResponseTopics {
    let partition = OffsetFetchResponsePartitions { error_code: error.code(), ..Default::default() };
    OffsetFetchResponseTopics { name: name.into(), topic_id, partitions: vec![partition] }
}

#[test]
fn fetches_by_id_are_asked_by_name_and_answered_by_id() {
    let topic =
        |name: &str, topic_id| OffsetFetchRequestTopics { name: name.into(), topic_id, partition_indexes: vec![0] };
    let group = |topics| OffsetFetchRequestGroup { group_id: "g".into(), topics: Some(topics), ..Default::default() };
    let request = OffsetFetchRequest { groups: vec![group(vec![topic("", T), topic("", GONE)])], ..Default::default() };
    assert_eq!(
        GroupRequest::offset_fetches(&image(), request, 10),
        [GroupRequest::OffsetFetch { request: group(vec![topic("t", T), topic("", GONE)]), version: 10 }]
    );

    let none = ErrorCode::None;
    let topics = vec![answered("t", T, none), answered("", GONE, none)];
    let by_id = OffsetFetchResponseGroup { group_id: "g".into(), topics, error_code: 0 };
    let topics = vec![answered("t", Uuid::ZERO, none), answered("gone", Uuid::ZERO, none)];
    let all = OffsetFetchResponseGroup { group_id: "h".into(), topics, error_code: 0 };
    let response = offset_fetch_response(&image(), 10, vec![by_id, all]);
    assert_eq!(response.groups[0].topics[1], answered("", GONE, ErrorCode::UnknownTopicId));
    assert_eq!(response.groups[0].topics[0], answered("t", T, none));
    assert_eq!(response.groups[1].topics, [answered("t", T, none)], "what is gone has no id to be told by");
}

#[test]
fn one_group_is_asked_and_answered_without_a_list_up_to_v7() {
    let topics = Some(vec![OffsetFetchRequestTopic { name: "gone".into(), partition_indexes: vec![3] }]);
    let request = OffsetFetchRequest { group_id: "g".into(), topics, ..Default::default() };
    let asked = GroupRequest::offset_fetches(&image(), request, 7);
    let [GroupRequest::OffsetFetch { request, version: 7 }] = asked.as_slice() else { panic!("one group: {asked:?}") };
    assert_eq!(request.topics.as_ref().map(|topics| topics[0].name.as_str()), Some("gone"));

    let topics = vec![answered("gone", Uuid::ZERO, ErrorCode::None)];
    let group = OffsetFetchResponseGroup { group_id: "g".into(), topics, error_code: 16 };
    let response = offset_fetch_response(&image(), 7, vec![group]);
    assert_eq!((response.topics[0].name.as_str(), response.error_code, response.groups.len()), ("gone", 16, 0));
}
