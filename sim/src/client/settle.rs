//! Whether groups have settled: every partition has one owner, the coordinator says the same, and everything was read.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use checkers::history::groups::GroupAction;
use wire::api::k09_offset_fetch::OffsetFetchRequestTopic;
use wire::api::{ConsumerGroupDescribeRequest, DescribeGroupsRequest, FindCoordinatorRequest, OffsetFetchRequest};
use wire::{ErrorCode, TopicPartitionId};

use super::consumer::{LATEST, list_offset};
use super::group::{Group, Protocol, Seat};
use super::link::{Link, Lost};
use super::member::assignor::{self, Named};
use super::{RETRY, Shared, Topic, TopicState};

const CONSUMER_GROUP_DESCRIBE_VERSION: i16 = 1;
const DESCRIBE_GROUPS_VERSION: i16 = 5;
const FIND_COORDINATOR_VERSION: i16 = 3;
const OFFSET_FETCH_VERSION: i16 = 7;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// How long the members may take to read what is left.
const READ: Duration = Duration::from_secs(60);

/// Waits until each group has settled. It must within its bound, counted from now or from the last change of topics.
pub async fn all_settle(shared: &Shared, groups: &[Rc<Group>]) {
    let calm_ns = shared.clock.now_ns();
    for group in groups {
        let within = group.plan.settles_within();
        loop {
            let Some(what) = unsettled(shared, group).await else { break };
            let since_ns = calm_ns.max(shared.topics_changed_ns.get());
            if shared.clock.now_ns() > since_ns + within.as_nanos() as u64 {
                shared.violation(format!("{} has not settled within {within:?}: {what}", group.plan.id()));
                break;
            }
            shared.clock.sleep(LOOK).await;
        }
    }
}

/// Waits until each group has read everything that there is; it reads, as nothing is written any more.
pub async fn all_read(shared: &Shared, groups: &[Rc<Group>]) {
    for group in groups.iter().filter(|group| !group.seats.borrow().is_empty()) {
        let reading = shared.clock.timeout(READ, async {
            while !has_read(shared, group).await {
                shared.clock.sleep(LOOK).await;
            }
        });
        if reading.await.is_none() {
            shared.violation(format!("{} does not read everything within {READ:?}", group.plan.id()));
        }
    }
}

fn topics_of(shared: &Shared, group: &Group) -> Vec<Topic> {
    let topics = shared.topics.borrow();
    let alive = topics.iter().filter(|topic| topic.state == TopicState::Alive);
    alive.filter(|topic| group.plan.topics.contains(&topic.name)).cloned().collect()
}

fn partitions_of(topics: &[Topic]) -> BTreeMap<TopicPartitionId, Named> {
    let of = |topic: &Topic| {
        let (id, name) = (topic.id, topic.name.clone());
        (0..topic.partitions)
            .map(move |partition| (TopicPartitionId { topic: id, partition }, (name.clone(), partition)))
    };
    topics.iter().flat_map(of).collect()
}

/// What is missing; `None` when nothing is, or when nobody is there to own anything.
async fn unsettled(shared: &Shared, group: &Group) -> Option<String> {
    let seats = group.seats.borrow().clone();
    if seats.is_empty() {
        return None;
    }
    let partitions = partitions_of(&topics_of(shared, group));
    if let Some(what) = not_owned_once(&seats, &partitions) {
        return Some(what);
    }
    let mut link = shared.link("observer").await;
    let described = match group.plan.protocol {
        Protocol::Classic => describe(&mut link, group).await,
        Protocol::Consumer { .. } => describe_consumer_group(&mut link, group).await,
    };
    match described {
        Ok(described) => disagreement(&seats, &partitions, &described),
        Err(lost) => Some(lost.to_string()),
    }
}

fn not_owned_once(
    seats: &BTreeMap<checkers::history::ProcessId, Seat>,
    partitions: &BTreeMap<TopicPartitionId, Named>,
) -> Option<String> {
    if let Some(seat) = seats.values().find(|seat| !seat.is_settled) {
        return Some(format!("member {:?} is rebalancing", seat.member_id));
    }
    partitions.iter().find_map(|(key, (topic, partition))| {
        let owners = seats.values().filter(|seat| seat.held.get(key).is_some_and(|held| held.position.is_some()));
        match owners.count() {
            1 => None,
            count => Some(format!("{topic}-{partition} has {count} owners")),
        }
    })
}

/// State, and the assignments by member id.
struct Described {
    state: String,
    members: BTreeMap<String, BTreeSet<Named>>,
}

