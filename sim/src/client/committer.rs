//! A group outside of any membership: commits growing offsets and asks for them.

use std::rc::Rc;
use std::time::Duration;

use checkers::history::Event;
use wire::api::k08_offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::api::k09_offset_fetch::OffsetFetchRequestTopic;
use wire::api::{FindCoordinatorRequest, OffsetCommitRequest, OffsetFetchRequest};
use wire::{ErrorCode, TopicPartitionId};

use super::link::{Link, Lost};
use super::{RETRY, Shared};

const FIND_COORDINATOR_VERSION: i16 = 3;
const OFFSET_COMMIT_VERSION: i16 = 8;
const OFFSET_FETCH_VERSION: i16 = 7;

/// What a group is to do.
#[derive(Clone, Debug)]
pub struct CommitterPlan {
    /// Its number.
    pub group: u32,
    /// What it commits for, with the topic's name.
    pub partition: (TopicPartitionId, String),
    /// How often it commits.
    pub commits: i64,
    /// Between two commits, at most.
    pub pause: Duration,
}

impl CommitterPlan {
    /// The group's id.
    pub fn group_id(&self) -> String {
        format!("group-{}", self.group)
    }
}

/// Commits 1, 2, … and looks at what is committed after each connection anew.
pub async fn commit(shared: Rc<Shared>, plan: CommitterPlan) {
    let mut next = 1;
    while next <= plan.commits {
        let mut link = shared.link(&plan.group_id()).await;
        match work(&shared, &mut link, &plan, &mut next).await {
            Ok(()) => {}
            Err(Lost::Malformed(what)) => shared.violation(format!("{}: {what}", plan.group_id())),
            Err(lost) => shared.trace.event(format_args!("{}: {lost}", plan.group_id())),
        }
    }
}

async fn work(shared: &Shared, link: &mut Link, plan: &CommitterPlan, next: &mut i64) -> Result<(), Lost> {
    look(shared, link, plan).await?;
    while *next <= plan.commits {
        let pause = shared.dice.delay(&(Duration::ZERO..=plan.pause));
        shared.clock.sleep(pause).await;
        let partitions = vec![OffsetCommitRequestPartition {
            partition_index: plan.partition.0.partition,
            committed_offset: *next,
            committed_metadata: Some(String::new()),
            ..Default::default()
        }];
        let topics =
            vec![OffsetCommitRequestTopic { name: plan.partition.1.clone(), partitions, ..Default::default() }];
        let request = OffsetCommitRequest { group_id: plan.group_id(), topics, ..Default::default() };
        let response = link.ask(OFFSET_COMMIT_VERSION, &request).await?;
        let answer = response.topics.into_iter().flat_map(|topic| topic.partitions).next();
        let code = answer.map_or(ErrorCode::UnknownServerError.code(), |answer| answer.error_code);
        match ErrorCode::from_code(code) {
            Some(ErrorCode::None) => {
                let event = Event::Commit { group: plan.group, offset: *next };
                shared.history.borrow_mut().record(plan.partition.0, event);
                *next += 1;
            }
            Some(ErrorCode::UnknownTopicOrPartition) if shared.may_be_gone(plan.partition.0.topic) => {
                *next = plan.commits + 1;
            }
            Some(error) if error.is_retriable() => {
                shared.trace.event(format_args!("{}: commit {next} answers {error:?}", plan.group_id()));
                shared.clock.sleep(RETRY).await;
            }
            _ => {
                shared.violation(format!("OffsetCommit answers error {code}"));
                *next += 1;
            }
        }
    }
    Ok(())
}

/// Finds the coordinator and asks what is committed.
pub(super) async fn look(shared: &Shared, link: &mut Link, plan: &CommitterPlan) -> Result<(), Lost> {
    let (key, name) = &plan.partition;
    loop {
        let find = FindCoordinatorRequest { key: plan.group_id(), key_type: 0, ..Default::default() };
        let found = link.ask(FIND_COORDINATOR_VERSION, &find).await?;
        let topics = vec![OffsetFetchRequestTopic { name: name.clone(), partition_indexes: vec![key.partition] }];
        let fetch = OffsetFetchRequest { group_id: plan.group_id(), topics: Some(topics), ..Default::default() };
        let response = link.ask(OFFSET_FETCH_VERSION, &fetch).await?;
        let answer = response.topics.iter().flat_map(|topic| &topic.partitions).next();
        let codes = [found.error_code, response.error_code, answer.map_or(0, |answer| answer.error_code)];
        let code = codes.into_iter().find(|code| *code != 0).unwrap_or_default();
        match (ErrorCode::from_code(code), answer) {
            (Some(ErrorCode::None), Some(answer)) => {
                let event = Event::Committed { group: plan.group, offset: answer.committed_offset };
                shared.trace.event(format_args!("{} has {}", plan.group_id(), answer.committed_offset));
                shared.history.borrow_mut().record(*key, event);
                return Ok(());
            }
            (Some(error), _) if error.is_retriable() => {
                shared.trace.event(format_args!("{} cannot be looked at: {error:?}", plan.group_id()));
                shared.clock.sleep(RETRY).await;
            }
            _ => {
                shared.violation(format!("{} cannot be looked at: error {code}", plan.group_id()));
                return Ok(());
            }
        }
    }
}
