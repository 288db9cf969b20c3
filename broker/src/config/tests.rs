//! The tables of keys hold together, and values are taken and refused as Kafka does it.

use wire::batch::TimestampType;

use super::table::{
    BROKER_KEYS, GROUP_KEYS, OTHER_NAMES, TOPIC_KEYS, UNSUPPORTED_GROUP_KEYS, UNSUPPORTED_TOPIC_KEYS, broker_key,
    group_key, is_dynamic, topic_key,
};
use super::*;

fn parse(settings: &[(&str, &str)]) -> Result<BrokerConfig, ConfigError> {
    BrokerConfig::parse(settings.iter().copied())
}

fn error(settings: &[(&str, &str)]) -> String {
    parse(settings).expect_err("the settings are refused").to_string()
}

#[test]
fn tables_are_sorted_and_every_default_is_a_valid_value() {
    let keys = BROKER_KEYS.iter().chain(TOPIC_KEYS.iter().map(|topic| &topic.key));
    let keys = keys.chain(GROUP_KEYS.iter().map(|group| &group.key));
    for key in keys {
        if let Some(default) = key.default {
            assert_eq!(key.check(default), Ok(default), "{}", key.name);
        }
        assert!(key.doc.ends_with('.'), "{} has a whole sentence", key.name);
    }
    assert!(BROKER_KEYS.is_sorted_by(|a, b| a.name < b.name));
    assert!(TOPIC_KEYS.is_sorted_by(|a, b| a.key.name < b.key.name));
    assert!(GROUP_KEYS.is_sorted_by(|a, b| a.key.name < b.key.name));
    assert!(UNSUPPORTED_GROUP_KEYS.iter().all(|name| group_key(name).is_none()));
    assert!(UNSUPPORTED_TOPIC_KEYS.iter().all(|name| topic_key(name).is_none()));
    assert!(OTHER_NAMES.iter().all(|(other, here)| broker_key(other).is_none() && broker_key(here).is_some()));
}

#[test]
fn each_synonym_is_a_broker_key_of_the_same_range_whose_default_agrees() {
    for topic in TOPIC_KEYS {
        for synonym in topic.synonyms {
            let key = broker_key(synonym.name).expect("a synonym is a broker key");
            if synonym.scale == 1 {
                assert_eq!((key.kind, key.range), (topic.key.kind, topic.key.range), "{}", key.name);
            }
        }
        let last = topic.synonyms.last().expect("each topic key has a synonym");
        let default: Option<i64> = broker_key(last.name).and_then(|key| key.default?.parse().ok());
        if let Some(number) = default {
            assert_eq!(topic.key.default, Some((number * last.scale).to_string().as_str()), "{}", topic.key.name);
        }
    }
}

#[test]
fn each_group_key_falls_back_to_a_broker_key_like_it_and_is_bounded_by_two_more() {
    for group in GROUP_KEYS {
        for name in [group.synonym, group.min, group.max] {
            let key = broker_key(name).expect("a broker key");
            assert_eq!((key.kind, key.range), (group.key.kind, group.key.range), "{name}");
            assert!(key.default.is_some(), "{name}");
        }
        assert_eq!(broker_key(group.synonym).and_then(|key| key.default), group.key.default);
    }
}

#[test]
fn what_holds_for_groups_is_within_the_bounds_of_what_they_may_set() {
    for (settings, named) in [
        (vec![("group.consumer.session.timeout.ms", "44999")], "group.consumer.min.session.timeout.ms"),
        (vec![("group.consumer.session.timeout.ms", "60001")], "group.consumer.max.session.timeout.ms"),
        (vec![("group.consumer.heartbeat.interval.ms", "4999")], "group.consumer.min.heartbeat.interval.ms"),
        (vec![("group.consumer.heartbeat.interval.ms", "15001")], "group.consumer.max.heartbeat.interval.ms"),
        (vec![("group.consumer.max.session.timeout.ms", "44999")], "group.consumer.min.session.timeout.ms"),
        (vec![("group.consumer.max.heartbeat.interval.ms", "4999")], "group.consumer.min.heartbeat.interval.ms"),
        (
            vec![("group.consumer.min.session.timeout.ms", "5000"), ("group.consumer.session.timeout.ms", "5000")],
            "group.consumer.heartbeat.interval.ms",
        ),
    ] {
        let message = error(&settings);
        assert!(message.contains(named) && message.contains("contradicts"), "{settings:?}: {message}");
    }
}