async fn describe(link: &mut Link, group: &Group) -> Result<Described, Lost> {
    let request = DescribeGroupsRequest { groups: vec![group.plan.id()], ..Default::default() };
    let response = link.ask(DESCRIBE_GROUPS_VERSION, &request).await?;
    let Some(found) = response.groups.into_iter().next() else {
        return Err(Lost::Malformed("DescribeGroups answers nothing".into()));
    };
    let mut members = BTreeMap::new();
    for member in found.members {
        let assigned = assignor::decode(&member.member_assignment);
        members.insert(member.member_id, assigned.map_err(|error| Lost::Malformed(error.to_string()))?);
    }
    Ok(Described { state: found.group_state, members })
}

async fn describe_consumer_group(link: &mut Link, group: &Group) -> Result<Described, Lost> {
    let request = ConsumerGroupDescribeRequest { group_ids: vec![group.plan.id()], ..Default::default() };
    let response = link.ask(CONSUMER_GROUP_DESCRIBE_VERSION, &request).await?;
    let Some(found) = response.groups.into_iter().next() else {
        return Err(Lost::Malformed("ConsumerGroupDescribe answers nothing".into()));
    };
    let mut members = BTreeMap::new();
    for member in found.members {
        let topics = member.assignment.topic_partitions.into_iter();
        let assigned =
            topics.flat_map(|topic| topic.partitions.into_iter().map(move |at| (topic.topic_name.clone(), at)));
        members.insert(member.member_id, assigned.collect());
    }
    Ok(Described { state: found.group_state, members })
}

fn disagreement(
    seats: &BTreeMap<checkers::history::ProcessId, Seat>,
    partitions: &BTreeMap<TopicPartitionId, Named>,
    described: &Described,
) -> Option<String> {
    if described.state != "Stable" {
        return Some(format!("the coordinator calls it {}", described.state));
    }
    let alive = |named: &&Named| partitions.values().any(|known| known == *named);
    let told: BTreeMap<&str, BTreeSet<&Named>> =
        described.members.iter().map(|(id, has)| (id.as_str(), has.iter().filter(alive).collect())).collect();
    let holds = |seat: &Seat| -> BTreeSet<&Named> { seat.held.keys().filter_map(|key| partitions.get(key)).collect() };
    let held: BTreeMap<&str, BTreeSet<&Named>> =
        seats.values().map(|seat| (seat.member_id.as_str(), holds(seat))).collect();
    (told != held).then(|| format!("the coordinator says {told:?}, the members {held:?}"))
}

async fn has_read(shared: &Shared, group: &Group) -> bool {
    let mut link = shared.link("observer").await;
    for topic in topics_of(shared, group) {
        for partition in 0..topic.partitions {
            let key = TopicPartitionId { topic: topic.id, partition };
            let Ok(Some(end)) = list_offset(&mut link, &topic.name, partition, LATEST).await else { return false };
            let seats = group.seats.borrow();
            let position = seats.values().find_map(|seat| seat.held.get(&key)?.position);
            if position.is_none_or(|position| position < end) {
                return false;
            }
        }
    }
    true
}

/// Looks at what a group has committed, at the end.
pub(super) async fn look(shared: &Shared, link: &mut Link, group: &Group) -> Result<(), Lost> {
    let topics = topics_of(shared, group);
    let observer = shared.new_process();
    let asked: Vec<_> = topics
        .iter()
        .map(|topic| OffsetFetchRequestTopic {
            name: topic.name.clone(),
            partition_indexes: (0..topic.partitions).collect(),
        })
        .collect();
    loop {
        // The offsets topic may not be there if nobody has lived long enough to look for the coordinator.
        let find = FindCoordinatorRequest { key: group.plan.id(), key_type: 0, ..Default::default() };
        link.ask(FIND_COORDINATOR_VERSION, &find).await?;
        let asked_ns = shared.clock.now_ns();
        let request =
            OffsetFetchRequest { group_id: group.plan.id(), topics: Some(asked.clone()), ..Default::default() };
        let response = link.ask(OFFSET_FETCH_VERSION, &request).await?;
        match ErrorCode::from_code(response.error_code) {
            Some(ErrorCode::None) => {}
            Some(error) if error.is_retriable() => {
                shared.clock.sleep(RETRY).await;
                continue;
            }
            error => {
                shared.violation(format!("{} cannot be looked at: {error:?}", group.plan.id()));
                return Ok(());
            }
        }
        for answered in response.topics {
            let Some(topic) = topics.iter().find(|topic| topic.name == answered.name) else { continue };
            for answer in answered.partitions {
                let partition = TopicPartitionId { topic: topic.id, partition: answer.partition_index };
                let action = GroupAction::Fetched { partition, asked_ns, offset: answer.committed_offset };
                let at_ns = shared.clock.now_ns();
                shared.history.borrow_mut().group(group.plan.number).record(at_ns, observer, action);
            }
        }
        return Ok(());
    }
}
