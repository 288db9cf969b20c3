//! The records of `__consumer_offsets` that groups write and are brought back from.
//!
//! Written as Kafka 4.3 writes them: group metadata in version 3; offsets in version 4, in version 1 where the client
//! has set an expiry. Records of kinds that this build does not know (share and streams groups) are skipped.

use wire::batch::{BatchBuilder, BatchOptions, BuildError};
use wire::codec::DecodeError;
use wire::records::Persisted;
use wire::records::consumer_offsets::{
    GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue, OffsetsKey,
};

use super::consumer::ConsumerRecord;
use super::offsets::CommittedOffset;

const GROUP_METADATA_VERSION: i16 = 3;
const OFFSET_VERSION: i16 = 4;
/// The one version with an expiry.
const EXPIRING_OFFSET_VERSION: i16 = 1;
const NO_EXPIRY: i64 = -1;

/// One record of a group.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum GroupRecord {
    /// An offset, or that there is none any more.
    Offset { topic: String, partition: i32, committed: Option<CommittedOffset> },
    /// The group's generation and members, or that the group is no more.
    Metadata(Option<GroupMetadataValue>),
    /// Something of a consumer group.
    Consumer(ConsumerRecord),
}

impl GroupRecord {
    /// The record that an offset is removed.
    pub fn offset_tombstone(topic: &str, partition: i32) -> GroupRecord {
        GroupRecord::Offset { topic: topic.to_owned(), partition, committed: None }
    }

    /// Whether it says that something is no more.
    pub fn is_tombstone(&self) -> bool {
        match self {
            GroupRecord::Consumer(record) => record.is_tombstone(),
            GroupRecord::Metadata(value) => value.is_none(),
            GroupRecord::Offset { committed, .. } => committed.is_none(),
        }
    }

    /// The record that takes this one back, if it is a consumer group's.
    pub fn tombstone(&self) -> Option<GroupRecord> {
        match self {
            GroupRecord::Consumer(record) => Some(GroupRecord::Consumer(record.tombstone())),
            GroupRecord::Offset { .. } | GroupRecord::Metadata(_) => None,
        }
    }

    /// Its key and value; a tombstone has none.
    pub fn to_bytes(&self, group: &str) -> (Vec<u8>, Option<Vec<u8>>) {
        let group = group.to_owned();
        match self {
            GroupRecord::Offset { topic, partition, committed } => {
                let key = OffsetCommitKey { group, topic: topic.clone(), partition: *partition };
                (OffsetsKey::OffsetCommit(key).to_bytes(), committed.as_ref().map(offset_to_bytes))
            }
            GroupRecord::Metadata(value) => (
                OffsetsKey::GroupMetadata(GroupMetadataKey { group }).to_bytes(),
                value.as_ref().map(|value| value.to_versioned_bytes(GROUP_METADATA_VERSION)),
            ),
            GroupRecord::Consumer(record) => record.to_bytes(group),
        }
    }

    /// Reads a record and the group it is about; `None` when it is of another kind.
    pub fn from_bytes(key: &[u8], value: Option<&[u8]>) -> Result<Option<(String, GroupRecord)>, DecodeError> {
        let key = match OffsetsKey::from_bytes(key) {
            Err(DecodeError::Unknown { .. }) => return Ok(None),
            key => key?,
        };
        Ok(Some(match key {
            OffsetsKey::OffsetCommit(OffsetCommitKey { group, topic, partition }) => {
                let committed = value.map(offset_from_bytes).transpose()?;
                (group, GroupRecord::Offset { topic, partition, committed })
            }
            OffsetsKey::GroupMetadata(GroupMetadataKey { group }) => {
                let value = value.map(GroupMetadataValue::from_versioned_bytes).transpose()?;
                (group, GroupRecord::Metadata(value))
            }
            key => {
                let read = ConsumerRecord::read(key, value)?;
                return Ok(read.map(|(group, record)| (group, record.into())));
            }
        }))
    }
}

fn offset_to_bytes(committed: &CommittedOffset) -> Vec<u8> {
    let version = if committed.expire_timestamp.is_some() { EXPIRING_OFFSET_VERSION } else { OFFSET_VERSION };
    let value = OffsetCommitValue {
        offset: committed.offset,
        leader_epoch: committed.leader_epoch,
        metadata: committed.metadata.clone(),
        commit_timestamp: committed.commit_timestamp,
        expire_timestamp: committed.expire_timestamp.unwrap_or(NO_EXPIRY),
        topic_id: committed.topic_id,
    };
    value.to_versioned_bytes(version)
}

fn offset_from_bytes(bytes: &[u8]) -> Result<CommittedOffset, DecodeError> {
    let value = OffsetCommitValue::from_versioned_bytes(bytes)?;
    Ok(CommittedOffset {
        offset: value.offset,
        leader_epoch: value.leader_epoch,
        metadata: value.metadata,
        commit_timestamp: value.commit_timestamp,
        expire_timestamp: (value.expire_timestamp != NO_EXPIRY).then_some(value.expire_timestamp),
        topic_id: value.topic_id,
    })
}

/// One batch of a group's records.
pub(super) fn batch(now_ms: i64, group: &str, records: &[GroupRecord]) -> Result<Vec<u8>, BuildError> {
    let mut builder = BatchBuilder::new();
    for record in records {
        let (key, value) = record.to_bytes(group);
        builder.append(now_ms, Some(&key), value.as_deref(), &[])?;
    }
    let mut batch = Vec::new();
    builder.build(&BatchOptions::default(), &mut batch)?;
    Ok(batch)
}
