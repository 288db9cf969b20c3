//! OffsetFetch: v1–v10.
//! Behaviour: returns what is durably committed; offset −1 without an error where nothing is, in a group that is not
//! there too. Without transactions every offset is stable, so `require_stable` changes nothing.
//! Deviations: none.   Versions: v2 null asks for all topics; v8 several groups; v10 topic ids.
//!
//! Groups live on several cores: a request is [`split`] into one question a group, and the answers are [`merge`]d.

use std::collections::BTreeMap;

use wire::ErrorCode;
use wire::api::k09_offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use wire::api::{OffsetFetchRequest, OffsetFetchResponse};

use super::group::Group;
use super::offsets::CommittedOffset;

/// From here on a request names several groups.
const GROUPS_VERSION: i16 = 8;
/// From here on an error is said once, and not for each partition.
const TOP_LEVEL_ERROR_VERSION: i16 = 2;
/// "Nothing is committed."
const NO_OFFSET: i64 = -1;
const NO_LEADER_EPOCH: i32 = -1;

/// One question for each group of a request.
pub(super) fn split(request: OffsetFetchRequest, version: i16) -> Vec<OffsetFetchRequestGroup> {
    if version >= GROUPS_VERSION {
        return request.groups;
    }
    let topics = request.topics.map(|topics| {
        let topic = |topic: OffsetFetchRequestTopic| OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
            ..OffsetFetchRequestTopics::default()
        };
        topics.into_iter().map(topic).collect()
    });
    vec![OffsetFetchRequestGroup { group_id: request.group_id, topics, ..OffsetFetchRequestGroup::default() }]
}

/// The response in the request's version, out of the answers for its groups in their order. Up to v7 there is one.
pub(super) fn merge(version: i16, mut groups: Vec<OffsetFetchResponseGroup>) -> OffsetFetchResponse {
    if version >= GROUPS_VERSION {
        return OffsetFetchResponse { groups, ..OffsetFetchResponse::default() };
    }
    let Some(group) = groups.pop() else { return OffsetFetchResponse::default() };
    let topics = group.topics.into_iter().map(|topic| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(single_group_partition).collect(),
    });
    OffsetFetchResponse { topics: topics.collect(), error_code: group.error_code, ..OffsetFetchResponse::default() }
}

fn single_group_partition(partition: OffsetFetchResponsePartitions) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
    }
}

/// A group's answer when it cannot be asked. In v1 the error stands with each partition.
pub(super) fn refuse(request: OffsetFetchRequestGroup, version: i16, error: ErrorCode) -> OffsetFetchResponseGroup {
    if version >= TOP_LEVEL_ERROR_VERSION {
        let error_code = error.code();
        return OffsetFetchResponseGroup { group_id: request.group_id, error_code, ..Default::default() };
    }
    let mut response = answer(None, request);
    for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        partition.error_code = error.code();
    }
    response
}

impl Group {
    /// Checks who asks.
    pub fn validate_fetch(&self, request: &OffsetFetchRequestGroup) -> Result<(), ErrorCode> {
        match self {
            Group::Classic(_) => Ok(()),
            Group::Consumer(group) => group.validate_fetch(request.member_id.as_deref(), request.member_epoch),
        }
    }
}

/// What a group, if there is one, has committed of what is asked for.
pub(super) fn answer(group: Option<&Group>, request: OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
    let topics = match request.topics {
        Some(topics) => topics.into_iter().map(|topic| answer_topic(group, topic)).collect(),
        None => group.map_or_else(Vec::new, all_topics),
    };
    OffsetFetchResponseGroup { group_id: request.group_id, topics, ..OffsetFetchResponseGroup::default() }
}

fn answer_topic(group: Option<&Group>, topic: OffsetFetchRequestTopics) -> OffsetFetchResponseTopics {
    let partition = |&partition: &i32| {
        let committed = group.and_then(|group| group.offsets().get(&topic.name, partition));
        answer_partition(partition, committed.filter(|committed| committed.is_of(topic.topic_id)))
    };
    OffsetFetchResponseTopics {
        partitions: topic.partition_indexes.iter().map(partition).collect(),
        name: topic.name,
        topic_id: topic.topic_id,
    }
}

fn all_topics(group: &Group) -> Vec<OffsetFetchResponseTopics> {
    let topic = |(name, partitions): (&str, &BTreeMap<i32, CommittedOffset>)| {
        let answered = partitions.iter().map(|(&partition, committed)| answer_partition(partition, Some(committed)));
        OffsetFetchResponseTopics {
            name: name.to_owned(),
            partitions: answered.collect(),
            ..OffsetFetchResponseTopics::default()
        }
    };
    group.offsets().topics().map(topic).collect()
}

fn answer_partition(partition: i32, committed: Option<&CommittedOffset>) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: partition,
        committed_offset: committed.map_or(NO_OFFSET, |committed| committed.offset),
        committed_leader_epoch: committed.map_or(NO_LEADER_EPOCH, |committed| committed.leader_epoch),
        metadata: Some(committed.map_or_else(String::new, |committed| committed.metadata.clone())),
        error_code: ErrorCode::None.code(),
    }
}
