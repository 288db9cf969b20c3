//! AlterConfigs: v0–v2.
//! Behaviour: replaces all dynamic settings of a resource (deprecated by IncrementalAlterConfigs).
//! Deviations: none.   Versions: v2 flexible.

use std::ops::RangeInclusive;

use crate::message::{Api, message};

impl Api for AlterConfigsRequest {
    const KEY: i16 = 33;
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    type Response = AlterConfigsResponse;
}

message! {
    /// Replaces settings.
    pub struct AlterConfigsRequest: flexible 2.. {
        /// The resources.
        resources: Vec<AlterConfigsResource>,
        /// Only check; change nothing.
        validate_only: bool,
    }

    /// A resource and its new settings.
    pub struct AlterConfigsResource {
        /// Kind of resource: 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
        resource_type: i8,
        /// Resource name.
        resource_name: String,
        /// The settings.
        configs: Vec<AlterableConfig>,
    }

    /// The settings.
    pub struct AlterableConfig {
        /// Name of the setting.
        name: String,
        /// Value, or null.
        value: Option<String>,
    }
}

message! {
    /// An error code for each resource.
    pub struct AlterConfigsResponse: flexible 2.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// The answers, resource by resource.
        responses: Vec<AlterConfigsResourceResponse>,
    }

    /// What became of a resource.
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
