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
        /// Name of the client's library.
        client_software_name: String [3..],
        /// Version of the client's library.
        client_software_version: String [3..],
    }
}

message! {
    /// Served APIs and the cluster's features.
    pub struct ApiVersionsResponse: flexible 3.. {
        /// Error code; 0 is success.
        error_code: i16,
        /// The APIs that are served.
        api_keys: Vec<ApiVersion>,
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32 [1..],
        /// The features that the broker knows.
        supported_features: Vec<SupportedFeatureKey> [3.., tag 0],
        /// Metadata offset at which the features hold; −1 when unknown.
        finalized_features_epoch: i64 [3.., tag 1] = -1,
        /// The features that the cluster has agreed on.
        finalized_features: Vec<FinalizedFeatureKey> [3.., tag 2],
        /// A leftover of the migration from ZooKeeper.
        zk_migration_ready: bool [3.., tag 3],
    }

    /// The APIs that are served.
    pub struct ApiVersion {
        /// The API's key.
        api_key: i16,
        /// Lowest version.
        min_version: i16,
        /// Highest version.
        max_version: i16,
    }

    /// A feature and the levels that the broker can act by.
    pub struct SupportedFeatureKey {
        /// Feature name.
        name: String,
        /// Lowest level.
        min_version: i16,
        /// Highest level.
        max_version: i16,
    }

    /// A feature and the level that the cluster has agreed on.
    pub struct FinalizedFeatureKey {
        /// Feature name.
        name: String,
        /// Level that the cluster has agreed on.
        max_version_level: i16,
        /// In KRaft the same as the maximum.
        min_version_level: i16,
    }
}
