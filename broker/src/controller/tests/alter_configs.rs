//! Settings of topics, brokers and groups: what is refused, and what a change changes.

use wire::api::AlterConfigsRequest;
use wire::api::k33_alter_configs as k33;

use super::*;

const GROUP: i8 = ResourceType::Group as i8;

#[test]
fn settings_are_refused_as_kafka_refuses_them() {
    let mut driver = Driver::new();
    for name in ["ok1", "ma1", "ma2", "ma3"] {
        driver.create_one(name, 1);
    }
    let set = |name, value| vec![(name, 0, Some(value))];
    let results = driver.alter(vec![
        (TOPIC, "nope", set("retention.ms", "5000")),
        (TOPIC, "ok1", vec![("retention.ms", 2, Some("5000"))]),
        (TOPIC, "ma1", set("bogus", "5000")),
        (TOPIC, "ma2", vec![("retention.ms", 0, None)]),
        (BROKER, "9", set("log.retention.ms", "1")),
        (BROKER, "abc", set("log.retention.ms", "1")),
        (TOPIC, "bad name", set("retention.ms", "1")),
        (TOPIC, "", set("retention.ms", "1")),
        (77, "x", set("retention.ms", "1")),
        (TOPIC, "ma3", vec![("retention.ms", 0, Some("1")), ("retention.ms", 0, Some("2"))]),
        (BROKER, "1", set("num.partitions", "4")),
        (BROKER, "", set("log.retention.ms", "abc")),
    ]);
    assert_eq!(
        said(&results),
        [
            (3, "The topic 'nope' does not exist."),
            (40, "Can't APPEND to key retention.ms because its type is not LIST."),
            (40, "Unknown topic config name: bogus"),
            (42, "Null value not supported for : retention.ms"),
            (42, "Unexpected broker id, expected 1, but received 9"),
            (42, "Node id must be an integer, but it is: abc"),
            (
                17,
                "Topic name is invalid: 'bad name' contains one or more characters other than ASCII alphanumerics, '.', '_' \
                 and '-'"
            ),
            (42, "Default topic resources are not allowed."),
            (42, "Unknown resource type 77"),
            (42, "Error due to duplicate config keys"),
            (42, "Cannot update these configs dynamically: [num.partitions]"),
            (42, "Invalid value abc for configuration log.retention.ms: Not a number of type LONG"),
        ]
    );
    let twice = driver.alter(vec![
        (TOPIC, "ok1", set("retention.ms", "1")),
        (TOPIC, "ok1", set("retention.ms", "2")),
        (TOPIC, "ma1", set("retention.ms", "3")),
    ]);
    let once = "Each resource must appear at most once.";
    assert_eq!(said(&twice), [(42, once), (42, once), (0, "")], "one resource's refusal does not touch another");
    assert!(driver.image().configs(ResourceType::Topic, "ok1").is_empty());
}

#[test]
fn settings_change_what_holds_for_the_topics_they_touch() {
    let mut driver = Driver::new();
    driver.create_one("a", 1);
    driver.create_one("b", 1);
    let id = |driver: &Driver, name| driver.image().topic_named(name).expect("there").id;
    let (a, b) = (id(&driver, "a"), id(&driver, "b"));
    let retention =
        |driver: &Driver, id| driver.controller.catalog().topic_config(id).and_then(|config| config.retention_ms);
    assert_eq!(said(&driver.alter(vec![(TOPIC, "a", vec![("retention.ms", 0, Some("5"))])])), [(0, "")]);
    assert_eq!((retention(&driver, a), retention(&driver, b)), (Some(5), Some(604_800_000)));

    let request = IncrementalAlterConfigsRequest {
        resources: vec![k44::AlterConfigsResource {
            resource_type: BROKER,
            resource_name: String::new(),
            configs: vec![k44::AlterableConfig {
                name: "log.retention.ms".into(),
                config_operation: 0,
                value: Some("7".into()),
            }],
        }],
        ..IncrementalAlterConfigsRequest::default()
    };
    driver.send(ControllerRequest::IncrementalAlterConfigs(request));
    let touched = driver.run().into_iter().find_map(|effect| match effect {
        ControllerEffect::Publish { reconfigured, .. } => Some(reconfigured),
        _ => None,
    });
    assert_eq!(touched, Some(vec![b]), "a has its own setting");
    assert_eq!((retention(&driver, a), retention(&driver, b)), (Some(5), Some(7)));

    assert_eq!(said(&driver.alter(vec![(TOPIC, "a", vec![("retention.ms", 1, None), ("bogus", 1, None)])])), [(0, "")]);
    assert_eq!(retention(&driver, a), Some(7));
    assert_eq!(said(&driver.alter(vec![(TOPIC, "a", vec![("cleanup.policy", 3, Some("delete"))])])), [(0, "")]);
    assert_eq!(retention(&driver, a), None, "without the delete policy all is kept");
    assert_eq!(said(&driver.alter(vec![(TOPIC, "a", vec![("cleanup.policy", 2, Some("delete"))])])), [(0, "")]);
    assert_eq!(retention(&driver, a), Some(7));
}

