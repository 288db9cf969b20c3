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
        /// The resources.
        resources: Vec<DescribeConfigsResource>,
        /// Whether to list the synonyms.
        include_synonyms: bool,
        /// Whether to send documentation.
        include_documentation: bool [3..],
    }

    /// A resource.
    pub struct DescribeConfigsResource {
        /// Kind of resource: 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
        resource_type: i8,
        /// Resource name.
        resource_name: String,
        /// Names of the settings asked for; null asks for all.
        configuration_keys: Option<Vec<String>>,
    }
}

message! {
    /// The settings of each resource.
    pub struct DescribeConfigsResponse: flexible 4.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// The answers.
        results: Vec<DescribeConfigsResult>,
    }

    /// A resource and its settings.
    pub struct DescribeConfigsResult {
        /// Error code; 0 is success.
        error_code: i16,
        /// What went wrong, for people; null for the standard text.
        error_message: Option<String>,
        /// Kind of resource: 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
        resource_type: i8,
        /// Resource name.
        resource_name: String,
        /// The settings.
        configs: Vec<DescribeConfigsResourceResult>,
    }

    /// A setting.
    pub struct DescribeConfigsResourceResult {
        /// Name of the setting.
        name: String,
        /// Value, or null when it is secret or unset.
        value: Option<String>,
        /// Whether it cannot be changed while the broker runs.
        read_only: bool,
        /// Where the value comes from: 1 topic, 2 broker, 3 all brokers, 4 broker's file, 5 default, 6 broker logger,
        /// 7 client metrics, 8 group.
        config_source: i8 = -1,
        /// Whether the value is secret.
        is_sensitive: bool,
        /// Settings that the value may come from, the one in force first.
        synonyms: Vec<DescribeConfigsSynonym>,
        /// Type of the value: 1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list, 8 class, 9 password.
        config_type: i8 [3..],
        /// Documentation of the setting, if it was asked for.
        documentation: Option<String> [3..],
    }

    /// A setting that the value may come from, the one in force first.
    pub struct DescribeConfigsSynonym {
        /// Name of the setting.
        name: String,
        /// Value, or null when it is secret or unset.
        value: Option<String>,
        /// Where the value comes from, as in `config_source`.
        source: i8,
    }
}
