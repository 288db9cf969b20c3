//! Configuration: one declarative table of every key ([`table`]), and typed views of it.
//!
//! [`BrokerConfig`] is what the broker was started with. [`TopicConfig`] is what holds for one topic: its own setting, else the
//! broker's (changed at run time, else as started), else the default; so it is with groups. [`Layers`] finds it and can say where it came from.
//!
//! Invariant: a value in one of the typed views, or in the catalog, has passed [`Key::check`].
//!
//! Deviations from Kafka: an unknown key refuses to start instead of being warned of, and is refused in requests too; a value
//! that would have no effect is refused.

mod broker;
mod group;
mod key;
mod listener;
pub mod table;
#[cfg(test)]
mod tests;
mod topic;

pub use broker::{BatchValidation, BrokerConfig, check_broker_value};
pub use group::{check_group_relations, check_group_value};
pub use key::{Key, Kind, Range, Unit, parse_list};
pub use listener::Listener;
pub use topic::{
    CleanupPolicy, ConfigMap, Layers, Source, Sourced, TopicConfig, check_topic_relations, check_topic_value,
};

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No such broker key.
    #[error("unknown configuration key {name}{}", suggestion(*.nearest))]
    Unknown {
        /// What was written.
        name: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
    /// No such topic key; Kafka's words.
    #[error("Unknown topic config name: {name}")]
    UnknownTopicKey {
        /// What was written.
        name: String,
    },
    /// No such group key; Kafka's words.
    #[error("Unknown group config name: {name}")]
    UnknownGroupKey {
        /// What was written.
        name: String,
    },
    /// A key of Kafka's without effect here.
    #[error("Partita does not support the {kind} config {name}")]
    Unsupported {
        /// Whose key it is.
        kind: &'static str,
        /// What was written.
        name: String,
    },
    /// The value is not one that the key takes; Kafka's words.
    #[error("Invalid value {value} for configuration {name}: {reason}")]
    Invalid {
        /// The key.
        name: String,
        /// What was written.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A group's setting is beyond another one; Kafka's words.
    #[error("{name} must be {relation} {other}")]
    OutOfBounds {
        /// The one key.
        name: &'static str,
        /// How it is to stand to the other one.
        relation: &'static str,
        /// The other key.
        other: &'static str,
    },
    /// Two of a topic's settings do not go together; Kafka's words.
    #[error("conflict topic config setting {name} ({value}) > {other} ({other_value})")]
    Conflict {
        /// The one key.
        name: &'static str,
        /// Its value.
        value: i64,
        /// The other key.
        other: &'static str,
        /// Its value.
        other_value: i64,
    },
    /// Two keys contradict each other.
    #[error("{name} = {value} contradicts {other}: {reason}")]
    Contradiction {
        /// The one key.
        name: &'static str,
        /// Its value.
        value: String,
        /// The other key.
        other: &'static str,
        /// Why both cannot be.
        reason: String,
    },
}

fn suggestion(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest}?"))
}
