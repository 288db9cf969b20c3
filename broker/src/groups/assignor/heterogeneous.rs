//! The uniform assignor where members subscribe to different topics.
//!
//! Behaviour: Kafka 4.3's `UniformHeterogeneousAssignmentBuilder`:
//! members keep what they have, what is left goes to the least loaded subscriber, and then topic by topic partitions
//! move from the most to the least loaded subscriber until no move of one partition balances any topic better, or
//! for [`PASSES_MAX`] rounds.

use std::collections::{BTreeMap, BTreeSet};

use wire::Uuid;

use super::{Assignment, GroupAssignment, GroupSpec, MemberSpec};

/// Rounds over all topics. Where subscriptions overlap each helps the next, by less and less; Kafka stops here too.
const PASSES_MAX: usize = 16;

/// A topic that somebody subscribes to. Members are named by their index in the spec's order.
struct Topic {
    id: Uuid,
    subscribers: Vec<usize>,
    /// Who has each partition.
    owners: Vec<Option<usize>>,
}

struct Builder<'a> {
    members: Vec<&'a MemberSpec<'a>>,
    /// Those that are the least spread come first: they have the fewest choices.
    topics: Vec<Topic>,
    /// How many partitions each member has.
    loads: Vec<usize>,
}

pub(super) fn assign(spec: &GroupSpec<'_>) -> GroupAssignment {
    let mut builder = Builder::new(spec);
    builder.retain();
    builder.assign_rest();
    builder.balance();
    builder.finish(spec)
}

impl<'a> Builder<'a> {
    fn new(spec: &'a GroupSpec<'a>) -> Builder<'a> {
        let mut subscribers: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
        for (index, member) in spec.members.values().enumerate() {
            for &topic in member.subscribed {
                subscribers.entry(topic).or_default().push(index);
            }
        }
        let topics = subscribers.into_iter().map(|(id, subscribers)| {
            let owners = vec![None; spec.partitions_of(id).len()];
            Topic { id, subscribers, owners }
        });
        let mut topics: Vec<Topic> = topics.collect();
        topics.sort_by(|a, b| {
            // Partitions for each subscriber, compared without dividing.
            let (left, right) = (a.owners.len() * b.subscribers.len(), b.owners.len() * a.subscribers.len());
            right.cmp(&left).then(a.subscribers.len().cmp(&b.subscribers.len())).then(a.id.cmp(&b.id))
        });
        let members: Vec<&MemberSpec<'_>> = spec.members.values().collect();
        let loads = vec![0; members.len()];
        Builder { members, topics, loads }
    }

    /// Everybody keeps what exists and is still subscribed to.
    fn retain(&mut self) {
        for topic in &mut self.topics {
            for &member in &topic.subscribers {
                let partitions = self.members[member].assigned.get(&topic.id);
                for &partition in partitions.into_iter().flatten() {
                    let owner = usize::try_from(partition).ok().and_then(|partition| topic.owners.get_mut(partition));
                    if let Some(owner @ None) = owner {
                        *owner = Some(member);
                        self.loads[member] += 1;
                    }
                }
            }
        }
    }

    fn assign_rest(&mut self) {
        for topic in &mut self.topics {
            if topic.owners.iter().all(Option::is_some) {
                continue;
            }
            let mut by_load: BTreeSet<(usize, usize)> =
                topic.subscribers.iter().map(|&member| (self.loads[member], member)).collect();
            for owner in topic.owners.iter_mut().filter(|owner| owner.is_none()) {
                let (load, member) = by_load.pop_first().expect("a topic is here for its subscribers");
                *owner = Some(member);
                self.loads[member] = load + 1;
                by_load.insert((load + 1, member));
            }
        }
    }

    fn balance(&mut self) {
        for _ in 0..PASSES_MAX {
            let mut moved = 0;
            for topic in &mut self.topics {
                moved += topic.balance(&mut self.loads);
            }
            if moved == 0 {
                break;
            }
        }
    }

    fn finish(self, spec: &GroupSpec<'_>) -> GroupAssignment {
        let mut assignments = vec![Assignment::new(); self.members.len()];
        for topic in &self.topics {
            for (partition, owner) in spec.partitions_of(topic.id).zip(&topic.owners) {
                let owner = owner.expect("all partitions of these topics are assigned");
                assignments[owner].entry(topic.id).or_default().insert(partition);
            }
        }
        spec.members.keys().map(|&member_id| member_id.to_owned()).zip(assignments).collect()
    }
}

impl Topic {
    /// Moves partitions from the most loaded members that have some to the least loaded subscribers, while that makes
    /// them more alike. Says how many it has moved.
    fn balance(&mut self, loads: &mut [usize]) -> usize {
        let least = self.subscribers.iter().map(|&member| loads[member]).min().unwrap_or(0);
        let most = self.owners.iter().flatten().map(|&member| loads[member]).max().unwrap_or(0);
        if most <= least + 1 {
            return 0;
        }
        let mut receivers: BTreeSet<(usize, usize)> =
            self.subscribers.iter().map(|&member| (loads[member], member)).collect();
        let mut owned: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (partition, owner) in self.owners.iter().enumerate() {
            owned
                .entry(owner.expect("all partitions are assigned before they are balanced"))
                .or_default()
                .push(partition);
        }
        let mut givers: BTreeSet<(usize, usize)> = owned.keys().map(|&member| (loads[member], member)).collect();
        let mut moved = 0;
        while let (Some(&(most, giver)), Some(&(least, receiver))) = (givers.last(), receivers.first()) {
            if most <= least + 1 {
                break;
            }
            givers.pop_last();
            receivers.pop_first();
            let partitions = owned.get_mut(&giver).expect("a giver has partitions");
            let partition = partitions.pop().expect("a giver has partitions");
            self.owners[partition] = Some(receiver);
            loads[giver] = most - 1;
            loads[receiver] = least + 1;
            if !partitions.is_empty() {
                givers.insert((most - 1, giver));
            }
            receivers.remove(&(most, giver));
            receivers.insert((most - 1, giver));
            // What it has received it need never give: only the least loaded receive.
            if givers.remove(&(least, receiver)) {
                givers.insert((least + 1, receiver));
            }
            receivers.insert((least + 1, receiver));
            moved += 1;
        }
        moved
    }
}