#[test]
fn unset_keys_have_kafkas_defaults() {
    let config = BrokerConfig::default();
    assert_eq!((config.num_partitions, config.node_id, config.offsets_topic_num_partitions), (1, 1, 50));
    assert_eq!(config.group_initial_rebalance_delay_ms, 3000);
    assert_eq!(config.offsets_retention_ms, 7 * 24 * 3_600_000);
    assert_eq!(config.cores, None);
    let topic = TopicConfig::default();
    assert_eq!(topic.retention_ms, Some(604_800_000));
    assert_eq!(topic.retention_bytes, None);
    assert_eq!((topic.segment_bytes, topic.segment_ms), (1 << 30, 604_800_000));
    assert_eq!(topic.max_message_bytes, 1_048_588);
    assert_eq!(topic.message_timestamp_type, TimestampType::CreateTime);
    assert_eq!(topic.cleanup_policy, CleanupPolicy { delete: true, compact: false });
}

#[test]
fn an_unknown_key_names_the_nearest_right_one() {
    for (written, meant) in [
        ("num.partition", "num.partitions"),
        ("auto.create.topic.enable", "auto.create.topics.enable"),
        ("log.dirs", "data.dir"),
        ("broker.id", "node.id"),
        ("listen", "listeners"),
        ("retention.ms", "log.retention.ms"),
        ("max.message.bytes", "message.max.bytes"),
    ] {
        let message = error(&[(written, "1")]);
        assert_eq!(message, format!("unknown configuration key {written}; did you mean {meant}?"));
    }
    for foreign in ["xyzzy", "num.network.threads", "num.io.threads", "zookeeper.connect"] {
        assert_eq!(error(&[(foreign, "1")]), format!("unknown configuration key {foreign}"), "a guess would mislead");
    }
}

