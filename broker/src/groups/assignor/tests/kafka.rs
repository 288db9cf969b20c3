//! What Kafka 4.3.1's own assignors made of random groups (`testdata/Cases.java` has written them down).

use super::*;

const CASES: &str = include_str!("../testdata/kafka-4.3.1.txt");

/// One run of an assignor.
struct Case {
    line: usize,
    assignor: Assignor,
    group: OwnedGroup,
    kafka: GroupAssignment,
}

fn topic_named(name: &str) -> Uuid {
    topic(name.strip_prefix('t').and_then(|number| number.parse().ok()).expect("a topic is called t and its number"))
}

fn assignment(text: &str) -> Assignment {
    let topics = text.split(';').filter(|text| *text != "-").map(|text| {
        let (name, partitions) = text.split_once(':').expect("a topic, then its partitions");
        let partitions = partitions.split(',').map(|partition| partition.parse().expect("partitions are numbers"));
        (topic_named(name), partitions.collect())
    });
    topics.collect()
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (index, line) in CASES.lines().enumerate() {
        let Some(member) = line.strip_prefix("  ") else {
            let (assignor, topics) = line.split_once(' ').expect("an assignor, then topics");
            let topics = topics.split(' ').map(|topic| topic.split_once('=').expect("a topic and its partitions"));
            let partitions = topics.map(|(topic, count)| (topic_named(topic), count.parse().expect("a number")));
            let group = OwnedGroup { members: BTreeMap::new(), partitions: partitions.collect() };
            let assignor = Assignor::named(assignor).expect("we have it too");
            cases.push(Case { line: index + 1, assignor, group, kafka: BTreeMap::new() });
            continue;
        };
        let case = cases.last_mut().expect("a case begins with its topics");
        let (ids, rest) = member.split_once(" [").expect("ids, then a subscription");
        let (subscribed, rest) = rest.split_once("] ").expect("a subscription, then an assignment");
        let (member_id, instance_id) = ids.split_once(' ').expect("two ids");
        let (before, after) = rest.split_once(" -> ").expect("assignments before and after");
        let member = OwnedMember {
            instance_id: Some(instance_id).filter(|id| *id != "-").map(str::to_owned),
            subscribed: subscribed.split(' ').filter(|name| !name.is_empty()).map(topic_named).collect(),
            assigned: assignment(before),
        };
        case.group.members.insert(member_id.to_owned(), member);
        case.kafka.insert(member_id.to_owned(), assignment(after));
    }
    cases
}

/// How uneven an assignment is: least where all have the same.
fn unevenness(assignment: &GroupAssignment) -> usize {
    assignment.values().map(|assigned| load(assigned).pow(2)).sum()
}

#[test]
fn range_assigns_partition_by_partition_what_kafka_assigns() {
    let mut compared = 0;
    for Case { line, group, kafka, .. } in cases().into_iter().filter(|case| case.assignor == Assignor::Range) {
        assert_eq!(Assignor::Range.assign(&group.spec()), kafka, "line {line}");
        compared += 1;
    }
    assert!(compared >= 80);
}

#[test]
fn uniform_is_as_even_as_kafka_and_moves_no_more() {
    let (mut compared, mut heterogeneous, mut moved) = (0, 0, 0);
    for Case { line, group, kafka, .. } in cases().into_iter().filter(|case| case.assignor == Assignor::Uniform) {
        let ours = Assignor::Uniform.assign(&group.spec());
        group.check(&ours);
        group.check(&kafka);
        assert!(unevenness(&ours) <= unevenness(&kafka), "line {line}: {ours:?}");
        if unevenness(&ours) == unevenness(&kafka) {
            assert!(group.gained(&ours) <= group.gained(&kafka), "line {line}: {ours:?}");
        }
        compared += 1;
        heterogeneous += usize::from(group.spec().common_subscription().is_none());
        moved += group.gained(&kafka);
    }
    assert!(compared >= 400 && heterogeneous >= 150 && moved >= 1_000, "{compared} {heterogeneous} {moved}");
}
