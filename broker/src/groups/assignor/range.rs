//! The range assignor.
//!
//! Behaviour: Kafka 4.3's `RangeAssignor`. Static members come first, by instance id, so that one that comes back under
//! another member id gets its ranges again; then the others by member id. It is not sticky beyond that.
//! Deviations: none; ids that are no ASCII are ordered by code point, not by UTF-16 unit.

use std::collections::BTreeMap;

use wire::Uuid;

use super::{Assignment, GroupAssignment, GroupSpec, MemberSpec};

/// How far a topic is given out.
struct Ranges {
    /// The first partition that nobody has.
    next: i32,
    /// Partitions that each subscriber gets.
    quota: i32,
    /// How many of the subscribers to come get one more.
    extra: i32,
}

pub(super) fn assign(spec: &GroupSpec<'_>) -> GroupAssignment {
    let mut subscribers: BTreeMap<Uuid, i32> = BTreeMap::new();
    for &topic in spec.members.values().flat_map(|member| member.subscribed) {
        *subscribers.entry(topic).or_default() += 1;
    }
    let ranges = subscribers.into_iter().map(|(topic, subscribers)| {
        let partitions = spec.partitions_of(topic).end;
        (topic, Ranges { next: 0, quota: partitions / subscribers, extra: partitions % subscribers })
    });
    let mut ranges: BTreeMap<Uuid, Ranges> = ranges.collect();
    let mut members: Vec<(&str, &MemberSpec<'_>)> = spec.members.iter().map(|(&id, member)| (id, member)).collect();
    members.sort_by_key(|&(member_id, member)| (member.instance_id.is_none(), member.instance_id, member_id));
    let give = |(member_id, member): (&str, &MemberSpec<'_>)| {
        let mut assignment = Assignment::new();
        for topic in member.subscribed {
            let ranges = ranges.get_mut(topic).expect("each subscribed topic is counted");
            let end = ranges.next + ranges.quota + i32::from(ranges.extra > 0);
            if ranges.next < end {
                assignment.insert(*topic, (ranges.next..end).collect());
            }
            ranges.next = end;
            ranges.extra = (ranges.extra - 1).max(0);
        }
        (member_id.to_owned(), assignment)
    };
    members.into_iter().map(give).collect()
}
