//! What consumers tell each other through JoinGroup and SyncGroup (protocol type `consumer`).
//!
//! Opaque to the broker except for OffsetDelete, which asks who is subscribed to what, and for groups on their way between the
//! classic and the new protocol. Preceded by a version of two bytes.
//! A version above the known ones is read as the highest known one, as Kafka does: newer fields come last.

use bytes::Bytes;

use crate::codec::{DecodeError, Reader, Writer};
use crate::message::{Message, message};

/// The highest version that this build knows.
const VERSION_MAX: i16 = 3;

impl ConsumerProtocolSubscription {
    /// Reads a member's metadata.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes)
    }

    /// A member's metadata in the highest known version.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self, VERSION_MAX)
    }
}

impl ConsumerProtocolAssignment {
    /// Reads a member's assignment.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes)
    }

    /// A member's assignment in the highest known version.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self, VERSION_MAX)
    }

    /// A member's assignment in the version that its metadata is in; in the highest known one where that cannot be read.
    pub fn to_bytes_like(&self, metadata: &[u8]) -> Vec<u8> {
        let version = Reader::new(metadata).i16().unwrap_or(VERSION_MAX);
        encode(self, version.clamp(0, VERSION_MAX))
    }
}

fn decode<M: Message>(bytes: &[u8]) -> Result<M, DecodeError> {
    let mut reader = Reader::new(bytes);
    let version = reader.i16()?;
    if version < 0 {
        return Err(DecodeError::Unknown { what: "consumer protocol version", value: version.into() });
    }
    M::decode(&mut reader, version.min(VERSION_MAX))
}

fn encode<M: Message>(message: &M, version: i16) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.i16(version);
    message.encode(&mut writer, version);
    writer.into_vec()
}

message! {
    /// What a member wants.
    pub struct ConsumerProtocolSubscription: flexible never {
        /// The topics.
        topics: Vec<String>,
        /// What the assignor wants to be told, or null.
        user_data: Option<Bytes>,
        /// What the member still holds (KIP-429).
        owned_partitions: Vec<TopicPartition> [1..],
        /// Generation in which the member was given `owned_partitions`.
        generation_id: i32 [2..] = -1,
        /// Rack of the member, or null.
        rack_id: Option<String> [3..],
    }

    /// Some partitions of a topic.
    pub struct TopicPartition {
        /// Topic name.
        topic: String,
        /// The partitions.
        partitions: Vec<i32>,
    }
}

message! {
    /// What a member gets.
    pub struct ConsumerProtocolAssignment: flexible never {
        /// The partitions.
        assigned_partitions: Vec<TopicPartition>,
        /// What the assignor adds, or null.
        user_data: Option<Bytes>,
    }
}
