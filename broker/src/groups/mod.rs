//! Consumer groups, classic ones and those of the new protocol (KIP-848): the coordinator of those groups whose `__consumer_offsets` partitions this core leads.
//!
//! Behaviour: that of Kafka 4.3's `GroupCoordinatorService`, `GroupMetadataManager` (its classic and its consumer
//! part) and `OffsetMetadataManager`. One state machine a group; the shard routes each request to the core that leads the
//! group's partition ([`partition_for`]) and gives requests for several groups one by one.
//!
//! How it is driven:
//! 1. [`Groups::load`] once with no bytes when the partition is to be led, then with the log, then [`Groups::loaded`].
//!    Until then the partition's groups answer COORDINATOR_LOAD_IN_PROGRESS; before and after
//!    [`Groups::unload`], NOT_COORDINATOR.
//! 2. [`Groups::handle`] takes a request. Its answer comes out of [`Groups::poll_effect`] exactly once: at once, when
//!    a rebalance completes, or when what it has written is durable.
//! 3. [`GroupEffect::Append`] is a batch to append to the group's partition; [`Groups::appended`] says how that went.
//!    A partition's writes are appended, and become durable, in the order in which they came out.
//! 4. [`Groups::disconnected`] says that a connection is lost on which requests came.
//! 5. [`Groups::set_image`] says what topics there are and what groups have set: at first, and whenever that changes.
//! 6. [`Groups::tick`] is due at [`Groups::deadline`].
//!
//! Invariants: committed offsets are what the durable records say, in their order, so that a load gives what was
//! served before; members live in memory, and their last durable generation comes back with a load. No commit, assignment
//! or deletion is answered before it is durable.
//!
//! Deviations: a new group is not persisted before its first generation (Kafka writes an empty one at once). A member whose
//! connection is lost is out before its session ends: see `connections`.

pub mod assignor;
mod classic_group;
mod commit;
mod connections;
mod consumer;
mod delete;
mod describe;
mod dispatch;
pub mod explain;
mod fetch;
mod group;
mod heartbeat;
mod history;
mod join;
mod leave;
mod load;
mod member;
pub mod metrics;
mod migration;
mod offsets;
mod outbox;
mod rebalance;
mod records;
mod request;
mod setting;
mod static_member;
mod sync;
pub mod topic_regex;
mod topics;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wire::ErrorCode;

use classic_group::ClassicGroup;
pub use connections::ConnectionId;
use connections::Connections;
use consumer::{ConsumerGroup, ConsumerRecord};
use group::Group;
pub use history::Reason;
pub use load::{LoadError, partition_for};
pub use migration::MigrationPolicy;
pub use outbox::WriteId;
use outbox::{Outbox, PendingWrite, Then, Turn};
use records::GroupRecord;
pub use request::{GroupRequest, GroupResponse};
pub use setting::GroupSetting;
pub use topics::offset_fetch_response;

use crate::Token;
use crate::catalog::Image;
use crate::config::BrokerConfig;
use assignor::Assignor;

/// The settings that decide about groups of the new protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerGroupConfig {
    /// How often members are told to send heartbeats (`group.consumer.heartbeat.interval.ms`, and its `min` and `max`).
    pub heartbeat_interval: GroupSetting,
    /// How long a member may be silent (`group.consumer.session.timeout.ms`, and its `min` and `max`).
    pub session_timeout: GroupSetting,
    /// Most members of a group (`group.consumer.max.size`).
    pub size_max: usize,
    /// Which ways a living group may go between the classic and the new protocol (`group.consumer.migration.policy`).
    pub migration: MigrationPolicy,
    /// The assignors that members may ask for, at least one; the first where they ask for none
    /// (`group.consumer.assignors`).
    pub assignors: &'static [Assignor],
}

