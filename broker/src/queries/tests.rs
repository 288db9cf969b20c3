//! The expected answers are what Kafka 4.3.1 gave to the same requests on one broker without an authorizer.

use std::sync::Arc;

use wire::api::k03_metadata::MetadataRequestTopic;
use wire::api::k32_describe_configs::DescribeConfigsResource;
use wire::api::k75_describe_topic_partitions::{Cursor, TopicRequest};
use wire::api::{
    ApiKey, ApiVersionsRequest, DescribeClusterRequest, DescribeConfigsRequest, DescribeConfigsResponse,
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, FindCoordinatorRequest, InitProducerIdRequest,
    MetadataRequest,
};
use wire::records::metadata::{
    BrokerEndpoint, ConfigRecord, FeatureLevelRecord, MetadataRecord, PartitionRecord, RegisterBrokerRecord,
    TopicRecord,
};
use wire::{ErrorCode, Uuid};

use crate::catalog::{Catalog, Image, Placement};
use crate::config::BrokerConfig;

use super::*;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const GROUP: i8 = 32;

fn id(topic: u128) -> Uuid {
    Uuid::from_u128(topic)
}

/// One broker with two listeners, and topics of so many partitions.
fn catalog(topics: &[(&str, u128, i32)], configs: &[(i8, &str, &str, &str)], settings: &[(&str, &str)]) -> Catalog {
    let end_points = [("PLAINTEXT", "inside", 9092), ("OUTSIDE", "outside", 9093)]
        .map(|(name, host, port)| BrokerEndpoint { name: name.into(), host: host.into(), port, security_protocol: 0 });
    let mut records: Vec<MetadataRecord> = vec![
        FeatureLevelRecord { name: "metadata.version".into(), feature_level: 30 }.into(),
        RegisterBrokerRecord {
            broker_id: 1,
            end_points: end_points.to_vec(),
            rack: Some("r1".into()),
            fenced: false,
            ..RegisterBrokerRecord::default()
        }
        .into(),
    ];
    for &(name, topic, partitions) in topics {
        records.push(TopicRecord { name: name.into(), topic_id: id(topic) }.into());
        records.extend((0..partitions).map(|partition_id| {
            MetadataRecord::from(PartitionRecord {
                partition_id,
                topic_id: id(topic),
                replicas: vec![1],
                isr: vec![1],
                leader: 1,
                leader_epoch: 0,
                partition_epoch: 0,
                ..PartitionRecord::default()
            })
        }));
    }
    records.extend(configs.iter().map(|&(resource_type, resource_name, name, value)| {
        let (resource_name, name, value) = (resource_name.into(), name.into(), Some(value.into()));
        MetadataRecord::from(ConfigRecord { resource_type, resource_name, name, value })
    }));
    let mut image = Image::default();
    for (offset, record) in (0..).zip(&records) {
        image.apply(offset, record).expect("the records fit together");
    }
    let placement = Placement::of_image(2, &image);
    let config = BrokerConfig::parse(settings.iter().copied()).expect("valid settings");
    Catalog::new(Arc::new(image), placement, "cluster-id".into(), Arc::new(config))
}

fn named(names: &[&str]) -> Option<Vec<MetadataRequestTopic>> {
    let topics = names.iter().map(|&name| MetadataRequestTopic { name: Some(name.into()), topic_id: Uuid::ZERO });
    Some(topics.collect())
}

fn ask(catalog: &Catalog, topics: Option<Vec<MetadataRequestTopic>>, version: i16) -> MetadataAnswer {
    metadata(catalog, &MetadataRequest { topics, ..MetadataRequest::default() }, version, "PLAINTEXT")
}

#[test]
fn metadata_lists_all_topics_for_null_and_for_an_empty_list_in_v0() {
    let catalog = catalog(&[("b", 8, 2), ("a", 9, 1)], &[], &[]);
    let listed = |topics, version| {
        let response = ask(&catalog, topics, version).response;
        response.topics.iter().map(|topic| topic.name.clone().expect("named")).collect::<Vec<_>>()
    };
    assert_eq!(listed(None, 1), ["a", "b"]);
    assert_eq!(listed(None, 13), ["a", "b"]);
    assert_eq!(listed(Some(Vec::new()), 0), ["a", "b"]);
    assert!(listed(Some(Vec::new()), 1).is_empty());
    assert!(listed(Some(Vec::new()), 13).is_empty());
}