#[test]
fn a_groups_settings_stay_within_the_brokers_bounds() {
    let mut driver = Driver::new();
    let (session, heartbeat) = ("consumer.session.timeout.ms", "consumer.heartbeat.interval.ms");
    let one = |name, value| vec![(name, 0, Some(value))];
    let results = driver.alter(vec![
        (GROUP, "", one(session, "50000")),
        (GROUP, "a", one(session, "44999")),
        (GROUP, "b", one(session, "60001")),
        (GROUP, "c", one(heartbeat, "4999")),
        (GROUP, "d", one(heartbeat, "15001")),
        (GROUP, "e", one(session, "abc")),
        (GROUP, "f", one("foo", "1")),
        (GROUP, "g", one("share.session.timeout.ms", "50000")),
        (GROUP, "h", vec![(session, 2, Some("1"))]),
        (GROUP, "i", vec![(session, 0, Some(" 60000 ")), (heartbeat, 0, Some("15000"))]),
        (GROUP, "j", vec![(session, 1, None), ("foo", 1, None)]),
    ]);
    // Kafka 4.3.1's words, but for the share group's.
    let bound = |name: &str, relation: &str, other: &str| format!("{name} must be {relation} than or equal to {other}");
    assert_eq!(
        said(&results),
        [
            (42, "Default group resources are not allowed."),
            (40, bound(session, "greater", "group.consumer.min.session.timeout.ms").as_str()),
            (40, bound(session, "less", "group.consumer.max.session.timeout.ms").as_str()),
            (40, bound(heartbeat, "greater", "group.consumer.min.heartbeat.interval.ms").as_str()),
            (40, bound(heartbeat, "less", "group.consumer.max.heartbeat.interval.ms").as_str()),
            (40, "Invalid value abc for configuration consumer.session.timeout.ms: Not a number of type INT"),
            (40, "Unknown group config name: foo"),
            (40, "Partita does not support the group config share.session.timeout.ms"),
            (40, "Can't APPEND to key consumer.session.timeout.ms because its type is not LIST."),
            (0, ""),
            (0, ""),
        ]
    );
    assert_eq!(driver.image().configured(ResourceType::Group).collect::<Vec<_>>(), ["i"]);
    let after = Driver::restarted(driver.log);
    let own = after.image().configs(ResourceType::Group, "i");
    assert_eq!(
        (own.get(session).map(String::as_str), own.get(heartbeat).map(String::as_str)),
        (Some("60000"), Some("15000"))
    );
    let mut after = after;
    assert_eq!(said(&after.alter(vec![(GROUP, "i", vec![(session, 1, None), (heartbeat, 1, None)])])), [(0, "")]);
    assert_eq!(after.image().configured(ResourceType::Group).count(), 0);
}

#[test]
fn alter_configs_replaces_all_settings() {
    let mut driver = Driver::new();
    driver.create_one("a", 1);
    let setting =
        |name: &str, value: Option<&str>| k33::AlterableConfig { name: name.into(), value: value.map(str::to_owned) };
    let mut ask = |configs| {
        let resources = vec![k33::AlterConfigsResource { resource_type: TOPIC, resource_name: "a".into(), configs }];
        let request = AlterConfigsRequest { resources, ..AlterConfigsRequest::default() };
        let ControllerResponse::AlterConfigs(response) = driver.ask(ControllerRequest::AlterConfigs(request)) else {
            panic!("another answer")
        };
        let set = driver.image().configs(ResourceType::Topic, "a");
        let result = &response.responses[0];
        (result.error_code, result.error_message.clone().unwrap_or_default(), set.keys().cloned().collect::<Vec<_>>())
    };
    let (code, _, set) = ask(vec![setting("retention.ms", Some("1")), setting("segment.ms", Some("2"))]);
    assert_eq!((code, set), (0, vec!["retention.ms".to_owned(), "segment.ms".into()]));
    let (code, message, set) = ask(vec![setting("segment.bytes", Some("5"))]);
    assert_eq!(
        (code, message.as_str(), set.len()),
        (40, "Invalid value 5 for configuration segment.bytes: Value must be at least 1048576", 2)
    );
    let (code, message, _) = ask(vec![setting("retention.ms", None)]);
    assert_eq!((code, message.as_str()), (42, "Null value not supported for : retention.ms"));
    let (code, _, set) = ask(vec![setting("max.message.bytes", Some("9"))]);
    assert_eq!((code, set), (0, vec!["max.message.bytes".to_owned()]));
}
