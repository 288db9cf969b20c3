//! What the broker was started with, typed.

use std::collections::BTreeMap;

use super::ConfigError;
use super::key::{Key, parse_boolean, parse_list};
use super::listener::Listener;
use super::table::{GROUP_KEYS, broker_key, nearest_broker_key};
use crate::groups::MigrationPolicy;
use crate::groups::assignor::Assignor;

/// How far compressed batches are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchValidation {
    /// Header and CRC.
    Header,
    /// Every record in them too, as Kafka does.
    Full,
}

/// The broker's configuration. The fields are the keys of [`super::table::BROKER_KEYS`] that topics do not fall back to; those
/// that they do fall back to are read through [`super::Layers`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerConfig {
    set: BTreeMap<&'static str, String>,
    /// What clients are told for each listener; same names as `listeners`.
    pub advertised_listeners: Vec<Listener>,
    /// Whether asking for a topic's metadata may create it.
    pub auto_create_topics_enable: bool,
    /// How far compressed batches are checked.
    pub batch_validation: BatchValidation,
    /// The rack, if any.
    pub broker_rack: Option<String>,
    /// Idle time after which a connection is closed, in ms.
    pub connections_max_idle_ms: i64,
    /// Number of cores, or none for all.
    pub cores: Option<u16>,
    /// The folder of everything.
    pub data_dir: String,
    /// Replicas of a topic by default.
    pub default_replication_factor: i16,
    /// The most that one fetch answers with, in bytes.
    pub fetch_max_bytes: usize,
    /// How long a member whose connection is lost may be late, in ms; none to wait for its session timeout.
    pub group_disconnect_grace_ms: Option<i64>,
    /// The assignors that members of groups of the new protocol may ask for, the default first.
    pub group_consumer_assignors: &'static [Assignor],
    /// How often members of groups of the new protocol send heartbeats, in ms.
    pub group_consumer_heartbeat_interval_ms: i32,
    /// The most that groups of the new protocol may have for the interval of heartbeats, in ms.
    pub group_consumer_max_heartbeat_interval_ms: i32,
    /// The most that they may have for the session timeout, in ms.
    pub group_consumer_max_session_timeout_ms: i32,
    /// Most members of a group of the new protocol.
    pub group_consumer_max_size: usize,
    /// Which ways a group with members may go between the classic and the new protocol.
    pub group_consumer_migration_policy: MigrationPolicy,
    /// The least that groups of the new protocol may have for the interval of heartbeats, in ms.
    pub group_consumer_min_heartbeat_interval_ms: i32,
    /// The least that they may have for the session timeout, in ms.
    pub group_consumer_min_session_timeout_ms: i32,
    /// How long a member of a group of the new protocol may be silent, in ms.
    pub group_consumer_session_timeout_ms: i32,
    /// How long an empty group waits for members, in ms.
    pub group_initial_rebalance_delay_ms: i64,
    /// Longest session timeout, in ms.
    pub group_max_session_timeout_ms: i64,
    /// Most members of a group.
    pub group_max_size: usize,
    /// Shortest session timeout, in ms.
    pub group_min_session_timeout_ms: i64,
    /// Bound of a core's journal, in bytes.
    pub journal_bytes_max: u64,
    /// The folder of the journals, or none for the one in `data_dir`.
    pub journal_dir: Option<String>,
    /// Where to listen; at least one, names unique.
    pub listeners: Vec<Listener>,
    /// How long compaction sleeps when no log is due, in ms.
    pub log_cleaner_backoff_ms: i64,
    /// Memory for the keys of a log that is being cleaned, of all cores together, in bytes.
    pub log_cleaner_dedupe_buffer_size: usize,
    /// Whether logs are compacted.
    pub log_cleaner_enable: bool,
    /// How often retention is checked, in ms.
    pub log_retention_check_interval_ms: i64,
    /// Bytes of closed segments that all cores together scrub in a second at most; 0 turns it off.
    pub log_scrub_bytes_per_second: u64,
    /// Time from the beginning of one scrub to that of the next, in ms.
    pub log_scrub_interval_ms: i64,
    /// Most connections.
    pub max_connections: usize,
    /// How many groups the HTTP listener shows one by one.
    pub metrics_groups_max: usize,
    /// host:port of the HTTP listener, if any.
    pub metrics_listen: Option<String>,
    /// This node's id.
    pub node_id: i32,
    /// Partitions of a topic by default.
    pub num_partitions: i32,
    /// Longest metadata of a committed offset, in bytes.
    pub offset_metadata_max_bytes: usize,
    /// How often offsets are checked for expiry, in ms.
    pub offsets_retention_check_interval_ms: i64,
    /// How long the offsets of an empty group are kept, in ms.
    pub offsets_retention_ms: i64,
    /// Partitions of `__consumer_offsets`.
    pub offsets_topic_num_partitions: i32,
    /// Replicas of `__consumer_offsets`.
    pub offsets_topic_replication_factor: i16,
    /// `segment.bytes` of `__consumer_offsets`.
    pub offsets_topic_segment_bytes: i32,
    /// How long a producer's sequences are kept after its last batch, in ms.
    pub producer_id_expiration_ms: i64,
    /// Bytes of requests that the cores together hold at most.
    pub queued_max_request_bytes: usize,
    /// The largest request, in bytes.
    pub socket_request_max_bytes: usize,
    /// Bytes of the newest records that a core keeps in memory.
    pub tail_bytes_max: usize,
}

