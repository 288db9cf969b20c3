//! A member of a consumer group of the new protocol (KIP-848): one kind of request, in which it says what it owns when that has changed.

use std::io;
use std::time::{Duration, Instant};

use wire::ErrorCode;
use wire::Uuid;
use wire::api::ConsumerGroupHeartbeatRequest;
use wire::api::k68_consumer_group_heartbeat::{Assignment, TopicPartitions};

use super::connection::{Answer, Connection};
use super::member::{HEARTBEAT_INTERVAL, News, Profile, RETRY_PAUSE};
use super::{GroupsError, verdict};

const VERSION: i16 = 1;
const EPOCH_TO_JOIN: i32 = 0;
const EPOCH_TO_LEAVE: i32 = -1;
/// Kafka's clients' default (`max.poll.interval.ms`).
const REBALANCE_TIMEOUT_MS: i32 = 300_000;

pub(super) struct Consumer {
    profile: Profile,
    member_id: String,
    epoch: i32,
    topic_id: Uuid,
    partitions: Vec<i32>,
    /// What the broker was told that the member owns; `None` before it was told anything.
    confirmed: Option<Vec<i32>>,
    /// The broker's word on how often to send.
    told_interval: Option<Duration>,
    due: Instant,
    out: bool,
}

impl Consumer {
    pub(super) fn new(profile: Profile, random: u128, due: Instant) -> Self {
        Self {
            profile,
            member_id: Uuid(random.to_be_bytes()).to_string(),
            epoch: EPOCH_TO_JOIN,
            topic_id: Uuid::default(),
            partitions: Vec::new(),
            confirmed: None,
            told_interval: None,
            due,
            out: false,
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        (!self.out).then_some(self.due)
    }

    pub(super) fn pace(&mut self, interval: Duration, due: Instant) {
        self.profile.heartbeat_interval = Some(interval);
        self.due = due;
    }

    pub(super) fn partitions(&self) -> &[i32] {
        &self.partitions
    }

    pub(super) fn settled(&self) -> Option<i32> {
        (self.epoch > EPOCH_TO_JOIN && self.confirmed.as_ref() == Some(&self.partitions)).then_some(self.epoch)
    }

    pub(super) fn identity(&self) -> (&str, i32) {
        (&self.member_id, self.epoch)
    }

    pub(super) fn ask<T>(&mut self, connection: &mut Connection<T>, token: T) -> io::Result<()> {
        assert!(!self.out, "one request is out at a time");
        self.out = true;
        let joins = self.epoch == EPOCH_TO_JOIN;
        let changed = self.confirmed.as_ref() != Some(&self.partitions);
        self.confirmed = Some(self.partitions.clone());
        let request = ConsumerGroupHeartbeatRequest {
            rebalance_timeout_ms: if joins { REBALANCE_TIMEOUT_MS } else { -1 },
            subscribed_topic_names: joins.then(|| vec![self.profile.topic.clone()]),
            topic_partitions: changed.then(|| self.owned()),
            ..self.request(self.epoch)
        };
        connection.send(&request, VERSION, token, self.due)
    }

    fn owned(&self) -> Vec<TopicPartitions> {
        if self.partitions.is_empty() {
            return Vec::new();
        }
        vec![TopicPartitions { topic_id: self.topic_id, partitions: self.partitions.clone() }]
    }

    fn request(&self, epoch: i32) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest {
            group_id: self.profile.group.clone(),
            member_id: self.member_id.clone(),
            member_epoch: epoch,
            ..Default::default()
        }
    }

    pub(super) fn leave<T>(&mut self, connection: &mut Connection<T>, token: T) -> io::Result<()> {
        connection.send(&self.request(EPOCH_TO_LEAVE), VERSION, token, Instant::now())
    }

    pub(super) fn take<T>(&mut self, answer: &Answer<T>) -> Result<News, GroupsError> {
        assert!(self.out, "an answer follows a request");
        self.out = false;
        let response = answer.decode::<ConsumerGroupHeartbeatRequest>(VERSION)?;
        match verdict(response.error_code) {
            ErrorCode::None => {}
            error => return self.start_over(error, answer.received),
        }
        let joined = self.epoch == EPOCH_TO_JOIN;
        self.epoch = response.member_epoch;
        self.told_interval = u64::try_from(response.heartbeat_interval_ms).ok().map(Duration::from_millis);
        let before = std::mem::take(&mut self.partitions);
        self.partitions = match response.assignment {
            Some(assignment) => self.taken_on(assignment),
            None => before.clone(),
        };
        if self.partitions != before {
            // What has changed is confirmed at once, as Kafka's client does.
            self.due = answer.received;
            return Ok(News::Assigned);
        }
        self.due += self.profile.heartbeat_interval.or(self.told_interval).unwrap_or(HEARTBEAT_INTERVAL);
        Ok(if joined { News::Step } else { News::Alive })
    }

    fn taken_on(&mut self, assignment: Assignment) -> Vec<i32> {
        let mut partitions = Vec::new();
        for topic in assignment.topic_partitions {
            self.topic_id = topic.topic_id;
            partitions.extend(topic.partitions);
        }
        partitions.sort_unstable();
        partitions
    }

    fn start_over(&mut self, error: ErrorCode, now: Instant) -> Result<News, GroupsError> {
        self.due = now;
        match error {
            ErrorCode::UnknownMemberId | ErrorCode::FencedMemberEpoch => self.epoch = EPOCH_TO_JOIN,
            ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable | ErrorCode::CoordinatorLoadInProgress => {
                self.due = now + RETRY_PAUSE;
                // What the refused request said has to be said again.
                self.confirmed = None;
                return Ok(News::Step);
            }
            error => return Err(GroupsError::Refused { what: "a member", code: error.code() }),
        }
        self.partitions.clear();
        self.confirmed = None;
        Ok(News::Rejoining)
    }
}
