//! Which names a topic may have, and which of Kafka's own topics there are.
//!
//! The rules and their words are those of Kafka's `Topic` class.

/// The topic that groups keep their offsets in.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// The topic that transactions keep their state in.
pub const TRANSACTIONS_TOPIC: &str = "__transaction_state";
/// The log that this catalog is made of; not a topic that clients see.
pub const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";
/// The longest name, in bytes.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;

/// Whether clients are told that a topic is internal.
pub fn is_internal(name: &str) -> bool {
    matches!(name, OFFSETS_TOPIC | TRANSACTIONS_TOPIC)
}

/// Checks a topic's name.
///
/// # Errors
/// Kafka's message.
pub fn check_topic_name(name: &str) -> Result<(), String> {
    let fault = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if name.len() > TOPIC_NAME_BYTES_MAX {
        format!("the length of '{name}' is longer than the max allowed length {TOPIC_NAME_BYTES_MAX}")
    } else if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) {
        format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
    } else {
        return Ok(());
    };
    Err(format!("Topic name is invalid: {fault}"))
}

/// What names that metrics cannot tell apart have in common: `.` becomes `_`. None for a name that has neither.
pub fn collision_key(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}