/// The settings that decide about groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupConfig {
    /// How long a member whose connection is lost may be late, in ms; none to wait for its session's end
    /// (`group.disconnect.grace.ms`).
    pub disconnect_grace_ms: Option<i64>,
    /// How long an empty group waits for more members than the first, in ms (`group.initial.rebalance.delay.ms`).
    pub initial_rebalance_delay_ms: i64,
    /// The shortest session, in ms (`group.min.session.timeout.ms`).
    pub session_timeout_ms_min: i64,
    /// The longest session, in ms (`group.max.session.timeout.ms`).
    pub session_timeout_ms_max: i64,
    /// Most members of a group (`group.max.size`).
    pub size_max: usize,
    /// Most bytes of metadata with an offset (`offset.metadata.max.bytes`).
    pub offset_metadata_bytes_max: usize,
    /// How long offsets are kept that nobody uses, in ms (`offsets.retention.minutes`).
    pub offsets_retention_ms: i64,
    /// How often that is looked at, in ms (`offsets.retention.check.interval.ms`).
    pub offsets_retention_check_interval_ms: i64,
    /// Partitions of `__consumer_offsets` (`offsets.topic.num.partitions`).
    pub offsets_partitions: i32,
    /// Of groups of the new protocol.
    pub consumer: ConsumerGroupConfig,
}

impl From<&BrokerConfig> for GroupConfig {
    fn from(config: &BrokerConfig) -> GroupConfig {
        GroupConfig {
            disconnect_grace_ms: config.group_disconnect_grace_ms,
            initial_rebalance_delay_ms: config.group_initial_rebalance_delay_ms,
            session_timeout_ms_min: config.group_min_session_timeout_ms,
            session_timeout_ms_max: config.group_max_session_timeout_ms,
            size_max: config.group_max_size,
            offset_metadata_bytes_max: config.offset_metadata_max_bytes,
            offsets_retention_ms: config.offsets_retention_ms,
            offsets_retention_check_interval_ms: config.offsets_retention_check_interval_ms,
            offsets_partitions: config.offsets_topic_num_partitions,
            consumer: ConsumerGroupConfig {
                heartbeat_interval: GroupSetting {
                    default_ms: config.group_consumer_heartbeat_interval_ms,
                    ms_min: config.group_consumer_min_heartbeat_interval_ms,
                    ms_max: config.group_consumer_max_heartbeat_interval_ms,
                },
                session_timeout: GroupSetting {
                    default_ms: config.group_consumer_session_timeout_ms,
                    ms_min: config.group_consumer_min_session_timeout_ms,
                    ms_max: config.group_consumer_max_session_timeout_ms,
                },
                size_max: config.group_consumer_max_size,
                migration: config.group_consumer_migration_policy,
                assignors: config.group_consumer_assignors,
            },
        }
    }
}

/// What comes out of [`Groups::poll_effect`].
#[derive(Debug, Clone, PartialEq)]
pub enum GroupEffect {
    /// The answer to a request.
    Respond {
        /// The request.
        token: Token,
        /// Its answer.
        response: GroupResponse,
    },
    /// A batch to append to a partition of `__consumer_offsets`; report it with [`Groups::appended`] once it is as
    /// durable as acks=all makes it.
    Append {
        /// Names the write.
        write_id: WriteId,
        /// The partition.
        offsets_partition: i32,
        /// One complete batch of magic 2, base offset 0.
        batch: Vec<u8>,
    },
}

/// Whether a partition of `__consumer_offsets` can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Availability {
    Loading,
    Active,
}

/// The groups of this core's partitions of `__consumer_offsets`.
#[derive(Debug)]
pub struct Groups {
    config: GroupConfig,
    image: Arc<Image>,
    partitions: BTreeMap<i32, Availability>,
    groups: BTreeMap<Arc<str>, Group>,
    /// Groups by a time at which they may have something to do: never later than their real deadline.
    deadlines: BTreeSet<(i64, Arc<str>)>,
    connections: Connections,
    /// The connection of the request that is being handled.
    from: Option<ConnectionId>,
    /// When to look for expired offsets; set while there is a partition.
    retention_check: Option<i64>,
    outbox: Outbox,
}

impl Groups {
    /// No groups and no partitions.
    pub fn new(config: GroupConfig) -> Groups {
        assert!(config.offsets_partitions > 0, "the offsets topic has a partition");
        Groups {
            config,
            image: Arc::default(),
            partitions: BTreeMap::new(),
            groups: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            connections: Connections::default(),
            from: None,
            retention_check: None,
            outbox: Outbox::default(),
        }
    }