#[test]
fn metadata_tells_each_listener_its_own_endpoint() {
    let catalog = catalog(&[], &[], &[]);
    for (listener, host, port) in [("PLAINTEXT", "inside", 9092), ("OUTSIDE", "outside", 9093)] {
        let response = metadata(&catalog, &MetadataRequest::default(), 13, listener).response;
        let broker = &response.brokers[0];
        assert_eq!(
            (broker.node_id, broker.host.as_str(), broker.port, broker.rack.as_deref()),
            (1, host, port, Some("r1"))
        );
        assert_eq!((response.cluster_id.as_deref(), response.controller_id), (Some("cluster-id"), 1));
        let described = describe_cluster(&catalog, &DescribeClusterRequest::default(), listener);
        assert_eq!((described.brokers[0].host.as_str(), described.cluster_id.as_str()), (host, "cluster-id"));
    }
}

#[test]
fn metadata_answers_each_name_once_and_tells_what_may_be_created() {
    let known = [("ok1", 5, 2), ("__consumer_offsets", 6, 1)];
    let names = named(&["nope", "bad name", "", "ok1", "ok1", "__consumer_offsets", "__cluster_metadata"]);
    for (settings, created) in [(&[][..], vec!["nope".to_owned()]), (&[("auto.create.topics.enable", "false")], vec![])]
    {
        let catalog = catalog(&known, &[], settings);
        let answer = ask(&catalog, names.clone(), 8);
        let topics = answer.response.topics.iter();
        let topics: Vec<_> = topics
            .map(|topic| {
                (topic.error_code, topic.name.as_deref().unwrap_or("-"), topic.is_internal, topic.partitions.len())
            })
            .collect();
        assert_eq!(
            topics,
            [
                (3, "nope", false, 0),
                (17, "bad name", false, 0),
                (17, "", false, 0),
                (0, "ok1", false, 2),
                (0, "__consumer_offsets", true, 1),
                (3, "__cluster_metadata", false, 0),
            ]
        );
        assert_eq!(answer.to_create, created);
    }
    let refused = MetadataRequest { topics: names, allow_auto_topic_creation: false, ..MetadataRequest::default() };
    assert!(metadata(&catalog(&known, &[], &[]), &refused, 8, "PLAINTEXT").to_create.is_empty());
}

#[test]
fn metadata_finds_topics_by_id() {
    let catalog = catalog(&[("ok1", 5, 1)], &[], &[]);
    let by = |topic, name: Option<&str>, version| {
        let asked = MetadataRequestTopic { topic_id: id(topic), name: name.map(str::to_owned) };
        let answer = ask(&catalog, Some(vec![asked]), version);
        let topic = answer.response.topics[0].clone();
        (topic.error_code, topic.name, answer.response.error_code, answer.response.brokers.len())
    };
    assert_eq!(by(5, None, 13), (0, Some("ok1".into()), 0, 1));
    assert_eq!(by(0xfe, None, 13), (100, None, 0, 1));
    assert_eq!(by(0xfe, Some("ok1"), 13), (100, None, 0, 1), "the id counts");
    assert_eq!(by(5, None, 10), (42, Some(String::new()), 42, 0), "v10 and v11 have ids, but not to ask by");
    assert_eq!(by(0, None, 13), (42, Some(String::new()), 42, 0));
}

#[test]
fn operations_are_told_to_those_who_ask() {
    let catalog = catalog(&[("ok1", 5, 1)], &[], &[]);
    let asked = |asks| {
        let request = MetadataRequest {
            topics: named(&["ok1", "nope"]),
            include_cluster_authorized_operations: asks,
            include_topic_authorized_operations: asks,
            ..MetadataRequest::default()
        };
        let response = metadata(&catalog, &request, 8, "PLAINTEXT").response;
        let topics: Vec<_> = response.topics.iter().map(|topic| topic.topic_authorized_operations).collect();
        (response.cluster_authorized_operations, topics)
    };
    assert_eq!(asked(true), (8096, vec![3576, 3576]));
    assert_eq!(asked(false), (i32::MIN, vec![i32::MIN, i32::MIN]));
    let request =
        DescribeClusterRequest { include_cluster_authorized_operations: true, ..DescribeClusterRequest::default() };
    assert_eq!(describe_cluster(&catalog, &request, "PLAINTEXT").cluster_authorized_operations, 8096);
}

