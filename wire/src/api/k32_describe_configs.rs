//! DescribeConfigs: v1–v4.
//! Behaviour: shows the settings of topics, brokers and groups.
//! Deviations: none.   Versions: v1 sources and synonyms; v3 types and documentation; v4 flexible.

use std::ops::RangeInclusive;

use crate::message::{Api, message};

impl Api for DescribeConfigsRequest {
    const KEY: i16 = 32;
    const VERSIONS: RangeInclusive<i16> = 1..=4;
    type Response = DescribeConfigsResponse;
}

message! {
    /// Asks for settings.
    pub struct DescribeConfigsRequest: flexible 4.. {
        /// Resources whose configurations we want to describe.
        resources: Vec<DescribeConfigsResource>,
        /// True if we should include all synonyms.
        include_synonyms: bool,
        /// True if we should include configuration documentation.
        include_documentation: bool [3..],
    }

    /// Resources whose configurations we want to describe.
    pub struct DescribeConfigsResource {
        /// Kind of resource: 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
        resource_type: i8,
        /// Resource name.
        resource_name: String,
        /// Configuration keys to list, or null to list all configuration keys.
        configuration_keys: Option<Vec<String>>,
    }
}

message! {
    /// The settings of each resource.
    pub struct DescribeConfigsResponse: flexible 4.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// Results for each resource.
        results: Vec<DescribeConfigsResult>,
    }

    /// Results for each resource.
    pub struct DescribeConfigsResult {
        /// Error code; 0 is success.
        error_code: i16,
        /// What went wrong, for people; null for the standard text.
        error_message: Option<String>,
        /// Kind of resource: 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
        resource_type: i8,
        /// Resource name.
        resource_name: String,
        /// Listed configuration.
        configs: Vec<DescribeConfigsResourceResult>,
    }

    /// Listed configuration.
    pub struct DescribeConfigsResourceResult {
        /// Configuration name.
        name: String,
        /// Configuration value.
        value: Option<String>,
        /// True if the configuration is read-only.
        read_only: bool,
        /// Configuration source.
        config_source: i8 = -1,
        /// True if this configuration is sensitive.
        is_sensitive: bool,
        /// Synonyms for this configuration key.
        synonyms: Vec<DescribeConfigsSynonym>,
        /// Configuration data type.
        config_type: i8 [3..],
        /// Configuration documentation.
        documentation: Option<String> [3..],
    }

    /// Synonyms for this configuration key.
    pub struct DescribeConfigsSynonym {
        /// Synonym name.
        name: String,
        /// Synonym value.
        value: Option<String>,
        /// Synonym source.
        source: i8,
    }
}