    /// Takes a request, and the connection that it came on if that can be lost ([`Groups::disconnected`]). `random`
    /// becomes the id of a member that has none.
    pub fn handle(
        &mut self,
        now_ms: i64,
        token: Token,
        from: Option<ConnectionId>,
        request: GroupRequest,
        random: u128,
    ) {
        self.from = from;
        self.dispatch(now_ms, token, request, random);
        self.from = None;
        self.fail_unwritable(now_ms);
    }

    /// A write is durable, or has failed with the error that a producer would be told. Unknown ids, of partitions
    /// unloaded in the meantime, change nothing.
    pub fn appended(&mut self, now_ms: i64, write_id: WriteId, outcome: Result<(), ErrorCode>) {
        self.complete(now_ms, write_id, outcome.map_err(append_error));
        self.fail_unwritable(now_ms);
    }

    /// When [`Groups::tick`] may have something to do, in ms since the epoch.
    pub fn deadline(&self) -> Option<i64> {
        self.deadlines.first().map(|&(deadline, _)| deadline).into_iter().chain(self.retention_check).min()
    }

    /// Does what is due: sessions, rebalances, retention.
    pub fn tick(&mut self, now_ms: i64) {
        while let Some((_, group_id)) = self.deadlines.first().filter(|&&(deadline, _)| deadline <= now_ms).cloned() {
            self.deadlines.pop_first();
            self.with_group(now_ms, &group_id, |group, turn| {
                *group.indexed_deadline() = None;
                group.tick(turn);
            });
        }
        if self.retention_check.is_some_and(|deadline| deadline <= now_ms) {
            self.retention_check = Some(now_ms + self.config.offsets_retention_check_interval_ms);
            self.for_active_groups(now_ms, Group::expire_offsets);
        }
        self.fail_unwritable(now_ms);
    }

    /// A topic was deleted: its offsets go. In partitions that are not loaded yet they stay until they expire.
    pub fn topic_deleted(&mut self, now_ms: i64, topic: &str) {
        self.for_active_groups(now_ms, |group, turn| group.forget_topic(turn, topic));
        self.fail_unwritable(now_ms);
    }

    /// What topics there are has changed. Groups of the new protocol that subscribe to them are assigned anew.
    pub fn set_image(&mut self, image: Arc<Image>) {
        self.image = image;
        for group in self.groups.values_mut() {
            if let Group::Consumer(group) = group {
                group.topics_changed();
            }
        }
    }

    /// What is to be done next.
    pub fn poll_effect(&mut self) -> Option<GroupEffect> {
        self.outbox.poll_effect()
    }

