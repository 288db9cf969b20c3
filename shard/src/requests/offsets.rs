//! ListOffsets v1–v11, DeleteRecords v0–v2, OffsetForLeaderEpoch v2–v4: questions to the owners of partitions.
//! Behaviour: each partition is asked of the core that owns it; an unknown one is UNKNOWN_TOPIC_OR_PARTITION.
//! Deviations: none; without tiered storage, −4 is the log start and −5, −6 name no offset, as in Kafka.

use std::rc::Rc;

use wire::api::k02_list_offsets::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use wire::api::k21_delete_records::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use wire::api::k23_offset_for_leader_epoch::{EpochEndOffset, OffsetForLeaderTopicResult};
use wire::api::{
    DeleteRecordsRequest, DeleteRecordsResponse, ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
};
use wire::{ErrorCode, TopicPartitionId};

use super::{Context, spread::Spread};
use crate::mesh::{Call, EpochQuery, OffsetQuery, Reply};
use crate::world::{CoreId, World};

const UNKNOWN: i16 = ErrorCode::UnknownTopicOrPartition as i16;

pub(super) async fn list<W: World>(context: Rc<Context<W>>, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let (mut topics, mut answers, mut spread) = (Vec::new(), Vec::new(), Spread::new());
    for topic in request.topics {
        topics.push((topic.name.clone(), topic.partitions.len()));
        for asked in topic.partitions {
            let slot = answers.len();
            answers.push(ListOffsetsPartitionResponse {
                partition_index: asked.partition_index,
                error_code: UNKNOWN,
                ..Default::default()
            });
            if let Some((core, key)) = context.place(&topic.name, asked.partition_index) {
                let (current_leader_epoch, timestamp) = (asked.current_leader_epoch, asked.timestamp);
                spread.add(core, slot, OffsetQuery { key, current_leader_epoch, timestamp });
            }
        }
    }
    let answers = spread.begin(&context.core, answers, Call::ListOffsets, |reply| match reply {
        Reply::ListOffsets(answers) => Some(answers),
        _ => None,
    });
    let mut answers = answers.await.into_iter();
    let topics = topics
        .into_iter()
        .map(|(name, count)| ListOffsetsTopicResponse { name, partitions: answers.by_ref().take(count).collect() })
        .collect();
    ListOffsetsResponse { topics, ..Default::default() }
}

pub(super) async fn delete_records<W: World>(
    context: Rc<Context<W>>,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let (mut topics, mut answers, mut spread) = (Vec::new(), Vec::new(), Spread::new());
    for topic in request.topics {
        topics.push((topic.name.clone(), topic.partitions.len()));
        for asked in topic.partitions {
            let slot = answers.len();
            answers.push(DeleteRecordsPartitionResult {
                partition_index: asked.partition_index,
                low_watermark: -1,
                error_code: UNKNOWN,
            });
            if let Some((core, key)) = context.place(&topic.name, asked.partition_index) {
                spread.add(core, slot, (key, asked.offset));
            }
        }
    }
    let answers = spread.begin(&context.core, answers, Call::DeleteRecords, |reply| match reply {
        Reply::DeleteRecords(answers) => Some(answers),
        _ => None,
    });
    let mut answers = answers.await.into_iter();
    let topics = topics
        .into_iter()
        .map(|(name, count)| DeleteRecordsTopicResult { name, partitions: answers.by_ref().take(count).collect() })
        .collect();
    DeleteRecordsResponse { topics, ..Default::default() }
}

pub(super) async fn epoch_ends<W: World>(
    context: Rc<Context<W>>,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let (mut topics, mut answers, mut spread) = (Vec::new(), Vec::new(), Spread::new());
    for topic in request.topics {
        topics.push((topic.topic.clone(), topic.partitions.len()));
        for asked in topic.partitions {
            let slot = answers.len();
            answers.push(EpochEndOffset { partition: asked.partition, error_code: UNKNOWN, ..Default::default() });
            if let Some((core, key)) = context.place(&topic.topic, asked.partition) {
                let (current_leader_epoch, leader_epoch) = (asked.current_leader_epoch, asked.leader_epoch);
                spread.add(core, slot, EpochQuery { key, current_leader_epoch, leader_epoch });
            }
        }
    }
    let answers = spread.begin(&context.core, answers, Call::EpochEnds, |reply| match reply {
        Reply::EpochEnds(answers) => Some(answers),
        _ => None,
    });
    let mut answers = answers.await.into_iter();
    let topics = topics
        .into_iter()
        .map(|(topic, count)| OffsetForLeaderTopicResult { topic, partitions: answers.by_ref().take(count).collect() })
        .collect();
    OffsetForLeaderEpochResponse { topics, ..Default::default() }
}

impl<W: World> Context<W> {
    /// Where a partition is, by its topic's name.
    pub(super) fn place(&self, topic: &str, partition: i32) -> Option<(CoreId, TopicPartitionId)> {
        let catalog = self.core.catalog();
        let key = catalog.key_of(topic, partition)?;
        catalog.core_of(key).map(|core| (CoreId(core), key))
    }
}
