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
        /// Cluster id, if known; replicas of the metadata log set it.
        cluster_id: Option<String> [12.., tag 0],
        /// Node id of the follower that asks, or −1 for a consumer.
        replica_id: i32 [..=14] = -1,
        /// The follower that asks; default for a consumer.
        replica_state: ReplicaState [15.., tag 1],
        /// How long to wait for `min_bytes`, in milliseconds.
        max_wait_ms: i32,
        /// Bytes that are worth a response before the time is up.
        min_bytes: i32,
        /// Most bytes in the response; the first batch may exceed it.
        max_bytes: i32 = i32::MAX,
        /// 0 reads uncommitted records, 1 only committed ones.
        isolation_level: i8,
        /// Fetch session (KIP-227), or 0 without one.
        session_id: i32 [7..],
        /// Position within the session: 0 begins one, −1 ends it or has none.
        session_epoch: i32 [7..] = -1,
        /// The topics.
        topics: Vec<FetchTopic>,
        /// Partitions that leave the session.
        forgotten_topics_data: Vec<ForgottenTopic> [7..],
        /// The consumer's rack, or empty (KIP-392).
        rack_id: String [11..],
    }

    /// The follower that asks; default for a consumer.
    pub struct ReplicaState {
        /// Node id of the follower, or −1 for a consumer.
        replica_id: i32 = -1,
        /// The follower's broker epoch, or −1 when unknown.
        replica_epoch: i64 = -1,
    }

    /// A topic and its partitions.
    pub struct FetchTopic {
        /// Topic name.
        topic: String [..=12],
        /// Topic id.
        topic_id: Uuid [13..],
        /// The partitions.
        partitions: Vec<FetchPartition>,
    }

    /// A partition and where to read on.
    pub struct FetchPartition {
        /// Partition index.
        partition: i32,
        /// Leader epoch that the client knows; −1 skips the fencing check.
        current_leader_epoch: i32 [9..] = -1,
        /// Offset to read from.
        fetch_offset: i64,
        /// Leader epoch of the last fetched record, or −1.
        last_fetched_epoch: i32 [12..] = -1,
        /// The follower's own log start offset; −1 for a consumer.
        log_start_offset: i64 [5..] = -1,
        /// Most bytes from this partition; the first batch may exceed it.
        partition_max_bytes: i32,
        /// Directory in which the follower keeps the partition (KIP-853).
        replica_directory_id: Uuid [17.., tag 0],
        /// The follower's high watermark (KIP-1166); −1: unknown; i64::MAX: not told.
        high_watermark: i64 [18.., tag 1] = i64::MAX,
    }

    /// Partitions that leave the session.
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
        /// Fetch session (KIP-227), or 0 without one.
        session_id: i32 [7..],
        /// The answers, topic by topic.
        responses: Vec<FetchableTopicResponse>,
        /// Addresses of the leaders that the partitions' current_leader names (KIP-951).
        node_endpoints: Vec<NodeEndpoint> [16.., tag 0],
    }

    /// A topic's answers.
    pub struct FetchableTopicResponse {
        /// Topic name.
        topic: String [..=12],
        /// Topic id.
        topic_id: Uuid [13..],
        /// The partitions.
        partitions: Vec<PartitionData>,
    }

    /// A partition's records or error.
    pub struct PartitionData {
        /// Partition index.
        partition_index: i32,
        /// Error code; 0 is success.
        error_code: i16,
        /// High watermark; −1 when unknown.
        high_watermark: i64,
        /// Last stable offset: all transactions before it are decided; −1 when unknown.
        last_stable_offset: i64 = -1,
        /// Log start offset; −1 when unknown.
        log_start_offset: i64 [5..] = -1,
        /// Where the follower's log has parted from the leader's (KIP-595): it truncates to this.
        diverging_epoch: EpochEndOffset [12.., tag 0],
        /// Leader to turn to instead (KIP-951).
        current_leader: LeaderIdAndEpoch [12.., tag 1],
        /// The snapshot to fetch when the log no longer has the offset.
        snapshot_id: SnapshotId [12.., tag 2],
        /// Transactions that were aborted within the records, by first offset; null unless only committed records
        /// were asked for.
        aborted_transactions: Option<Vec<AbortedTransaction>>,
        /// Replica to fetch from next time (KIP-392); −1: the leader.
        preferred_read_replica: i32 [11..] = -1,
        /// Record batches; the last one may be cut off where the bytes ran out.
        records: Option<Records> = Some(Records::default()),
    }

    /// Where the follower's log has parted from the leader's (KIP-595): it truncates to this.
    pub struct EpochEndOffset {
        /// Leader epoch.
        epoch: i32 = -1,
        /// Offset after the epoch's last record.
        end_offset: i64 = -1,
    }

    /// Leader to turn to instead (KIP-951).
    pub struct LeaderIdAndEpoch {
        /// Leader's node id, or −1 when unknown.
        leader_id: i32 = -1,
        /// Leader epoch, or −1 when unknown.
        leader_epoch: i32 = -1,
    }

    /// The snapshot to fetch when the log no longer has the offset.
    pub struct SnapshotId {
        /// Offset after the epoch's last record.
        end_offset: i64 = -1,
        /// Leader epoch.
        epoch: i32 = -1,
    }

    /// Transactions that were aborted within the records, by first offset; null unless only committed records were
    /// asked for.
    pub struct AbortedTransaction {
        /// The transaction's producer id.
        producer_id: i64,
        /// The transaction's first offset in the partition.
        first_offset: i64,
    }

    /// Where a leader listens.
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
