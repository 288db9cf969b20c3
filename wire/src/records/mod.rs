//! Records that brokers persist and share with each other, by Kafka's schemas, so that Kafka's own tools read our logs.
//!
//! [`metadata`] is the catalog, [`consumer_offsets`] and [`consumer_groups`] the groups, [`control`] what KRaft logs carry beside both, and
//! [`consumer_protocol`] what group members tell each other. [`producer`] is what a log keeps of its producers.

pub mod consumer_groups;
pub mod consumer_offsets;
pub mod consumer_protocol;
pub mod control;
pub mod metadata;
mod metadata_tables;
pub mod producer;

#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use crate::codec::{DecodeError, Reader, Writer};
use crate::message::Message;

/// A message that is kept, and hence outlives the build that wrote it.
pub trait Persisted: Message {
    /// The versions that can be read and written.
    const VERSIONS: RangeInclusive<i16>;

    /// The bytes of a value: its version in two bytes, then itself.
    fn to_versioned_bytes(&self, version: i16) -> Vec<u8> {
        assert!(Self::VERSIONS.contains(&version), "{} has no version {version}", Self::NAME);
        let mut writer = Writer::new();
        writer.i16(version);
        self.encode(&mut writer, version);
        writer.into_vec()
    }

    /// Reads what [`Persisted::to_versioned_bytes`] gives, in any known version.
    fn from_versioned_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let version = reader.i16()?;
        if !Self::VERSIONS.contains(&version) {
            return Err(DecodeError::Unknown { what: "record version", value: version.into() });
        }
        Self::decode(&mut reader, version)
    }
}
