//! Identities that every layer shares: Kafka's 16-byte ids and the key of a partition.
//!
//! Kafka prints an id as URL-safe base64 without padding (`org.apache.kafka.common.Uuid`), so that is what
//! `Display` and `FromStr` speak.

use std::fmt;
use std::str::FromStr;

/// A 16-byte id of Kafka's: a topic, a directory, a member.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

/// The text is not 22 characters of URL-safe base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is 22 characters of URL-safe base64 (A–Z a–z 0–9 - _)")]
pub struct UuidParseError;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const TEXT_LEN: usize = 22;

impl Uuid {
    /// "No id": what Kafka sends where a topic is named instead.
    pub const ZERO: Uuid = Uuid([0; 16]);
    /// The topic id of `__cluster_metadata` (`Uuid.METADATA_TOPIC_ID`).
    pub const METADATA_TOPIC: Uuid = Uuid::from_u128(1);

    /// The id whose big-endian bytes are `value`.
    pub const fn from_u128(value: u128) -> Uuid {
        Uuid(value.to_be_bytes())
    }

    /// Whether this is [`Uuid::ZERO`].
    pub fn is_zero(self) -> bool {
        self == Uuid::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 128 bits are 21 characters and two bits, which stand at the top of the 22nd.
        let value = u128::from_be_bytes(self.0);
        for index in 0..TEXT_LEN {
            let shift = 122 - 6 * index as i32;
            let six = if shift >= 0 { value >> shift } else { value << -shift };
            write!(f, "{}", ALPHABET[(six & 63) as usize] as char)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = UuidParseError;

    fn from_str(text: &str) -> Result<Uuid, UuidParseError> {
        if text.len() != TEXT_LEN {
            return Err(UuidParseError);
        }
        let mut value = 0u128;
        for (index, byte) in text.bytes().enumerate() {
            let six = ALPHABET.iter().position(|&letter| letter == byte).ok_or(UuidParseError)? as u128;
            let shift = 122 - 6 * index as i32;
            value |= if shift >= 0 { six << shift } else { six >> -shift };
        }
        Ok(Uuid::from_u128(value))
    }
}

/// The key of a partition in every layer: topics are named by id, because a name can come back with another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartitionId {
    /// The topic's id, never [`Uuid::ZERO`].
    pub topic: Uuid,
    /// The partition's index, from 0.
    pub partition: i32,
}

impl TopicPartitionId {
    /// The metadata log: `__cluster_metadata-0`.
    pub const CLUSTER_METADATA: TopicPartitionId = TopicPartitionId { topic: Uuid::METADATA_TOPIC, partition: 0 };
}

impl fmt::Display for TopicPartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_java_prints() {
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid::METADATA_TOPIC.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("short".parse::<Uuid>(), Err(UuidParseError));
        assert_eq!("AAAAAAAAAAAAAAAAAAAAA+".parse::<Uuid>(), Err(UuidParseError));
    }
}
