//! Taking over and giving up partitions of `__consumer_offsets`.
//!
//! Deviation: there are no transactions, so batches of transactions (which only another broker can have written) count
//! as they stand, and markers are skipped.

use std::collections::BTreeMap;
use std::sync::Arc;

use wire::ErrorCode;
use wire::batch::{self, BatchError, Records};
use wire::codec::DecodeError;
use wire::records::consumer_offsets::OffsetsKey;

use super::classic_group::ClassicGroup;
use super::consumer::{ConsumerGroup, ConsumerRecord};
use super::group::Group;
use super::outbox::Then;
use super::rebalance::{join_error, sync_error};
use super::records::GroupRecord;
use super::{Availability, Groups};

/// The most that a compressed batch of the offsets topic may open to, in bytes.
const OPENED_BYTES_MAX: usize = 256 << 20;

/// A partition of `__consumer_offsets` cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A batch is not one.
    #[error("__consumer_offsets-{partition}: {error}")]
    Batch {
        /// The partition.
        partition: i32,
        /// What is wrong.
        error: BatchError,
    },
    /// A record is not one.
    #[error("__consumer_offsets-{partition}, offset {offset}: {error}")]
    Record {
        /// The partition.
        partition: i32,
        /// The record's offset.
        offset: i64,
        /// What is wrong.
        error: DecodeError,
    },
}

/// The partition of `__consumer_offsets` that a group lives in: `Utils.abs(groupId.hashCode()) % partitions`.
pub fn partition_for(group_id: &str, partitions: i32) -> i32 {
    assert!(partitions > 0, "the offsets topic has a partition");
    let hash = group_id.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // Kafka makes 0 of the one number that has no absolute value.
    hash.checked_abs().unwrap_or(0) % partitions
}

/// One record of the log, as it is there.
#[derive(Clone, Copy)]
struct Loaded<'a> {
    offset: i64,
    key: &'a [u8],
    value: Option<&'a [u8]>,
}

/// The newest committed offset of each key, in a stretch of the log that has nothing else. Most of a log that no cleaning
/// has been over is superseded, and never decoded.
#[derive(Default)]
struct Newest<'a> {
    /// Where each key's record is.
    by_key: BTreeMap<&'a [u8], usize>,
    /// In the order in which the keys came up.
    records: Vec<Loaded<'a>>,
}

impl<'a> Newest<'a> {
    fn put(&mut self, loaded: Loaded<'a>) {
        probe::mutation!(OldestOffsetsLoaded => if self.by_key.contains_key(loaded.key) { return });
        let index = *self.by_key.entry(loaded.key).or_insert(self.records.len());
        match self.records.get_mut(index) {
            Some(superseded) => *superseded = loaded,
            None => self.records.push(loaded),
        }
    }
}

impl Groups {
    /// Begins to load a partition, or goes on: whole batches, in the log's order. Before the first call with bytes, one
    /// without makes the partition known, so that clients wait instead of looking elsewhere.
    ///
    /// # Errors
    /// What cannot be read; the partition then stays as it is, loading.
    pub fn load(&mut self, offsets_partition: i32, batches: &[u8]) -> Result<(), LoadError> {
        let before = *self.partitions.entry(offsets_partition).or_insert(Availability::Loading);
        assert_eq!(before, Availability::Loading, "partition {offsets_partition} is loaded once");
        let batch_error = |error| LoadError::Batch { partition: offsets_partition, error };
        let mut newest = Newest::default();
        let mut scratch = Vec::new();
        for batch in batch::batches(batches) {
            let batch = batch.map_err(batch_error)?;
            if batch.header.is_control() {
                continue;
            }
            let base_offset = batch.header.base_offset;
            if let Some(records) = batch.plain_records() {
                self.load_records(offsets_partition, base_offset, records, &mut newest)?;
                continue;
            }
            self.replay_newest(offsets_partition, &mut newest)?;
            let records = batch::records(&batch, OPENED_BYTES_MAX, &mut scratch).map_err(batch_error)?;
            let mut opened = Newest::default();
            self.load_records(offsets_partition, base_offset, records, &mut opened)?;
            self.replay_newest(offsets_partition, &mut opened)?;
        }
        self.replay_newest(offsets_partition, &mut newest)
    }

