//! A consumer group, brought back from its records.
//!
//! A compacted log may hold a member's assignment before the member itself: only when all is read is it known who is a member.
//! Where a write had failed before a later one was durable, records may be missing: epochs are then those of the newest
//! record, and a target assignment that cannot be right is made anew.

use std::collections::btree_map::Entry;

use super::super::outbox::Turn;
use super::member::{Member, MemberState};
use super::records::{Change, target_from_record};
use super::{ConsumerGroup, ConsumerRecord};

impl ConsumerGroup {
    /// Takes over a record, in the log's order, all of them before [`ConsumerGroup::loaded`].
    pub fn replay(&mut self, record: ConsumerRecord) {
        match record {
            ConsumerRecord::Epoch(value) => {
                let value = value.unwrap_or_default();
                self.epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
            }
            ConsumerRecord::TargetEpoch(value) => {
                let value = value.unwrap_or_default();
                self.target_epoch = value.assignment_epoch;
                self.target_timestamp = value.assignment_timestamp;
            }
            ConsumerRecord::Member(id, Some(value)) => {
                self.loading.insert(id.clone());
                self.loaded_member(id).load_metadata(value);
            }
            ConsumerRecord::Member(id, None) => {
                self.loading.remove(&id);
                self.members.remove(&id);
            }
            ConsumerRecord::Target(id, Some(value)) => {
                self.target.insert(id, target_from_record(value));
            }
            ConsumerRecord::Target(id, None) => {
                self.target.remove(&id);
            }
            ConsumerRecord::Current(id, Some(value)) => self.loaded_member(id).load_current(value),
            ConsumerRecord::Current(id, None) => {
                if let Some(member) = self.members.get_mut(&id) {
                    let metadata = member.to_record();
                    *member = Member::new(id);
                    member.load_metadata(metadata);
                }
            }
            ConsumerRecord::RegularExpression(expression, Some(value)) => {
                self.expressions.insert(expression, value.into());
            }
            ConsumerRecord::RegularExpression(expression, None) => {
                self.expressions.remove(&expression);
            }
        }
    }

    fn loaded_member(&mut self, id: String) -> &mut Member {
        self.members.entry(id.clone()).or_insert_with(|| Member::new(id))
    }

    /// All records have been read, and the group can be asked: the members' sessions begin.
    pub fn loaded(&mut self, turn: &mut Turn<'_>) {
        let known = std::mem::take(&mut self.loading);
        let mut members = std::mem::take(&mut self.members);
        members.retain(|id, _| known.contains(id));
        self.target.retain(|id, _| members.contains_key(id));
        self.owners.clear();
        for (id, mut member) in members {
            for partition in member.owned_partitions().collect::<Vec<_>>() {
                match self.owners.entry(partition) {
                    Entry::Vacant(vacant) => drop(vacant.insert(id.clone())),
                    Entry::Occupied(_) => {
                        member.give_up(partition);
                        self.changes.insert(Change::Current(id.clone()));
                    }
                }
            }
            if let Some(instance_id) = &member.instance_id {
                self.static_members.insert(instance_id.clone(), id.clone());
            }
            member.begin_session(turn, &self.id);
            if member.state == MemberState::UnrevokedPartitions {
                member.await_revocation(turn.now_ms);
            }
            member.schedule(&mut self.timers);
            self.members.insert(id, member);
        }
        // They may have changed after the group's last record.
        self.topics_changed = true;
        let newest = self.members.values().map(|member| member.epoch).max().unwrap_or(0);
        self.epoch = self.epoch.max(self.target_epoch).max(newest);
        self.target_is_loaded = true;
    }
}