#[test]
fn describe_cluster_refuses_other_endpoints() {
    let catalog = catalog(&[], &[], &[]);
    for (endpoint_type, code, message) in [
        (2, 114, "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"),
        (3, 115, "Unsupported endpoint type 3"),
    ] {
        let request = DescribeClusterRequest { endpoint_type, ..DescribeClusterRequest::default() };
        let refused = describe_cluster(&catalog, &request, "PLAINTEXT");
        assert_eq!((refused.error_code, refused.error_message.as_deref()), (code, Some(message)));
        assert!(refused.brokers.is_empty() && refused.cluster_id.is_empty());
    }
}

/// Topics with error and partitions, and the cursor.
type Page = (Vec<(String, i16, Vec<i32>)>, Option<(String, i32)>);

fn page(response: &DescribeTopicPartitionsResponse) -> Page {
    let topics = response.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| partition.partition_index);
        (topic.name.clone().unwrap_or_default(), topic.error_code, partitions.collect())
    });
    let next = response.next_cursor.as_ref().map(|cursor| (cursor.topic_name.clone(), cursor.partition_index));
    (topics.collect(), next)
}

fn describe(
    catalog: &Catalog,
    topics: &[&str],
    limit: i32,
    cursor: Option<(&str, i32)>,
) -> DescribeTopicPartitionsResponse {
    let request = DescribeTopicPartitionsRequest {
        topics: topics.iter().map(|&name| TopicRequest { name: name.into() }).collect(),
        response_partition_limit: limit,
        cursor: cursor.map(|(name, partition_index)| Cursor { topic_name: name.into(), partition_index }),
    };
    describe_topic_partitions(catalog, &request)
}

#[test]
fn topic_partitions_come_in_sorted_pages() {
    let catalog = catalog(&[("ok1", 5, 3), ("ma2", 6, 2)], &[], &[]);
    let topic = |name: &str, code, partitions: &[i32]| (name.to_owned(), code, partitions.to_vec());
    let next = |name: &str, index| Some((name.to_owned(), index));
    let answer = describe(&catalog, &["ok1", "nope", "bad name", "ma2"], 4, None);
    assert_eq!(
        page(&answer),
        (
            vec![topic("bad name", 17, &[]), topic("ma2", 0, &[0, 1]), topic("nope", 3, &[]), topic("ok1", 0, &[0, 1])],
            next("ok1", 2)
        )
    );
    assert!(answer.topics.iter().all(|topic| topic.topic_authorized_operations == 3576));
    let answer = |topics: &[&str], limit, cursor| page(&describe(&catalog, topics, limit, cursor));
    assert_eq!(answer(&["ok1", "nope"], 2, Some(("ok1", 1))), (vec![topic("ok1", 0, &[1, 2])], None));
    assert_eq!(answer(&[], 2, None), (vec![topic("ma2", 0, &[0, 1])], next("ok1", 0)));
    assert_eq!(answer(&[], 2, Some(("ma3", 1))), (vec![topic("ok1", 0, &[0, 1])], next("ok1", 2)));
    assert_eq!(answer(&["ok1"], 0, None), (vec![topic("ok1", 0, &[0])], next("ok1", 1)));
    assert_eq!(answer(&["ok1"], 2, Some(("ok1", 9))), (vec![topic("ok1", 0, &[])], None));
    assert_eq!(answer(&["nope"], 2, Some(("nope", 0))), (vec![topic("nope", 3, &[])], None));
    assert_eq!(answer(&["ok1"], 2, Some(("ok1", -1))), (vec![topic("ok1", 42, &[])], None));
}

#[test]
fn following_the_cursor_shows_every_partition_once() {
    let topics = [("a", 5, 7), ("b", 6, 1), ("c", 7, 12), ("d", 8, 3)];
    let catalog = catalog(&topics, &[], &[]);
    for limit in 1..30 {
        let (mut seen, mut cursor, mut pages) = (Vec::new(), None::<(String, i32)>, 0);
        loop {
            let from = cursor.as_ref().map(|(name, index)| (name.as_str(), *index));
            let (topics, next) = page(&describe(&catalog, &[], limit, from));
            seen.extend(
                topics.into_iter().flat_map(|(name, _, indexes)| indexes.into_iter().map(move |i| (name.clone(), i))),
            );
            pages += 1;
            assert!(pages < 100, "limit {limit} does not end");
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        let expected: Vec<_> =
            topics.iter().flat_map(|&(name, _, count)| (0..count).map(move |index| (name.to_owned(), index))).collect();
        assert_eq!(seen, expected, "limit {limit}");
    }
}

fn configs(catalog: &Catalog, kind: i8, name: &str, keys: Option<&[&str]>) -> DescribeConfigsResponse {
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: kind,
            resource_name: name.into(),
            configuration_keys: keys.map(|keys| keys.iter().map(|&key| key.to_owned()).collect()),
        }],
        include_synonyms: true,
        include_documentation: false,
    };
    describe_configs(catalog, &request)
}

