//! What holds for one topic, and where it comes from.

use std::collections::BTreeMap;

use wire::batch::TimestampType;
use wire::compression::Compression;

use super::ConfigError;
use super::broker::BrokerConfig;
use super::key::parse_list;
use super::table::{GroupKey, TopicKey, UNSUPPORTED_TOPIC_KEYS, broker_key, topic_key};

/// Settings of one resource by key, values checked.
pub type ConfigMap = BTreeMap<String, String>;

/// Where a value comes from, with the protocol's numbers (`DescribeConfigsResponse.ConfigSource`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum Source {
    /// Set on the topic.
    Topic = 1,
    /// Set at run time on this broker.
    DynamicBroker = 2,
    /// Set at run time for all brokers.
    DynamicDefault = 3,
    /// Set when the broker was started.
    Static = 4,
    /// The table's default.
    Default = 5,
    /// Set on the group.
    Group = 8,
}

/// One of the values that a key could have, with the name of the key that gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sourced<'a> {
    /// The key, or its synonym.
    pub name: &'static str,
    /// The value in the unit of `name`.
    pub value: &'a str,
    /// Where it was set.
    pub source: Source,
    scale: i64,
}

impl Sourced<'_> {
    /// The value in the unit of the key that was asked for.
    pub fn scaled(&self) -> String {
        match self.value.parse::<i64>() {
            Ok(number) if self.scale != 1 => scale(number, self.scale).to_string(),
            _ => self.value.to_owned(),
        }
    }
}

/// A negative number means "no limit" in every unit.
fn scale(number: i64, factor: i64) -> i64 {
    if number < 0 { number } else { number.saturating_mul(factor) }
}

/// Where the settings of a topic, a group or the broker may stand, the nearest first.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'a> {
    /// The topic's or the group's own.
    pub own: &'a ConfigMap,
    /// This broker's, set at run time.
    pub node: &'a ConfigMap,
    /// All brokers', set at run time.
    pub cluster: &'a ConfigMap,
    /// As the broker was started.
    pub start: &'a BrokerConfig,
}

