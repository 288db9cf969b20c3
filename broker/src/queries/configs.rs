//! DescribeConfigs: what holds for a topic, a broker or a group, and where it comes from.
//!
//! Topics and groups show all their keys; a group need not be there. A broker shows all of its keys, the empty name those that are set for all brokers at run time.
//! Answers are those of Kafka 4.3.1, but for the keys that there are and their docs, which are this broker's; a resource of an
//! unknown kind is refused by itself, where Kafka refuses the whole request.

use std::collections::BTreeSet;

use wire::ErrorCode;
use wire::api::k32_describe_configs::{
    DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use wire::api::{DescribeConfigsRequest, DescribeConfigsResponse};

use crate::catalog::{Catalog, ResourceType, check_topic_name};
use crate::config::table::{BROKER_KEYS, GROUP_KEYS, TOPIC_KEYS, is_dynamic};
use crate::config::{ConfigMap, Key, Source, Sourced};

/// Answers DescribeConfigs.
pub fn describe_configs(catalog: &Catalog, request: &DescribeConfigsRequest) -> DescribeConfigsResponse {
    let results = request.resources.iter().map(|resource| {
        let (code, message, configs) = match describe(catalog, resource, request) {
            Ok(configs) => (ErrorCode::None, String::new(), configs),
            Err((code, message)) => (code, message, Vec::new()),
        };
        DescribeConfigsResult {
            error_code: code.code(),
            error_message: Some(message),
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            configs,
        }
    });
    DescribeConfigsResponse { results: results.collect(), ..DescribeConfigsResponse::default() }
}

type Described = Result<Vec<DescribeConfigsResourceResult>, (ErrorCode, String)>;

fn describe(catalog: &Catalog, resource: &DescribeConfigsResource, request: &DescribeConfigsRequest) -> Described {
    let name = resource.resource_name.as_str();
    let wanted = Wanted::new(resource, request);
    match ResourceType::from_code(resource.resource_type) {
        Some(ResourceType::Topic) => {
            check_topic_name(name).map_err(|message| (ErrorCode::InvalidTopicException, message))?;
            if catalog.image.topic_named(name).is_none() {
                return Err((ErrorCode::UnknownTopicOrPartition, String::new()));
            }
            Ok(describe_topic(catalog, name, &wanted))
        }
        Some(ResourceType::Broker) if name.is_empty() => Ok(describe_all_brokers(catalog, &wanted)),
        Some(ResourceType::Broker) => match name.parse::<i32>() {
            Ok(id) if id == catalog.node_id() => Ok(describe_broker(catalog, &wanted)),
            Ok(id) => {
                let expected = catalog.node_id();
                let message = format!("Unexpected broker id, expected {expected} or empty string, but received {id}");
                Err((ErrorCode::InvalidRequest, message))
            }
            Err(_) => Err((ErrorCode::InvalidRequest, format!("Broker id must be an integer, but it is: {name}"))),
        },
        Some(ResourceType::Group) if name.is_empty() => {
            Err((ErrorCode::InvalidRequest, "Group name must not be empty".into()))
        }
        Some(ResourceType::Group) => Ok(describe_group(catalog, name, &wanted)),
        None => Err((ErrorCode::InvalidRequest, format!("Unsupported resource type: {}", resource.resource_type))),
    }
}

/// Which keys, and how much of them.
struct Wanted<'a> {
    names: Option<BTreeSet<&'a str>>,
    synonyms: bool,
    docs: bool,
}

impl<'a> Wanted<'a> {
    fn new(resource: &'a DescribeConfigsResource, request: &DescribeConfigsRequest) -> Wanted<'a> {
        let names = resource.configuration_keys.as_ref().filter(|names| !names.is_empty());
        Wanted {
            names: names.map(|names| names.iter().map(String::as_str).collect()),
            synonyms: request.include_synonyms,
            docs: request.include_documentation,
        }
    }

    fn key(&self, name: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(name))
    }

    /// One key with its values, the one that counts first.
    fn entry(&self, key: &Key, values: &[Sourced<'_>], read_only: bool) -> DescribeConfigsResourceResult {
        let synonyms = values.iter().filter(|_| self.synonyms).map(|value| DescribeConfigsSynonym {
            name: value.name.into(),
            value: Some(value.value.into()),
            source: value.source as i8,
        });
        DescribeConfigsResourceResult {
            name: key.name.into(),
            value: values.first().map(Sourced::scaled),
            read_only,
            config_source: values.first().map_or(Source::Default, |value| value.source) as i8,
            is_sensitive: false,
            synonyms: synonyms.collect(),
            config_type: key.kind.code(),
            documentation: self.docs.then(|| key.doc.into()),
        }
    }
}

fn describe_topic(catalog: &Catalog, name: &str, wanted: &Wanted<'_>) -> Vec<DescribeConfigsResourceResult> {
    catalog.with_layers(&catalog.image.configs(ResourceType::Topic, name), |layers| {
        let keys = TOPIC_KEYS.iter().filter(|topic| wanted.key(topic.key.name));
        keys.map(|topic| wanted.entry(&topic.key, &layers.of_topic_key(topic), false)).collect()
    })
}

fn describe_group(catalog: &Catalog, name: &str, wanted: &Wanted<'_>) -> Vec<DescribeConfigsResourceResult> {
    catalog.with_layers(&catalog.image.configs(ResourceType::Group, name), |layers| {
        let keys = GROUP_KEYS.iter().filter(|group| wanted.key(group.key.name));
        keys.map(|group| wanted.entry(&group.key, &layers.of_group_key(group), false)).collect()
    })
}

fn describe_broker(catalog: &Catalog, wanted: &Wanted<'_>) -> Vec<DescribeConfigsResourceResult> {
    catalog.with_layers(&ConfigMap::new(), |layers| {
        let keys = BROKER_KEYS.iter().filter(|key| wanted.key(key.name));
        keys.map(|key| wanted.entry(key, &layers.of_broker_key(key.name), !is_dynamic(key.name))).collect()
    })
}

fn describe_all_brokers(catalog: &Catalog, wanted: &Wanted<'_>) -> Vec<DescribeConfigsResourceResult> {
    catalog.with_layers(&ConfigMap::new(), |layers| {
        let keys = BROKER_KEYS.iter().filter(|key| wanted.key(key.name));
        let set = keys.filter_map(|key| {
            let values = layers.of_broker_key(key.name);
            let value = values.into_iter().find(|value| value.source == Source::DynamicDefault)?;
            Some(wanted.entry(key, &[value], !is_dynamic(key.name)))
        });
        set.collect()
    })
}