    fn for_active_groups(&mut self, now_ms: i64, mut run: impl FnMut(&mut Group, &mut Turn<'_>)) {
        let mut turn = Turn { now_ms, from: None, config: &self.config, image: &self.image, out: &mut self.outbox };
        for group in self.groups.values_mut() {
            if self.partitions.get(&group.offsets_partition()) == Some(&Availability::Active) {
                run(group, &mut turn);
            }
        }
    }

    /// Lets one group react to something, and notes when it wants to be woken; `None` without such a group.
    fn with_group<R>(
        &mut self,
        now_ms: i64,
        group_id: &str,
        run: impl FnOnce(&mut Group, &mut Turn<'_>) -> R,
    ) -> Option<R> {
        let group = self.groups.get_mut(group_id)?;
        let (config, image) = (&self.config, &self.image);
        let mut turn = Turn { now_ms, from: self.from, config, image, out: &mut self.outbox };
        let result = run(group, &mut turn);
        group.downgrade_if_due(&mut turn);
        if let Some(connection) = self.from.filter(|connection| group.connections().contains(connection)) {
            self.connections.insert(connection, group.id());
        }
        let indexed = *group.indexed_deadline();
        let is_earlier = |deadline: &i64| indexed.is_none_or(|indexed| *deadline < indexed);
        if let Some(deadline) = group.deadline().filter(is_earlier) {
            *group.indexed_deadline() = Some(deadline);
            if let Some(indexed) = indexed {
                self.deadlines.remove(&(indexed, group.id().clone()));
            }
            self.deadlines.insert((deadline, group.id().clone()));
        }
        if group.is_unused() && self.outbox.pending_of(group_id).next().is_none() {
            self.remove_group(group_id);
        }
        Some(result)
    }

    /// As [`Groups::with_group`]; `None` where it is not a consumer group with members.
    fn with_consumer<R>(
        &mut self,
        now_ms: i64,
        group_id: &str,
        run: impl FnOnce(&mut ConsumerGroup, &mut Turn<'_>) -> R,
    ) -> Option<R> {
        let found = self.with_group(now_ms, group_id, |group, turn| match group {
            Group::Consumer(group) if !group.is_vacant() => Some(run(group, turn)),
            Group::Consumer(_) | Group::Classic(_) => None,
        });
        found.flatten()
    }

    fn has_consumers(&self, group_id: &str) -> bool {
        matches!(self.groups.get(group_id), Some(Group::Consumer(group)) if !group.is_vacant())
    }

    /// As [`Groups::with_group`]; `None` without such a classic group too.
    fn with_classic<R>(
        &mut self,
        now_ms: i64,
        group_id: &str,
        run: impl FnOnce(&mut ClassicGroup, &mut Turn<'_>) -> R,
    ) -> Option<R> {
        let found = self.with_group(now_ms, group_id, |group, turn| match group {
            Group::Classic(group) => Some(run(group, turn)),
            Group::Consumer(_) => None,
        });
        found.flatten()
    }

    /// The group of that id; a new one is a classic one, as those are that only commit.
    fn get_or_create(&mut self, group_id: &str, offsets_partition: i32) -> &mut Group {
        if !self.groups.contains_key(group_id) {
            let id: Arc<str> = group_id.into();
            self.groups.insert(id.clone(), Group::Classic(Box::new(ClassicGroup::new(id, offsets_partition))));
        }
        self.groups.get_mut(group_id).expect("it is there or was just created")
    }

    /// Makes sure that there is a classic group, in the place of a consumer group without members if need be. A consumer
    /// group with members stays: INCONSISTENT_GROUP_PROTOCOL.
    fn get_or_create_classic(&mut self, now_ms: i64, group_id: &str, offsets_partition: i32) -> Result<(), ErrorCode> {
        let created = self.with_group(now_ms, group_id, |group, turn| {
            let Group::Consumer(consumer) = group else { return Ok(()) };
            if !consumer.is_vacant() {
                return Err(ErrorCode::InconsistentGroupProtocol);
            }
            let records = consumer.tombstones();
            let mut classic = ClassicGroup::new(consumer.id.clone(), offsets_partition);
            classic.offsets = std::mem::take(&mut consumer.offsets);
            classic.has_committed = consumer.has_committed;
            classic.connections = std::mem::take(&mut consumer.connections);
            classic.history = std::mem::take(&mut consumer.history);
            *group = Group::Classic(Box::new(classic));
            group.append(turn, records, Then::Nothing);
            Ok(())
        });
        created.transpose()?;
        self.get_or_create(group_id, offsets_partition);
        Ok(())
    }

    /// Makes sure that there is a consumer group, in the place of a classic one without members if need be. A classic group
    /// with members stays: it would have to be upgraded.
    fn get_or_create_consumer(&mut self, group_id: &str, offsets_partition: i32) {
        if let Some(group) = self.groups.get_mut(group_id) {
            let Group::Classic(classic) = group else { return };
            if !classic.is_vacant() {
                return;
            }
            let mut consumer = ConsumerGroup::replacing(classic.id.clone(), offsets_partition);
            consumer.offsets = std::mem::take(&mut classic.offsets);
            consumer.has_committed = classic.has_committed;
            consumer.indexed_deadline = classic.indexed_deadline;
            consumer.connections = std::mem::take(&mut classic.connections);
            consumer.history = std::mem::take(&mut classic.history);
            *group = Group::Consumer(Box::new(consumer));
            return;
        }
        let id: Arc<str> = group_id.into();
        self.groups.insert(id.clone(), Group::Consumer(Box::new(ConsumerGroup::new(id, offsets_partition))));
    }

    fn remove_group(&mut self, group_id: &str) -> Option<Group> {
        let mut group = self.groups.remove(group_id)?;
        self.connections.remove_group(&group);
        if let Some(indexed) = *group.indexed_deadline() {
            self.deadlines.remove(&(indexed, group.id().clone()));
        }
        Some(group)
    }

    /// Writes that could not be encoded fail like any other.
    fn fail_unwritable(&mut self, now_ms: i64) {
        while let Some(write_id) = self.outbox.poll_unwritable() {
            self.complete(now_ms, write_id, Err(ErrorCode::UnknownServerError));
        }
    }

    fn complete(&mut self, now_ms: i64, write_id: WriteId, outcome: Result<(), ErrorCode>) {
        let Some(write) = self.outbox.take_pending(write_id) else { return };
        let PendingWrite { offsets_partition, group_id, records, then, answers } = write;
        let (is_durable, mut outcome) = (outcome.is_ok(), outcome);
        match self.groups.get_mut(&group_id) {
            Some(Group::Consumer(group)) => outcome = group.written(write_id, &records, outcome),
            Some(Group::Classic(group)) if outcome.is_err() => {
                group.unsaved_tombstones.extend(records.iter().filter_map(GroupRecord::tombstone));
            }
            _ => {}
        }
        // Whatever is to be said of it: it is in the log.
        if is_durable {
            for record in records {
                self.apply(&group_id, offsets_partition, record);
            }
        }
        for answer in answers {
            if let (Err(_), Some(Group::Consumer(group)), Some(member_id)) =
                (outcome, self.groups.get_mut(&group_id), answer.leads())
            {
                group.not_told(member_id);
            }
            answer.send(&mut self.outbox, outcome);
        }
        match then {
            // The group itself may be gone with this write.
            Then::Answer(answer) => answer.send(&mut self.outbox, outcome),
            Then::Assign { generation, assignments } => {
                self.with_classic(now_ms, &group_id, |group, turn| {
                    group.assigned(turn, generation, assignments, outcome);
                });
            }
            Then::ReplaceStatic(replaced) => {
                let mut replaced = Some(*replaced);
                self.with_classic(now_ms, &group_id, |group, turn| {
                    let replaced = replaced.take().expect("this runs once");
                    group.static_member_persisted(turn, replaced, outcome);
                });
                if let Some(replaced) = replaced {
                    replaced.join_again(&mut self.outbox);
                }
            }
            Then::Nothing => {}
        }
        // A group that was only there for this write goes with it.
        self.with_group(now_ms, &group_id, |_, _| ());
    }

    /// A record of the running coordinator is durable. Members' generations are in memory already.
    fn apply(&mut self, group_id: &str, offsets_partition: i32, record: GroupRecord) {
        match record {
            GroupRecord::Offset { topic, partition, committed: Some(committed) } => {
                self.get_or_create(group_id, offsets_partition).set_offset(topic, partition, committed);
            }
            GroupRecord::Offset { topic, partition, committed: None } => {
                if let Some(group) = self.groups.get_mut(group_id) {
                    group.offsets_mut().remove(&topic, partition);
                }
            }
            // Whoever has joined since then keeps the group alive.
            GroupRecord::Metadata(None) => {
                if let Some(Group::Classic(group)) = self.groups.get(group_id)
                    && group.is_vacant()
                {
                    self.remove_group(group_id);
                }
            }
            // A member whose end is not in the log yet would come back by itself.
            GroupRecord::Consumer(ConsumerRecord::Epoch(None)) => {
                if let Some(Group::Consumer(group)) = self.groups.get(group_id)
                    && group.is_vacant()
                    && !group.has_unsaved_changes()
                {
                    self.remove_group(group_id);
                }
            }
            GroupRecord::Metadata(Some(_)) | GroupRecord::Consumer(_) => {}
        }
    }
}

/// What a client of the coordinator is told when a write fails (`appendGroupMetadataErrorToResponseError`).
fn append_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition | ErrorCode::NotEnoughReplicas | ErrorCode::RequestTimedOut => {
            ErrorCode::CoordinatorNotAvailable
        }
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => ErrorCode::UnknownServerError,
        other => other,
    }
}

#[cfg(test)]
mod tests;
