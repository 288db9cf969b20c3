//! A lean blocking Kafka client: connections, a metadata cache, and the calls that a tool needs.
//!
//! - [`Connection`]: one broker; requests by [`wire::message::Api`] type, answered in order, pipelined if wanted.
//! - [`Client`]: a cluster; finds leaders and coordinators, and reconnects.
//! - [`Consumer`]: reads some partitions on. [`GroupMember`]: a member of a group, which shares them with others.
//! - [`Producer`]: numbers what it sends, so that what it sends again is not appended twice.
//!
//! Deviation: nothing is retried behind the caller's back but what is harmless to ask twice.

mod admin;
mod classic_member;
mod cluster;
mod connection;
mod consumer;
mod consumer_member;
mod error;
mod group;
mod group_description;
mod group_explanation;
mod group_offsets;
mod groups;
mod partitioner;
mod produce;
mod producer;
#[cfg(test)]
mod tests;

pub use admin::{TopicConfigChange, TopicSetting};
pub(crate) use classic_member::ranges;
pub use cluster::{Broker, Client, PartitionInfo, TopicInfo};
pub use connection::{Address, Connection, InFlight, RequestSender, ResponseReceiver};
pub use consumer::{Consumer, Fetched, OffsetSpec, TopicPartition};
pub use error::{ClientError, check};
pub use group::{GroupMember, GroupOptions, GroupProtocol, Rebalance};
pub use group_description::{GroupDescription, GroupEpochs, MemberDescription};
pub use groups::ListedGroup;
pub use partitioner::partition_for_key;
pub use produce::{Acks, Produced, produce_request, produce_result};
pub use producer::Producer;
