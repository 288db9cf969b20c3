//! What can be answered from the catalog alone, on any core: pure functions from a [`Catalog`](crate::catalog::Catalog) and a
//! request to a response.
//!
//! Where an answer needs something to be created first, it says so beside the response, which then holds what Kafka would
//! answer in the meantime; the shard may have it created and ask again.
//!
//! There is no authorizer: everybody may do everything, and is told so as Kafka tells it.

mod api_versions;
mod cluster;
mod configs;
mod coordinator;
mod metadata;
#[cfg(test)]
mod tests;
mod topic_partitions;

pub use api_versions::{api_versions, api_versions_unsupported};
pub use cluster::describe_cluster;
pub use configs::describe_configs;
pub use coordinator::{CoordinatorAnswer, InitProducerIdAnswer, find_coordinator, init_producer_id};
pub use metadata::{MetadataAnswer, metadata};
pub use topic_partitions::describe_topic_partitions;

/// What a client may do on a topic, as Kafka without an authorizer says: read, write, create, delete, alter, describe, describe
/// and alter its configuration; one bit each, by `AclOperation`'s numbers.
const TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
/// What a client may do on the cluster: create, alter, describe, cluster action, describe and alter configuration, idempotent
/// write.
const CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
/// What stands for "not asked for".
const OPERATIONS_OMITTED: i32 = i32::MIN;

fn operations(asked: bool, operations: i32) -> i32 {
    if asked { operations } else { OPERATIONS_OMITTED }
}