impl BrokerConfig {
    /// Reads settings, of which a later one replaces an earlier one of the same key.
    ///
    /// # Errors
    /// The first key that does not exist, value that its key does not take, or contradiction.
    pub fn parse<K: AsRef<str>, V: AsRef<str>>(
        settings: impl IntoIterator<Item = (K, V)>,
    ) -> Result<BrokerConfig, ConfigError> {
        let mut set = BTreeMap::new();
        for (name, value) in settings {
            let key = known_key(name.as_ref())?;
            set.insert(key.name, key.check(value.as_ref())?.to_owned());
        }
        let config = Self::from_checked(set)?;
        config.check_relations()?;
        Ok(config)
    }

    fn from_checked(set: BTreeMap<&'static str, String>) -> Result<BrokerConfig, ConfigError> {
        let values = Values(&set);
        let listeners = values.listeners("listeners")?;
        let advertised_listeners = match values.text("advertised.listeners") {
            Some(_) => values.listeners("advertised.listeners")?,
            None => listeners.clone(),
        };
        let batch_validation = match values.text("batch.validation") {
            Some("full") => BatchValidation::Full,
            _ => BatchValidation::Header,
        };
        Ok(BrokerConfig {
            advertised_listeners,
            auto_create_topics_enable: values.boolean("auto.create.topics.enable"),
            batch_validation,
            broker_rack: values.owned("broker.rack"),
            connections_max_idle_ms: values.number("connections.max.idle.ms"),
            cores: values.text("cores").map(|_| values.number("cores")),
            data_dir: values.owned("data.dir").unwrap_or_default(),
            default_replication_factor: values.number("default.replication.factor"),
            fetch_max_bytes: values.number("fetch.max.bytes"),
            group_disconnect_grace_ms: Some(values.number("group.disconnect.grace.ms")).filter(|&ms: &i64| ms >= 0),
            group_consumer_assignors: values.assignors(),
            group_consumer_heartbeat_interval_ms: values.number("group.consumer.heartbeat.interval.ms"),
            group_consumer_max_heartbeat_interval_ms: values.number("group.consumer.max.heartbeat.interval.ms"),
            group_consumer_max_session_timeout_ms: values.number("group.consumer.max.session.timeout.ms"),
            group_consumer_max_size: values.number("group.consumer.max.size"),
            group_consumer_migration_policy: MigrationPolicy::named(
                values.text("group.consumer.migration.policy").unwrap_or_default(),
            )
            .expect("the table has no other policy"),
            group_consumer_min_heartbeat_interval_ms: values.number("group.consumer.min.heartbeat.interval.ms"),
            group_consumer_min_session_timeout_ms: values.number("group.consumer.min.session.timeout.ms"),
            group_consumer_session_timeout_ms: values.number("group.consumer.session.timeout.ms"),
            group_initial_rebalance_delay_ms: values.number("group.initial.rebalance.delay.ms"),
            group_max_session_timeout_ms: values.number("group.max.session.timeout.ms"),
            group_max_size: values.number("group.max.size"),
            group_min_session_timeout_ms: values.number("group.min.session.timeout.ms"),
            journal_bytes_max: values.number("journal.bytes.max"),
            journal_dir: values.owned("journal.dir"),
            listeners,
            log_cleaner_backoff_ms: values.number("log.cleaner.backoff.ms"),
            log_cleaner_dedupe_buffer_size: values.number("log.cleaner.dedupe.buffer.size"),
            log_cleaner_enable: values.boolean("log.cleaner.enable"),
            log_retention_check_interval_ms: values.number("log.retention.check.interval.ms"),
            log_scrub_bytes_per_second: values.number("log.scrub.bytes.per.second"),
            log_scrub_interval_ms: values.number("log.scrub.interval.ms"),
            max_connections: values.number("max.connections"),
            metrics_groups_max: values.number("metrics.groups.max"),
            metrics_listen: values.owned("metrics.listen"),
            node_id: values.number("node.id"),
            num_partitions: values.number("num.partitions"),
            offset_metadata_max_bytes: values.number("offset.metadata.max.bytes"),
            offsets_retention_check_interval_ms: values.number("offsets.retention.check.interval.ms"),
            offsets_retention_ms: values.number::<i64>("offsets.retention.minutes") * 60_000,
            offsets_topic_num_partitions: values.number("offsets.topic.num.partitions"),
            offsets_topic_replication_factor: values.number("offsets.topic.replication.factor"),
            offsets_topic_segment_bytes: values.number("offsets.topic.segment.bytes"),
            producer_id_expiration_ms: values.number("producer.id.expiration.ms"),
            queued_max_request_bytes: values.number("queued.max.request.bytes"),
            socket_request_max_bytes: values.number("socket.request.max.bytes"),
            tail_bytes_max: values.number("tail.bytes.max"),
            set,
        })
    }

