//! Which core has which partition: balanced for each topic, then by count.
//!
//! A new partition goes to the core with the fewest of its topic's partitions, of these to the one with the fewest of all,
//! of these to the first. Given the number of cores and the order of changes the outcome is always the same. A partition never
//! moves while the broker runs; a restart places all topics anew, in the order of their creation.

use std::collections::BTreeMap;
use std::sync::Arc;

use wire::{TopicPartitionId, Uuid};

use super::Image;

/// The core of each partition. A clone shares the topics' lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    topics: BTreeMap<Uuid, Arc<[u16]>>,
    partitions_of_core: Vec<usize>,
}

impl Placement {
    /// No partition, on a number of cores.
    ///
    /// # Panics
    /// If there are no cores.
    pub fn new(cores: u16) -> Placement {
        assert!(cores > 0, "a broker has at least one core");
        Placement { topics: BTreeMap::new(), partitions_of_core: vec![0; usize::from(cores)] }
    }

    /// All partitions of a catalog, in the order of their topics' creation.
    pub fn of_image(cores: u16, image: &Image) -> Placement {
        let mut topics: Vec<_> = image.topics().collect();
        topics.sort_by_key(|topic| topic.created_at);
        let mut placement = Placement::new(cores);
        for topic in topics {
            placement.extend(topic.id, topic.partitions.len());
        }
        placement
    }

    /// The core that has a partition; the metadata log is the first core's.
    pub fn core_of(&self, key: TopicPartitionId) -> Option<u16> {
        if key == TopicPartitionId::CLUSTER_METADATA {
            return Some(0);
        }
        let partition = usize::try_from(key.partition).ok()?;
        self.topics.get(&key.topic)?.get(partition).copied()
    }

    /// How many cores there are.
    pub fn cores(&self) -> u16 {
        self.partitions_of_core.len() as u16
    }

    /// Places those of a topic's partitions that are not placed yet.
    pub(crate) fn extend(&mut self, topic: Uuid, partitions: usize) {
        let mut cores = self.topics.get(&topic).map_or_else(Vec::new, |cores| cores.to_vec());
        let mut of_topic = vec![0usize; self.partitions_of_core.len()];
        for &core in &cores {
            of_topic[usize::from(core)] += 1;
        }
        while cores.len() < partitions {
            let core = (0..of_topic.len())
                .min_by_key(|&core| (of_topic[core], self.partitions_of_core[core]))
                .expect("there is at least one core");
            of_topic[core] += 1;
            self.partitions_of_core[core] += 1;
            cores.push(core as u16);
        }
        self.topics.insert(topic, cores.into());
    }

    /// Forgets a topic's partitions.
    pub(crate) fn remove(&mut self, topic: Uuid) {
        for &core in self.topics.remove(&topic).iter().flat_map(|cores| cores.iter()) {
            self.partitions_of_core[usize::from(core)] -= 1;
        }
    }
}
