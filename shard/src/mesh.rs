//! What one core asks of another, and how the answers find their way back.
//!
//! A call is a closed enum, so that the simulator can log it and nothing runs on a core but what is named here. Calls
//! between two cores are begun in the order in which they were sent; that is what keeps one connection's batches for one
//! partition in order.

use std::sync::Arc;

use broker::catalog::Catalog;
use broker::controller::{ControllerRequest, ControllerResponse, PlacedPartition};
use broker::groups::{ConnectionId, GroupRequest, GroupResponse};
use bytes::Bytes;
use wire::api::k00_produce::PartitionProduceResponse;
use wire::api::k01_fetch::PartitionData;
use wire::api::k02_list_offsets::ListOffsetsPartitionResponse;
use wire::api::k21_delete_records::DeleteRecordsPartitionResult;
use wire::api::k23_offset_for_leader_epoch::EpochEndOffset;
use wire::{TopicPartitionId, Uuid};

use crate::metrics::CoreMetrics;
use crate::world::CoreId;

/// What travels between cores.
#[derive(Debug)]
pub enum Message {
    /// Asks for work; `id` names the caller's waiter.
    Call {
        /// Who asks.
        from: CoreId,
        /// The caller's name for it.
        id: u64,
        /// What is asked.
        call: Call,
    },
    /// Answers a call.
    Reply {
        /// The call's id.
        id: u64,
        /// The answer, of the variant that belongs to the call.
        reply: Reply,
    },
    /// Asks to be woken once when one of the partitions has records beyond what the caller has seen.
    Watch {
        /// Who asks.
        from: CoreId,
        /// The caller's name for it.
        id: u64,
        /// Each partition with the end offset seen.
        partitions: Vec<(TopicPartitionId, i64)>,
    },
    /// Takes a watch back.
    Unwatch {
        /// Who asked.
        from: CoreId,
        /// The caller's name for it.
        id: u64,
    },
    /// A client's connection has ended on which this core's groups were asked.
    Disconnected {
        /// Which one.
        connection: ConnectionId,
    },
    /// A watched partition has more, or is gone.
    Wake {
        /// The caller's name for the watch.
        id: u64,
    },
}

/// Work that a core does for another one, or for itself.
#[derive(Debug)]
pub enum Call {
    /// Appends batches and waits for their acknowledgement.
    Produce(ProduceCall),
    /// Reads records without waiting for any.
    Read(ReadCall),
    /// Looks offsets up.
    ListOffsets(Vec<OffsetQuery>),
    /// Moves log starts.
    DeleteRecords(Vec<(TopicPartitionId, i64)>),
    /// Finds where leader epochs end.
    EpochEnds(Vec<EpochQuery>),
    /// Asks the coordinator of groups; with the connection that the request came on, whose end it then hears of.
    Group(Option<ConnectionId>, Box<GroupRequest>),
    /// Asks the controller.
    Control(Box<ControllerRequest>),
    /// Opens the logs that a change creates.
    Prepare(Arc<Change>),
    /// Shows clients the catalog after a change, and takes away what it deletes.
    Show(Arc<Change>),
    /// Counts.
    Metrics,
    /// Ends all connections.
    Drain,
    /// Files what is in memory and closes the logs. Every core has been drained.
    Close,
}

/// The answers, one variant for each kind of call.
#[derive(Debug)]
#[allow(missing_docs, reason = "each variant answers the call of its name")]
pub enum Reply {
    Produce(Vec<PartitionProduceResponse>),
    Read(Vec<PartitionData>),
    ListOffsets(Vec<ListOffsetsPartitionResponse>),
    DeleteRecords(Vec<DeleteRecordsPartitionResult>),
    EpochEnds(Vec<EpochEndOffset>),
    Group(Box<GroupResponse>),
    Control(Box<ControllerResponse>),
    Done(Result<(), String>),
    Metrics(Box<CoreMetrics>),
}

/// One core's part of a produce request.
#[derive(Debug)]
pub struct ProduceCall {
    /// 0, 1 or −1, as the client asked.
    pub acks: i16,
    /// Codecs newer than the request's version are refused.
    pub version: i16,
    /// One batch for each partition.
    pub parts: Vec<ProducePart>,
}

/// One partition's batch.
#[derive(Debug)]
pub struct ProducePart {
    /// Where it goes.
    pub key: TopicPartitionId,
    /// The batch, as it arrived: part of the request's frame.
    pub records: Bytes,
}

/// One core's part of a fetch request.
#[derive(Debug)]
pub struct ReadCall {
    /// At most so many bytes in all, but always one batch.
    pub max_bytes: usize,
    /// Codecs newer than the request's version are refused.
    pub version: i16,
    /// What to read.
    pub parts: Vec<ReadPart>,
}

/// What to read of one partition.
#[derive(Clone, Copy, Debug)]
pub struct ReadPart {
    /// Which one.
    pub key: TopicPartitionId,
    /// From this offset.
    pub offset: i64,
    /// At most so many bytes, but always one batch.
    pub max_bytes: usize,
    /// The leader epoch that the client knows, or −1.
    pub current_leader_epoch: i32,
    /// The epoch of the last record that the client has, or −1.
    pub last_fetched_epoch: i32,
}

/// A timestamp, or one of ListOffsets' negative names, to be looked up.
#[derive(Clone, Copy, Debug)]
pub struct OffsetQuery {
    /// In which partition.
    pub key: TopicPartitionId,
    /// The leader epoch that the client knows, or −1.
    pub current_leader_epoch: i32,
    /// Milliseconds since the epoch, or −1 … −6.
    pub timestamp: i64,
}

/// A leader epoch whose end is asked for.
#[derive(Clone, Copy, Debug)]
pub struct EpochQuery {
    /// In which partition.
    pub key: TopicPartitionId,
    /// The leader epoch that the client knows, or −1.
    pub current_leader_epoch: i32,
    /// The epoch asked for.
    pub leader_epoch: i32,
}

/// A change of the catalog that every core takes part in.
#[derive(Debug)]
pub struct Change {
    /// The controller's name for it.
    pub write_id: u64,
    /// The catalog after it.
    pub catalog: Arc<Catalog>,
    /// Partitions whose logs are to be created.
    pub created: Vec<PlacedPartition>,
    /// Partitions whose logs are to be deleted.
    pub deleted: Vec<PlacedPartition>,
    /// Topics whose configuration has changed.
    pub reconfigured: Vec<Uuid>,
}
