//! A member of a group of the new protocol (KIP-848): one kind of request, in which it says what it owns when that has changed. The broker
//! assigns.

use wire::api::k68_consumer_group_heartbeat::{Assignment, TopicPartitions};
use wire::api::{ApiKey, ConsumerGroupHeartbeatRequest};
use wire::{ErrorCode, Uuid};

use super::EngineError;
use super::clock::Nanos;
use super::connection::Answer;
use super::member::{News, RETRY_PAUSE};
use super::reader::Asked;
use super::topology::Topic;
use crate::scenario::Group;

const EPOCH_TO_JOIN: i32 = 0;
const EPOCH_TO_LEAVE: i32 = -1;
/// Partitions in an assignment; more is nonsense.
const PARTITIONS_MAX: usize = 100_000;

/// See the module's page.
#[derive(Debug)]
pub(super) struct Consumer {
    group: String,
    topic: String,
    topic_id: Uuid,
    rebalance_timeout_ms: i32,
    member_id: String,
    epoch: i32,
    partitions: Vec<i32>,
    /// What the broker was told that the member owns; none before it was told anything.
    confirmed: Option<Vec<i32>>,
    /// Until the broker says how often.
    interval: Nanos,
    due: Nanos,
    is_out: bool,
}

impl Consumer {
    pub(super) fn new(group: &Group, id: &str, topic: &Topic, member: u128, due: Nanos) -> Consumer {
        Consumer {
            group: id.to_owned(),
            topic: topic.name.clone(),
            topic_id: topic.id,
            rebalance_timeout_ms: i32::try_from(group.rebalance_timeout_ms).unwrap_or(i32::MAX),
            member_id: Uuid(member.to_be_bytes()).to_string(),
            epoch: EPOCH_TO_JOIN,
            partitions: Vec::new(),
            confirmed: None,
            interval: u64::from(group.heartbeat_ms) * 1_000_000,
            due,
            is_out: false,
        }
    }

    pub(super) fn due(&self) -> Option<Nanos> {
        (!self.is_out).then_some(self.due)
    }

    pub(super) fn settled(&self) -> Option<i32> {
        (self.epoch > EPOCH_TO_JOIN && self.confirmed.as_ref() == Some(&self.partitions)).then_some(self.epoch)
    }

    pub(super) fn identity(&self) -> (&str, i32) {
        (&self.member_id, self.epoch)
    }

    pub(super) fn ask(&mut self) -> ConsumerGroupHeartbeatRequest {
        assert!(!self.is_out, "one request is out at a time");
        self.is_out = true;
        let joins = self.epoch == EPOCH_TO_JOIN;
        let has_changed = joins || self.confirmed.as_ref() != Some(&self.partitions);
        self.confirmed = Some(self.partitions.clone());
        ConsumerGroupHeartbeatRequest {
            rebalance_timeout_ms: if joins { self.rebalance_timeout_ms } else { -1 },
            subscribed_topic_names: joins.then(|| vec![self.topic.clone()]),
            topic_partitions: has_changed.then(|| self.owned()),
            ..self.request(self.epoch)
        }
    }

    fn owned(&self) -> Vec<TopicPartitions> {
        if self.partitions.is_empty() {
            return Vec::new();
        }
        vec![TopicPartitions { topic_id: self.topic_id, partitions: self.partitions.clone() }]
    }

    fn request(&self, epoch: i32) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest {
            group_id: self.group.clone(),
            member_id: self.member_id.clone(),
            member_epoch: epoch,
            ..Default::default()
        }
    }

    pub(super) fn leave(&self) -> Option<ConsumerGroupHeartbeatRequest> {
        (self.epoch > EPOCH_TO_JOIN).then(|| self.request(EPOCH_TO_LEAVE))
    }

    pub(super) fn lost(&mut self, now: Nanos) {
        self.is_out = false;
        self.confirmed = None;
        self.due = now + RETRY_PAUSE;
    }

    pub(super) fn take(&mut self, answer: &Answer<Asked>, now: Nanos) -> Result<News, EngineError> {
        self.is_out = false;
        let response = answer.decode::<ConsumerGroupHeartbeatRequest>()?;
        if response.error_code != 0 {
            return self.start_over(response.error_code, now);
        }
        let joined = self.epoch == EPOCH_TO_JOIN;
        self.epoch = response.member_epoch;
        if let Ok(interval_ms) = u64::try_from(response.heartbeat_interval_ms) {
            self.interval = interval_ms * 1_000_000;
        }
        self.due = now + self.interval;
        let Some(assignment) = response.assignment else {
            return Ok(if joined { News::Assigned(Vec::new()) } else { News::Nothing });
        };
        let partitions = self.taken_on(assignment)?;
        if partitions != self.partitions || joined {
            self.partitions.clone_from(&partitions);
            // What has changed is confirmed at once, as Kafka's client does.
            self.due = now;
            return Ok(News::Assigned(partitions));
        }
        Ok(News::Nothing)
    }

    fn taken_on(&self, assignment: Assignment) -> Result<Vec<i32>, EngineError> {
        let own = assignment.topic_partitions.into_iter().filter(|topic| topic.topic_id == self.topic_id);
        let mut partitions: Vec<i32> = own.flat_map(|topic| topic.partitions).collect();
        if partitions.len() > PARTITIONS_MAX {
            let detail = format!("an assignment of {} partitions", partitions.len());
            return Err(EngineError::nonsense(ApiKey::ConsumerGroupHeartbeat, &detail));
        }
        partitions.sort_unstable();
        Ok(partitions)
    }

    fn start_over(&mut self, code: i16, now: Nanos) -> Result<News, EngineError> {
        self.due = now;
        self.confirmed = None;
        match ErrorCode::from_code(code) {
            Some(ErrorCode::UnknownMemberId | ErrorCode::FencedMemberEpoch) => {
                self.epoch = EPOCH_TO_JOIN;
                self.partitions.clear();
                Ok(News::Lost)
            }
            Some(
                ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable | ErrorCode::CoordinatorLoadInProgress,
            ) => {
                self.due = now + RETRY_PAUSE;
                Ok(News::Coordinator)
            }
            _ => Err(EngineError::refused(format!("staying in group {}", self.group), code)),
        }
    }
}
