//! A group of either type, and what both types have in common.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::classic_group::{ClassicGroup, State};
use super::connections::ConnectionId;
use super::consumer::ConsumerGroup;
use super::explain::GroupFacts;
use super::history::History;
use super::offsets::{CommittedOffset, Offsets, RetentionBase};
use super::outbox::{PendingWrite, Then, Turn};
use super::records::GroupRecord;

/// A group. One that only commits offsets is a classic one without members, as in Kafka.
#[derive(Debug)]
pub(super) enum Group {
    Classic(Box<ClassicGroup>),
    Consumer(Box<ConsumerGroup>),
}

/// Calls the method of that name of either type.
macro_rules! either {
    ($group:expr, $inner:ident => $result:expr) => {
        match $group {
            Group::Classic($inner) => $result,
            Group::Consumer($inner) => $result,
        }
    };
}

impl Group {
    pub fn id(&self) -> &Arc<str> {
        either!(self, group => &group.id)
    }

    pub fn offsets_partition(&self) -> i32 {
        either!(self, group => group.offsets_partition)
    }

    pub fn offsets(&self) -> &Offsets {
        either!(self, group => &group.offsets)
    }

    pub fn offsets_mut(&mut self) -> &mut Offsets {
        either!(self, group => &mut group.offsets)
    }

    pub fn set_offset(&mut self, topic: String, partition: i32, committed: CommittedOffset) {
        self.offsets_mut().set(topic, partition, committed);
        either!(self, group => group.has_committed = true);
    }

    /// What has happened to it lately.
    pub fn history(&self) -> &History {
        either!(self, group => &group.history)
    }

    /// Its state, as Kafka spells it.
    pub fn state_name(&self) -> &'static str {
        match self {
            Group::Classic(group) => group.state.name(),
            Group::Consumer(group) => group.state().name(),
        }
    }

    pub fn member_count(&self) -> usize {
        either!(self, group => group.members.len())
    }

    /// Its generation, or its epoch.
    pub fn generation(&self) -> i32 {
        match self {
            Group::Classic(group) => group.generation,
            Group::Consumer(group) => group.epoch,
        }
    }

    pub fn connections(&self) -> &BTreeSet<ConnectionId> {
        either!(self, group => &group.connections)
    }

    pub fn disconnected(&mut self, turn: &Turn<'_>, connection: ConnectionId) {
        either!(self, group => group.disconnected(turn, connection));
    }

    /// What is known of it now.
    pub fn facts(&self, turn: &Turn<'_>) -> GroupFacts {
        either!(self, group => group.facts(turn))
    }

    /// The deadline under which the group is known: never later than its real one.
    pub fn indexed_deadline(&mut self) -> &mut Option<i64> {
        either!(self, group => &mut group.indexed_deadline)
    }

    /// The earliest time at which [`Group::tick`] has something to do, in ms since the epoch.
    pub fn deadline(&self) -> Option<i64> {
        either!(self, group => group.deadline())
    }

    /// Does what is due.
    pub fn tick(&mut self, turn: &mut Turn<'_>) {
        either!(self, group => group.tick(turn));
    }

    /// The partition that it lives in can be asked from now on.
    pub fn loaded(&mut self, turn: &mut Turn<'_>) {
        either!(self, group => group.loaded(turn));
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        match self {
            Group::Classic(group) => group.state == State::Empty,
            Group::Consumer(group) => group.members.is_empty(),
        }
    }

    /// Whether its members are consumers, as far as they have said.
    pub fn is_of_consumers(&self) -> bool {
        match self {
            Group::Classic(group) => group.is_consumer_group(),
            Group::Consumer(_) => true,
        }
    }

    /// Whether nothing but offsets would be lost with it.
    pub fn is_vacant(&self) -> bool {
        either!(self, group => group.is_vacant())
    }

    /// Whether it has never been more than a refused request.
    pub fn is_unused(&self) -> bool {
        self.is_vacant() && either!(self, group => !group.has_committed && group.is_new())
    }

    /// Whether a topic's offsets are in use.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        either!(self, group => group.is_subscribed_to(topic))
    }

    /// From when on its offsets' retention counts; `None` while they are kept whatever their age.
    pub fn retention_base(&self) -> Option<RetentionBase> {
        either!(self, group => group.retention_base())
    }

    /// The records that remove the group itself.
    pub fn tombstones(&mut self) -> Vec<GroupRecord> {
        match self {
            Group::Classic(group) => {
                let consumer = group.unsaved_tombstones.iter().cloned();
                consumer.chain([GroupRecord::Metadata(None)]).collect()
            }
            Group::Consumer(group) => group.tombstones(),
        }
    }

    pub fn append(&mut self, turn: &mut Turn<'_>, records: Vec<GroupRecord>, then: Then) {
        let write = PendingWrite::new(self.offsets_partition(), self.id().clone(), records.clone(), then);
        let write_id = turn.out.append(turn.now_ms, write);
        if let Group::Consumer(group) = self {
            group.began_write(write_id, &records);
        }
    }
}
