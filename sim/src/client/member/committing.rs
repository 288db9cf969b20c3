//! Commits of a member: what it has read, now and then and before it gives something up.

use std::collections::BTreeMap;

use checkers::history::groups::GroupAction;
use wire::api::OffsetCommitRequest;
use wire::api::k08_offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::{ErrorCode, TopicPartitionId};

use super::{Member, Place, Trouble};
use crate::coverage::Reached;

/// What is committed: the topic's name and the next offset to read, by partition.
pub(super) type Offsets = BTreeMap<TopicPartitionId, (String, i64)>;

impl Member {
    pub(super) async fn commit_when_due(&mut self) -> Result<(), Trouble> {
        let now_ns = self.shared.clock.now_ns();
        if now_ns < self.next_commit_ns {
            return Ok(());
        }
        self.next_commit_ns = now_ns + self.group.plan.commit.as_nanos() as u64;
        self.commit_late().await?;
        self.commit().await
    }

    /// Commits what was read since the last time.
    pub(super) async fn commit(&mut self) -> Result<(), Trouble> {
        let read = self.held.iter().filter_map(|(key, held)| {
            let position = held.position.filter(|position| *position > held.committed)?;
            Some((*key, (held.topic.clone(), position)))
        });
        let read: Offsets = read.collect();
        if read.is_empty() {
            return Ok(());
        }
        match self.send_commit(self.generation, &read).await? {
            Some(error) => self.refused(error, "OffsetCommit").await,
            None => Ok(()),
        }
    }

    /// Gives partitions up, perhaps after a last commit. If that fails they are read again by somebody.
    pub(super) async fn give_up(&mut self, partitions: Vec<TopicPartitionId>) -> Result<(), Trouble> {
        if self.group.plan.commits_before_revoking {
            self.commit().await?;
        }
        if self.shared.dice.chance(self.group.plan.stubborn_percent) {
            let read = partitions.iter().filter_map(|key| {
                let held = self.held.get(key)?;
                Some((*key, (held.topic.clone(), held.position?)))
            });
            self.late = Some((self.generation, read.collect()));
        }
        self.release(partitions);
        Ok(())
    }

    /// What was to be committed before partitions were given up, and comes after it has heard of a newer generation or epoch.
    pub(super) async fn commit_late(&mut self) -> Result<(), Trouble> {
        if let Some((epoch, read)) = self.late.take_if(|(epoch, _)| *epoch < self.generation)
            && !read.is_empty()
        {
            self.send_commit(epoch, &read).await?;
        }
        Ok(())
    }

    /// A member that is fenced and does not believe it, now and then.
    pub(super) async fn commit_stubbornly(&mut self) -> Result<(), Trouble> {
        let read = self.held.iter().filter_map(|(key, held)| Some((*key, (held.topic.clone(), held.position?))));
        let read: Offsets = read.collect();
        if !read.is_empty() && self.shared.dice.chance(self.group.plan.stubborn_percent) {
            self.send_commit(self.generation, &read).await?;
        }
        Ok(())
    }

    /// Commits; returns what the member as a whole was refused with.
    async fn send_commit(&mut self, epoch: i32, offsets: &Offsets) -> Result<Option<ErrorCode>, Trouble> {
        self.ready(Place::Coordinator).await?;
        let mut topics: Vec<OffsetCommitRequestTopic> = Vec::new();
        let mut ids = BTreeMap::new();
        for (key, (name, offset)) in offsets {
            let (id, partition, offset) = (self.group.new_commit(), *key, *offset);
            self.record(GroupAction::Commit { id, partition, epoch, offset });
            ids.insert((name.clone(), key.partition), (id, *key, offset));
            let committed = OffsetCommitRequestPartition {
                partition_index: key.partition,
                committed_offset: offset,
                committed_metadata: Some(String::new()),
                ..Default::default()
            };
            match topics.last_mut().filter(|topic| topic.name == *name) {
                Some(topic) => topic.partitions.push(committed),
                None => topics.push(OffsetCommitRequestTopic {
                    name: name.clone(),
                    partitions: vec![committed],
                    ..Default::default()
                }),
            }
        }
        let request = OffsetCommitRequest {
            group_id: self.group.plan.id(),
            generation_id_or_member_epoch: epoch,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.clone(),
            topics,
            ..Default::default()
        };
        let version = self.group.plan.versions.commit;
        let response = self.ask(Place::Coordinator, version, &request).await?;
        let mut refused = None;
        for topic in response.topics {
            for answer in topic.partitions {
                let Some((id, key, offset)) = ids.remove(&(topic.name.clone(), answer.partition_index)) else {
                    self.shared.violation(format!("{}: an answer to no commit", self.name));
                    continue;
                };
                let error = ErrorCode::from_code(answer.error_code).unwrap_or(ErrorCode::UnknownServerError);
                let accepted = error == ErrorCode::None;
                // What fails for a while may have been written before it failed.
                let is_known = !error.is_retriable();
                self.shared.trace.event(format_args!(
                    "{} commits {}-{} at {offset}: {error:?}",
                    self.name, topic.name, key.partition
                ));
                if is_known {
                    self.record(GroupAction::CommitEnded { id, accepted });
                }
                if let (true, Some(held)) = (accepted, self.held.get_mut(&key)) {
                    held.committed = offset;
                }
                match error {
                    ErrorCode::None => {}
                    ErrorCode::UnknownTopicOrPartition if self.shared.may_be_gone(key.topic) => {
                        self.release(vec![key]);
                    }
                    _ => refused = Some(error),
                }
            }
        }
        let is_fenced = matches!(
            refused,
            Some(
                ErrorCode::IllegalGeneration
                    | ErrorCode::UnknownMemberId
                    | ErrorCode::FencedInstanceId
                    | ErrorCode::StaleMemberEpoch
            )
        );
        match refused {
            Some(ErrorCode::IllegalGeneration) => self.shared.reached(Reached::StaleGenerationRefused),
            Some(ErrorCode::StaleMemberEpoch) => self.shared.reached(Reached::StaleMemberEpochRefused),
            _ => {}
        }
        if is_fenced {
            self.shared.reached(Reached::CommitFenced);
        }
        Ok(refused)
    }
}
