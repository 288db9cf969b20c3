//! ConsumerGroupDescribe: v0–v1.
//! Behaviour: shows consumer groups of the new protocol (KIP-848); classic ones are GROUP_ID_NOT_FOUND.
//! Deviations: none.   Versions: v1 the members' protocol (KIP-1099).

use std::ops::RangeInclusive;

use crate::codec::Uuid;
use crate::message::{Api, message};

impl Api for ConsumerGroupDescribeRequest {
    const KEY: i16 = 69;
    const VERSIONS: RangeInclusive<i16> = 0..=1;
    type Response = ConsumerGroupDescribeResponse;
}

message! {
    /// Asks about consumer groups.
    pub struct ConsumerGroupDescribeRequest: flexible 0.. {
        /// The groups.
        group_ids: Vec<String>,
        /// Whether to list the operations that the client may do on each group.
        include_authorized_operations: bool,
    }
}

message! {
    /// State and members of each group.
    pub struct ConsumerGroupDescribeResponse: flexible 0.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// The groups.
        groups: Vec<DescribedGroup>,
    }

    /// A group.
    pub struct DescribedGroup {
        /// Error code; 0 is success.
        error_code: i16,
        /// What went wrong, for people; null for the standard text.
        error_message: Option<String>,
        /// Group id.
        group_id: String,
        /// State, such as `Stable`, or empty on an error.
        group_state: String,
        /// Grows with each change of members, subscriptions or topics.
        group_epoch: i32,
        /// Group epoch that the target assignment was made for.
        assignment_epoch: i32,
        /// The selected assignor.
        assignor_name: String,
        /// The members.
        members: Vec<Member>,
        /// Bit field of the operations that the client may do on the group; i32::MIN when not asked for.
        authorized_operations: i32 = i32::MIN,
    }

    /// A member.
    pub struct Member {
        /// Member id.
        member_id: String,
        /// Static member's id (KIP-345), or null.
        instance_id: Option<String>,
        /// Rack of the member, or null.
        rack_id: Option<String>,
        /// The member's epoch.
        member_epoch: i32,
        /// Client id.
        client_id: String,
        /// Address that the client connects from.
        client_host: String,
        /// Names of the topics that the member subscribes to.
        subscribed_topic_names: Vec<String>,
        /// Regular expression of the topics that the member subscribes to, or null.
        subscribed_topic_regex: Option<String>,
        /// What the member owns.
        assignment: Assignment,
        /// What the member is to own.
        target_assignment: Assignment,
        /// 0 where the member speaks the classic protocol, 1 where it speaks the new one, −1 where that is not known.
        member_type: i8 [1..] = -1,
    }

    /// Some partitions.
    pub struct Assignment {
        /// The partitions.
        topic_partitions: Vec<TopicPartitions>,
    }

    /// Some partitions of a topic.
    pub struct TopicPartitions {
        /// Topic id.
        topic_id: Uuid,
        /// Topic name.
        topic_name: String,
        /// The partitions.
        partitions: Vec<i32>,
    }
}
