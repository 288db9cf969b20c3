//! OffsetDelete: v0.
//! Behaviour: deletes a group's offsets of topics that it is not subscribed to (KIP-496).
//! Deviations: none.   Versions: never flexible.

use std::ops::RangeInclusive;

use crate::message::{Api, message};

impl Api for OffsetDeleteRequest {
    const KEY: i16 = 47;
    const VERSIONS: RangeInclusive<i16> = 0..=0;
    type Response = OffsetDeleteResponse;
}

message! {
    /// Deletes committed offsets.
    pub struct OffsetDeleteRequest: flexible never {
        /// Group id.
        group_id: String,
        /// The topics.
        topics: Vec<OffsetDeleteRequestTopic>,
    }

    /// A topic and its partitions.
    pub struct OffsetDeleteRequestTopic {
        /// Topic name.
        name: String,
        /// The partitions.
        partitions: Vec<OffsetDeleteRequestPartition>,
    }

    /// A partition.
    pub struct OffsetDeleteRequestPartition {
        /// Partition index.
        partition_index: i32,
    }
}

message! {
    /// An error code for each partition.
    pub struct OffsetDeleteResponse: flexible never {
        /// Error code; 0 is success.
        error_code: i16,
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// The topics.
        topics: Vec<OffsetDeleteResponseTopic>,
    }

    /// A topic's answers.
    pub struct OffsetDeleteResponseTopic {
        /// Topic name.
        name: String,
        /// The partitions.
        partitions: Vec<OffsetDeleteResponsePartition>,
    }

    /// A partition and what became of its offset.
    pub struct OffsetDeleteResponsePartition {
        /// Partition index.
        partition_index: i32,
        /// Error code; 0 is success.
        error_code: i16,
    }
}
