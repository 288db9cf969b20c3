//! What follows from records that have become durable: the next catalog, and what each core has to open, close and reconfigure.

use std::sync::Arc;

use wire::records::metadata::MetadataRecord;
use wire::{TopicPartitionId, Uuid};

use crate::catalog::{Catalog, Image, ResourceType};

use super::{ControllerEffect, PlacedPartition};

/// The catalog after a write, and its publication.
pub(super) fn publication(
    old: &Arc<Catalog>,
    write_id: u64,
    base_offset: i64,
    leader_epoch: i32,
    records: &[MetadataRecord],
) -> (Arc<Catalog>, ControllerEffect) {
    let mut image = Image::clone(&old.image);
    image.apply_all(base_offset, leader_epoch, records).expect("the records were made for this very image");
    let changes = Changes::of(records, &old.image, &image);
    let mut placement = old.placement.clone();
    for &topic in &changes.removed {
        placement.remove(topic);
    }
    for &topic in &changes.grown {
        placement.extend(topic, image.topic(topic).map_or(0, |topic| topic.partitions.len()));
    }
    let new = Arc::new(old.next(Arc::new(image), placement, &changes.affected));
    let changed = |id: &Uuid| match (old.topic_config(*id), new.topic_config(*id)) {
        (Some(before), Some(after)) => before != after,
        _ => false,
    };
    let effect = ControllerEffect::Publish {
        write_id,
        created: partitions_beyond(&new, old, &changes.grown),
        deleted: partitions_beyond(old, &new, &changes.removed),
        reconfigured: changes.affected.iter().copied().filter(changed).collect(),
        catalog: Arc::clone(&new),
    };
    (new, effect)
}

/// Which topics a write touches.
#[derive(Default)]
struct Changes {
    grown: Vec<Uuid>,
    removed: Vec<Uuid>,
    affected: Vec<Uuid>,
}

impl Changes {
    fn of(records: &[MetadataRecord], before: &Image, after: &Image) -> Changes {
        let mut changes = Changes::default();
        for record in records {
            match record {
                MetadataRecord::Partition(record) => changes.grown.push(record.topic_id),
                MetadataRecord::RemoveTopic(record) => changes.removed.push(record.topic_id),
                MetadataRecord::Config(record) => match ResourceType::from_code(record.resource_type) {
                    Some(ResourceType::Topic) => {
                        let topic = after.topic_named(&record.resource_name);
                        changes.affected.extend(topic.map(|topic| topic.id));
                    }
                    Some(ResourceType::Broker) => changes.affected.extend(before.topics().map(|topic| topic.id)),
                    // Whoever has to do with groups looks at the image.
                    Some(ResourceType::Group) | None => {}
                },
                _ => {}
            }
        }
        changes.grown.dedup();
        changes.affected.extend(changes.grown.iter().chain(&changes.removed));
        changes.affected.sort_unstable();
        changes.affected.dedup();
        changes
    }
}

/// The partitions of some topics that one catalog has and the other has not.
fn partitions_beyond(catalog: &Catalog, other: &Catalog, topics: &[Uuid]) -> Vec<PlacedPartition> {
    let mut partitions = Vec::new();
    for topic in topics.iter().filter_map(|&id| catalog.image.topic(id)) {
        let known = other.image.topic(topic.id).map_or(0, |topic| topic.partitions.len());
        for index in known..topic.partitions.len() {
            let key = TopicPartitionId { topic: topic.id, partition: index as i32 };
            let core = catalog.core_of(key).expect("every partition is placed");
            partitions.push(PlacedPartition { key, topic: Arc::clone(&topic.name), core });
        }
    }
    partitions
}
