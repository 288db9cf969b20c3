//! Between topics as clients name them and as groups keep them: names and ids are resolved in the catalog's image, and
//! what is not there is answered for.
//!
//! Groups keep offsets by topic name, with the id beside it. Kafka's `KafkaApis` draws the same line: an OffsetCommit
//! or OffsetDelete of a partition that is not there is UNKNOWN_TOPIC_OR_PARTITION; an id that is not there is
//! UNKNOWN_TOPIC_ID (v10); an OffsetFetch by name may ask for anything.

use wire::ErrorCode;
use wire::api::k08_offset_commit::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use wire::api::k09_offset_fetch::OffsetFetchResponseGroup;
use wire::api::k47_offset_delete::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use wire::api::{OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetFetchResponse};

use super::{GroupRequest, fetch};
use crate::catalog::{Image, Topic};

/// From here on OffsetCommit and OffsetFetch name topics by id only.
const TOPIC_ID_VERSION: i16 = 10;

fn has_partition(topic: Option<&Topic>, partition: i32) -> bool {
    topic.is_some_and(|topic| usize::try_from(partition).is_ok_and(|partition| partition < topic.partitions.len()))
}

impl GroupRequest {
    /// An OffsetCommit whose topics are those of the image.
    pub fn offset_commit(image: &Image, mut request: OffsetCommitRequest, version: i16) -> GroupRequest {
        let by_id = version >= TOPIC_ID_VERSION;
        let mut refused = Vec::new();
        for topic in &mut request.topics {
            let found = if by_id { image.topic(topic.topic_id) } else { image.topic_named(&topic.name) };
            let found = found.map(AsRef::as_ref);
            let error =
                if by_id && found.is_none() { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
            let mut partitions = Vec::new();
            topic.partitions.retain(|partition| {
                let is_known = has_partition(found, partition.partition_index);
                if !is_known {
                    let partition_index = partition.partition_index;
                    partitions.push(OffsetCommitResponsePartition { partition_index, error_code: error.code() });
                }
                is_known
            });
            if let Some(found) = found {
                topic.name = found.name.to_string();
                topic.topic_id = found.id;
            }
            if !partitions.is_empty() {
                let (name, topic_id) = (topic.name.clone(), topic.topic_id);
                refused.push(OffsetCommitResponseTopic { name, topic_id, partitions });
            }
        }
        request.topics.retain(|topic| !topic.partitions.is_empty());
        GroupRequest::OffsetCommit { request, version, refused }
    }

    /// An OffsetDelete whose topics are those of the image.
    pub fn offset_delete(image: &Image, mut request: OffsetDeleteRequest) -> GroupRequest {
        let mut refused = Vec::new();
        for topic in &mut request.topics {
            let found = image.topic_named(&topic.name).map(AsRef::as_ref);
            let mut partitions = Vec::new();
            topic.partitions.retain(|partition| {
                let is_known = has_partition(found, partition.partition_index);
                if !is_known {
                    let error_code = ErrorCode::UnknownTopicOrPartition.code();
                    let partition_index = partition.partition_index;
                    partitions.push(OffsetDeleteResponsePartition { partition_index, error_code });
                }
                is_known
            });
            if !partitions.is_empty() {
                refused.push(OffsetDeleteResponseTopic { name: topic.name.clone(), partitions });
            }
        }
        request.topics.retain(|topic| !topic.partitions.is_empty());
        GroupRequest::OffsetDelete { request, refused }
    }

    /// The groups that an OffsetFetch asks about, in its order; their answers go to [`offset_fetch_response`] in the
    /// same order.
    pub fn offset_fetches(image: &Image, request: OffsetFetchRequest, version: i16) -> Vec<GroupRequest> {
        let mut groups = fetch::split(request, version);
        if version >= TOPIC_ID_VERSION {
            for topic in groups.iter_mut().flat_map(|group| group.topics.iter_mut().flatten()) {
                // No topic has the empty name: what is unknown is found nowhere.
                topic.name = image.topic(topic.topic_id).map_or_else(String::new, |found| found.name.to_string());
            }
        }
        groups.into_iter().map(|request| GroupRequest::OffsetFetch { request, version }).collect()
    }
}

/// The response to an OffsetFetch, out of the answers for its groups.
pub fn offset_fetch_response(
    image: &Image,
    version: i16,
    mut groups: Vec<OffsetFetchResponseGroup>,
) -> OffsetFetchResponse {
    if version >= TOPIC_ID_VERSION {
        for group in &mut groups {
            name_by_id(image, group);
        }
    }
    fetch::merge(version, groups)
}

/// "All topics" are answered by name, and those that are gone have no id to be told by; an id that was asked for and is
/// not there is an error.
fn name_by_id(image: &Image, group: &mut OffsetFetchResponseGroup) {
    for topic in &mut group.topics {
        if topic.topic_id.is_zero() {
            topic.topic_id = image.topic_named(&topic.name).map_or(topic.topic_id, |found| found.id);
        } else if image.topic(topic.topic_id).is_none() {
            for partition in &mut topic.partitions {
                partition.error_code = ErrorCode::UnknownTopicId.code();
            }
        }
    }
    group.topics.retain(|topic| !topic.topic_id.is_zero() || !topic.partitions.iter().all(|one| one.error_code == 0));
}

#[cfg(test)]
mod tests;
