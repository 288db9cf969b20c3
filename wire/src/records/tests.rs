//! Persisted bytes as Kafka writes them.

use super::consumer_groups::{ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupMetadataKey};
use super::consumer_offsets::{
    GroupMetadataKey, GroupMetadataValue, MemberMetadata, OffsetCommitKey, OffsetCommitValue, OffsetsKey,
};
use super::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition};
use super::control::ControlRecordType;
use super::metadata::{FeatureLevelRecord, MetadataRecord, PartitionChangeRecord, TopicRecord};
use super::*;
use crate::Uuid;

#[test]
fn a_metadata_record_is_framed_by_key_and_version() {
    let record = MetadataRecord::from(FeatureLevelRecord { name: "metadata.version".into(), feature_level: 25 });
    let bytes = record.to_bytes(0);
    assert_eq!(bytes, b"\x01\x0c\x00\x11metadata.version\x00\x19\x00");
    assert_eq!(MetadataRecord::from_bytes(&bytes), Ok(record));
}

#[test]
fn a_partition_change_carries_only_what_has_changed_by_ascending_tag() {
    let unchanged = PartitionChangeRecord { partition_id: 3, topic_id: Uuid::from_u128(9), ..Default::default() };
    let header = [&[1, 5, 2, 0, 0, 0, 3][..], &unchanged.topic_id.0].concat();
    assert_eq!(MetadataRecord::from(unchanged.clone()).to_bytes(2), [&header[..], &[0]].concat());
    let changed = PartitionChangeRecord {
        isr: Some(vec![1]),
        leader: 1,
        eligible_leader_replicas: Some(vec![]),
        directories: Some(vec![]),
        ..unchanged
    };
    let tags = [4, 0, 5, 2, 0, 0, 0, 1, 1, 4, 0, 0, 0, 1, 6, 1, 1, 8, 1, 1];
    let record = MetadataRecord::from(changed);
    assert_eq!(record.to_bytes(2), [&header[..], &tags].concat());
    assert_eq!(MetadataRecord::from_bytes(&record.to_bytes(2)), Ok(record));
}

#[test]
fn metadata_from_the_future_is_refused() {
    let topic = MetadataRecord::from(TopicRecord::default()).to_bytes(0);
    let with = |position: usize, value: u8| {
        let mut bytes = topic.clone();
        bytes[position] = value;
        MetadataRecord::from_bytes(&bytes)
    };
    for position in 0..3 {
        assert!(matches!(with(position, 99), Err(DecodeError::Unknown { value: 99, .. })), "byte {position}");
    }
    let longer = [&topic[..], &[0]].concat();
    assert_eq!(MetadataRecord::from_bytes(&longer), Err(DecodeError::Trailing(1)));
}

#[test]
fn a_committed_offset_is_what_kafka_writes() {
    let key = OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 1 };
    let bytes = OffsetsKey::OffsetCommit(key.clone()).to_bytes();
    assert_eq!(bytes, b"\0\x01\0\x01g\0\x01t\0\0\0\x01");
    assert_eq!(OffsetsKey::from_bytes(&bytes), Ok(OffsetsKey::OffsetCommit(key.clone())));
    let legacy = [&[0, 0], &bytes[2..]].concat();
    assert_eq!(OffsetsKey::from_bytes(&legacy), Ok(OffsetsKey::OffsetCommit(key)));

    let value = OffsetCommitValue { offset: 7, metadata: "m".into(), commit_timestamp: 8, ..Default::default() };
    let bytes = value.to_versioned_bytes(3);
    assert_eq!(bytes, b"\0\x03\0\0\0\0\0\0\0\x07\xff\xff\xff\xff\0\x01m\0\0\0\0\0\0\0\x08");
    assert_eq!(OffsetCommitValue::from_versioned_bytes(&bytes), Ok(value));
    let future = [&[0, 5], &bytes[2..]].concat();
    assert!(matches!(OffsetCommitValue::from_versioned_bytes(&future), Err(DecodeError::Unknown { value: 5, .. })));
}

