//! Kafka's APIs: one file each, named by its key, with its versions declared in it; this page is their table.
//!
//! What a broker serves is listed from these declarations ([`api_versions`]), so that an API can
//! never be advertised and absent.

use std::ops::RangeInclusive;

use crate::message::{Api, Message};

pub mod k00_produce;
pub mod k01_fetch;
pub mod k02_list_offsets;
pub mod k03_metadata;
pub mod k08_offset_commit;
pub mod k09_offset_fetch;
pub mod k10_find_coordinator;
pub mod k11_join_group;
pub mod k12_heartbeat;
pub mod k13_leave_group;
pub mod k14_sync_group;
pub mod k15_describe_groups;
pub mod k16_list_groups;
pub mod k18_api_versions;
pub mod k19_create_topics;
pub mod k20_delete_topics;
pub mod k21_delete_records;
pub mod k22_init_producer_id;
pub mod k23_offset_for_leader_epoch;
pub mod k32_describe_configs;
pub mod k33_alter_configs;
pub mod k37_create_partitions;
pub mod k42_delete_groups;
pub mod k44_incremental_alter_configs;
pub mod k47_offset_delete;
pub mod k60_describe_cluster;
pub mod k68_consumer_group_heartbeat;
pub mod k69_consumer_group_describe;
pub mod k75_describe_topic_partitions;

pub use k00_produce::{ProduceRequest, ProduceResponse};
pub use k01_fetch::{FetchRequest, FetchResponse};
pub use k02_list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
pub use k03_metadata::{MetadataRequest, MetadataResponse};
pub use k08_offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
pub use k09_offset_fetch::{OffsetFetchRequest, OffsetFetchResponse};
pub use k10_find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
pub use k11_join_group::{JoinGroupRequest, JoinGroupResponse};
pub use k12_heartbeat::{HeartbeatRequest, HeartbeatResponse};
pub use k13_leave_group::{LeaveGroupRequest, LeaveGroupResponse};
pub use k14_sync_group::{SyncGroupRequest, SyncGroupResponse};
pub use k15_describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
pub use k16_list_groups::{ListGroupsRequest, ListGroupsResponse};
pub use k18_api_versions::{ApiVersionsRequest, ApiVersionsResponse};
pub use k19_create_topics::{CreateTopicsRequest, CreateTopicsResponse};
pub use k20_delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
pub use k21_delete_records::{DeleteRecordsRequest, DeleteRecordsResponse};
pub use k22_init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
pub use k23_offset_for_leader_epoch::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
pub use k32_describe_configs::{DescribeConfigsRequest, DescribeConfigsResponse};
pub use k33_alter_configs::{AlterConfigsRequest, AlterConfigsResponse};
pub use k37_create_partitions::{CreatePartitionsRequest, CreatePartitionsResponse};
pub use k42_delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
pub use k44_incremental_alter_configs::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
pub use k47_offset_delete::{OffsetDeleteRequest, OffsetDeleteResponse};
pub use k60_describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
pub use k68_consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
pub use k69_consumer_group_describe::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};
pub use k75_describe_topic_partitions::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};

/// An API as it is declared: what ApiVersions says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// The API.
    pub key: ApiKey,
    /// The versions that are served.
    pub versions: RangeInclusive<i16>,
    /// The versions that ApiVersions announces.
    pub advertised: RangeInclusive<i16>,
    /// First version with flexible headers and bodies.
    pub flexible: i16,
}

macro_rules! apis {
    ($($name:ident: $request:ident,)*) => {
        /// The APIs that this crate has messages for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey {
            $(
                #[doc = concat!("[`", stringify!($request), "`].")]
                $name = $request::KEY,
            )*
        }

        impl ApiKey {
            /// All of them, by key.
            pub const ALL: &[ApiKey] = &[$(ApiKey::$name,)*];

            /// The API of that key.
            pub fn from_key(key: i16) -> Option<ApiKey> {
                match key {
                    $($request::KEY => Some(ApiKey::$name),)*
                    _ => None,
                }
            }

            /// Its name in Kafka's protocol guide.
            pub fn name(self) -> &'static str {
                match self {
                    $(ApiKey::$name => stringify!($name),)*
                }
            }

            /// The versions that are served.
            pub fn versions(self) -> RangeInclusive<i16> {
                match self {
                    $(ApiKey::$name => $request::VERSIONS,)*
                }
            }

            /// The versions that ApiVersions announces.
            pub fn advertised(self) -> RangeInclusive<i16> {
                match self {
                    $(ApiKey::$name => $request::ADVERTISED,)*
                }
            }

            /// First version with compact lengths and tagged fields; `i16::MAX` when no version has them.
            pub fn flexible(self) -> i16 {
                match self {
                    $(ApiKey::$name => $request::FLEXIBLE,)*
                }
            }
        }
    };
}

apis! {
    Produce: ProduceRequest,
    Fetch: FetchRequest,
    ListOffsets: ListOffsetsRequest,
    Metadata: MetadataRequest,
    OffsetCommit: OffsetCommitRequest,
    OffsetFetch: OffsetFetchRequest,
    FindCoordinator: FindCoordinatorRequest,
    JoinGroup: JoinGroupRequest,
    Heartbeat: HeartbeatRequest,
    LeaveGroup: LeaveGroupRequest,
    SyncGroup: SyncGroupRequest,
    DescribeGroups: DescribeGroupsRequest,
    ListGroups: ListGroupsRequest,
    ApiVersions: ApiVersionsRequest,
    CreateTopics: CreateTopicsRequest,
    DeleteTopics: DeleteTopicsRequest,
    DeleteRecords: DeleteRecordsRequest,
    InitProducerId: InitProducerIdRequest,
    OffsetForLeaderEpoch: OffsetForLeaderEpochRequest,
    DescribeConfigs: DescribeConfigsRequest,
    AlterConfigs: AlterConfigsRequest,
    CreatePartitions: CreatePartitionsRequest,
    DeleteGroups: DeleteGroupsRequest,
    IncrementalAlterConfigs: IncrementalAlterConfigsRequest,
    OffsetDelete: OffsetDeleteRequest,
    DescribeCluster: DescribeClusterRequest,
    ConsumerGroupHeartbeat: ConsumerGroupHeartbeatRequest,
    ConsumerGroupDescribe: ConsumerGroupDescribeRequest,
    DescribeTopicPartitions: DescribeTopicPartitionsRequest,
}

impl ApiKey {
    /// The key on the wire.
    pub fn key(self) -> i16 {
        self as i16
    }

    /// The API's declaration.
    pub fn declaration(self) -> Declaration {
        Declaration { key: self, versions: self.versions(), advertised: self.advertised(), flexible: self.flexible() }
    }

    /// Version of the request header that goes with a version of this API: 2 has tagged fields.
    pub fn request_header_version(self, version: i16) -> i16 {
        if version >= self.flexible() { 2 } else { 1 }
    }

    /// Version of the response header: 1 has tagged fields. ApiVersions always answers with 0, because a client may
    /// not know yet which versions the broker speaks.
    pub fn response_header_version(self, version: i16) -> i16 {
        i16::from(self != ApiKey::ApiVersions && version >= self.flexible())
    }
}

/// The declarations of all APIs in this crate, by key; a broker lists those that it handles.
pub fn api_versions() -> impl Iterator<Item = Declaration> {
    ApiKey::ALL.iter().map(|key| key.declaration())
}

#[cfg(test)]
mod tests;
