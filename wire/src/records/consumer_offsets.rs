//! The records of `__consumer_offsets`: committed offsets and classic groups; [`consumer_groups`] has the new ones.
//!
//! A key is preceded by its type and a value by its version, two bytes each. Type 0 is type 1 as Kafka before 0.9
//! wrote it; both have one layout. Other types (share and streams groups) are [`DecodeError::Unknown`] here.
//!
//! [`consumer_groups`]: super::consumer_groups

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::consumer_groups::*;
use crate::codec::{DecodeError, Reader, Uuid, Writer};
use crate::message::{Message, message};
use crate::records::Persisted;

/// As Kafka before 0.9 wrote [`OffsetCommitKey`].
const LEGACY_OFFSET_COMMIT: i16 = 0;

/// The type of [`OffsetCommitKey`].
const OFFSET_COMMIT: i16 = 1;

/// Every key has one version so far.
const KEY_VERSION: i16 = 0;

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident($key:ty) = $record_type:literal $(| $legacy:ident)?,)*) => {
        /// What a record is about; the type of its value follows from it.
        #[derive(Debug, Clone, PartialEq)]
        pub enum OffsetsKey {
            $($(#[$doc])* $name($key),)*
        }

        impl OffsetsKey {
            /// Reads a record's key.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
                let mut reader = Reader::new(bytes);
                match reader.i16()? {
                    $($record_type $(| $legacy)? => {
                        <$key>::decode(&mut reader, KEY_VERSION).map(OffsetsKey::$name)
                    })*
                    other => Err(DecodeError::Unknown { what: "record type", value: other.into() }),
                }
            }

            /// A record's key.
            pub fn to_bytes(&self) -> Vec<u8> {
                let mut writer = Writer::new();
                match self {
                    $(OffsetsKey::$name(key) => {
                        writer.i16($record_type);
                        key.encode(&mut writer, KEY_VERSION);
                    })*
                }
                writer.into_vec()
            }
        }
    };
}

keys! {
    /// The value is an [`OffsetCommitValue`], or null when the offset was removed.
    OffsetCommit(OffsetCommitKey) = 1 | LEGACY_OFFSET_COMMIT,
    /// The value is a [`GroupMetadataValue`], or null when the group was removed.
    GroupMetadata(GroupMetadataKey) = 2,
    /// The value is a [`ConsumerGroupMetadataValue`], or null when the group was removed.
    ConsumerGroupMetadata(ConsumerGroupMetadataKey) = 3,
    /// The value is a [`ConsumerGroupMemberMetadataValue`], or null when the member has gone.
    ConsumerGroupMemberMetadata(ConsumerGroupMemberMetadataKey) = 5,
    /// The value is a [`ConsumerGroupTargetAssignmentMetadataValue`], or null when the group was removed.
    ConsumerGroupTargetAssignmentMetadata(ConsumerGroupTargetAssignmentMetadataKey) = 6,
    /// The value is a [`ConsumerGroupTargetAssignmentMemberValue`], or null when the member has gone.
    ConsumerGroupTargetAssignmentMember(ConsumerGroupTargetAssignmentMemberKey) = 7,
    /// The value is a [`ConsumerGroupCurrentMemberAssignmentValue`], or null when the member has gone.
    ConsumerGroupCurrentMemberAssignment(ConsumerGroupCurrentMemberAssignmentKey) = 8,
    /// The value is a [`ConsumerGroupRegularExpressionValue`], or null when nobody subscribes to it any more.
    ConsumerGroupRegularExpression(ConsumerGroupRegularExpressionKey) = 16,
}

impl OffsetsKey {
    /// Whether bytes are the key of a committed offset, by their type alone.
    pub fn is_offset_commit(bytes: &[u8]) -> bool {
        matches!(Reader::new(bytes).i16(), Ok(OFFSET_COMMIT | LEGACY_OFFSET_COMMIT))
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
        /// Group id.
        group: String,
        /// Topic name.
        topic: String,
        /// Partition index.
        partition: i32,
    }
}

message! {
    /// A committed offset.
    pub struct OffsetCommitValue: flexible 4.. {
        /// Offset of the next record to consume.
        offset: i64,
        /// Leader epoch, or −1 when unknown.
        leader_epoch: i32 [3..] = -1,
        /// Whatever the client wants kept beside the offset.
        metadata: String,
        /// When the offset was committed, in milliseconds since the epoch.
        commit_timestamp: i64,
        /// When it expires, in milliseconds since the epoch, or −1.
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
        /// Class of protocols, such as `consumer`.
        protocol_type: String,
        /// Group generation.
        generation: i32,
        /// Name of a protocol, such as `range`.
        protocol: Option<String>,
        /// Member id of the leader.
        leader: Option<String>,
        /// When the group's state has changed last, in milliseconds since the epoch.
        current_state_timestamp: i64 [2..] = -1,
        /// The members.
        members: Vec<MemberMetadata>,
    }

    /// A member.
    pub struct MemberMetadata {
        /// Member id that the coordinator has assigned.
        member_id: String,
        /// Static member's id (KIP-345), or null.
        group_instance_id: Option<String> [3..],
        /// Client id.
        client_id: String,
        /// Address that the client connects from.
        client_host: String,
        /// How long a rebalance waits for the member, in milliseconds; −1 as the session timeout.
        rebalance_timeout: i32 [1..] = -1,
        /// How long the member may stay silent, in milliseconds.
        session_timeout: i32,
        /// The member's metadata for the selected protocol.
        subscription: Bytes,
        /// The members' assignments; empty unless the leader asks.
        assignment: Bytes,
    }
}
