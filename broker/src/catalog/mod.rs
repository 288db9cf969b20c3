//! What every core knows of the cluster: topics, partitions, brokers, settings, and which core has what.
//!
//! The controller makes a new [`Catalog`] of each change and the shards hand it to every core; nobody changes one in place.

mod image;
mod names;
mod placement;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use wire::{TopicPartitionId, Uuid};

use crate::config::{BrokerConfig, ConfigMap, Layers, TopicConfig};

pub use image::{Broker, Endpoint, Image, Partition, ReplayError, ResourceType, Topic};
pub use names::{
    CLUSTER_METADATA_TOPIC, OFFSETS_TOPIC, TOPIC_NAME_BYTES_MAX, TRANSACTIONS_TOPIC, check_topic_name, collision_key,
    is_internal,
};
pub use placement::Placement;

/// The cluster as seen by this node.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The cluster by its metadata log.
    pub image: Arc<Image>,
    /// Which core has which partition.
    pub placement: Placement,
    /// The cluster's id, as in `meta.properties`.
    pub cluster_id: Arc<str>,
    /// What this node was started with.
    pub config: Arc<BrokerConfig>,
    topic_configs: BTreeMap<Uuid, Arc<TopicConfig>>,
}

impl Catalog {
    /// The catalog of an image, with all topics' configurations worked out.
    pub fn new(image: Arc<Image>, placement: Placement, cluster_id: Arc<str>, config: Arc<BrokerConfig>) -> Catalog {
        let mut catalog = Catalog { image, placement, cluster_id, config, topic_configs: BTreeMap::new() };
        let resolved = catalog.image.topics().map(|topic| (topic.id, Arc::new(catalog.resolve(&topic.name))));
        catalog.topic_configs = resolved.collect();
        catalog
    }

    /// The catalog of a later image. Only the topics in `affected` have their configuration worked out again.
    pub(crate) fn next(&self, image: Arc<Image>, placement: Placement, affected: &[Uuid]) -> Catalog {
        let mut catalog = Catalog { image, placement, ..self.clone() };
        for id in affected {
            match catalog.image.topic(*id) {
                Some(topic) => {
                    let resolved = Arc::new(catalog.resolve(&topic.name));
                    catalog.topic_configs.insert(*id, resolved);
                }
                None => {
                    catalog.topic_configs.remove(id);
                }
            }
        }
        catalog
    }

    fn resolve(&self, topic: &str) -> TopicConfig {
        self.with_layers(&self.image.configs(ResourceType::Topic, topic), TopicConfig::resolve)
    }

    /// Looks at settings through all their layers, with `own` as the topic's or the group's own.
    pub fn with_layers<T>(&self, own: &ConfigMap, look: impl FnOnce(&Layers<'_>) -> T) -> T {
        let node = self.image.configs(ResourceType::Broker, &self.config.node_id.to_string());
        let cluster = self.image.configs(ResourceType::Broker, "");
        look(&Layers { own, node: &node, cluster: &cluster, start: &self.config })
    }

    /// This node's id.
    pub fn node_id(&self) -> i32 {
        self.config.node_id
    }

    /// What holds for a topic.
    pub fn topic_config(&self, id: Uuid) -> Option<&Arc<TopicConfig>> {
        self.topic_configs.get(&id)
    }

    /// The key of a topic's partition by name, if there is one.
    pub fn key_of(&self, topic: &str, partition: i32) -> Option<TopicPartitionId> {
        let topic = self.image.topic_named(topic)?;
        let index = usize::try_from(partition).ok()?;
        (index < topic.partitions.len()).then_some(TopicPartitionId { topic: topic.id, partition })
    }

    /// The core that has a partition, if there is such a partition.
    pub fn core_of(&self, key: TopicPartitionId) -> Option<u16> {
        self.placement.core_of(key)
    }
}
