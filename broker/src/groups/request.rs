//! What groups are asked, one group at a time, and what they answer.

use wire::ErrorCode;
use wire::api::k08_offset_commit::OffsetCommitResponseTopic;
use wire::api::k09_offset_fetch::{OffsetFetchRequestGroup, OffsetFetchResponseGroup};
use wire::api::k15_describe_groups::DescribedGroup;
use wire::api::k42_delete_groups::DeletableGroupResult;
use wire::api::k47_offset_delete::OffsetDeleteResponseTopic;
use wire::api::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse,
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, SyncGroupRequest,
    SyncGroupResponse, k69_consumer_group_describe,
};

use super::explain::GroupFacts;

/// A request for one group, or, to list them, for all groups of this core.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupRequest {
    /// See [`JoinGroupRequest`].
    JoinGroup {
        /// The request.
        request: JoinGroupRequest,
        /// Its version.
        version: i16,
        /// The client id of its header, empty without one.
        client_id: String,
        /// The client's address, as Kafka shows it: `/127.0.0.1`.
        client_host: String,
    },
    /// See [`ConsumerGroupHeartbeatRequest`].
    ConsumerGroupHeartbeat {
        /// The request.
        request: ConsumerGroupHeartbeatRequest,
        /// Its version.
        version: i16,
        /// The client id of its header, empty without one.
        client_id: String,
        /// The client's address, as Kafka shows it: `/127.0.0.1`.
        client_host: String,
    },
    /// One group of a ConsumerGroupDescribe.
    ConsumerGroupDescribe {
        /// The group.
        group_id: String,
    },
    /// See [`GroupRequest::sync_group`].
    SyncGroup(SyncGroupRequest),
    /// See [`HeartbeatRequest`].
    Heartbeat(HeartbeatRequest),
    /// See [`LeaveGroupRequest`].
    LeaveGroup {
        /// The request.
        request: LeaveGroupRequest,
        /// Its version.
        version: i16,
    },
    /// See [`GroupRequest::offset_commit`].
    OffsetCommit {
        /// The request, with those partitions only that exist; topics have their names, and their ids where known.
        request: OffsetCommitRequest,
        /// Its version.
        version: i16,
        /// What is to be answered for the other partitions.
        refused: Vec<OffsetCommitResponseTopic>,
    },
    /// One group of an OffsetFetch: see [`GroupRequest::offset_fetches`]. The answer to "all topics" has names only.
    OffsetFetch {
        /// The group and its topics.
        request: OffsetFetchRequestGroup,
        /// The request's version.
        version: i16,
    },
    /// One group of a DescribeGroups.
    DescribeGroups {
        /// The group.
        group_id: String,
        /// The request's version.
        version: i16,
    },
    /// What is known of a group, to explain it by: see [`super::explain`].
    Explain {
        /// The group.
        group_id: String,
    },
    /// See [`ListGroupsRequest`]; answers for the groups of this core.
    ListGroups(ListGroupsRequest),
    /// One group of a DeleteGroups.
    DeleteGroups {
        /// The group.
        group_id: String,
    },
    /// See [`GroupRequest::offset_delete`].
    OffsetDelete {
        /// The request, with those partitions only that exist.
        request: OffsetDeleteRequest,
        /// What is to be answered for the other partitions.
        refused: Vec<OffsetDeleteResponseTopic>,
    },
}

macro_rules! responses {
    ($($(#[$doc:meta])* $name:ident($response:ty),)*) => {
        /// The answer to a [`GroupRequest`].
        #[derive(Debug, Clone, PartialEq)]
        pub enum GroupResponse {
            $($(#[$doc])* $name($response),)*
        }

        $(impl From<$response> for GroupResponse {
            fn from(response: $response) -> GroupResponse {
                GroupResponse::$name(response)
            }
        })*
    };
}

responses! {
    /// See [`JoinGroupResponse`].
    JoinGroup(JoinGroupResponse),
    /// See [`ConsumerGroupHeartbeatResponse`].
    ConsumerGroupHeartbeat(ConsumerGroupHeartbeatResponse),
    /// One group's part.
    ConsumerGroupDescribe(k69_consumer_group_describe::DescribedGroup),
    /// See [`SyncGroupResponse`].
    SyncGroup(SyncGroupResponse),
    /// See [`HeartbeatResponse`].
    Heartbeat(HeartbeatResponse),
    /// See [`LeaveGroupResponse`]; in the request's version.
    LeaveGroup(LeaveGroupResponse),
    /// See [`OffsetCommitResponse`].
    OffsetCommit(OffsetCommitResponse),
    /// One group's part: see [`super::offset_fetch_response`].
    OffsetFetch(OffsetFetchResponseGroup),
    /// One group's part.
    DescribeGroups(DescribedGroup),
    /// What is known of the group.
    Explain(Result<GroupFacts, ErrorCode>),
    /// This core's part. COORDINATOR_LOAD_IN_PROGRESS while a partition is loading.
    ListGroups(ListGroupsResponse),
    /// One group's part.
    DeleteGroups(DeletableGroupResult),
    /// See [`OffsetDeleteResponse`].
    OffsetDelete(OffsetDeleteResponse),
}
