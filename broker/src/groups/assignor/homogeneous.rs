//! The uniform assignor where all members subscribe to the same topics.
//!
//! Behaviour: Kafka 4.3's `UniformHomogeneousAssignmentBuilder`: members differ by one partition at most. Who has one
//! more already keeps it, so that no assignment that is as balanced moves less.

use std::collections::BTreeSet;

use wire::{TopicPartitionId, Uuid};

use super::{Assignment, GroupAssignment, GroupSpec};

pub(super) fn assign(spec: &GroupSpec<'_>, topics: &BTreeSet<Uuid>) -> GroupAssignment {
    let partitions_of = |&topic| spec.partitions_of(topic).map(move |partition| TopicPartitionId { topic, partition });
    let mut unassigned: BTreeSet<TopicPartitionId> = topics.iter().flat_map(partitions_of).collect();
    let quota = unassigned.len() / spec.members.len();
    let mut extra = unassigned.len() % spec.members.len();

    let mut kept: Vec<Vec<TopicPartitionId>> = Vec::with_capacity(spec.members.len());
    for member in spec.members.values() {
        let assigned = member.assigned.iter().flat_map(|(&topic, partitions)| {
            partitions.iter().map(move |&partition| TopicPartitionId { topic, partition })
        });
        kept.push(assigned.filter(|partition| unassigned.remove(partition)).collect());
    }
    let mut quotas = vec![quota; kept.len()];
    let by_need = |is_above: bool| kept.iter().enumerate().filter(move |(_, kept)| (kept.len() > quota) == is_above);
    for (member, _) in by_need(true).chain(by_need(false)).take(extra) {
        quotas[member] += 1;
        extra -= 1;
    }
    assert_eq!(extra, 0, "there are fewer partitions left over than members");
    for (kept, quota) in kept.iter_mut().zip(&quotas) {
        unassigned.extend(kept.drain(kept.len().min(*quota)..));
    }
    let mut unassigned = unassigned.into_iter();
    for (kept, quota) in kept.iter_mut().zip(&quotas) {
        kept.extend(unassigned.by_ref().take(quota - kept.len()));
    }
    assert!(unassigned.next().is_none(), "the quotas add up to all partitions");
    let member_ids = spec.members.keys().map(|&member_id| member_id.to_owned());
    member_ids.zip(kept.into_iter().map(by_topic)).collect()
}

fn by_topic(partitions: Vec<TopicPartitionId>) -> Assignment {
    let mut assignment = Assignment::new();
    for TopicPartitionId { topic, partition } in partitions {
        assignment.entry(topic).or_default().insert(partition);
    }
    assignment
}
