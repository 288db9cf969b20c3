//! The clients' own assignors: range, round robin, and one that is sticky and incremental, in the way of Kafka's.
//!
//! All members of a simulated group read the same topics.

use std::collections::{BTreeMap, BTreeSet};

use wire::api::k11_join_group::JoinGroupResponseMember;
use wire::codec::DecodeError;
use wire::records::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition};

/// A partition by its topic's name.
pub type Named = (String, i32);

/// By member id.
pub type Assignments = BTreeMap<String, BTreeSet<Named>>;

/// How a leader assigns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// Each topic in stretches.
    Range,
    /// All partitions in turn.
    RoundRobin,
    /// Everybody keeps what may be kept; what moves is first given up (KIP-429).
    CooperativeSticky,
}

impl Assignor {
    /// As clients name it.
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Range => "range",
            Assignor::RoundRobin => "roundrobin",
            Assignor::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// That of a name.
    pub fn named(name: &str) -> Option<Assignor> {
        [Assignor::Range, Assignor::RoundRobin, Assignor::CooperativeSticky]
            .into_iter()
            .find(|assignor| assignor.name() == name)
    }

    /// Who gets what. `topics` are those that the group reads, with the number of their partitions.
    ///
    /// # Errors
    /// A member's metadata cannot be read.
    pub fn assign(
        self,
        members: &[JoinGroupResponseMember],
        topics: &BTreeMap<String, i32>,
    ) -> Result<Assignments, DecodeError> {
        let mut ids: Vec<&str> = members.iter().map(|member| member.member_id.as_str()).collect();
        ids.sort_unstable();
        Ok(match self {
            Assignor::Range => range(&ids, topics),
            Assignor::RoundRobin => round_robin(&ids, topics),
            Assignor::CooperativeSticky => cooperative(&ids, topics, &owned(members)?),
        })
    }
}

fn range(ids: &[&str], topics: &BTreeMap<String, i32>) -> Assignments {
    let mut assigned = nobody_has_anything(ids);
    for (topic, &count) in topics {
        let (each, more) = (count / ids.len() as i32, count % ids.len() as i32);
        let mut next = 0;
        for (index, id) in ids.iter().enumerate() {
            let end = next + each + i32::from((index as i32) < more);
            assigned
                .entry((*id).to_owned())
                .or_default()
                .extend((next..end).map(|partition| (topic.clone(), partition)));
            next = end;
        }
    }
    assigned
}

fn round_robin(ids: &[&str], topics: &BTreeMap<String, i32>) -> Assignments {
    let mut assigned = nobody_has_anything(ids);
    for (partition, id) in all(topics).zip(ids.iter().cycle()) {
        assigned.entry((*id).to_owned()).or_default().insert(partition);
    }
    assigned
}

/// Fills everybody up to its share, first with what it has, then with what is left; whatever another member still has is
/// left out, so that it can be given up first.
fn cooperative(ids: &[&str], topics: &BTreeMap<String, i32>, owned: &Assignments) -> Assignments {
    let mut left: BTreeSet<Named> = all(topics).collect();
    let (total, count) = (left.len(), ids.len());
    let mut larger_shares = total % count;
    let mut assigned = nobody_has_anything(ids);
    for id in ids {
        let has = owned.get(*id).into_iter().flatten();
        let has: Vec<Named> = has.filter(|partition| left.contains(*partition)).cloned().collect();
        let mut share = total / count;
        if has.len() > share && larger_shares > 0 {
            larger_shares -= 1;
            share += 1;
        }
        for partition in has.into_iter().take(share) {
            left.remove(&partition);
            assigned.entry((*id).to_owned()).or_default().insert(partition);
        }
    }
    for partition in left {
        let (_, poorest) = assigned
            .iter_mut()
            .map(|(_, has)| (has.len(), has))
            .min_by_key(|(len, _)| *len)
            .expect("a leader is there");
        poorest.insert(partition);
    }
    for (id, partitions) in &mut assigned {
        let has_another = |partition: &Named| owned.iter().any(|(other, has)| other != id && has.contains(partition));
        partitions.retain(|partition| !has_another(partition));
    }
    assigned
}

/// What members say they have, as far as nobody says so for a newer generation. What two say in one is nobody's.
fn owned(members: &[JoinGroupResponseMember]) -> Result<Assignments, DecodeError> {
    let mut claims: BTreeMap<Named, (i32, Vec<&str>)> = BTreeMap::new();
    for member in members {
        let subscription = ConsumerProtocolSubscription::from_bytes(&member.metadata)?;
        for partition in names(subscription.owned_partitions) {
            let (generation, owners) = claims.entry(partition).or_insert((subscription.generation_id, Vec::new()));
            if *generation < subscription.generation_id {
                (*generation, *owners) = (subscription.generation_id, Vec::new());
            }
            if *generation == subscription.generation_id {
                owners.push(&member.member_id);
            }
        }
    }
    let mut owned = Assignments::new();
    for (partition, (_, owners)) in claims {
        if let [owner] = owners[..] {
            owned.entry(owner.to_owned()).or_default().insert(partition);
        }
    }
    Ok(owned)
}

