//! Our messages against bytes that Apache Kafka's own classes have written (`golden/kafka-4.3.1.txt`): read without a byte
//! left over, and written again as they were.

use std::collections::BTreeSet;

use wire::api::*;
use wire::codec::{Reader, Writer};
use wire::message::Message;
use wire::records::consumer_groups::*;
use wire::records::consumer_offsets::{GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue};
use wire::records::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use wire::records::control::{LeaderChangeMessage, SnapshotFooterRecord, SnapshotHeaderRecord};
use wire::records::metadata::*;

const GOLDEN: &str = include_str!("golden/kafka-4.3.1.txt");

fn unhex(digits: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn check<M: Message + std::fmt::Debug + PartialEq + Default>(bytes: &[u8], version: i16) {
    let mut reader = Reader::new(bytes);
    let message = M::decode(&mut reader, version).unwrap_or_else(|error| panic!("{} v{version}: {error}", M::NAME));
    assert_eq!(reader.left(), 0, "{} v{version}: bytes left over in {message:?}", M::NAME);
    let mut writer = Writer::new();
    message.encode(&mut writer, version);
    assert_eq!(writer.into_vec(), bytes, "{} v{version}: {message:?}", M::NAME);
}

macro_rules! check_by_name {
    ($name:expr, $bytes:expr, $version:expr; $($message:ident)*) => {
        match $name {
            $(stringify!($message) => check::<$message>($bytes, $version),)*
            other => panic!("no message is called {other}"),
        }
    };
}

#[test]
fn kafkas_bytes_are_read_and_written_alike() {
    let mut checked = 0;
    for (name, version, bytes) in lines() {
        check_by_name! {
            name, &bytes, version;
            ProduceRequest ProduceResponse FetchRequest FetchResponse ListOffsetsRequest ListOffsetsResponse
            MetadataRequest MetadataResponse OffsetCommitRequest OffsetCommitResponse OffsetFetchRequest
            OffsetFetchResponse FindCoordinatorRequest FindCoordinatorResponse JoinGroupRequest JoinGroupResponse
            HeartbeatRequest HeartbeatResponse LeaveGroupRequest LeaveGroupResponse SyncGroupRequest
            SyncGroupResponse DescribeGroupsRequest DescribeGroupsResponse ListGroupsRequest ListGroupsResponse
            ApiVersionsRequest ApiVersionsResponse CreateTopicsRequest CreateTopicsResponse DeleteTopicsRequest
            DeleteTopicsResponse DeleteRecordsRequest DeleteRecordsResponse InitProducerIdRequest
            InitProducerIdResponse OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse DescribeConfigsRequest
            DescribeConfigsResponse AlterConfigsRequest AlterConfigsResponse CreatePartitionsRequest
            CreatePartitionsResponse DeleteGroupsRequest DeleteGroupsResponse IncrementalAlterConfigsRequest
            IncrementalAlterConfigsResponse OffsetDeleteRequest OffsetDeleteResponse DescribeClusterRequest
            DescribeClusterResponse ConsumerGroupHeartbeatRequest ConsumerGroupHeartbeatResponse
            ConsumerGroupDescribeRequest ConsumerGroupDescribeResponse DescribeTopicPartitionsRequest
            DescribeTopicPartitionsResponse
            RegisterBrokerRecord UnregisterBrokerRecord TopicRecord PartitionRecord ConfigRecord
            PartitionChangeRecord FenceBrokerRecord UnfenceBrokerRecord RemoveTopicRecord FeatureLevelRecord
            ProducerIdsRecord BrokerRegistrationChangeRecord NoOpRecord BeginTransactionRecord EndTransactionRecord
            AbortTransactionRecord RegisterControllerRecord
            OffsetCommitKey OffsetCommitValue GroupMetadataKey GroupMetadataValue LeaderChangeMessage
            ConsumerGroupMetadataKey ConsumerGroupMetadataValue ConsumerGroupMemberMetadataKey
            ConsumerGroupMemberMetadataValue ConsumerGroupTargetAssignmentMetadataKey
            ConsumerGroupTargetAssignmentMetadataValue ConsumerGroupTargetAssignmentMemberKey
            ConsumerGroupTargetAssignmentMemberValue ConsumerGroupCurrentMemberAssignmentKey
            ConsumerGroupCurrentMemberAssignmentValue ConsumerGroupRegularExpressionKey
            ConsumerGroupRegularExpressionValue
            SnapshotFooterRecord SnapshotHeaderRecord ConsumerProtocolAssignment ConsumerProtocolSubscription
        }
        checked += 1;
    }
    assert!(checked > 300, "only {checked} messages");
}

#[test]
fn every_version_of_every_api_has_its_golden_bytes() {
    let golden: BTreeSet<(String, i16)> = lines().map(|(name, version, _)| (name.to_owned(), version)).collect();
    for declaration in api_versions() {
        for version in declaration.versions {
            for kind in ["Request", "Response"] {
                let name = format!("{}{kind}", declaration.key.name());
                assert!(golden.contains(&(name.clone(), version)), "{name} v{version}");
            }
        }
    }
}

fn lines() -> impl Iterator<Item = (&'static str, i16, Vec<u8>)> {
    GOLDEN.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut words = line.split(' ');
        let name = words.next().expect("a name");
        let version = words.next().and_then(|version| version.parse().ok()).expect("a version");
        (name, version, unhex(words.next().unwrap_or_default()))
    })
}
