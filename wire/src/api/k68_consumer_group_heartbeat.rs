//! ConsumerGroupHeartbeat: v0–v1.
//! Behaviour: joins, keeps up with and leaves a consumer group of the new protocol (KIP-848).
//! Deviations: none.   Versions: v1 subscription by regular expression, member ids made by the client (KIP-1082).

use std::ops::RangeInclusive;

use crate::codec::Uuid;
use crate::message::{Api, message};

impl Api for ConsumerGroupHeartbeatRequest {
    const KEY: i16 = 68;
    const VERSIONS: RangeInclusive<i16> = 0..=1;
    type Response = ConsumerGroupHeartbeatResponse;
}

message! {
    /// A member tells that it is alive, and what has changed since it told last; null is what has not.
    pub struct ConsumerGroupHeartbeatRequest: flexible 0.. {
        /// Group id.
        group_id: String,
        /// Member id, which the client keeps while it lives.
        member_id: String,
        /// The member's epoch; 0 to join, −1 to leave, −2 where a static member leaves for a moment.
        member_epoch: i32,
        /// Static member's id (KIP-345), or null.
        instance_id: Option<String>,
        /// Rack of the member, or null.
        rack_id: Option<String>,
        /// How long the coordinator waits for the member to revoke partitions, in milliseconds, or −1.
        rebalance_timeout_ms: i32 = -1,
        /// Names of the topics that the member subscribes to, or null.
        subscribed_topic_names: Option<Vec<String>>,
        /// Regular expression of the topics that the member subscribes to, or null.
        subscribed_topic_regex: Option<String> [1.., nullable 1..],
        /// The assignor that the member wants, or null.
        server_assignor: Option<String>,
        /// What the member owns, or null.
        topic_partitions: Option<Vec<TopicPartitions>>,
    }

    /// Some partitions of a topic.
    pub struct TopicPartitions {
        /// Topic id.
        topic_id: Uuid,
        /// The partitions.
        partitions: Vec<i32>,
    }
}

message! {
    /// What the member is to do.
    pub struct ConsumerGroupHeartbeatResponse: flexible 0.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// Error code; 0 is success.
        error_code: i16,
        /// What went wrong, for people; null for the standard text.
        error_message: Option<String>,
        /// Member id, or null.
        member_id: Option<String>,
        /// The member's epoch from now on.
        member_epoch: i32,
        /// How often to send heartbeats, in milliseconds.
        heartbeat_interval_ms: i32,
        /// All that the member may own, or null where that has not changed.
        assignment: Option<Assignment>,
    }

    /// What a member may own.
    pub struct Assignment {
        /// The partitions.
        topic_partitions: Vec<TopicPartitions>,
    }
}