fn all(topics: &BTreeMap<String, i32>) -> impl Iterator<Item = Named> {
    topics.iter().flat_map(|(topic, &count)| (0..count).map(|partition| (topic.clone(), partition)))
}

fn nobody_has_anything(ids: &[&str]) -> Assignments {
    ids.iter().map(|id| ((*id).to_owned(), BTreeSet::new())).collect()
}

/// Partitions one by one.
pub fn names(topics: Vec<TopicPartition>) -> BTreeSet<Named> {
    let of =
        |topic: TopicPartition| topic.partitions.into_iter().map(move |partition| (topic.topic.clone(), partition));
    topics.into_iter().flat_map(of).collect()
}

/// Partitions by topic.
pub fn by_topic(partitions: &BTreeSet<Named>) -> Vec<TopicPartition> {
    let mut topics: Vec<TopicPartition> = Vec::new();
    for (topic, partition) in partitions {
        match topics.last_mut().filter(|last| last.topic == *topic) {
            Some(last) => last.partitions.push(*partition),
            None => topics.push(TopicPartition { topic: topic.clone(), partitions: vec![*partition] }),
        }
    }
    topics
}

/// As SyncGroup carries it.
pub fn encode(partitions: &BTreeSet<Named>) -> Vec<u8> {
    let assigned_partitions = by_topic(partitions);
    ConsumerProtocolAssignment { assigned_partitions, ..Default::default() }.to_bytes()
}

/// From SyncGroup's bytes; none where there are no bytes.
///
/// # Errors
/// They are no assignment.
pub fn decode(bytes: &[u8]) -> Result<BTreeSet<Named>, DecodeError> {
    if bytes.is_empty() {
        return Ok(BTreeSet::new());
    }
    Ok(names(ConsumerProtocolAssignment::from_bytes(bytes)?.assigned_partitions))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn topics(counts: &[i32]) -> BTreeMap<String, i32> {
        counts.iter().enumerate().map(|(index, count)| (format!("t{index}"), *count)).collect()
    }

    fn member(id: &str, generation_id: i32, owned: &[(&str, i32)]) -> JoinGroupResponseMember {
        let owned = owned.iter().map(|(topic, partition)| ((*topic).to_owned(), *partition)).collect();
        let subscription =
            ConsumerProtocolSubscription { owned_partitions: by_topic(&owned), generation_id, ..Default::default() };
        let metadata = Bytes::from(subscription.to_bytes());
        JoinGroupResponseMember { member_id: id.to_owned(), group_instance_id: None, metadata }
    }

    fn show(assignments: &Assignments) -> Vec<String> {
        let partitions = |has: &BTreeSet<Named>| {
            has.iter().map(|(topic, partition)| format!("{topic}-{partition}")).collect::<Vec<_>>().join(" ")
        };
        assignments.iter().map(|(id, has)| format!("{id}: {}", partitions(has))).collect()
    }

    fn assign(assignor: Assignor, members: &[JoinGroupResponseMember], counts: &[i32]) -> Vec<String> {
        show(&assignor.assign(members, &topics(counts)).unwrap())
    }

    #[test]
    fn range_gives_stretches_and_round_robin_takes_turns() {
        let members = [member("b", -1, &[]), member("a", -1, &[])];
        assert_eq!(assign(Assignor::Range, &members, &[3, 1]), ["a: t0-0 t0-1 t1-0", "b: t0-2"]);
        assert_eq!(assign(Assignor::RoundRobin, &members, &[3, 1]), ["a: t0-0 t0-2", "b: t0-1 t1-0"]);
    }

    #[test]
    fn what_moves_is_left_out_until_it_is_given_up() {
        let has_all = member("a", 3, &[("t0", 0), ("t0", 1), ("t0", 2), ("t0", 3)]);
        let sticky = |members: &[_]| assign(Assignor::CooperativeSticky, members, &[4]);
        assert_eq!(sticky(&[has_all, member("b", -1, &[])]), ["a: t0-0 t0-1", "b: "]);
        let has_half = member("a", 4, &[("t0", 0), ("t0", 1)]);
        assert_eq!(sticky(&[has_half, member("b", 4, &[])]), ["a: t0-0 t0-1", "b: t0-2 t0-3"]);
    }

    #[test]
    fn an_older_claim_does_not_count() {
        let members = [member("a", 3, &[("t0", 0)]), member("b", 2, &[("t0", 0), ("t0", 1)])];
        assert_eq!(assign(Assignor::CooperativeSticky, &members, &[2]), ["a: t0-0", "b: t0-1"]);
    }
}
