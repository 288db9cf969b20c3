//! Every API, in every version, against the `kafka-protocol` crate (generated from Kafka's schemas), both ways; and what
//! hostile bytes do.
//!
//! That crate lacks the newest version of a few APIs; [`the_oracle_knows_all_versions_but_these`] names them. There, our own
//! round trip is what is tested, besides the golden bytes in `tests/golden.rs`.

use std::fmt::Debug;
use std::ops::RangeInclusive;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as oracle;
use kafka_protocol::protocol::{Decodable, Encodable, Message as OracleMessage};

use super::*;
use crate::codec::{Reader, Writer};
use crate::random::{Random, Source};

/// Random values of each message in each version.
const ROUNDS: usize = 40;

fn encode<M: Message>(message: &M, version: i16) -> Bytes {
    let mut writer = Writer::new();
    message.encode(&mut writer, version);
    Bytes::from(writer.into_vec())
}

/// Decodes a message that takes all of `bytes`.
fn decode<M: Message>(bytes: &[u8], version: i16) -> M {
    let mut reader = Reader::new(bytes);
    let message = M::decode(&mut reader, version).unwrap_or_else(|error| panic!("{} v{version}: {error}", M::NAME));
    assert_eq!(reader.left(), 0, "{} v{version} left bytes", M::NAME);
    message
}

fn oracle_bytes<T: Encodable>(message: &T, version: i16) -> Bytes {
    let mut bytes = BytesMut::new();
    message.encode(&mut bytes, version).expect("the oracle encodes what it has decoded");
    bytes.freeze()
}

fn knows<Theirs: OracleMessage>(version: i16) -> bool {
    (Theirs::VERSIONS.min..=Theirs::VERSIONS.max).contains(&version)
}

/// False when the oracle has kept a tagged field that its schema does not have, and that is not ours.
fn knows_all_tags(message: &impl Debug) -> bool {
    let ours = format!("{}: ", k15_describe_groups::EXPLAIN_TAG);
    let shown = format!("{message:?}");
    let mut unknown = shown.split("unknown_tagged_fields: {").skip(1);
    unknown.all(|rest| rest.starts_with('}') || rest.starts_with(&ours))
}

/// Ours to theirs, back, and to ourselves.
fn agrees<Ours, Theirs>(versions: RangeInclusive<i16>)
where
    Ours: Message + Random + Debug + PartialEq,
    Theirs: Decodable + Encodable + OracleMessage + Debug,
{
    let seed = Source::seed();
    println!("{}: WIRE_SEED={seed}", Ours::NAME);
    let mut source = Source::new(seed);
    let mut compared = 0;
    for version in versions {
        for _ in 0..ROUNDS {
            let bytes = encode(&source.value::<Ours>(), version);
            let ours: Ours = decode(&bytes, version);
            assert_eq!(encode(&ours, version), bytes, "{} v{version}", Ours::NAME);
            if !knows::<Theirs>(version) {
                continue;
            }
            let mut rest = bytes.clone();
            let theirs = Theirs::decode(&mut rest, version).expect("the oracle reads our bytes");
            assert!(rest.is_empty(), "{} v{version}: the oracle left bytes", Ours::NAME);
            assert!(knows_all_tags(&theirs), "{} v{version}: {theirs:?}", Ours::NAME);
            let their_bytes = oracle_bytes(&theirs, version);
            assert_eq!(their_bytes, bytes, "{} v{version}: {ours:?}", Ours::NAME);
            assert_eq!(decode::<Ours>(&their_bytes, version), ours);
            compared += 1;
        }
    }
    assert!(compared > 0, "{} was never compared", Ours::NAME);
}

/// No prefix of a message is a message, and no damage to it does worse than an error.
fn survives_damage<Ours: Message + Random + PartialEq + Debug>(versions: RangeInclusive<i16>) {
    let seed = Source::seed();
    println!("{}: WIRE_SEED={seed}", Ours::NAME);
    let mut source = Source::new(seed);
    let mut prefixes = 0;
    for version in versions {
        let bytes = encode(&source.value::<Ours>(), version);
        for end in 0..bytes.len() {
            let prefix = Ours::decode(&mut Reader::new(&bytes[..end]), version);
            assert!(prefix.is_err(), "{} v{version} from {end} of {} bytes", Ours::NAME, bytes.len());
            prefixes += 1;
        }
        for _ in 0..ROUNDS {
            let mut damaged = bytes.to_vec();
            for _ in 0..=source.below(3) {
                if !damaged.is_empty() {
                    let position = source.below(damaged.len());
                    damaged[position] = source.bits() as u8;
                }
            }
            // An accident may yield another valid message, which then must be one that can be written.
            if let Ok(message) = Ours::decode(&mut Reader::new(&damaged), version) {
                encode(&message, version);
            }
        }
    }
    assert!(prefixes > 0 || Ours::NAME == "ApiVersionsRequest" || Ours::NAME == "ListGroupsRequest");
}

