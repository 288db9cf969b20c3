//! Kafka's bytes and values: framing, one file per API, record batch v2, bounded decoding. Knows no I/O.

pub mod api;
pub mod batch;
pub mod codec;
pub mod compression;
pub mod error_code;
pub mod header;
pub mod ids;
pub mod message;
#[cfg(test)]
mod random;
pub mod records;

pub use error_code::ErrorCode;
pub use ids::{TopicPartitionId, Uuid};
