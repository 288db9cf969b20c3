//! A group's committed offsets: asked for, set and deleted, by members and by administrators.

use std::collections::BTreeMap;

use wire::Uuid;
use wire::api::k08_offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::api::k09_offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics};
use wire::api::k47_offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use wire::api::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetFetchRequest, OffsetFetchResponse,
};

use super::{Client, ClientError, TopicPartition, check};

/// What was asked for, as errors tell it.
pub(super) fn what(doing: &str, group: &str) -> String {
    format!("{doing} group {group}")
}

fn by_topic<'a>(partitions: impl IntoIterator<Item = &'a TopicPartition>) -> BTreeMap<&'a str, Vec<i32>> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    topics
}

fn topic_id(client: &Client, name: &str) -> Uuid {
    client.cached_topic(name).map_or(Uuid::ZERO, |topic| topic.id)
}

/// An OffsetFetch for any version: it names group and topics each way. `None` asks for all partitions with an offset.
pub(super) fn fetch_request(client: &Client, group: &str, partitions: Option<&[TopicPartition]>) -> OffsetFetchRequest {
    let topics = partitions.map(by_topic);
    let single = |(name, indexes): (&&str, &Vec<i32>)| OffsetFetchRequestTopic {
        name: (*name).to_owned(),
        partition_indexes: indexes.clone(),
    };
    let grouped = |(name, indexes): (&&str, &Vec<i32>)| OffsetFetchRequestTopics {
        name: (*name).to_owned(),
        topic_id: topic_id(client, name),
        partition_indexes: indexes.clone(),
    };
    let asked = OffsetFetchRequestGroup {
        group_id: group.to_owned(),
        topics: topics.as_ref().map(|topics| topics.iter().map(grouped).collect()),
        ..Default::default()
    };
    OffsetFetchRequest {
        group_id: group.to_owned(),
        topics: topics.as_ref().map(|topics| topics.iter().map(single).collect()),
        groups: vec![asked],
        require_stable: false,
    }
}

/// The offsets in the answer to [`fetch_request`]; a partition without one is absent, as is a topic whose id the cache
/// does not know.
pub(super) fn fetched(
    client: &Client,
    group: &str,
    answer: &OffsetFetchResponse,
) -> Result<BTreeMap<TopicPartition, i64>, ClientError> {
    let what = || what("asking for the committed offsets of", group);
    let mut found = BTreeMap::new();
    let mut keep = |topic: &str, partition: i32, code: i16, offset: i64| {
        check(code, None, what)?;
        if offset >= 0 {
            found.insert(TopicPartition { topic: topic.to_owned(), partition }, offset);
        }
        Ok::<(), ClientError>(())
    };
    check(answer.error_code, None, what)?;
    for topic in &answer.topics {
        for part in &topic.partitions {
            keep(&topic.name, part.partition_index, part.error_code, part.committed_offset)?;
        }
    }
    for group in &answer.groups {
        check(group.error_code, None, what)?;
        for topic in &group.topics {
            let name =
                if topic.name.is_empty() { client.cached_name(topic.topic_id) } else { Some(topic.name.clone()) };
            let Some(name) = name else { continue };
            for part in &topic.partitions {
                keep(&name, part.partition_index, part.error_code, part.committed_offset)?;
            }
        }
    }
    Ok(found)
}

/// An OffsetCommit of somebody who is no member, for any version.
pub(super) fn commit_request(
    client: &Client,
    group: &str,
    offsets: &BTreeMap<TopicPartition, i64>,
) -> OffsetCommitRequest {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for (partition, offset) in offsets {
        topics.entry(&partition.topic).or_default().push(OffsetCommitRequestPartition {
            partition_index: partition.partition,
            committed_offset: *offset,
            committed_leader_epoch: -1,
            committed_metadata: Some(String::new()),
        });
    }
    let topic = |(name, partitions): (&str, _)| OffsetCommitRequestTopic {
        name: name.to_owned(),
        topic_id: topic_id(client, name),
        partitions,
    };
    OffsetCommitRequest {
        group_id: group.to_owned(),
        topics: topics.into_iter().map(topic).collect(),
        ..Default::default()
    }
}

/// The first error in the answer to an OffsetCommit.
pub(super) fn committed(group: &str, answer: &OffsetCommitResponse) -> Result<(), ClientError> {
    let mut parts = answer.topics.iter().flat_map(|topic| &topic.partitions);
    parts.try_for_each(|part| check(part.error_code, None, || what("committing offsets of", group)))
}

impl Client {
    /// The offsets that a group has committed, of all topics that there are; empty for a group that is not there.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the coordinator's word.
    pub fn group_offsets(&mut self, group: &str) -> Result<BTreeMap<TopicPartition, i64>, ClientError> {
        // The newest version tells topics by their ids only.
        self.refresh(None, false)?;
        let request = fetch_request(self, group, None);
        self.retried(|client| {
            let answer = client.call_coordinator(group, &request)?;
            fetched(client, group, &answer)
        })
    }

    /// Sets a group's offsets from outside; a group that is not there comes to be.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for the first partition that was refused: with UNKNOWN_MEMBER_ID the group has members,
    /// and only they may commit.
    pub fn set_group_offsets(
        &mut self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, i64>,
    ) -> Result<(), ClientError> {
        self.refresh(None, false)?;
        let request = commit_request(self, group, offsets);
        self.retried(|client| committed(group, &client.call_coordinator(group, &request)?))
    }

    /// Deletes a group's offsets of some partitions; one that has none is no error.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for the first partition that was refused: with GROUP_SUBSCRIBED_TO_TOPIC there are
    /// members that read its topic.
    pub fn delete_group_offsets(&mut self, group: &str, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        let partition = |partition_index| OffsetDeleteRequestPartition { partition_index };
        let topic = |(name, indexes): (&str, Vec<i32>)| OffsetDeleteRequestTopic {
            name: name.to_owned(),
            partitions: indexes.into_iter().map(partition).collect(),
        };
        let request = OffsetDeleteRequest {
            group_id: group.to_owned(),
            topics: by_topic(partitions).into_iter().map(topic).collect(),
        };
        self.retried(|client| {
            let answer = client.call_coordinator(group, &request)?;
            check(answer.error_code, None, || what("deleting offsets of", group))?;
            for topic in &answer.topics {
                for part in &topic.partitions {
                    let at = TopicPartition { topic: topic.name.clone(), partition: part.partition_index };
                    check(part.error_code, None, || format!("deleting the offset of {at} of group {group}"))?;
                }
            }
            Ok(())
        })
    }
}
