//! What consumer groups cost that the broker assigns: an assignor's run while the group's core does nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use broker::groups::assignor::{Assignment, Assignor, GroupAssignment, GroupSpec, MemberSpec};
use broker::groups::topic_regex::TopicRegex;
use criterion::{Criterion, criterion_group, criterion_main};
use wire::Uuid;

const MEMBERS: usize = 1_000;
const TOPICS: u128 = 100;
const PARTITIONS: i32 = 100;

/// A group of many members.
struct Group {
    subscriptions: BTreeMap<String, BTreeSet<Uuid>>,
    assigned: GroupAssignment,
}

impl Group {
    /// `is_subscribed` says which member (by number) subscribes to which topic.
    fn new(is_subscribed: impl Fn(usize, u128) -> bool) -> Group {
        let subscribes = &is_subscribed;
        let topics_of = |member| (1..=TOPICS).filter(move |&topic| subscribes(member, topic)).map(Uuid::from_u128);
        let member_id = |member: usize| format!("member-{member:04}");
        let subscriptions = (0..MEMBERS).map(|member| (member_id(member), topics_of(member).collect()));
        Group { subscriptions: subscriptions.collect(), assigned: GroupAssignment::new() }
    }

    fn assign(&self, assignor: Assignor) -> GroupAssignment {
        let nothing = Assignment::new();
        let members = self.subscriptions.iter().map(|(member_id, subscribed)| {
            let assigned = self.assigned.get(member_id).unwrap_or(&nothing);
            (member_id.as_str(), MemberSpec { instance_id: None, subscribed, assigned })
        });
        let partitions = (1..=TOPICS).map(|topic| (Uuid::from_u128(topic), PARTITIONS)).collect();
        assignor.assign(&GroupSpec { members: members.collect(), partitions })
    }

    /// A tenth of the members go, whose partitions are to be given to the others.
    fn lose_members(&mut self) {
        self.assigned = self.assign(Assignor::Uniform);
        let mut number = 0;
        self.subscriptions.retain(|_, _| {
            number += 1;
            number % 10 != 0
        });
    }
}

fn assign(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("assign 10,000 partitions to 1,000 members");
    let same = Group::new(|_, _| true);
    let mut different = Group::new(|member, topic| member as u128 % 7 != topic % 7);
    group.bench_function("range", |bencher| bencher.iter(|| black_box(same.assign(Assignor::Range))));
    group.bench_function("uniform, afresh", |bencher| bencher.iter(|| black_box(same.assign(Assignor::Uniform))));
    group.bench_function("uniform, different subscriptions, afresh", |bencher| {
        bencher.iter(|| black_box(different.assign(Assignor::Uniform)));
    });
    let mut same = same;
    same.lose_members();
    group.bench_function("uniform, a tenth gone", |bencher| bencher.iter(|| black_box(same.assign(Assignor::Uniform))));
    different.lose_members();
    group.bench_function("uniform, different subscriptions, a tenth gone", |bencher| {
        bencher.iter(|| black_box(different.assign(Assignor::Uniform)));
    });
    group.finish();
}

fn resolve(criterion: &mut Criterion) {
    let topics: Vec<String> = (0..10_000).map(|number| format!("team-{}.orders-{number}", number % 50)).collect();
    criterion.bench_function("resolve an expression against 10,000 topics", |bencher| {
        bencher.iter(|| {
            let regex = TopicRegex::parse(black_box(r"team-(1|2[0-5])\..*[02468]")).expect("it is valid");
            black_box(regex.resolve(topics.iter().map(String::as_str)))
        });
    });
}

criterion_group!(benches, assign, resolve);
criterion_main!(benches);
