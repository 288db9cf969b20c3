//! DescribeCluster: v0–v2.
//! Behaviour: lists the brokers or the controllers (KIP-700).
//! Deviations: none.   Versions: v0 flexible; v1 endpoint type; v2 fenced brokers.

use std::ops::RangeInclusive;

use crate::message::{Api, message};

impl Api for DescribeClusterRequest {
    const KEY: i16 = 60;
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    type Response = DescribeClusterResponse;
}

message! {
    /// Asks for the cluster's nodes.
    pub struct DescribeClusterRequest: flexible 0.. {
        /// Whether to include cluster authorized operations.
        include_cluster_authorized_operations: bool,
        /// Endpoint type to describe. 1=brokers, 2=controllers.
        endpoint_type: i8 [1..] = 1,
        /// Whether to include fenced brokers when listing brokers.
        include_fenced_brokers: bool [2..],
    }
}

message! {
    /// The cluster's nodes.
    pub struct DescribeClusterResponse: flexible 0.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// Error code; 0 is success.
        error_code: i16,
        /// What went wrong, for people; null for the standard text.
        error_message: Option<String>,
        /// Endpoint type that was described. 1=brokers, 2=controllers.
        endpoint_type: i8 [1..] = 1,
        /// Cluster ID that responding broker belongs to.
        cluster_id: String,
        /// ID of the controller.
        controller_id: i32 = -1,
        /// Broker in the response.
        brokers: Vec<DescribeClusterBroker>,
        /// Bit field of the operations that the client may do on the cluster; i32::MIN when not asked for.
        cluster_authorized_operations: i32 = i32::MIN,
    }

    /// Broker in the response.
    pub struct DescribeClusterBroker {
        /// Broker id.
        broker_id: i32,
        /// Host name.
        host: String,
        /// Port.
        port: i32,
        /// Rack, or null when none is set.
        rack: Option<String>,
        /// Whether the broker is fenced.
        is_fenced: bool [2..],
    }
}