#[test]
fn values_are_refused_in_kafkas_words() {
    // As Kafka 4.3.1 answers to the same topic settings.
    for (name, value, message) in [
        ("retention.ms", "abc", "Invalid value abc for configuration retention.ms: Not a number of type LONG"),
        ("retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
        ("retention.ms", "", "Invalid value  for configuration retention.ms: Not a number of type LONG"),
        ("segment.bytes", "1024", "Invalid value 1024 for configuration segment.bytes: Value must be at least 1048576"),
        (
            "segment.bytes",
            "99999999999",
            "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT",
        ),
        (
            "cleanup.policy",
            "delete,bogus",
            "Invalid value delete,bogus for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        (
            "compression.type",
            "foo",
            "Invalid value foo for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, \
             gzip, producer",
        ),
        (
            "message.timestamp.type",
            "x",
            "Invalid value x for configuration message.timestamp.type: String must be one of: CreateTime, LogAppendTime",
        ),
        ("no.such", "1", "Unknown topic config name: no.such"),
        // Kafka would take these; they would have no effect here.
        (
            "min.cleanable.dirty.ratio",
            "1.01",
            "Invalid value 1.01 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
        ),
        (
            "min.cleanable.dirty.ratio",
            "-0.1",
            "Invalid value -0.1 for configuration min.cleanable.dirty.ratio: Value must be at least 0",
        ),
        (
            "min.cleanable.dirty.ratio",
            "half",
            "Invalid value half for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE",
        ),
        ("flush.messages", "0", "Invalid value 0 for configuration flush.messages: Value must be at least 1"),
        ("remote.storage.enable", "true", "Partita does not support the topic config remote.storage.enable"),
    ] {
        let refused = check_topic_value(name, value).expect_err("the value is refused");
        assert_eq!(refused.to_string(), message);
    }
    assert_eq!(check_topic_value("retention.ms", " 5 "), Ok("5"));
    assert_eq!(check_topic_value("cleanup.policy", ""), Ok(""));
    for value in ["compact", "compact,delete", "delete,compact"] {
        assert_eq!(check_topic_value("cleanup.policy", value), Ok(value));
    }
    for value in ["0", "0.25", "1", "1e-3"] {
        assert_eq!(check_topic_value("min.cleanable.dirty.ratio", value), Ok(value));
    }
    assert_eq!(
        error(&[("auto.create.topics.enable", "yes")]),
        "Invalid value yes for configuration auto.create.topics.enable: Expected value to be either true or false"
    );
}

#[test]
fn the_finest_retention_that_is_set_counts() {
    let none = ConfigMap::new();
    let retention = |settings: &[(&str, &str)]| {
        let start = parse(settings).expect("valid settings");
        TopicConfig::resolve(&Layers { own: &none, node: &none, cluster: &none, start: &start }).retention_ms
    };
    assert_eq!(retention(&[("log.retention.hours", "2")]), Some(7_200_000));
    assert_eq!(retention(&[("log.retention.hours", "2"), ("log.retention.minutes", "3")]), Some(180_000));
    let all = [("log.retention.hours", "2"), ("log.retention.minutes", "3"), ("log.retention.ms", "4")];
    assert_eq!(retention(&all), Some(4));
    assert_eq!(retention(&[("log.retention.hours", "-1")]), None);
    assert_eq!(retention(&[("log.cleanup.policy", "")]), None);
}

#[test]
fn a_topics_own_setting_stands_before_the_brokers() {
    let start = parse(&[("log.retention.ms", "400")]).expect("valid settings");
    let map = |value: &str| ConfigMap::from([("log.retention.ms".into(), value.into())]);
    let (none, node, cluster) = (ConfigMap::new(), map("200"), map("300"));
    let topic = ConfigMap::from([("retention.ms".into(), "100".into())]);
    let layers = Layers { own: &topic, node: &node, cluster: &cluster, start: &start };
    let key = topic_key("retention.ms").expect("a topic key");
    let found: Vec<_> = layers.of_topic_key(key).iter().map(|value| (value.name, value.value, value.source)).collect();
    assert_eq!(
        found,
        [
            ("retention.ms", "100", Source::Topic),
            ("log.retention.ms", "200", Source::DynamicBroker),
            ("log.retention.ms", "300", Source::DynamicDefault),
            ("log.retention.ms", "400", Source::Static),
            ("log.retention.hours", "168", Source::Default),
        ]
    );
    assert_eq!(TopicConfig::resolve(&layers).retention_ms, Some(100));
    assert_eq!(TopicConfig::resolve(&Layers { own: &none, ..layers }).retention_ms, Some(200));
}

#[test]
fn only_what_topics_fall_back_to_can_change_at_run_time() {
    for name in ["log.retention.ms", "log.segment.bytes", "message.max.bytes", "min.insync.replicas"] {
        assert!(is_dynamic(name), "{name}");
    }
    for name in ["num.partitions", "log.retention.hours", "log.roll.hours", "listeners", "no.such"] {
        assert!(!is_dynamic(name), "{name}");
    }
}

#[test]
fn listeners_take_names_addresses_and_ipv6() {
    let config = parse(&[
        ("listeners", "127.0.0.1:9092, inside://[::1]:9093,PLAINTEXT_HOST://:0"),
        ("advertised.listeners", "PLAINTEXT://a:1,INSIDE://b:2,PLAINTEXT_HOST://c:3"),
    ])
    .expect("valid listeners");
    let shown: Vec<_> = config.listeners.iter().map(Listener::to_string).collect();
    assert_eq!(shown, ["PLAINTEXT://127.0.0.1:9092", "INSIDE://[::1]:9093", "PLAINTEXT_HOST://:0"]);
    for (listeners, reason) in [
        ("SSL://a:1", "Partita supports only PLAINTEXT listeners"),
        ("a", "expected host:port"),
        ("a:99999", "the port is a number from 0 to 65535"),
        ("::1:9092", "an IPv6 address stands in brackets: [::1]:9092"),
        ("", "at least one address is needed"),
        ("a b://c:1", "a listener's name is made of letters, digits, _ and -"),
    ] {
        assert_eq!(
            error(&[("listeners", listeners)]),
            format!("Invalid value {listeners} for configuration listeners: {reason}")
        );
    }
}

#[test]
fn contradicting_keys_are_refused() {
    for settings in [
        &[("listeners", "a:1,b:2")][..],
        &[("listeners", "0.0.0.0:9092")],
        &[("advertised.listeners", "OTHER://a:1")],
        &[("advertised.listeners", "PLAINTEXT://a:1,OTHER://a:1")],
        &[("group.min.session.timeout.ms", "10"), ("group.max.session.timeout.ms", "9")],
        &[("queued.max.request.bytes", "1048576")],
    ] {
        let refused = parse(settings).expect_err("contradicting settings are refused");
        assert!(matches!(refused, ConfigError::Contradiction { .. }), "{settings:?}: {refused}");
    }
    assert!(parse(&[("listeners", "0.0.0.0:9092"), ("advertised.listeners", "example:9092")]).is_ok());
}
