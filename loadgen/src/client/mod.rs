//! A lean blocking Kafka client: connections, a metadata cache, and the calls that a tool needs.
//!
//! - [`Connection`]: one broker; requests by [`wire::message::Api`] type, answered in order, pipelined if wanted.
//! - [`Client`]: a cluster; finds leaders and coordinators, and reconnects.
//! - [`Consumer`]: reads some partitions on. [`GroupMember`]: a classic group's member, which shares them with others.
//!
//! Deviation: nothing is retried behind the caller's back but what is harmless to ask twice.

mod admin;
mod cluster;
mod connection;
mod consumer;
mod error;
mod group;
mod group_description;
mod group_explanation;
mod group_offsets;
mod groups;
mod partitioner;
mod produce;
#[cfg(test)]
mod tests;

pub use admin::{TopicConfigChange, TopicSetting};
pub use cluster::{Broker, Client, PartitionInfo, TopicInfo};
pub use connection::{Address, Connection, InFlight, RequestSender, ResponseReceiver};
pub use consumer::{Consumer, Fetched, OffsetSpec, TopicPartition};
pub use error::{ClientError, check};
pub(crate) use group::ranges;
pub use group::{GroupMember, GroupOptions, Rebalance};
pub use group_description::{GroupDescription, GroupEpochs, MemberDescription};
pub use groups::ListedGroup;
pub use partitioner::partition_for_key;
pub use produce::{Acks, Produced, produce_request, produce_result};