    /// Committed offsets wait in `newest`, until there is a record of another kind or the caller has them replayed.
    fn load_records<'a>(
        &mut self,
        offsets_partition: i32,
        base_offset: i64,
        records: Records<'a>,
        newest: &mut Newest<'a>,
    ) -> Result<(), LoadError> {
        for record in records {
            let record = record.map_err(|error| LoadError::Batch { partition: offsets_partition, error })?;
            let key = record.key.unwrap_or_default();
            let loaded =
                Loaded { offset: base_offset.wrapping_add(i64::from(record.offset_delta)), key, value: record.value };
            if OffsetsKey::is_offset_commit(key) && record.value.is_some() {
                newest.put(loaded);
            } else {
                self.replay_newest(offsets_partition, newest)?;
                self.replay_loaded(offsets_partition, loaded)?;
            }
        }
        Ok(())
    }

    fn replay_newest(&mut self, offsets_partition: i32, newest: &mut Newest<'_>) -> Result<(), LoadError> {
        newest.by_key.clear();
        newest.records.drain(..).try_for_each(|loaded| self.replay_loaded(offsets_partition, loaded))
    }

    fn replay_loaded(&mut self, offsets_partition: i32, loaded: Loaded<'_>) -> Result<(), LoadError> {
        let Loaded { offset, key, value } = loaded;
        let record_error = |error| LoadError::Record { partition: offsets_partition, offset, error };
        if let Some((group_id, record)) = GroupRecord::from_bytes(key, value).map_err(record_error)? {
            self.replay(offsets_partition, &group_id, record);
        }
        Ok(())
    }

    fn replay(&mut self, offsets_partition: i32, group_id: &str, record: GroupRecord) {
        match record {
            GroupRecord::Metadata(Some(value)) => {
                let group = self.get_or_create(group_id, offsets_partition);
                if let Group::Consumer(consumer) = group {
                    let mut classic = ClassicGroup::new(consumer.id.clone(), offsets_partition);
                    classic.offsets = std::mem::take(&mut consumer.offsets);
                    classic.has_committed = consumer.has_committed;
                    *group = Group::Classic(Box::new(classic));
                }
                if let Group::Classic(classic) = group {
                    classic.load(value);
                }
            }
            GroupRecord::Metadata(None) => {
                // Offsets have tombstones of their own.
                let Some(Group::Classic(group)) = self.groups.get_mut(group_id) else { return };
                let offsets = std::mem::take(&mut group.offsets);
                **group = ClassicGroup { offsets, ..ClassicGroup::new(group.id.clone(), offsets_partition) };
                if group.offsets.is_empty() {
                    self.groups.remove(group_id);
                }
            }
            GroupRecord::Offset { committed: Some(_), .. } => self.apply(group_id, offsets_partition, record),
            GroupRecord::Offset { committed: None, .. } => {
                self.apply(group_id, offsets_partition, record);
                self.drop_if_gone(group_id);
            }
            GroupRecord::Consumer(record) => self.replay_consumer(offsets_partition, group_id, record),
        }
    }

    fn replay_consumer(&mut self, offsets_partition: i32, group_id: &str, record: ConsumerRecord) {
        let is_removed = matches!(record, ConsumerRecord::Epoch(None));
        if let Some(Group::Consumer(group)) = self.groups.get_mut(group_id) {
            group.replay(record);
        } else if !record.is_tombstone() {
            let group = self.get_or_create(group_id, offsets_partition);
            let offsets = std::mem::take(group.offsets_mut());
            let mut consumer = ConsumerGroup::new(group.id().clone(), offsets_partition);
            consumer.has_committed = !offsets.is_empty();
            consumer.offsets = offsets;
            consumer.replay(record);
            *group = Group::Consumer(Box::new(consumer));
        }
        if is_removed {
            self.drop_if_gone(group_id);
        }
    }

    fn drop_if_gone(&mut self, group_id: &str) {
        let is_gone = |group: &Group| match group {
            Group::Classic(group) => group.is_vacant() && group.generation == 0,
            Group::Consumer(group) => group.is_vacant() && group.is_new(),
        };
        if self.groups.get(group_id).is_some_and(|group| group.offsets().is_empty() && is_gone(group)) {
            self.groups.remove(group_id);
        }
    }

    /// The partition's whole log has been loaded: its groups can be asked, and their members' sessions begin.
    pub fn loaded(&mut self, offsets_partition: i32, now_ms: i64) {
        self.partitions.insert(offsets_partition, Availability::Active);
        self.retention_check.get_or_insert(now_ms + self.config.offsets_retention_check_interval_ms);
        for group_id in self.group_ids_in(offsets_partition) {
            self.with_group(now_ms, &group_id, |group, turn| group.loaded(turn));
        }
        self.fail_unwritable(now_ms);
    }

    /// This core no longer leads the partition: whoever waits is told NOT_COORDINATOR, and nothing of it is kept.
    pub fn unload(&mut self, offsets_partition: i32) {
        self.partitions.remove(&offsets_partition);
        if self.partitions.is_empty() {
            self.retention_check = None;
        }
        for group_id in self.group_ids_in(offsets_partition) {
            let group = self.remove_group(&group_id).expect("the ids are the groups'");
            let Group::Classic(group) = group else { continue };
            for member in group.members.into_values() {
                if let Some(token) = member.awaiting_join {
                    self.outbox.respond(token, join_error(&member.id, ErrorCode::NotCoordinator));
                }
                if let Some(token) = member.awaiting_sync {
                    self.outbox.respond(token, sync_error(ErrorCode::NotCoordinator));
                }
            }
        }
        for write in self.outbox.take_pending_in(offsets_partition) {
            let own = match write.then {
                Then::Answer(answer) => Some(answer),
                Then::Nothing | Then::Assign { .. } | Then::ReplaceStatic(_) => None,
            };
            for answer in own.into_iter().chain(write.answers) {
                answer.send(&mut self.outbox, Err(ErrorCode::NotCoordinator));
            }
        }
    }

    fn group_ids_in(&self, offsets_partition: i32) -> Vec<Arc<str>> {
        let ours = self.groups.values().filter(|group| group.offsets_partition() == offsets_partition);
        ours.map(|group| group.id().clone()).collect()
    }
}
