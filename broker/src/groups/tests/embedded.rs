//! The consumers' own protocol in transcripts: `?TOPIC,…[/OWNED-PARTITION,…]` is a subscription, `@TOPIC-PARTITION,…` an
//! assignment. Any other text stands for itself, as groups that are not upgraded do not look inside.

use std::collections::BTreeMap;

use bytes::Bytes;
use wire::records::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition};

fn partitions(text: &str) -> Vec<TopicPartition> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for word in text.split(',').filter(|word| !word.is_empty()) {
        let (topic, partition) = word.rsplit_once('-').expect("TOPIC-PARTITION");
        topics.entry(topic.to_owned()).or_default().push(partition.parse().expect("a partition"));
    }
    topics.into_iter().map(|(topic, partitions)| TopicPartition { topic, partitions }).collect()
}

fn show_partitions(topics: &[TopicPartition]) -> String {
    let all = topics.iter().flat_map(|TopicPartition { topic, partitions }| {
        partitions.iter().map(move |partition| format!("{topic}-{partition}"))
    });
    all.collect::<Vec<_>>().join(",")
}

/// The bytes that a text stands for.
pub fn to_bytes(text: &str) -> Bytes {
    if let Some(subscription) = text.strip_prefix('?') {
        let (topics, owned) = subscription.split_once('/').unwrap_or((subscription, ""));
        let subscription = ConsumerProtocolSubscription {
            topics: topics.split(',').map(str::to_owned).collect(),
            owned_partitions: partitions(owned),
            ..ConsumerProtocolSubscription::default()
        };
        return subscription.to_bytes().into();
    }
    if let Some(assigned) = text.strip_prefix('@') {
        let assigned_partitions = partitions(assigned);
        return ConsumerProtocolAssignment { assigned_partitions, user_data: None }.to_bytes().into();
    }
    Bytes::copy_from_slice(text.as_bytes())
}

/// No text in a transcript begins like the version that the embedded protocol begins with.
fn is_embedded(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0)
}

/// A member's metadata.
pub fn show_metadata(bytes: &[u8]) -> String {
    if !is_embedded(bytes) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let subscription = ConsumerProtocolSubscription::from_bytes(bytes).expect("a subscription");
    let owned = show_partitions(&subscription.owned_partitions);
    let owned = if owned.is_empty() { owned } else { format!("/{owned}") };
    format!("?{}{owned}", subscription.topics.join(","))
}

/// A member's assignment.
pub fn show_assignment(bytes: &[u8]) -> String {
    if !is_embedded(bytes) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let assignment = ConsumerProtocolAssignment::from_bytes(bytes).expect("an assignment");
    format!("@{}", show_partitions(&assignment.assigned_partitions))
}