#[test]
fn a_group_survives_in_every_version() {
    let key = OffsetsKey::GroupMetadata(GroupMetadataKey { group: "g".into() });
    assert_eq!(key.to_bytes(), b"\0\x02\0\x01g");
    assert_eq!(OffsetsKey::from_bytes(&key.to_bytes()), Ok(key));
    assert!(matches!(OffsetsKey::from_bytes(&[0, 9, 0, 1, b'g']), Err(DecodeError::Unknown { value: 9, .. })));

    let member = MemberMetadata {
        member_id: "m".into(),
        group_instance_id: Some("i".into()),
        rebalance_timeout: 5,
        subscription: (&b"s"[..]).into(),
        ..Default::default()
    };
    let group = GroupMetadataValue {
        protocol_type: "consumer".into(),
        generation: 4,
        protocol: Some("range".into()),
        current_state_timestamp: 6,
        members: vec![member],
        ..Default::default()
    };
    for version in GroupMetadataValue::VERSIONS {
        let decoded = GroupMetadataValue::from_versioned_bytes(&group.to_versioned_bytes(version)).unwrap();
        assert_eq!(decoded.members[0].member_id, "m");
        assert_eq!(decoded == group, version >= 3, "static members are kept since version 3");
    }
}

#[test]
fn a_newer_subscription_is_read_as_the_newest_known() {
    let owned = TopicPartition { topic: "t".into(), partitions: vec![1, 2] };
    let subscription = ConsumerProtocolSubscription {
        topics: vec!["t".into()],
        owned_partitions: vec![owned.clone()],
        generation_id: 3,
        rack_id: Some("r".into()),
        ..Default::default()
    };
    let mut bytes = subscription.to_bytes();
    assert_eq!(ConsumerProtocolSubscription::from_bytes(&bytes), Ok(subscription.clone()));
    bytes[1] = 9;
    bytes.extend_from_slice(b"more");
    assert_eq!(ConsumerProtocolSubscription::from_bytes(&bytes), Ok(subscription));
    let assignment = ConsumerProtocolAssignment { assigned_partitions: vec![owned], user_data: None };
    assert_eq!(ConsumerProtocolAssignment::from_bytes(&assignment.to_bytes()), Ok(assignment));
    assert!(ConsumerProtocolAssignment::from_bytes(&[0xff, 0xff]).is_err());
}

#[test]
fn control_types_have_kafkas_numbers() {
    assert_eq!(ControlRecordType::LeaderChange.to_key(), [0, 0, 0, 2]);
    assert_eq!(ControlRecordType::from_key(&[0, 0, 0, 4]), Ok(ControlRecordType::SnapshotFooter));
    assert!(matches!(ControlRecordType::from_key(&[0, 0, 0, 7]), Err(DecodeError::Unknown { value: 7, .. })));
}

#[test]
fn a_consumer_groups_records_are_told_apart_by_their_keys() {
    let key = OffsetsKey::ConsumerGroupCurrentMemberAssignment(ConsumerGroupCurrentMemberAssignmentKey {
        group_id: "g".into(),
        member_id: "m".into(),
    });
    assert_eq!(key.to_bytes(), b"\0\x08\0\x01g\0\x01m");
    assert_eq!(OffsetsKey::from_bytes(&key.to_bytes()), Ok(key));
    let key = OffsetsKey::ConsumerGroupMetadata(ConsumerGroupMetadataKey { group_id: "g".into() });
    assert_eq!(key.to_bytes(), b"\0\x03\0\x01g");
    assert_eq!(OffsetsKey::from_bytes(&key.to_bytes()), Ok(key));
    let legacy_topics = [0, 4, 0, 1, b'g'];
    assert!(matches!(OffsetsKey::from_bytes(&legacy_topics), Err(DecodeError::Unknown { value: 4, .. })));
}
