//! Fetch: v4–v18.
//! Behaviour: parks until min_bytes or the deadline; reads stop at the high watermark.
//! Deviations: none.   Versions: v7 sessions; v10 zstd; v11 rack; v12 flexible, diverging epoch; v13 topic ids; v16
//! leader hints; v17 directory id; v18 high watermark.

use std::ops::RangeInclusive;

use crate::codec::{Records, Uuid};
use crate::message::{Api, message};

impl Api for FetchRequest {
    const KEY: i16 = 1;
    const VERSIONS: RangeInclusive<i16> = 4..=18;
    type Response = FetchResponse;
}

message! {
    /// Asks for records of some partitions.
    pub struct FetchRequest: flexible 12.. {
        /// ClusterId if known.
        cluster_id: Option<String> [12.., tag 0],
        /// Broker ID of the follower, of -1 if this request is from a consumer.
        replica_id: i32 [..=14] = -1,
        /// State of the replica in the follower.
        replica_state: ReplicaState [15.., tag 1],
        /// Maximum time in milliseconds to wait for the response.
        max_wait_ms: i32,
        /// Minimum bytes to accumulate in the response.
        min_bytes: i32,
        /// Maximum bytes to fetch.
        max_bytes: i32 = i32::MAX,
        /// 0 reads uncommitted records, 1 only committed ones.
        isolation_level: i8,
        /// Fetch session ID.
        session_id: i32 [7..],
        /// Fetch session epoch, which is used for ordering requests in a session.
        session_epoch: i32 [7..] = -1,
        /// The topics.
        topics: Vec<FetchTopic>,
        /// In an incremental fetch request, the partitions to remove.
        forgotten_topics_data: Vec<ForgottenTopic> [7..],
        /// Rack ID of the consumer making this request.
        rack_id: String [11..],
    }

    /// State of the replica in the follower.
    pub struct ReplicaState {
        /// Replica ID of the follower, or -1 if this request is from a consumer.
        replica_id: i32 = -1,
        /// Epoch of this follower, or -1 if not available.
        replica_epoch: i64 = -1,
    }

    /// Topics to fetch.
    pub struct FetchTopic {
        /// Topic name.
        topic: String [..=12],
        /// Topic id.
        topic_id: Uuid [13..],
        /// The partitions.
        partitions: Vec<FetchPartition>,
    }

    /// Partitions to fetch.
    pub struct FetchPartition {
        /// Partition index.
        partition: i32,
        /// Leader epoch that the client knows; −1 skips the fencing check.
        current_leader_epoch: i32 [9..] = -1,
        /// Message offset.
        fetch_offset: i64,
        /// Epoch of the last fetched record or -1 if there is none.
        last_fetched_epoch: i32 [12..] = -1,
        /// Earliest available offset of the follower replica.
        log_start_offset: i64 [5..] = -1,
        /// Maximum bytes to fetch from this partition.
        partition_max_bytes: i32,
        /// Directory id of the follower fetching.
        replica_directory_id: Uuid [17.., tag 0],
        /// High-watermark known by the replica. -1 if the high-watermark is not known and 9223372036854775807 if
        /// the feature is not supported.
        high_watermark: i64 [18.., tag 1] = i64::MAX,
    }

    /// In an incremental fetch request, the partitions to remove.
    pub struct ForgottenTopic {
        /// Topic name.
        topic: String [..=12],
        /// Topic id.
        topic_id: Uuid [13..],
        /// The partitions.
        partitions: Vec<i32>,
    }
}

message! {
    /// Records, or an error, for each partition asked for.
    pub struct FetchResponse: flexible 12.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// Error code; 0 is success.
        error_code: i16 [7..],
        /// Fetch session ID, or 0 if this is not part of a fetch session.
        session_id: i32 [7..],
        /// Response topics.
        responses: Vec<FetchableTopicResponse>,
        /// Addresses of the leaders that the partitions' current_leader names (KIP-951).
        node_endpoints: Vec<NodeEndpoint> [16.., tag 0],
    }

    /// Response topics.
    pub struct FetchableTopicResponse {
        /// Topic name.
        topic: String [..=12],
        /// Topic id.
        topic_id: Uuid [13..],
        /// The partitions.
        partitions: Vec<PartitionData>,
    }

    /// Topic partitions.
    pub struct PartitionData {
        /// Partition index.
        partition_index: i32,
        /// Error code; 0 is success.
        error_code: i16,
        /// Current high water mark.
        high_watermark: i64,
        /// Last stable offset (or LSO) of the partition.
        last_stable_offset: i64 = -1,
        /// Current log start offset.
        log_start_offset: i64 [5..] = -1,
        /// In case divergence is detected based on the `LastFetchedEpoch` and `FetchOffset` in the request, this
        /// field indicates the largest epoch and its end offset such that subsequent records are known to diverge.
        diverging_epoch: EpochEndOffset [12.., tag 0],
        /// Current leader of the partition.
        current_leader: LeaderIdAndEpoch [12.., tag 1],
        /// In the case of fetching an offset less than the LogStartOffset, this is the end offset and epoch that
        /// should be used in the FetchSnapshot request.
        snapshot_id: SnapshotId [12.., tag 2],
        /// Aborted transactions.
        aborted_transactions: Option<Vec<AbortedTransaction>>,
        /// Preferred read replica for the consumer to use on its next fetch request.
        preferred_read_replica: i32 [11..] = -1,
        /// Record data.
        records: Option<Records>,
    }

    /// In case divergence is detected based on the `LastFetchedEpoch` and `FetchOffset` in the request, this field
    /// indicates the largest epoch and its end offset such that subsequent records are known to diverge.
    pub struct EpochEndOffset {
        /// Largest epoch.
        epoch: i32 = -1,
        /// End offset of the epoch.
        end_offset: i64 = -1,
    }

    /// Current leader of the partition.
    pub struct LeaderIdAndEpoch {
        /// Leader's node id, or −1 when unknown.
        leader_id: i32 = -1,
        /// Leader epoch, or −1 when unknown.
        leader_epoch: i32 = -1,
    }

    /// In the case of fetching an offset less than the LogStartOffset, this is the end offset and epoch that should
    /// be used in the FetchSnapshot request.
    pub struct SnapshotId {
        /// End offset of the epoch.
        end_offset: i64 = -1,
        /// Largest epoch.
        epoch: i32 = -1,
    }

    /// Aborted transactions.
    pub struct AbortedTransaction {
        /// Producer id associated with the aborted transaction.
        producer_id: i64,
        /// First offset in the aborted transaction.
        first_offset: i64,
    }

    /// Endpoints for all current-leaders enumerated in PartitionData, with errors NOT_LEADER_OR_FOLLOWER &
    /// FENCED_LEADER_EPOCH.
    pub struct NodeEndpoint {
        /// Node id.
        node_id: i32,
        /// Host name.
        host: String,
        /// Port.
        port: i32,
        /// Rack, or null when none is set.
        rack: Option<String>,
    }
}
