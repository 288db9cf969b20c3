//! Metadata: brokers, topics, partitions and leaders.
//!
//! Answers are those of Kafka 4.3.1, in the request's order without repetition. Deviation: a topic that is asked for by neither
//! name nor id is INVALID_REQUEST from v12 on too, where Kafka has UNKNOWN_SERVER_ERROR.

use std::collections::BTreeSet;

use wire::ErrorCode;
use wire::api::k03_metadata::{
    MetadataRequestTopic, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use wire::api::{MetadataRequest, MetadataResponse};

use crate::catalog::{CLUSTER_METADATA_TOPIC, Catalog, Partition, Topic, check_topic_name, is_internal};

use super::{CLUSTER_OPERATIONS, OPERATIONS_OMITTED, TOPIC_OPERATIONS, operations};

/// The first version that may ask by topic id.
const BY_ID_VERSION: i16 = 12;

/// A response, and what the client would have the broker create.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataAnswer {
    /// The response, as long as nothing is created.
    pub response: MetadataResponse,
    /// Topics to create ([`crate::controller::ControllerRequest::AutoCreateTopics`]), after which the question may be asked
    /// again with other answers.
    pub to_create: Vec<String>,
}

/// Answers Metadata as a client of the listener named `listener` is to see it.
pub fn metadata(catalog: &Catalog, request: &MetadataRequest, version: i16, listener: &str) -> MetadataAnswer {
    let operations_asked = request.include_topic_authorized_operations;
    let mut to_create = Vec::new();
    let topics = match &request.topics {
        Some(topics) if (10..BY_ID_VERSION).contains(&version) && topics.iter().any(asks_by_id) => {
            return invalid(topics);
        }
        Some(topics) if topics.iter().any(|topic| topic.name.is_none() && topic.topic_id.is_zero()) => {
            return invalid(topics);
        }
        // In v0 an empty list asks for everything, and null cannot be sent.
        Some(topics) if !(version == 0 && topics.is_empty()) => {
            let may_create = request.allow_auto_topic_creation && catalog.config.auto_create_topics_enable;
            let mut asked = BTreeSet::new();
            let mut answers = Vec::with_capacity(topics.len().min(catalog.image.topics().len() + 1));
            for topic in topics.iter().filter(|topic| asked.insert((topic.topic_id, topic.name.as_deref()))) {
                let answer = one_topic(catalog, topic, operations_asked);
                let is_unknown = answer.error_code == ErrorCode::UnknownTopicOrPartition.code();
                let missing = answer.name.as_ref().filter(|name| is_unknown && *name != CLUSTER_METADATA_TOPIC);
                to_create.extend(missing.filter(|_| may_create).cloned());
                answers.push(answer);
            }
            answers
        }
        _ => catalog.image.topics_from("").map(|topic| known(topic, operations_asked)).collect(),
    };
    let brokers = catalog.image.brokers().filter(|broker| !broker.fenced).filter_map(|broker| {
        let endpoint = broker.endpoint(listener)?;
        Some(MetadataResponseBroker {
            node_id: broker.id,
            host: endpoint.host.clone(),
            port: endpoint.port.into(),
            rack: broker.rack.clone(),
        })
    });
    let response = MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(catalog.cluster_id.to_string()),
        controller_id: catalog.node_id(),
        topics,
        cluster_authorized_operations: operations(request.include_cluster_authorized_operations, CLUSTER_OPERATIONS),
        ..MetadataResponse::default()
    };
    MetadataAnswer { response, to_create }
}

fn asks_by_id(topic: &MetadataRequestTopic) -> bool {
    topic.name.is_none() || !topic.topic_id.is_zero()
}

fn one_topic(catalog: &Catalog, asked: &MetadataRequestTopic, operations_asked: bool) -> MetadataResponseTopic {
    let unknown = |code: ErrorCode| MetadataResponseTopic {
        error_code: code.code(),
        name: if code == ErrorCode::UnknownTopicId { None } else { asked.name.clone() },
        topic_id: asked.topic_id,
        is_internal: asked.name.as_deref().is_some_and(is_internal),
        // An id that is not known says nothing of a topic that somebody might do something with.
        topic_authorized_operations: match code {
            ErrorCode::UnknownTopicId => OPERATIONS_OMITTED,
            _ => operations(operations_asked, TOPIC_OPERATIONS),
        },
        ..MetadataResponseTopic::default()
    };
    match asked.name.as_deref() {
        Some(name) if asked.topic_id.is_zero() => match catalog.image.topic_named(name) {
            Some(topic) => known(topic, operations_asked),
            None if check_topic_name(name).is_err() => unknown(ErrorCode::InvalidTopicException),
            None => unknown(ErrorCode::UnknownTopicOrPartition),
        },
        // The id stands before a name that is given with it.
        _ => match catalog.image.topic(asked.topic_id) {
            Some(topic) => known(topic, operations_asked),
            None => unknown(ErrorCode::UnknownTopicId),
        },
    }
}

fn known(topic: &Topic, operations_asked: bool) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().zip(0..).map(|(partition, index)| described(partition, index));
    MetadataResponseTopic {
        name: Some(topic.name.to_string()),
        topic_id: topic.id,
        is_internal: is_internal(&topic.name),
        partitions: partitions.collect(),
        topic_authorized_operations: operations(operations_asked, TOPIC_OPERATIONS),
        ..MetadataResponseTopic::default()
    }
}

fn described(partition: &Partition, partition_index: i32) -> MetadataResponsePartition {
    let error = if partition.leader < 0 { ErrorCode::LeaderNotAvailable } else { ErrorCode::None };
    MetadataResponsePartition {
        error_code: error.code(),
        partition_index,
        leader_id: partition.leader,
        leader_epoch: partition.leader_epoch,
        replica_nodes: partition.replicas.clone(),
        isr_nodes: partition.isr.clone(),
        ..MetadataResponsePartition::default()
    }
}

/// As Kafka answers a request that it will not look into: no brokers, every topic refused.
fn invalid(topics: &[MetadataRequestTopic]) -> MetadataAnswer {
    let code = ErrorCode::InvalidRequest.code();
    let topics = topics.iter().map(|topic| MetadataResponseTopic {
        error_code: code,
        name: Some(topic.name.clone().unwrap_or_default()),
        topic_id: topic.topic_id,
        ..MetadataResponseTopic::default()
    });
    let response = MetadataResponse { topics: topics.collect(), error_code: code, ..MetadataResponse::default() };
    MetadataAnswer { response, to_create: Vec::new() }
}
