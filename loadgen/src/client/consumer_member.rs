//! A member of the new protocol (KIP-848): it says what it has with each ConsumerGroupHeartbeat, and is told what it is to have.
//!
//! The broker waits for what a member gives up until it says that it has, which it does when it joins again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wire::Uuid;
use wire::api::k68_consumer_group_heartbeat::{Assignment, TopicPartitions};
use wire::api::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use super::group::{NO_EPOCH, Rebalance, Seat, milliseconds};
use super::{Client, ClientError, TopicPartition, check};

const JOIN_EPOCH: i32 = 0;
const LEAVE_EPOCH: i32 = -1;
/// A static member goes away and will be back.
const STATIC_LEAVE_EPOCH: i32 = -2;

type Partitions = BTreeMap<Uuid, Vec<i32>>;

#[derive(Debug, Default)]
pub(super) struct ConsumerMember {
    /// When the coordinator heard of the member last; none before the first join.
    heard_at: Option<Instant>,
    /// How soon it wants to hear of it again.
    interval: Duration,
    owned: Partitions,
    /// What the member is to have instead, and has not taken on yet.
    target: Option<Partitions>,
}

impl ConsumerMember {
    pub fn heartbeat_interval(&self) -> Duration {
        self.interval
    }

    /// Joins, or takes on what it was told to have; what it had beyond that is not used any more.
    pub fn join(&mut self, seat: &mut Seat, client: &mut Client) -> Result<Vec<TopicPartition>, ClientError> {
        if seat.epoch == NO_EPOCH {
            if seat.member_id.is_empty() {
                seat.member_id = Uuid::from_u128(rand::random()).to_string();
            }
            (self.owned, self.target) = (Partitions::new(), None);
            let request = ConsumerGroupHeartbeatRequest {
                rebalance_timeout_ms: milliseconds(seat.options.rebalance_timeout),
                subscribed_topic_names: Some(seat.options.topics.clone()),
                ..self.request(seat, JOIN_EPOCH)
            };
            self.send(seat, client, &request)?;
        }
        if let Some(target) = self.target.take() {
            self.owned = target;
            let request = self.request(seat, seat.epoch);
            self.send(seat, client, &request)?;
        }
        self.partitions(seat, client)
    }

    pub fn heartbeat(&mut self, seat: &mut Seat, client: &mut Client) -> Result<Rebalance, ClientError> {
        let is_due = self.heard_at.is_none_or(|heard_at| heard_at.elapsed() >= self.interval);
        if self.target.is_none() && is_due {
            let request = self.request(seat, seat.epoch);
            self.send(seat, client, &request)?;
        }
        Ok(if self.target.is_some() { Rebalance::Due } else { Rebalance::No })
    }

    pub fn leave(self, seat: &mut Seat, client: &mut Client) -> Result<(), ClientError> {
        let epoch = if seat.options.instance_id.is_some() { STATIC_LEAVE_EPOCH } else { LEAVE_EPOCH };
        let request = ConsumerGroupHeartbeatRequest { topic_partitions: None, ..self.request(seat, epoch) };
        let answer = seat.call(client, &request)?;
        check(answer.error_code, answer.error_message.as_deref(), || seat.what("leaving"))
    }

    fn request(&self, seat: &Seat, member_epoch: i32) -> ConsumerGroupHeartbeatRequest {
        let owned = self.owned.iter();
        let owned = owned.map(|(&topic_id, partitions)| TopicPartitions { topic_id, partitions: partitions.clone() });
        ConsumerGroupHeartbeatRequest {
            group_id: seat.options.group.clone(),
            member_id: seat.member_id.clone(),
            member_epoch,
            instance_id: seat.options.instance_id.clone(),
            topic_partitions: Some(owned.collect()),
            ..ConsumerGroupHeartbeatRequest::default()
        }
    }

    fn send(
        &mut self,
        seat: &mut Seat,
        client: &mut Client,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<(), ClientError> {
        let doing = if request.member_epoch == JOIN_EPOCH { "joining" } else { "staying in" };
        let ConsumerGroupHeartbeatResponse {
            error_code,
            error_message,
            member_epoch,
            heartbeat_interval_ms,
            assignment,
            ..
        } = seat.call(client, request)?;
        check(error_code, error_message.as_deref(), || seat.what(doing))?;
        seat.epoch = member_epoch;
        self.heard_at = Some(Instant::now());
        self.interval = Duration::from_millis(u64::try_from(heartbeat_interval_ms).unwrap_or(0));
        if let Some(Assignment { topic_partitions }) = assignment {
            let target = topic_partitions.into_iter().map(|topic| (topic.topic_id, topic.partitions)).collect();
            self.target = Some(target).filter(|target| *target != self.owned);
        }
        Ok(())
    }

    /// What the member has, by names; a topic that is gone by now has none.
    fn partitions(&self, seat: &Seat, client: &mut Client) -> Result<Vec<TopicPartition>, ClientError> {
        if self.owned.keys().any(|id| client.cached_name(*id).is_none()) {
            let topics: Vec<&str> = seat.options.topics.iter().map(String::as_str).collect();
            client.refresh(Some(&topics), false)?;
        }
        let mut partitions = Vec::new();
        for (id, indexes) in &self.owned {
            let Some(topic) = client.cached_name(*id) else { continue };
            partitions.extend(indexes.iter().map(|&partition| TopicPartition { topic: topic.clone(), partition }));
        }
        Ok(partitions)
    }
}