impl<'a> Layers<'a> {
    /// All values that a topic key has, the one that counts first; never empty.
    pub fn of_topic_key(&self, topic_key: &'static TopicKey) -> Vec<Sourced<'a>> {
        let name = topic_key.key.name;
        let own = self.own.get(name).map(|value| Sourced { name, value, source: Source::Topic, scale: 1 });
        let synonyms = topic_key.synonyms.iter();
        let mut values: Vec<_> = own
            .into_iter()
            .chain(synonyms.flat_map(|synonym| self.of_broker_key_scaled(synonym.name, synonym.scale)))
            .collect();
        if values.is_empty() {
            let value = topic_key.key.default.unwrap_or_default();
            values.push(Sourced { name, value, source: Source::Default, scale: 1 });
        }
        values
    }

    /// All values that a group key has, the one that counts first; never empty.
    pub fn of_group_key(&self, group_key: &'static GroupKey) -> Vec<Sourced<'a>> {
        let name = group_key.key.name;
        let own = self.own.get(name).map(|value| Sourced { name, value, source: Source::Group, scale: 1 });
        own.into_iter().chain(self.of_broker_key_scaled(group_key.synonym, 1)).collect()
    }

    /// All values that a broker key has, the one that counts first; empty for an unset key without default.
    pub fn of_broker_key(&self, name: &'static str) -> Vec<Sourced<'a>> {
        self.of_broker_key_scaled(name, 1).collect()
    }

    fn of_broker_key_scaled(&self, name: &'static str, scale: i64) -> impl Iterator<Item = Sourced<'a>> + use<'a> {
        let default = broker_key(name).and_then(|key| key.default);
        [
            (self.node.get(name).map(String::as_str), Source::DynamicBroker),
            (self.cluster.get(name).map(String::as_str), Source::DynamicDefault),
            (self.start.set_value(name), Source::Static),
            (default, Source::Default),
        ]
        .into_iter()
        .filter_map(move |(value, source)| value.map(|value| Sourced { name, value, source, scale }))
    }

    fn text(&self, name: &'static str) -> String {
        let key = topic_key(name).unwrap_or_else(|| panic!("no topic key {name} in the table"));
        self.of_topic_key(key)[0].scaled()
    }

    fn number<N: TryFrom<i64>>(&self, name: &'static str) -> N {
        let text = self.text(name);
        text.parse::<i64>()
            .ok()
            .and_then(|number| N::try_from(number).ok())
            .unwrap_or_else(|| panic!("{name} = {text} is a checked number whose range fits its field"))
    }

    fn fraction(&self, name: &'static str) -> f64 {
        let text = self.text(name);
        text.parse().unwrap_or_else(|_| panic!("{name} = {text} is a checked number"))
    }
}

/// Whether a topic's settings go together; the words are Kafka's.
///
/// # Errors
/// [`ConfigError::Conflict`].
pub fn check_topic_relations(layers: &Layers<'_>) -> Result<(), ConfigError> {
    let (name, other) = ("min.compaction.lag.ms", "max.compaction.lag.ms");
    let (value, other_value) = (layers.number(name), layers.number(other));
    if value > other_value { Err(ConfigError::Conflict { name, value, other, other_value }) } else { Ok(()) }
}

/// What becomes of old records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Old segments are deleted by time and size.
    pub delete: bool,
    /// Of each key the newest record is kept.
    pub compact: bool,
}

/// The configuration that holds for one topic.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicConfig {
    /// What becomes of old records.
    pub cleanup_policy: CleanupPolicy,
    /// The codec that batches are kept in; none for the producer's.
    pub compression_type: Option<Compression>,
    /// How long a tombstone stays after a cleaning has met it, in ms.
    pub delete_retention_ms: i64,
    /// An index entry about every so many bytes.
    pub index_interval_bytes: u64,
    /// How long a record waits for compaction at most, in ms.
    pub max_compaction_lag_ms: i64,
    /// The largest batch, in bytes.
    pub max_message_bytes: usize,
    /// How far a timestamp may lie ahead of the clock, in ms.
    pub message_timestamp_after_max_ms: i64,
    /// How far a timestamp may lie behind the clock, in ms.
    pub message_timestamp_before_max_ms: i64,
    /// Whose time the records bear.
    pub message_timestamp_type: TimestampType,
    /// The share of dirty bytes from which on a log is compacted, 0 to 1.
    pub min_cleanable_dirty_ratio: f64,
    /// How long a record stays whatever comes after it, in ms.
    pub min_compaction_lag_ms: i64,
    /// Replicas that must hold a record before acks=all is answered.
    pub min_insync_replicas: i32,
    /// Size that retention cuts a partition to, in bytes; none for no limit or without the delete policy.
    pub retention_bytes: Option<u64>,
    /// Age that retention deletes at, in ms; none for no limit or without the delete policy.
    pub retention_ms: Option<i64>,
    /// Size that a segment is closed at, in bytes.
    pub segment_bytes: u64,
    /// Size that a segment's offset index is full at, in bytes.
    pub segment_index_bytes: u64,
    /// Age that a segment is closed at, in ms.
    pub segment_ms: i64,
}

impl TopicConfig {
    /// What holds, of the layers.
    pub fn resolve(layers: &Layers<'_>) -> TopicConfig {
        let policies = layers.text("cleanup.policy");
        let has = |policy: &str| parse_list(&policies).any(|word| word == policy);
        let cleanup_policy = CleanupPolicy { delete: has("delete"), compact: has("compact") };
        let timestamp_type = match layers.text("message.timestamp.type").as_str() {
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        };
        let compression_type = match layers.text("compression.type").as_str() {
            "uncompressed" => Some(Compression::None),
            name => Compression::from_name(name),
        };
        let limit = |name| Some(layers.number::<i64>(name)).filter(|&limit| cleanup_policy.delete && limit >= 0);
        TopicConfig {
            cleanup_policy,
            compression_type,
            delete_retention_ms: layers.number("delete.retention.ms"),
            index_interval_bytes: layers.number("index.interval.bytes"),
            max_compaction_lag_ms: layers.number("max.compaction.lag.ms"),
            max_message_bytes: layers.number("max.message.bytes"),
            message_timestamp_after_max_ms: layers.number("message.timestamp.after.max.ms"),
            message_timestamp_before_max_ms: layers.number("message.timestamp.before.max.ms"),
            message_timestamp_type: timestamp_type,
            min_cleanable_dirty_ratio: layers.fraction("min.cleanable.dirty.ratio"),
            min_compaction_lag_ms: layers.number("min.compaction.lag.ms"),
            min_insync_replicas: layers.number("min.insync.replicas"),
            retention_bytes: limit("retention.bytes").map(i64::unsigned_abs),
            retention_ms: limit("retention.ms"),
            segment_bytes: layers.number("segment.bytes"),
            segment_index_bytes: layers.number("segment.index.bytes"),
            segment_ms: layers.number("segment.ms"),
        }
    }
}

impl Default for TopicConfig {
    fn default() -> Self {
        let none = ConfigMap::new();
        Self::resolve(&Layers { own: &none, node: &none, cluster: &none, start: &BrokerConfig::default() })
    }
}

/// Checks a value that a topic is to have; returns it trimmed.
///
/// # Errors
/// No such key, one without effect here, or a value that it does not take.
pub fn check_topic_value<'a>(name: &str, value: &'a str) -> Result<&'a str, ConfigError> {
    match topic_key(name) {
        Some(key) => key.key.check(value),
        None if UNSUPPORTED_TOPIC_KEYS.contains(&name) => {
            Err(ConfigError::Unsupported { kind: "topic", name: name.into() })
        }
        None => Err(ConfigError::UnknownTopicKey { name: name.into() }),
    }
}
