//! DescribeTopicPartitions: topics by name, a page at a time (KIP-966).
//!
//! Topics come sorted by name; a page ends after so many partitions and names where the next one begins. Answers are those of
//! Kafka 4.3.1. There are no eligible leader replicas beside the in-sync ones.

use wire::ErrorCode;
use wire::api::k75_describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use wire::api::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};

use crate::catalog::{Catalog, Partition, check_topic_name, is_internal};

use super::TOPIC_OPERATIONS;

/// The most partitions of one page, whatever the client asks for: `max.request.partition.size.limit` in Kafka.
const PAGE_PARTITIONS_MAX: usize = 2000;

/// Answers DescribeTopicPartitions.
pub fn describe_topic_partitions(
    catalog: &Catalog,
    request: &DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let (from_topic, from_partition) = match &request.cursor {
        Some(cursor) => match usize::try_from(cursor.partition_index) {
            Ok(index) => (cursor.topic_name.as_str(), index),
            Err(_) => return invalid_cursor(request),
        },
        None => ("", 0),
    };
    let first_partition = |name: &str| if name == from_topic { from_partition } else { 0 };
    let mut page = Page {
        left: usize::try_from(request.response_partition_limit).unwrap_or(0).clamp(1, PAGE_PARTITIONS_MAX),
        topics: Vec::new(),
        next: None,
    };
    if request.topics.is_empty() {
        for topic in catalog.image.topics_from(from_topic) {
            if !page.add(catalog, &topic.name, first_partition(&topic.name)) {
                break;
            }
        }
    } else {
        let mut names: Vec<&str> = request.topics.iter().map(|topic| topic.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names.into_iter().filter(|&name| name >= from_topic) {
            if !page.add(catalog, name, first_partition(name)) {
                break;
            }
        }
    }
    DescribeTopicPartitionsResponse {
        topics: page.topics,
        next_cursor: page.next,
        ..DescribeTopicPartitionsResponse::default()
    }
}

struct Page {
    left: usize,
    topics: Vec<DescribeTopicPartitionsResponseTopic>,
    next: Option<Cursor>,
}

impl Page {
    /// Adds a topic from a partition on, as far as the page goes; false when the page is full.
    fn add(&mut self, catalog: &Catalog, name: &str, from: usize) -> bool {
        let cursor = |index: usize| Some(Cursor { topic_name: name.into(), partition_index: index as i32 });
        if self.left == 0 {
            self.next = cursor(from);
            return false;
        }
        let Some(topic) = catalog.image.topic_named(name) else {
            let code = match check_topic_name(name) {
                Ok(()) => ErrorCode::UnknownTopicOrPartition,
                Err(_) => ErrorCode::InvalidTopicException,
            };
            self.topics.push(described(name, code));
            return true;
        };
        let partitions = topic.partitions.get(from..).unwrap_or_default();
        let taken = partitions.len().min(self.left);
        let described_partitions = partitions[..taken].iter().zip(from as i32..);
        self.topics.push(DescribeTopicPartitionsResponseTopic {
            topic_id: topic.id,
            partitions: described_partitions.map(|(partition, index)| described_partition(partition, index)).collect(),
            ..described(name, ErrorCode::None)
        });
        self.left -= taken;
        if taken < partitions.len() {
            self.next = cursor(from + taken);
            return false;
        }
        true
    }
}

fn described(name: &str, code: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        error_code: code.code(),
        name: Some(name.into()),
        is_internal: is_internal(name),
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

fn described_partition(partition: &Partition, partition_index: i32) -> DescribeTopicPartitionsResponsePartition {
    let error = if partition.leader < 0 { ErrorCode::LeaderNotAvailable } else { ErrorCode::None };
    DescribeTopicPartitionsResponsePartition {
        error_code: error.code(),
        partition_index,
        leader_id: partition.leader,
        leader_epoch: partition.leader_epoch,
        replica_nodes: partition.replicas.clone(),
        isr_nodes: partition.isr.clone(),
        eligible_leader_replicas: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
        ..DescribeTopicPartitionsResponsePartition::default()
    }
}

fn invalid_cursor(request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let topics = request.topics.iter().map(|topic| DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::InvalidRequest.code(),
        name: Some(topic.name.clone()),
        ..DescribeTopicPartitionsResponseTopic::default()
    });
    DescribeTopicPartitionsResponse { topics: topics.collect(), ..DescribeTopicPartitionsResponse::default() }
}
