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
        /// Whether to list the operations that the client may do on the cluster.
        include_cluster_authorized_operations: bool,
        /// What to list: 1 brokers, 2 controllers.
        endpoint_type: i8 [1..] = 1,
        /// Whether to list fenced brokers too.
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
        /// What `brokers` lists: 1 brokers, 2 controllers.
        endpoint_type: i8 [1..] = 1,
        /// Cluster id.
        cluster_id: String,
        /// Node id of the controller, or −1 when unknown.
        controller_id: i32 = -1,
        /// The nodes.
        brokers: Vec<DescribeClusterBroker>,
        /// Bit field of the operations that the client may do on the cluster; i32::MIN when not asked for.
        cluster_authorized_operations: i32 = i32::MIN,
    }

    /// A broker or controller.
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