#[test]
fn a_topics_settings_tell_where_they_come_from() {
    let catalog = catalog(
        &[("ok1", 5, 1)],
        &[
            (TOPIC, "ok1", "retention.ms", "7777777"),
            (BROKER, "1", "log.retention.ms", "5"),
            (BROKER, "", "log.retention.ms", "99999999"),
        ],
        &[("log.roll.hours", "2")],
    );
    let response = configs(&catalog, TOPIC, "ok1", Some(&["retention.ms", "segment.bytes", "nope", "segment.ms"]));
    let described: Vec<_> = response.results[0]
        .configs
        .iter()
        .map(|config| {
            let synonyms = config.synonyms.iter();
            let synonyms: Vec<_> = synonyms
                .map(|synonym| (synonym.name.as_str(), synonym.value.as_deref().unwrap_or("-"), synonym.source))
                .collect();
            (
                config.name.as_str(),
                config.value.as_deref().unwrap_or("-"),
                config.config_source,
                config.config_type,
                synonyms,
            )
        })
        .collect();
    assert_eq!(
        described,
        [
            (
                "retention.ms",
                "7777777",
                1,
                5,
                vec![
                    ("retention.ms", "7777777", 1),
                    ("log.retention.ms", "5", 2),
                    ("log.retention.ms", "99999999", 3),
                    ("log.retention.hours", "168", 5)
                ]
            ),
            ("segment.bytes", "1073741824", 5, 3, vec![("log.segment.bytes", "1073741824", 5)]),
            ("segment.ms", "7200000", 4, 5, vec![("log.roll.hours", "2", 4), ("log.roll.hours", "168", 5)]),
        ]
    );
}

#[test]
fn a_brokers_settings_are_read_only_unless_they_can_change() {
    let catalog = catalog(&[], &[(BROKER, "", "log.retention.ms", "9")], &[]);
    let response = configs(&catalog, BROKER, "1", None);
    let of = |name: &str| {
        let config = response.results[0].configs.iter().find(|config| config.name == name).expect("described");
        (config.value.as_deref(), config.read_only, config.config_source)
    };
    assert_eq!(of("num.partitions"), (Some("1"), true, 5));
    assert_eq!(of("log.retention.ms"), (Some("9"), false, 3));
    assert_eq!(of("log.retention.minutes"), (None, true, 5));
    let all = configs(&catalog, BROKER, "", None);
    let all: Vec<_> =
        all.results[0].configs.iter().map(|config| (config.name.as_str(), config.config_source)).collect();
    assert_eq!(all, [("log.retention.ms", 3)]);
}

#[test]
fn a_groups_settings_tell_where_they_come_from() {
    let (session, heartbeat) = ("consumer.session.timeout.ms", "consumer.heartbeat.interval.ms");
    let catalog = catalog(&[], &[(GROUP, "g", session, "50000")], &[("group.consumer.session.timeout.ms", "46000")]);
    let of = |group: &str| {
        let configs = configs(&catalog, GROUP, group, None).results.remove(0).configs.into_iter();
        let shown = configs.map(|config| {
            let synonyms = config.synonyms.into_iter().map(|synonym| (synonym.name, synonym.value, synonym.source));
            (config.name, config.value.unwrap_or_default(), config.config_source, config.read_only, synonyms.collect())
        });
        shown.collect::<Vec<(String, String, i8, bool, Vec<_>)>>()
    };
    let value = |name: &str, value: &str, source: i8| (name.to_owned(), Some(value.to_owned()), source);
    let start = value("group.consumer.session.timeout.ms", "46000", 4);
    let default = value("group.consumer.session.timeout.ms", "45000", 5);
    let interval = (
        heartbeat.to_owned(),
        "5000".to_owned(),
        5,
        false,
        vec![value("group.consumer.heartbeat.interval.ms", "5000", 5)],
    );
    let own = vec![value(session, "50000", 8), start.clone(), default.clone()];
    assert_eq!(of("g"), [interval.clone(), (session.into(), "50000".into(), 8, false, own)]);
    assert_eq!(of("nobody"), [interval, (session.into(), "46000".into(), 4, false, vec![start, default])]);
}

