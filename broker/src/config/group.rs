//! What a group may set for itself.

use super::ConfigError;
use super::table::{GROUP_KEYS, UNSUPPORTED_GROUP_KEYS, broker_key, group_key};
use super::topic::Layers;

const HEARTBEAT_INTERVAL: &str = "consumer.heartbeat.interval.ms";
const SESSION_TIMEOUT: &str = "consumer.session.timeout.ms";

/// Checks a value that a group is to have; returns it trimmed. Whether the broker allows it [`check_group_relations`] says.
///
/// # Errors
/// No such key, one without effect here, or a value that it does not take.
pub fn check_group_value<'a>(name: &str, value: &'a str) -> Result<&'a str, ConfigError> {
    match group_key(name) {
        Some(key) => key.key.check(value),
        None if UNSUPPORTED_GROUP_KEYS.contains(&name) => {
            Err(ConfigError::Unsupported { kind: "group", name: name.into() })
        }
        None => Err(ConfigError::UnknownGroupKey { name: name.into() }),
    }
}

/// Whether a group's settings are within the broker's bounds and go together (Kafka's `GroupConfig.validate`).
///
/// # Errors
/// [`ConfigError::OutOfBounds`].
pub fn check_group_relations(layers: &Layers<'_>) -> Result<(), ConfigError> {
    for key in GROUP_KEYS {
        let (name, value) = (key.key.name, group_number(layers, key.key.name));
        if value < broker_number(layers, key.min) {
            return Err(ConfigError::OutOfBounds { name, relation: "greater than or equal to", other: key.min });
        }
        if value > broker_number(layers, key.max) {
            return Err(ConfigError::OutOfBounds { name, relation: "less than or equal to", other: key.max });
        }
    }
    if group_number(layers, SESSION_TIMEOUT) <= group_number(layers, HEARTBEAT_INTERVAL) {
        let (name, other) = (SESSION_TIMEOUT, HEARTBEAT_INTERVAL);
        return Err(ConfigError::OutOfBounds { name, relation: "greater than", other });
    }
    Ok(())
}

/// What holds for a group, of a key that is a number: what it has set for itself as far as the broker still allows it.
fn group_number(layers: &Layers<'_>, name: &'static str) -> i32 {
    let key = group_key(name).unwrap_or_else(|| panic!("no group key {name} in the table"));
    number(name, layers.of_group_key(key)[0].value)
}

fn broker_number(layers: &Layers<'_>, name: &'static str) -> i32 {
    assert!(broker_key(name).is_some_and(|key| key.default.is_some()), "{name} has a default in the table");
    number(name, layers.of_broker_key(name)[0].value)
}

fn number(name: &str, value: &str) -> i32 {
    value.parse().unwrap_or_else(|_| panic!("{name} = {value} is a checked number"))
}