macro_rules! for_each_api {
    ($($test:ident: $request:ident, $response:ident;)*) => {
        mod the_oracle_agrees_on {
            use super::*;
            $(
                #[test]
                fn $test() {
                    agrees::<$request, oracle::$request>($request::VERSIONS);
                    agrees::<$response, oracle::$response>($request::VERSIONS);
                }
            )*
        }

        mod damage_is_survived_by {
            use super::*;
            $(
                #[test]
                fn $test() {
                    survives_damage::<$request>($request::VERSIONS);
                    survives_damage::<$response>($request::VERSIONS);
                }
            )*
        }

        #[test]
        fn the_tables_above_leave_out_no_api() {
            assert_eq!([$($request::KEY),*].map(ApiKey::from_key), *ApiKey::ALL.iter().copied().map(Some).collect::<Vec<_>>());
        }

        #[test]
        fn the_oracle_knows_all_versions_but_these() {
            let mut unknown = Vec::new();
            $(
                for version in $request::VERSIONS {
                    if !knows::<oracle::$request>(version) {
                        unknown.push((stringify!($request), version));
                    }
                    if !knows::<oracle::$response>(version) {
                        unknown.push((stringify!($response), version));
                    }
                }
            )*
            let expected = [
                ("ListOffsetsRequest", 11),
                ("ListOffsetsResponse", 11),
                ("OffsetCommitRequest", 10),
                ("OffsetFetchRequest", 10),
            ];
            assert_eq!(unknown, expected);
        }
    };
}

for_each_api! {
    produce: ProduceRequest, ProduceResponse;
    fetch: FetchRequest, FetchResponse;
    list_offsets: ListOffsetsRequest, ListOffsetsResponse;
    metadata: MetadataRequest, MetadataResponse;
    offset_commit: OffsetCommitRequest, OffsetCommitResponse;
    offset_fetch: OffsetFetchRequest, OffsetFetchResponse;
    find_coordinator: FindCoordinatorRequest, FindCoordinatorResponse;
    join_group: JoinGroupRequest, JoinGroupResponse;
    heartbeat: HeartbeatRequest, HeartbeatResponse;
    leave_group: LeaveGroupRequest, LeaveGroupResponse;
    sync_group: SyncGroupRequest, SyncGroupResponse;
    describe_groups: DescribeGroupsRequest, DescribeGroupsResponse;
    list_groups: ListGroupsRequest, ListGroupsResponse;
    api_versions: ApiVersionsRequest, ApiVersionsResponse;
    create_topics: CreateTopicsRequest, CreateTopicsResponse;
    delete_topics: DeleteTopicsRequest, DeleteTopicsResponse;
    delete_records: DeleteRecordsRequest, DeleteRecordsResponse;
    init_producer_id: InitProducerIdRequest, InitProducerIdResponse;
    offset_for_leader_epoch: OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
    describe_configs: DescribeConfigsRequest, DescribeConfigsResponse;
    alter_configs: AlterConfigsRequest, AlterConfigsResponse;
    create_partitions: CreatePartitionsRequest, CreatePartitionsResponse;
    delete_groups: DeleteGroupsRequest, DeleteGroupsResponse;
    incremental_alter_configs: IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
    offset_delete: OffsetDeleteRequest, OffsetDeleteResponse;
    describe_cluster: DescribeClusterRequest, DescribeClusterResponse;
    consumer_group_heartbeat: ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse;
    consumer_group_describe: ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse;
    describe_topic_partitions: DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse;
}

#[test]
fn api_versions_lists_each_api_once_by_key() {
    let keys: Vec<i16> = api_versions().map(|declaration| declaration.key.key()).collect();
    assert!(keys.is_sorted_by(|left, right| left < right));
    assert_eq!(keys.len(), ApiKey::ALL.len());
    let produce = ApiKey::Produce.declaration();
    assert_eq!((produce.versions, produce.advertised), (3..=13, 0..=13));
    for declaration in api_versions().filter(|declaration| declaration.key != ApiKey::Produce) {
        assert_eq!(declaration.versions, declaration.advertised);
    }
}