    fn check_relations(&self) -> Result<(), ConfigError> {
        let contradiction = |name, value: String, other, reason: &str| {
            Err(ConfigError::Contradiction { name, value, other, reason: reason.into() })
        };
        let listed = |listeners: &[Listener]| listeners.iter().map(Listener::to_string).collect::<Vec<_>>().join(",");
        let advertised = listed(&self.advertised_listeners);
        for (index, listener) in self.listeners.iter().enumerate() {
            if self.listeners[..index].iter().any(|other| other.name == listener.name) {
                return contradiction(
                    "listeners",
                    listed(&self.listeners),
                    "listeners",
                    "each needs a name of its own",
                );
            }
            match self.advertised_listeners.iter().find(|other| other.name == listener.name) {
                None => {
                    return contradiction(
                        "advertised.listeners",
                        advertised,
                        "listeners",
                        "one for each listener's name",
                    );
                }
                Some(told) if told.is_wildcard() => {
                    let reason = "clients need a host to connect to, not all interfaces";
                    return contradiction("advertised.listeners", advertised, "listeners", reason);
                }
                Some(_) => {}
            }
        }
        if self.advertised_listeners.len() != self.listeners.len() {
            return contradiction("advertised.listeners", advertised, "listeners", "one for each listener's name");
        }
        if self.group_min_session_timeout_ms > self.group_max_session_timeout_ms {
            let value = self.group_min_session_timeout_ms.to_string();
            let reason = "the shortest may not be longer than the longest";
            return contradiction("group.min.session.timeout.ms", value, "group.max.session.timeout.ms", reason);
        }
        self.check_group_relations()?;
        if self.queued_max_request_bytes < self.socket_request_max_bytes {
            let value = self.queued_max_request_bytes.to_string();
            let reason = "the largest request would never fit";
            return contradiction("queued.max.request.bytes", value, "socket.request.max.bytes", reason);
        }
        Ok(())
    }

