//! The final phase, which decides: all topics that must be there are, and every partition is read from its beginning to its
//! end.

use std::collections::BTreeMap;
use std::rc::Rc;

use checkers::history::FinalRead;
use wire::{ErrorCode, TopicPartitionId};

use super::committer::{self, CommitterPlan};
use super::consumer::{EARLIEST, FETCH_VERSION, LATEST, fetch_request, list_offset};
use super::link::{Link, Lost};
use super::{RETRY, Shared, Topic, TopicState, admin, records, settle};

/// Bytes asked for at a time.
const FETCH_BYTES: i32 = 1 << 20;

/// Looks at everything.
pub async fn look(shared: Rc<Shared>, committers: Vec<CommitterPlan>) {
    loop {
        let mut link = shared.link("finale").await;
        match look_once(&shared, &mut link, &committers).await {
            Ok(()) => return,
            Err(Lost::Malformed(what)) => {
                shared.violation(format!("finale: {what}"));
                return;
            }
            Err(lost) => shared.trace.event(format_args!("finale: {lost}")),
        }
    }
}

async fn look_once(shared: &Shared, link: &mut Link, committers: &[CommitterPlan]) -> Result<(), Lost> {
    let found = admin::metadata(link, None).await?;
    let topics = shared.topics.borrow().clone();
    for topic in &topics {
        let there = found.iter().find(|(_, id, _)| *id == topic.id);
        match (topic.state, there) {
            (TopicState::Alive, None) => shared.violation(format!("topic {} is lost", topic.name)),
            (TopicState::Alive, Some((_, _, partitions))) if *partitions != topic.partitions as usize => {
                shared.violation(format!("topic {} has {partitions} partitions", topic.name));
            }
            (TopicState::Deleted, Some(_)) => shared.violation(format!("topic {} came back", topic.name)),
            _ => {}
        }
        if topic.state == TopicState::Alive {
            let settings = match topic.configs.is_empty() {
                true => BTreeMap::new(),
                false => admin::settings(link, &topic.name).await?,
            };
            for (setting, value) in &topic.configs {
                let found = settings.get(*setting).cloned().flatten();
                if found.as_deref() != Some(*value) {
                    shared.violation(format!("topic {}: {setting} is {found:?}, not {value}", topic.name));
                }
            }
            for partition in 0..topic.partitions {
                let last = read(shared, link, topic, partition).await?;
                let key = TopicPartitionId { topic: topic.id, partition };
                shared.history.borrow_mut().partition(key).last = last;
            }
        }
    }
    for plan in committers {
        if !shared.may_be_gone(plan.partition.0.topic) {
            committer::look(shared, link, plan).await?;
        }
    }
    let groups = shared.groups.borrow().clone();
    for group in &groups {
        settle::look(shared, link, group).await?;
    }
    Ok(())
}

async fn read(shared: &Shared, link: &mut Link, topic: &Topic, partition: i32) -> Result<Option<FinalRead>, Lost> {
    let key = TopicPartitionId { topic: topic.id, partition };
    let ends = (
        list_offset(link, &topic.name, partition, EARLIEST).await?,
        list_offset(link, &topic.name, partition, LATEST).await?,
    );
    let (Some(log_start), Some(end)) = ends else {
        shared.violation(format!("{}-{partition} does not say what it has", topic.name));
        return Ok(None);
    };
    let mut last = FinalRead { log_start, end, records: Vec::new() };
    let mut position = log_start;
    while position < end {
        let request = fetch_request(&BTreeMap::from([(key, position)]), FETCH_BYTES, 0);
        let response = link.ask(FETCH_VERSION, &request).await?;
        let data = response.responses.into_iter().flat_map(|topic| topic.partitions).next();
        let data = data.ok_or_else(|| Lost::Malformed("a fetch answers nothing".into()))?;
        match ErrorCode::from_code(data.error_code) {
            Some(ErrorCode::None) => {}
            // Retention has gone on; the new log start is told once it is durable.
            Some(ErrorCode::OffsetOutOfRange) if shared.history.borrow_mut().partition(key).has_retention => {
                shared.clock.sleep(RETRY).await;
                let start = list_offset(link, &topic.name, partition, EARLIEST).await?.unwrap_or(position);
                if start > position {
                    (last.log_start, position) = (start, start);
                    last.records.clear();
                }
                continue;
            }
            Some(error) if error.is_retriable() => {
                shared.clock.sleep(RETRY).await;
                continue;
            }
            _ => {
                shared.violation(format!("{}-{partition} at {position}: error {}", topic.name, data.error_code));
                return Ok(None);
            }
        }
        match records::read(data.records.unwrap_or_default(), position) {
            Ok(found) => {
                last.records.extend(found.records);
                if found.next > position {
                    position = found.next;
                    continue;
                }
            }
            Err(what) => {
                shared.violation(format!("{}-{partition} at {position}: {what}", topic.name));
                return Ok(None);
            }
        }
        shared.violation(format!("{}-{partition} has nothing at {position}, below {end}", topic.name));
        return Ok(None);
    }
    shared.trace.event(format_args!("{}-{partition} holds {log_start}..{end}", topic.name));
    Ok(Some(last))
}