#[test]
fn settings_of_what_is_not_there_are_refused() {
    let catalog = catalog(&[], &[], &[]);
    for (kind, name, code, message) in [
        (TOPIC, "nope", 3, ""),
        (
            TOPIC,
            "bad name",
            17,
            "Topic name is invalid: 'bad name' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
        ),
        (TOPIC, "", 17, "Topic name is invalid: the empty string is not allowed"),
        (BROKER, "9", 42, "Unexpected broker id, expected 1 or empty string, but received 9"),
        (BROKER, "x", 42, "Broker id must be an integer, but it is: x"),
        (GROUP, "", 42, "Group name must not be empty"),
        (55, "", 42, "Unsupported resource type: 55"),
    ] {
        let result = configs(&catalog, kind, name, None).results.remove(0);
        assert_eq!((result.error_code, result.error_message.as_deref()), (code, Some(message)), "{kind} {name}");
        assert!(result.configs.is_empty());
    }
}

#[test]
fn a_groups_coordinator_is_this_broker_once_there_is_an_offsets_topic() {
    let find = |catalog: &Catalog, key_type, version| {
        let request =
            FindCoordinatorRequest { key: "g".into(), key_type, coordinator_keys: vec!["g".into(), "h".into()] };
        let answer = find_coordinator(catalog, &request, version, "OUTSIDE");
        let response = &answer.response;
        let found = if version < 4 {
            vec![(response.error_code, response.node_id, response.host.clone(), response.port)]
        } else {
            let all = response.coordinators.iter();
            all.map(|found| (found.error_code, found.node_id, found.host.clone(), found.port)).collect()
        };
        (found, answer.create_offsets_topic)
    };
    let none = |code: ErrorCode| (code.code(), -1, String::new(), -1);
    let here = (0, 1, "outside".to_owned(), 9093);
    let (before, after) = (catalog(&[], &[], &[]), catalog(&[("__consumer_offsets", 6, 1)], &[], &[]));
    assert_eq!(find(&before, 0, 3), (vec![none(ErrorCode::CoordinatorNotAvailable)], true));
    assert_eq!(find(&before, 0, 6), (vec![none(ErrorCode::CoordinatorNotAvailable); 2], true));
    assert_eq!(find(&after, 0, 0), (vec![here.clone()], false));
    assert_eq!(find(&after, 0, 6), (vec![here.clone(), here], false));
    for key_type in [1, 2, 7] {
        assert_eq!(find(&after, key_type, 4), (vec![none(ErrorCode::InvalidRequest); 2], false), "key type {key_type}");
    }
}

#[test]
fn producer_ids_are_for_idempotence_only() {
    let transactional =
        InitProducerIdRequest { transactional_id: Some("t".into()), ..InitProducerIdRequest::default() };
    match init_producer_id(&transactional, None) {
        InitProducerIdAnswer::Respond(response) => {
            assert_eq!((response.error_code, response.producer_id, response.producer_epoch), (42, -1, -1));
        }
        InitProducerIdAnswer::NeedsBlock => panic!("a transactional id is refused"),
    }
    assert_eq!(init_producer_id(&InitProducerIdRequest::default(), None), InitProducerIdAnswer::NeedsBlock);
}

#[test]
fn api_versions_lists_what_is_served_and_what_is_finalized() {
    let catalog = catalog(&[], &[], &[]);
    let served = [ApiKey::Produce, ApiKey::Fetch, ApiKey::ApiVersions];
    let request = ApiVersionsRequest {
        client_software_name: "apache-kafka-java".into(),
        client_software_version: "4.3.1".into(),
    };
    let response = api_versions(&catalog, &request, 4, &served);
    let keys: Vec<_> = response.api_keys.iter().map(|api| (api.api_key, api.min_version, api.max_version)).collect();
    assert_eq!(keys, [(0, 0, 13), (1, 4, 18), (18, 0, 4)]);
    let finalized: Vec<_> =
        response.finalized_features.iter().map(|feature| (feature.name.as_str(), feature.max_version_level)).collect();
    assert_eq!(finalized, [("metadata.version", 30)]);
    assert_eq!(response.finalized_features_epoch, 1);
    for name in ["", "a b", "-a", "a-", "ä"] {
        let request = ApiVersionsRequest { client_software_name: name.into(), ..request.clone() };
        let refused = api_versions(&catalog, &request, 3, &served);
        assert_eq!((refused.error_code, refused.api_keys.len()), (42, 0), "{name}");
        assert_eq!(api_versions(&catalog, &request, 2, &served).error_code, 0, "before v3 there is no name");
    }
    let unsupported = api_versions_unsupported(&served);
    assert_eq!((unsupported.error_code, unsupported.api_keys.len()), (35, 3));
}
