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
        /// The resources.
        resources: Vec<AlterConfigsResource>,
        /// Only check; change nothing.
        validate_only: bool,
    }

    /// One resource and the changes to it.
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
        /// What to do: 0 set, 1 delete, 2 append, 3 subtract.
        config_operation: i8,
        /// Value, or null.
        value: Option<String>,
    }
}

message! {
    /// An error code for each resource.
    pub struct IncrementalAlterConfigsResponse: flexible 1.. {
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
