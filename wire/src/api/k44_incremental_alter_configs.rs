//! IncrementalAlterConfigs: v0–v1.
//! Behaviour: sets, deletes, appends to or subtracts from single settings (KIP-339).
//! Deviations: none.   Versions: v1 flexible.

use std::ops::RangeInclusive;

use crate::message::{Api, message};

impl Api for IncrementalAlterConfigsRequest {
    const KEY: i16 = 44;
    const VERSIONS: RangeInclusive<i16> = 0..=1;
    type Response = IncrementalAlterConfigsResponse;
}

message! {
    /// Changes settings.
    pub struct IncrementalAlterConfigsRequest: flexible 1.. {
        /// Incremental updates for each resource.
        resources: Vec<AlterConfigsResource>,
        /// Only check; change nothing.
        validate_only: bool,
    }

    /// Incremental updates for each resource.
    pub struct AlterConfigsResource {
        /// Kind of resource: 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
        resource_type: i8,
        /// Resource name.
        resource_name: String,
        /// Configurations.
        configs: Vec<AlterableConfig>,
    }

    /// Configurations.
    pub struct AlterableConfig {
        /// Configuration key name.
        name: String,
        /// Type (Set, Delete, Append, Subtract) of operation.
        config_operation: i8,
        /// Value to set for the configuration key.
        value: Option<String>,
    }
}

message! {
    /// An error code for each resource.
    pub struct IncrementalAlterConfigsResponse: flexible 1.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// Responses for each resource.
        responses: Vec<AlterConfigsResourceResponse>,
    }

    /// Responses for each resource.
    pub struct AlterConfigsResourceResponse {
        /// Error code; 0 is success.
        error_code: i16,
        /// What went wrong, for people; null for the standard text.
        error_message: Option<String>,
        /// Kind of resource: 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
        resource_type: i8,
        /// Resource name.
        resource_name: String,
    }
}
