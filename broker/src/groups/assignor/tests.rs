//! Small cases by hand, Kafka's own assignors as the oracle, and what must hold for any group.

mod kafka;
mod properties;

use super::*;

/// Topic ids by number.
const fn topic(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// A member that owns what its spec borrows.
#[derive(Debug, Clone, Default)]
struct OwnedMember {
    instance_id: Option<String>,
    subscribed: BTreeSet<Uuid>,
    assigned: Assignment,
}

/// A group that owns what its spec borrows.
#[derive(Debug, Clone, Default)]
struct OwnedGroup {
    members: BTreeMap<String, OwnedMember>,
    partitions: BTreeMap<Uuid, i32>,
}

impl OwnedGroup {
    /// Topics 1, 2, … with these numbers of partitions.
    fn with_topics(partitions: &[i32]) -> OwnedGroup {
        let partitions = (1..).map(topic).zip(partitions.iter().copied()).collect();
        OwnedGroup { members: BTreeMap::new(), partitions }
    }

    fn join(&mut self, member_id: &str, topics: &[u128]) -> &mut OwnedMember {
        let subscribed = topics.iter().copied().map(topic).collect();
        self.members.entry(member_id.to_owned()).or_insert(OwnedMember { subscribed, ..OwnedMember::default() })
    }

    fn spec(&self) -> GroupSpec<'_> {
        let members = self.members.iter().map(|(member_id, member)| {
            let OwnedMember { instance_id, subscribed, assigned } = member;
            (member_id.as_str(), MemberSpec { instance_id: instance_id.as_deref(), subscribed, assigned })
        });
        GroupSpec { members: members.collect(), partitions: self.partitions.clone() }
    }

    /// Lets an assignor run, and its result be what the members have.
    fn assign(&mut self, assignor: Assignor) -> GroupAssignment {
        let assignment = assignor.assign(&self.spec());
        self.check(&assignment);
        for (member_id, assigned) in &assignment {
            self.members.get_mut(member_id).expect("only members are assigned").assigned = assigned.clone();
        }
        assignment
    }

    /// What holds of every assignment: each partition that somebody subscribes to is with one member, who subscribes.
    fn check(&self, assignment: &GroupAssignment) {
        assert!(assignment.keys().eq(self.members.keys()), "every member is told");
        let subscribed: BTreeSet<Uuid> = self.members.values().flat_map(|member| &member.subscribed).copied().collect();
        let exists = |topic: &Uuid| self.partitions.get(topic).map(|&partitions| (*topic, partitions));
        let all = subscribed.iter().filter_map(exists);
        let all: BTreeSet<(Uuid, i32)> =
            all.flat_map(|(topic, count)| (0..count).map(move |one| (topic, one))).collect();
        let mut seen = BTreeSet::new();
        for (member_id, assigned) in assignment {
            for (topic, partitions) in assigned {
                assert!(
                    self.members[member_id].subscribed.contains(topic),
                    "{member_id} does not subscribe to {topic}"
                );
                assert!(!partitions.is_empty(), "no topic without partitions");
                for &partition in partitions {
                    assert!(seen.insert((*topic, partition)), "{topic}-{partition} has two owners");
                }
            }
        }
        assert_eq!(seen, all, "all partitions are assigned");
    }

    /// Partitions of the assignment that were not with the same member before.
    fn gained(&self, assignment: &GroupAssignment) -> usize {
        let had = |member_id: &str, topic: &Uuid, partition: &i32| {
            self.members[member_id].assigned.get(topic).is_some_and(|partitions| partitions.contains(partition))
        };
        let gained = assignment.iter().flat_map(|(member_id, assigned)| {
            assigned.iter().flat_map(move |(topic, partitions)| {
                partitions.iter().filter(move |partition| !had(member_id, topic, partition))
            })
        });
        gained.count()
    }
}

fn load(assigned: &Assignment) -> usize {
    assigned.values().map(BTreeSet::len).sum()
}

fn partitions<const N: usize>(number: u128, partitions: [i32; N]) -> (Uuid, BTreeSet<i32>) {
    (topic(number), BTreeSet::from(partitions))
}

#[test]
fn a_group_without_members_is_assigned_nothing() {
    for assignor in Assignor::ALL {
        assert!(OwnedGroup::with_topics(&[3]).assign(assignor).is_empty(), "{assignor:?}");
    }
}

#[test]
fn members_that_subscribe_to_nothing_get_nothing() {
    let mut group = OwnedGroup::with_topics(&[3]);
    group.join("a", &[]);
    for assignor in Assignor::ALL {
        assert_eq!(
            group.assign(assignor),
            GroupAssignment::from([("a".to_owned(), Assignment::new())]),
            "{assignor:?}"
        );
    }
}

#[test]
fn topics_that_do_not_exist_give_nothing() {
    let mut group = OwnedGroup::with_topics(&[1]);
    group.join("a", &[1, 2]);
    group.join("b", &[2]).assigned = Assignment::from([partitions(2, [0])]);
    for assignor in Assignor::ALL {
        let assignment = group.assign(assignor);
        assert_eq!(assignment["a"], Assignment::from([partitions(1, [0])]), "{assignor:?}");
        assert!(assignment["b"].is_empty(), "{assignor:?}");
    }
}

#[test]
fn range_splits_topics_alike_and_puts_static_members_first() {
    let mut group = OwnedGroup::with_topics(&[3, 3]);
    group.join("a", &[1, 2]);
    group.join("b", &[1, 2]).instance_id = Some("static".to_owned());
    let assignment = group.assign(Assignor::Range);
    assert_eq!(assignment["b"], Assignment::from([partitions(1, [0, 1]), partitions(2, [0, 1])]));
    assert_eq!(assignment["a"], Assignment::from([partitions(1, [2]), partitions(2, [2])]));
}

#[test]
fn uniform_leaves_the_one_partition_more_with_whom_it_is() {
    let mut group = OwnedGroup::with_topics(&[5]);
    group.join("a", &[1]);
    group.join("b", &[1]).assigned = Assignment::from([partitions(1, [0, 1, 2])]);
    group.join("c", &[1]).assigned = Assignment::from([partitions(1, [3, 4])]);
    let assignment = group.assign(Assignor::Uniform);
    assert_eq!(assignment["a"], Assignment::from([partitions(1, [2])]));
    assert_eq!(assignment["b"], Assignment::from([partitions(1, [0, 1])]));
    assert_eq!(assignment["c"], Assignment::from([partitions(1, [3, 4])]));
}

#[test]
fn a_partition_that_two_members_claim_stays_with_one_of_them() {
    let mut group = OwnedGroup::with_topics(&[2]);
    for member_id in ["a", "b"] {
        group.join(member_id, &[1]).assigned = Assignment::from([partitions(1, [-1, 0, 1, 7])]);
    }
    for _ in 0..2 {
        let assignment = group.assign(Assignor::Uniform);
        assert!(assignment.values().all(|assigned| load(assigned) == 1));
        group.join("c", &[1, 2]);
        group.partitions.insert(topic(1), 3);
    }
}
