//! The new protocol (KIP-848): nothing but heartbeats. The coordinator says what the member may have; the member gives up
//! the rest, and says with its next heartbeat what it has now.

use std::collections::BTreeMap;

use checkers::history::groups::GroupAction;
use wire::api::k68_consumer_group_heartbeat::TopicPartitions;
use wire::api::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use wire::{ErrorCode, TopicPartitionId};

use super::{Member, Place, Trouble};
use crate::client::RETRY;
use crate::client::group::Protocol;
use crate::client::link::Lost;
use crate::coverage::Reached;

/// From here on members make their own ids.
const OWN_ID_VERSION: i16 = 1;
const JOIN_EPOCH: i32 = 0;
const LEAVE_EPOCH: i32 = -1;
/// A static member that leaves its place to its next life.
const STATIC_LEAVE_EPOCH: i32 = -2;
/// "It has not changed."
const SAME_REBALANCE_TIMEOUT: i32 = -1;
/// Of 100 static members that end cleanly, how many give their place up for good.
const STATIC_REMOVAL_PERCENT: u64 = 30;

impl Member {
    /// The next thing to do.
    pub(super) async fn consumer_step(&mut self) -> Result<(), Trouble> {
        let is_due = self.shared.clock.now_ns() >= self.next_heartbeat_ns;
        // What has changed is said at once, and whatever has become of an assignment since.
        self.is_settled = !self.owes_word && self.told.as_ref().is_some_and(|told| told.iter().eq(self.held.keys()));
        if is_due || !self.is_settled {
            self.consumer_heartbeat().await?;
        }
        if self.generation > JOIN_EPOCH {
            self.work().await?;
            self.commit_when_due().await?;
        }
        Ok(())
    }

    fn owned(&self) -> Vec<TopicPartitions> {
        let mut topics: Vec<TopicPartitions> = Vec::new();
        for key in self.held.keys() {
            match topics.last_mut().filter(|topic| topic.topic_id == key.topic) {
                Some(topic) => topic.partitions.push(key.partition),
                None => topics.push(TopicPartitions { topic_id: key.topic, partitions: vec![key.partition] }),
            }
        }
        topics
    }

    /// Everything when it joins or the last answer was lost; else what it has, if that has changed.
    fn heartbeat_request(&self) -> ConsumerGroupHeartbeatRequest {
        let plan = &self.group.plan;
        let says_all = self.generation <= JOIN_EPOCH || self.told.is_none();
        let assignor = match plan.protocol {
            Protocol::Consumer { assignor, .. } => assignor,
            Protocol::Classic => unreachable!("the group speaks the new protocol"),
        };
        ConsumerGroupHeartbeatRequest {
            group_id: plan.id(),
            member_id: self.member_id.clone(),
            member_epoch: self.generation.max(JOIN_EPOCH),
            instance_id: self.instance.clone(),
            rebalance_timeout_ms: match says_all {
                true => plan.rebalance.as_millis() as i32,
                false => SAME_REBALANCE_TIMEOUT,
            },
            subscribed_topic_names: says_all.then(|| plan.topics.clone()),
            server_assignor: assignor.filter(|_| says_all).map(str::to_owned),
            topic_partitions: (says_all || !self.is_settled).then(|| self.owned()),
            ..Default::default()
        }
    }

