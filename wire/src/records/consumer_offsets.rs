//! The records of `__consumer_offsets`: committed offsets and classic groups.
//!
//! A key is preceded by its type and a value by its version, two bytes each. Type 0 is type 1 as Kafka before 0.9
//! wrote
//! it; both have one layout. Other types (KIP-848, share and streams groups) are [`DecodeError::Unknown`] here.

use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::codec::{DecodeError, Reader, Uuid, Writer};
use crate::message::{Message, message};
use crate::records::Persisted;

const LEGACY_OFFSET_COMMIT: i16 = 0;
const OFFSET_COMMIT: i16 = 1;
const GROUP_METADATA: i16 = 2;

/// Every key has one version so far.
const KEY_VERSION: i16 = 0;

/// What a record is about; the type of its value follows from it.
#[derive(Debug, Clone, PartialEq)]
pub enum OffsetsKey {
    /// The value is an [`OffsetCommitValue`], or null when the offset was removed.
    OffsetCommit(OffsetCommitKey),
    /// The value is a [`GroupMetadataValue`], or null when the group was removed.
    GroupMetadata(GroupMetadataKey),
}

impl OffsetsKey {
    /// Reads a record's key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.i16()? {
            LEGACY_OFFSET_COMMIT | OFFSET_COMMIT => {
                OffsetCommitKey::decode(&mut reader, KEY_VERSION).map(OffsetsKey::OffsetCommit)
            }
            GROUP_METADATA => GroupMetadataKey::decode(&mut reader, KEY_VERSION).map(OffsetsKey::GroupMetadata),
            other => Err(DecodeError::Unknown { what: "record type", value: other.into() }),
        }
    }

    /// A record's key.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        match self {
            OffsetsKey::OffsetCommit(key) => {
                writer.i16(OFFSET_COMMIT);
                key.encode(&mut writer, KEY_VERSION);
            }
            OffsetsKey::GroupMetadata(key) => {
                writer.i16(GROUP_METADATA);
                key.encode(&mut writer, KEY_VERSION);
            }
        }
        writer.into_vec()
    }
}

impl Persisted for OffsetCommitValue {
    const VERSIONS: RangeInclusive<i16> = 0..=4;
}

impl Persisted for GroupMetadataValue {
    const VERSIONS: RangeInclusive<i16> = 0..=4;
}

message! {
    /// Key of a committed offset.
    pub struct OffsetCommitKey: flexible never {
        /// Consumer group id.
        group: String,
        /// Topic name.
        topic: String,
        /// Topic partition index.
        partition: i32,
    }
}

message! {
    /// A committed offset.
    pub struct OffsetCommitValue: flexible 4.. {
        /// Offset that the consumer wants to store (for this partition).
        offset: i64,
        /// Leader epoch, or −1 when unknown.
        leader_epoch: i32 [3..] = -1,
        /// Any metadata the client wants to keep.
        metadata: String,
        /// Time at which the commit was added to the log.
        commit_timestamp: i64,
        /// Time at which the offset will expire.
        expire_timestamp: i64 [1..=1] = -1,
        /// Topic id.
        topic_id: Uuid [4.., tag 0],
    }
}

message! {
    /// Key of a classic group.
    pub struct GroupMetadataKey: flexible never {
        /// Group id.
        group: String,
    }
}

message! {
    /// A classic group: its generation and the members in it.
    pub struct GroupMetadataValue: flexible 4.. {
        /// Protocol type.
        protocol_type: String,
        /// Generation id.
        generation: i32,
        /// Protocol name.
        protocol: Option<String>,
        /// Leader id.
        leader: Option<String>,
        /// Timestamp of the last state change.
        current_state_timestamp: i64 [2..] = -1,
        /// Group members.
        members: Vec<MemberMetadata>,
    }

    /// Group members.
    pub struct MemberMetadata {
        /// Member id that the coordinator has assigned.
        member_id: String,
        /// Static member's id (KIP-345), or null.
        group_instance_id: Option<String> [3..],
        /// Client id.
        client_id: String,
        /// Client host.
        client_host: String,
        /// Rebalance timeout.
        rebalance_timeout: i32 [1..] = -1,
        /// Session timeout.
        session_timeout: i32,
        /// Subscription.
        subscription: Bytes,
        /// Assignment.
        assignment: Bytes,
    }
}
