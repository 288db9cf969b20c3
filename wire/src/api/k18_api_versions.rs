//! ApiVersions: v0–v4.
//! Behaviour: lists the served APIs and features. An unsupported version is answered in v0 form with error 35.
//! Deviations: none.   Versions: v1 throttle; v3 flexible (the response header stays v0), client's software; v4 min
//! version 0 features.

use std::ops::RangeInclusive;

use crate::message::{Api, message};

impl Api for ApiVersionsRequest {
    const KEY: i16 = 18;
    const VERSIONS: RangeInclusive<i16> = 0..=4;
    type Response = ApiVersionsResponse;
}

message! {
    /// Asks what the broker serves.
    pub struct ApiVersionsRequest: flexible 3.. {
        /// Name of the client.
        client_software_name: String [3..],
        /// Version of the client.
        client_software_version: String [3..],
    }
}

message! {
    /// Served APIs and the cluster's features.
    pub struct ApiVersionsResponse: flexible 3.. {
        /// Error code; 0 is success.
        error_code: i16,
        /// APIs supported by the broker.
        api_keys: Vec<ApiVersion>,
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32 [1..],
        /// Features supported by the broker.
        supported_features: Vec<SupportedFeatureKey> [3.., tag 0],
        /// Monotonically increasing epoch for the finalized features information.
        finalized_features_epoch: i64 [3.., tag 1] = -1,
        /// List of cluster-wide finalized features.
        finalized_features: Vec<FinalizedFeatureKey> [3.., tag 2],
        /// Set by a KRaft controller if the required configurations for ZK migration are present.
        zk_migration_ready: bool [3.., tag 3],
    }

    /// APIs supported by the broker.
    pub struct ApiVersion {
        /// API index.
        api_key: i16,
        /// Minimum supported version, inclusive.
        min_version: i16,
        /// Maximum supported version, inclusive.
        max_version: i16,
    }

    /// Features supported by the broker.
    pub struct SupportedFeatureKey {
        /// Name of the feature.
        name: String,
        /// Minimum supported version for the feature.
        min_version: i16,
        /// Maximum supported version for the feature.
        max_version: i16,
    }

    /// List of cluster-wide finalized features.
    pub struct FinalizedFeatureKey {
        /// Name of the feature.
        name: String,
        /// Cluster-wide finalized max version level for the feature.
        max_version_level: i16,
        /// Cluster-wide finalized min version level for the feature.
        min_version_level: i16,
    }
}