    /// Whether the settings that groups may change for themselves are within the bounds for that (Kafka's
    /// `GroupCoordinatorConfig`).
    fn check_group_relations(&self) -> Result<(), ConfigError> {
        let contradiction = |name, value: i32, other, reason: &str| {
            Err(ConfigError::Contradiction { name, value: value.to_string(), other, reason: reason.into() })
        };
        let values = Values(&self.set);
        for key in GROUP_KEYS {
            let [value, min, max] = [key.synonym, key.min, key.max].map(|name| values.number::<i32>(name));
            if min > max {
                return contradiction(key.min, min, key.max, "the least may not be more than the most");
            }
            if value < min {
                return contradiction(
                    key.synonym,
                    value,
                    key.min,
                    "it may not be less than the least that groups may set",
                );
            }
            if value > max {
                return contradiction(
                    key.synonym,
                    value,
                    key.max,
                    "it may not be more than the most that groups may set",
                );
            }
        }
        let (heartbeat_ms, session_ms) =
            (self.group_consumer_heartbeat_interval_ms, self.group_consumer_session_timeout_ms);
        if heartbeat_ms >= session_ms {
            let reason = "a member needs time for more than one heartbeat";
            let (name, other) = ("group.consumer.heartbeat.interval.ms", "group.consumer.session.timeout.ms");
            return contradiction(name, heartbeat_ms, other, reason);
        }
        Ok(())
    }

    /// The same, with the address that the metrics' listener really has, so that clients who ask for it find it.
    #[must_use]
    pub fn with_metrics_address(mut self, address: String) -> BrokerConfig {
        self.set.insert("metrics.listen", address.clone());
        self.metrics_listen = Some(address);
        self
    }

    /// The value of a key as it was set at the start, trimmed.
    pub fn set_value(&self, name: &str) -> Option<&str> {
        self.set.get(name).map(String::as_str)
    }
}

impl Default for BrokerConfig {
    fn default() -> Self {
        let nothing: [(&str, &str); 0] = [];
        Self::parse(nothing).expect("the table's defaults are valid")
    }
}

fn known_key(name: &str) -> Result<&'static Key, ConfigError> {
    broker_key(name).ok_or_else(|| ConfigError::Unknown { name: name.into(), nearest: nearest_broker_key(name) })
}

/// Checks a value that a broker key is to have; returns it trimmed.
///
/// # Errors
/// No such key, or a value that it does not take.
pub fn check_broker_value<'a>(name: &str, value: &'a str) -> Result<&'a str, ConfigError> {
    known_key(name)?.check(value)
}

/// Checked settings over the table's defaults. The keys asked for here are this file's own; to misname one is a
/// programmer's error, which the default configuration's test finds.
struct Values<'a>(&'a BTreeMap<&'static str, String>);

impl Values<'_> {
    fn key(name: &'static str) -> &'static Key {
        broker_key(name).unwrap_or_else(|| panic!("no broker key {name} in the table"))
    }

    fn text(&self, name: &'static str) -> Option<&str> {
        self.0.get(name).map(String::as_str).or(Self::key(name).default)
    }

    fn owned(&self, name: &'static str) -> Option<String> {
        self.text(name).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn boolean(&self, name: &'static str) -> bool {
        self.text(name).and_then(parse_boolean).unwrap_or_else(|| panic!("{name} is a boolean with a default"))
    }

    fn number<N: TryFrom<i64>>(&self, name: &'static str) -> N {
        self.text(name)
            .and_then(|text| text.parse::<i64>().ok())
            .and_then(|number| N::try_from(number).ok())
            .unwrap_or_else(|| panic!("{name} is a number with a default, and its range fits its field"))
    }

    fn assignors(&self) -> &'static [Assignor] {
        let names = self.text("group.consumer.assignors").unwrap_or_default();
        let assignors: Vec<Assignor> = parse_list(names).filter_map(Assignor::named).collect();
        Assignor::in_order(&assignors)
    }

    fn listeners(&self, name: &'static str) -> Result<Vec<Listener>, ConfigError> {
        let text = self.text(name).unwrap_or_default();
        let listeners: Vec<_> = parse_list(text).map(|entry| Listener::parse(name, entry)).collect::<Result<_, _>>()?;
        if listeners.is_empty() {
            let reason = "at least one address is needed".into();
            return Err(ConfigError::Invalid { name: name.into(), value: text.into(), reason });
        }
        Ok(listeners)
    }
}
