//! DeleteGroups (v0–v2) and OffsetDelete (v0); offsets that have expired, or whose topic is gone.
//! Behaviour: as Kafka's: groups with members stay; offsets of topics that the members read stay. All of it is
//! tombstones in `__consumer_offsets`, which count once they are durable.
//! Deviations: none.

use std::collections::BTreeSet;

use wire::ErrorCode;
use wire::api::k47_offset_delete::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use wire::api::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::group::Group;
use super::outbox::{Answer, Then, Turn};
use super::records::GroupRecord;
use crate::Token;

impl Group {
    /// Deletes the group with all offsets, those included whose commits are under way.
    pub fn delete(&mut self, turn: &mut Turn<'_>, token: Token) -> Result<(), ErrorCode> {
        if !self.is_empty() {
            return Err(ErrorCode::NonEmptyGroup);
        }
        let mut offsets: BTreeSet<(&str, i32)> = self.offsets().keys().collect();
        for record in turn.out.pending_of(self.id()).flat_map(|write| &write.records) {
            if let GroupRecord::Offset { topic, partition, .. } = record {
                offsets.insert((topic, *partition));
            }
        }
        let tombstone = |(topic, partition)| GroupRecord::offset_tombstone(topic, partition);
        let mut records: Vec<_> = offsets.into_iter().map(tombstone).collect();
        records.extend(self.tombstones());
        self.append(turn, records, Then::Answer(Answer::DeleteGroup { token, group_id: self.id().to_string() }));
        Ok(())
    }

    /// Deletes offsets; `refused` is what was said already of topics that are not there.
    pub fn delete_offsets(
        &mut self,
        turn: &mut Turn<'_>,
        token: Token,
        request: OffsetDeleteRequest,
        refused: Vec<OffsetDeleteResponseTopic>,
    ) {
        if !self.is_empty() && !self.is_of_consumers() {
            return turn.out.respond(token, offset_delete_error(ErrorCode::NonEmptyGroup));
        }
        let mut response = OffsetDeleteResponse { topics: refused, ..OffsetDeleteResponse::default() };
        let mut records = Vec::new();
        for topic in request.topics {
            let is_subscribed = self.is_subscribed_to(&topic.name);
            let error = if is_subscribed { ErrorCode::GroupSubscribedToTopic } else { ErrorCode::None };
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for partition in topic.partitions {
                let partition_index = partition.partition_index;
                partitions.push(OffsetDeleteResponsePartition { partition_index, error_code: error.code() });
                if !is_subscribed && self.offsets().get(&topic.name, partition_index).is_some() {
                    records.push(GroupRecord::offset_tombstone(&topic.name, partition_index));
                }
            }
            match response.topics.iter_mut().find(|known| known.name == topic.name) {
                Some(known) => known.partitions.extend(partitions),
                None => response.topics.push(OffsetDeleteResponseTopic { name: topic.name, partitions }),
            }
        }
        if records.is_empty() {
            turn.out.respond(token, response);
        } else {
            self.append(turn, records, Then::Answer(Answer::DeleteOffsets { token, response }));
        }
    }

    /// Removes what is expired, and the group itself if it then has neither members nor offsets. A group with writes
    /// under way is left for the next time: a fresh commit must not be followed by the tombstone of the old one.
    pub fn expire_offsets(&mut self, turn: &mut Turn<'_>) {
        if turn.out.pending_of(self.id()).next().is_some() {
            return;
        }
        let Some(base) = self.retention_base() else { return };
        let retention_ms = turn.config.offsets_retention_ms;
        let expired = self.offsets().expired(turn.now_ms, base, retention_ms, |topic| self.is_subscribed_to(topic));
        let is_over = self.is_vacant() && self.offsets().keys().count() == expired.len();
        let mut records: Vec<_> =
            expired.iter().map(|(topic, partition)| GroupRecord::offset_tombstone(topic, *partition)).collect();
        if is_over {
            records.extend(self.tombstones());
        }
        if !records.is_empty() {
            self.append(turn, records, Then::Nothing);
        }
    }

    /// Removes the offsets of a topic that was deleted.
    pub fn forget_topic(&mut self, turn: &mut Turn<'_>, topic: &str) {
        let partitions = self.offsets().partitions(topic);
        let records: Vec<_> = partitions.map(|partition| GroupRecord::offset_tombstone(topic, partition)).collect();
        if !records.is_empty() {
            self.append(turn, records, Then::Nothing);
        }
    }
}

/// An OffsetDelete that failed as a whole.
pub(super) fn offset_delete_error(error: ErrorCode) -> OffsetDeleteResponse {
    OffsetDeleteResponse { error_code: error.code(), ..OffsetDeleteResponse::default() }
}
