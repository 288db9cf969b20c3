//! Kafka's bytes and values: framing, one file per API, record batch v2, bounded decoding. Knows no I/O.

pub mod ids;

pub use ids::{TopicPartitionId, Uuid};
