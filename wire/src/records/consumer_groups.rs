//! The records of `__consumer_offsets` that consumer groups of the new protocol (KIP-848) are kept in; their framing is
//! [`super::consumer_offsets`].
//!
//! A group is many records: one for itself, one for each member's subscription, one for each member's target and one for what
//! each member owns now. What Kafka before 4.1 kept of the topics (type 4) has no table: nobody reads it any more.

use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::codec::Uuid;
use crate::message::message;
use crate::records::Persisted;

macro_rules! version_0_only {
    ($($value:ident)*) => {
        $(impl Persisted for $value {
            const VERSIONS: RangeInclusive<i16> = 0..=0;
        })*
    };
}

version_0_only! {
    ConsumerGroupMetadataValue ConsumerGroupMemberMetadataValue ConsumerGroupTargetAssignmentMetadataValue
    ConsumerGroupTargetAssignmentMemberValue ConsumerGroupCurrentMemberAssignmentValue ConsumerGroupRegularExpressionValue
}

message! {
    /// Key of a consumer group.
    pub struct ConsumerGroupMetadataKey: flexible never {
        /// Group id.
        group_id: String,
    }
}

message! {
    /// A consumer group.
    pub struct ConsumerGroupMetadataValue: flexible 0.. {
        /// Group epoch.
        epoch: i32,
        /// Hash of the topics that the group was assigned by (KIP-1101); 0 where it is not known.
        metadata_hash: i64 [0.., tag 0],
    }
}

message! {
    /// Key of a member's subscription.
    pub struct ConsumerGroupMemberMetadataKey: flexible never {
        /// Group id.
        group_id: String,
        /// Member id.
        member_id: String,
    }
}

message! {
    /// A member and what it subscribes to.
    pub struct ConsumerGroupMemberMetadataValue: flexible 0.. {
        /// Static member's id (KIP-345), or null.
        instance_id: Option<String>,
        /// Rack of the member, or null.
        rack_id: Option<String>,
        /// Client id.
        client_id: String,
        /// Address that the client connects from.
        client_host: String,
        /// Names of the topics that the member subscribes to.
        subscribed_topic_names: Vec<String>,
        /// Regular expression of the topics that the member subscribes to, or null.
        subscribed_topic_regex: Option<String>,
        /// How long the coordinator waits for the member to revoke partitions, in milliseconds.
        rebalance_timeout_ms: i32 = -1,
        /// The assignor that the member wants, or null.
        server_assignor: Option<String>,
        /// What a member says that speaks the classic protocol; null where it speaks the new one.
        classic_member_metadata: Option<ClassicMemberMetadata> [0.., tag 0],
    }

    /// What a member says that speaks the classic protocol.
    pub struct ClassicMemberMetadata {
        /// How long the member may stay silent, in milliseconds.
        session_timeout_ms: i32,
        /// The protocols that the member can do, the most wanted first.
        supported_protocols: Vec<ClassicProtocol>,
    }

    /// A protocol.
    pub struct ClassicProtocol {
        /// Name, such as `range`.
        name: String,
        /// The member's metadata for it.
        metadata: Bytes,
    }
}

message! {
    /// Key of the target assignment's epoch.
    pub struct ConsumerGroupTargetAssignmentMetadataKey: flexible never {
        /// Group id.
        group_id: String,
    }
}

message! {
    /// The group epoch that the target assignment was made for.
    pub struct ConsumerGroupTargetAssignmentMetadataValue: flexible 0.. {
        /// The epoch.
        assignment_epoch: i32,
        /// When the assignment was made, in milliseconds since the epoch (KIP-1263); 0 where it is not known.
        assignment_timestamp: i64 [0.., tag 0],
    }
}

message! {
    /// Key of a member's target assignment.
    pub struct ConsumerGroupTargetAssignmentMemberKey: flexible never {
        /// Group id.
        group_id: String,
        /// Member id.
        member_id: String,
    }
}

message! {
    /// What a member is to own.
    pub struct ConsumerGroupTargetAssignmentMemberValue: flexible 0.. {
        /// The partitions.
        topic_partitions: Vec<TargetTopicPartitions>,
    }

    /// Some partitions of a topic.
    pub struct TargetTopicPartitions {
        /// Topic id.
        topic_id: Uuid,
        /// The partitions.
        partitions: Vec<i32>,
    }
}

message! {
    /// Key of what a member owns.
    pub struct ConsumerGroupCurrentMemberAssignmentKey: flexible never {
        /// Group id.
        group_id: String,
        /// Member id.
        member_id: String,
    }
}

message! {
    /// What a member owns, and how far it is on its way to its target.
    pub struct ConsumerGroupCurrentMemberAssignmentValue: flexible 0.. {
        /// The epoch that the member's next heartbeat is to bear.
        member_epoch: i32,
        /// The one before, which the member bears if it has not been told of the current one.
        previous_member_epoch: i32,
        /// 0 stable, 1 unrevoked partitions, 2 unreleased partitions, 127 unknown (`MemberState`).
        state: i8,
        /// What the member owns.
        assigned_partitions: Vec<CurrentTopicPartitions>,
        /// What the member is to give up before it goes on.
        partitions_pending_revocation: Vec<CurrentTopicPartitions>,
    }

    /// Some partitions of a topic.
    pub struct CurrentTopicPartitions {
        /// Topic id.
        topic_id: Uuid,
        /// The partitions.
        partitions: Vec<i32>,
        /// The member epoch at which each partition was assigned, or null where that is not known.
        assignment_epochs: Option<Vec<i32>> [0.., tag 0],
    }
}

message! {
    /// Key of what a regular expression has matched.
    pub struct ConsumerGroupRegularExpressionKey: flexible never {
        /// Group id.
        group_id: String,
        /// The regular expression.
        regular_expression: String,
    }
}

message! {
    /// What a regular expression has matched.
    pub struct ConsumerGroupRegularExpressionValue: flexible 0.. {
        /// Names of the topics.
        topics: Vec<String>,
        /// Version of the metadata image that was looked at.
        version: i64,
        /// When that was, in milliseconds since the epoch.
        timestamp: i64,
    }
}