    async fn consumer_heartbeat(&mut self) -> Result<(), Trouble> {
        self.ready(Place::Coordinator).await?;
        let version = self.group.plan.versions.heartbeat;
        if self.member_id.is_empty() && version >= OWN_ID_VERSION {
            self.member_id = format!("{}-{:016x}", self.name, self.shared.dice.bits());
        }
        if self.generation <= JOIN_EPOCH {
            self.abandon_former();
        }
        let asked_ns = self.shared.clock.now_ns();
        self.next_heartbeat_ns = asked_ns + self.group.plan.heartbeat.as_nanos() as u64;
        let request = self.heartbeat_request();
        let tells: Vec<_> = self.held.keys().copied().collect();
        self.told = None;
        self.owes_word = false;
        let response = self.ask(Place::Coordinator, version, &request).await?;
        match ErrorCode::from_code(response.error_code) {
            Some(ErrorCode::None) => {
                self.told = Some(tells);
                self.heard(asked_ns, response).await
            }
            Some(error) => self.refused(error, "ConsumerGroupHeartbeat").await,
            None => {
                self.unexpected("ConsumerGroupHeartbeat", response.error_code);
                Ok(())
            }
        }
    }

    async fn heard(&mut self, asked_ns: u64, response: ConsumerGroupHeartbeatResponse) -> Result<(), Trouble> {
        if self.generation <= JOIN_EPOCH {
            self.member_id = response.member_id.unwrap_or_else(|| self.member_id.clone());
            self.take_instance();
        }
        self.generation = response.member_epoch;
        let Some(assignment) = response.assignment else {
            self.renewed(asked_ns);
            return Ok(());
        };
        self.owes_word = true;
        let given: Vec<TopicPartitionId> = assignment
            .topic_partitions
            .iter()
            .flat_map(|topic| {
                topic.partitions.iter().map(|&partition| TopicPartitionId { topic: topic.topic_id, partition })
            })
            .collect();
        if given.iter().any(|key| self.name_of(*key).is_none()) {
            self.refresh_topics().await?;
        }
        let given: BTreeMap<TopicPartitionId, String> =
            given.into_iter().map(|key| (key, self.name_of(key).unwrap_or_default())).collect();
        let revoked: Vec<_> = self.held.keys().filter(|key| !given.contains_key(key)).copied().collect();
        self.granted(asked_ns, &given);
        if !revoked.is_empty() {
            if !given.is_empty() {
                self.shared.reached(Reached::RevokedIncrementally);
            }
            self.give_up(revoked).await?;
        }
        Ok(())
    }

    fn name_of(&self, key: TopicPartitionId) -> Option<String> {
        self.topics.iter().find(|(_, (id, _))| *id == key.topic).map(|(name, _)| name.clone())
    }

    /// Commits and says goodbye, a static member perhaps only for now.
    pub(super) async fn consumer_leave(&mut self) -> Result<(), Trouble> {
        if self.generation <= JOIN_EPOCH {
            return Ok(());
        }
        self.commit().await?;
        self.ready(Place::Coordinator).await?;
        if self.generation <= JOIN_EPOCH {
            // The commit has told it that it is no member any more.
            return Ok(());
        }
        self.record(GroupAction::Abandoned);
        let stays = self.instance.is_some() && !self.shared.dice.chance(STATIC_REMOVAL_PERCENT);
        let request = ConsumerGroupHeartbeatRequest {
            group_id: self.group.plan.id(),
            member_id: self.member_id.clone(),
            member_epoch: if stays { STATIC_LEAVE_EPOCH } else { LEAVE_EPOCH },
            instance_id: self.instance.clone(),
            rebalance_timeout_ms: SAME_REBALANCE_TIMEOUT,
            ..Default::default()
        };
        let version = self.group.plan.versions.heartbeat;
        let response = self.ask(Place::Coordinator, version, &request).await?;
        match ErrorCode::from_code(response.error_code) {
            Some(ErrorCode::None) => {
                self.left();
                Ok(())
            }
            Some(ErrorCode::UnknownMemberId | ErrorCode::FencedInstanceId | ErrorCode::GroupIdNotFound) => Ok(()),
            // It tries again as long as it is to.
            Some(error) if error.is_retriable() => {
                self.shared.clock.sleep(RETRY).await;
                Err(Trouble::Lost(Lost::Gone))
            }
            _ => {
                self.unexpected("the last ConsumerGroupHeartbeat", response.error_code);
                Ok(())
            }
        }
    }
}
