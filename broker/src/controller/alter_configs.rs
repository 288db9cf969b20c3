//! AlterConfigs and IncrementalAlterConfigs: settings of topics, of brokers and of groups. A group need not be there.
//!
//! A resource changes as a whole or not at all. Refusals are those of Kafka 4.3.1.
//!
//! Deviations: an unknown broker setting is refused, which Kafka keeps; an unknown operation is INVALID_REQUEST, which Kafka
//! answers with UNKNOWN_SERVER_ERROR. Loggers and client metrics have no settings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wire::ErrorCode;
use wire::api::k33_alter_configs as k33;
use wire::api::k44_incremental_alter_configs as k44;
use wire::api::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use wire::records::metadata::{ConfigRecord, MetadataRecord};

use crate::catalog::{ResourceType, check_topic_name};
use crate::config::table::{broker_key, group_key, is_dynamic, topic_key};
use crate::config::{
    ConfigMap, Key, Kind, check_broker_value, check_group_relations, check_group_value, check_topic_relations,
    check_topic_value, parse_list,
};

use super::{Context, ControllerResponse, Decision, Refusal};

/// New values by key; none deletes.
type ConfigChanges = BTreeMap<String, Option<String>>;

/// A resource that exists and can be changed.
struct Resource<'a> {
    kind: ResourceType,
    name: &'a str,
}

/// The protocol's `AlterConfigOp.OpType`.
enum Operation {
    Set,
    Delete,
    Append,
    Subtract,
}

impl Operation {
    fn from_code(code: i8) -> Result<Operation, Refusal> {
        match code {
            0 => Ok(Operation::Set),
            1 => Ok(Operation::Delete),
            2 => Ok(Operation::Append),
            3 => Ok(Operation::Subtract),
            _ => Err(Refusal::new(ErrorCode::InvalidRequest, format!("Unknown operation type {code}"))),
        }
    }
}

impl Context<'_> {
    pub(super) fn alter_configs(&self, request: &AlterConfigsRequest) -> Decision {
        let keys: Vec<_> =
            request.resources.iter().map(|item| (item.resource_type, item.resource_name.as_str())).collect();
        let (records, outcomes) = self.alter_each(&keys, request.validate_only, |resource, index| {
            self.replacement(resource, &request.resources[index].configs)
        });
        let responses = request.resources.iter().zip(outcomes).map(|(item, (error_code, error_message))| {
            k33::AlterConfigsResourceResponse {
                error_code,
                error_message,
                resource_type: item.resource_type,
                resource_name: item.resource_name.clone(),
            }
        });
        let response = AlterConfigsResponse { responses: responses.collect(), ..AlterConfigsResponse::default() };
        Decision { records, response: ControllerResponse::AlterConfigs(response) }
    }

    pub(super) fn incremental_alter_configs(&self, request: &IncrementalAlterConfigsRequest) -> Decision {
        let keys: Vec<_> =
            request.resources.iter().map(|item| (item.resource_type, item.resource_name.as_str())).collect();
        let (records, outcomes) = self.alter_each(&keys, request.validate_only, |resource, index| {
            self.increments(resource, &request.resources[index].configs)
        });
        let responses = request.resources.iter().zip(outcomes).map(|(item, (error_code, error_message))| {
            k44::AlterConfigsResourceResponse {
                error_code,
                error_message,
                resource_type: item.resource_type,
                resource_name: item.resource_name.clone(),
            }
        });
        let response = IncrementalAlterConfigsResponse {
            responses: responses.collect(),
            ..IncrementalAlterConfigsResponse::default()
        };
        Decision { records, response: ControllerResponse::IncrementalAlterConfigs(response) }
    }

    /// Works out each resource's changes; gives the records of those that can be, and for each an error code and message.
    fn alter_each<'a>(
        &self,
        keys: &[(i8, &'a str)],
        validate_only: bool,
        changes: impl Fn(&Resource<'a>, usize) -> Result<ConfigChanges, Refusal>,
    ) -> (Vec<MetadataRecord>, Vec<(i16, Option<String>)>) {
        let mut counts: BTreeMap<(i8, &str), usize> = BTreeMap::new();
        for &key in keys {
            *counts.entry(key).or_default() += 1;
        }
        let mut records = Vec::new();
        let outcomes = keys.iter().enumerate().map(|(index, &key)| {
            let outcome = if counts[&key] > 1 {
                Err(Refusal::new(ErrorCode::InvalidRequest, "Each resource must appear at most once."))
            } else {
                self.resource(key.0, key.1).and_then(|resource| {
                    let changes = changes(&resource, index)?;
                    self.check_relations(&resource, &changes)?;
                    Ok(self.change_records(&resource, changes))
                })
            };
            match outcome {
                Ok(more) => {
                    records.extend(more);
                    (ErrorCode::None.code(), None)
                }
                Err(refusal) => (refusal.code.code(), refusal.message),
            }
        });
        let outcomes = outcomes.collect();
        if validate_only {
            records.clear();
        }
        (records, outcomes)
    }

    fn resource<'a>(&self, code: i8, name: &'a str) -> Result<Resource<'a>, Refusal> {
        let invalid = |message: String| Err(Refusal::new(ErrorCode::InvalidRequest, message));
        match ResourceType::from_code(code) {
            Some(ResourceType::Topic) if name.is_empty() => invalid("Default topic resources are not allowed.".into()),
            Some(ResourceType::Topic) => {
                check_topic_name(name).map_err(|message| Refusal::new(ErrorCode::InvalidTopicException, message))?;
                if self.catalog.image.topic_named(name).is_none() {
                    let message = format!("The topic '{name}' does not exist.");
                    return Err(Refusal::new(ErrorCode::UnknownTopicOrPartition, message));
                }
                Ok(Resource { kind: ResourceType::Topic, name })
            }
            Some(ResourceType::Broker) => {
                let node = self.catalog.node_id();
                match name.parse::<i32>() {
                    _ if name.is_empty() => {}
                    Ok(id) if id == node => {}
                    Ok(id) => return invalid(format!("Unexpected broker id, expected {node}, but received {id}")),
                    Err(_) => return invalid(format!("Node id must be an integer, but it is: {name}")),
                }
                Ok(Resource { kind: ResourceType::Broker, name })
            }
            Some(ResourceType::Group) if name.is_empty() => invalid("Default group resources are not allowed.".into()),
            Some(ResourceType::Group) => Ok(Resource { kind: ResourceType::Group, name }),
            None => invalid(format!("Unknown resource type {code}")),
        }
    }

    fn current(&self, resource: &Resource<'_>) -> Arc<ConfigMap> {
        self.catalog.image.configs(resource.kind, resource.name)
    }

    /// AlterConfigs: what is given is set, everything else is deleted.
    fn replacement(&self, resource: &Resource<'_>, configs: &[k33::AlterableConfig]) -> Result<ConfigChanges, Refusal> {
        let mut changes: ConfigChanges = self.current(resource).keys().map(|name| (name.clone(), None)).collect();
        let mut seen = BTreeSet::new();
        for config in configs {
            check_once(&mut seen, &config.name)?;
            let value = config.value.as_deref().ok_or_else(|| null_value(&config.name))?;
            changes.insert(config.name.clone(), Some(checked(resource, &config.name, value)?));
        }
        Ok(changes)
    }

    /// IncrementalAlterConfigs: what is not named stays.
    fn increments(&self, resource: &Resource<'_>, configs: &[k44::AlterableConfig]) -> Result<ConfigChanges, Refusal> {
        let mut changes = ConfigChanges::new();
        let mut seen = BTreeSet::new();
        for config in configs {
            check_once(&mut seen, &config.name)?;
            let operation = Operation::from_code(config.config_operation)?;
            let given = || config.value.as_deref().ok_or_else(|| null_value(&config.name));
            let value = match operation {
                Operation::Delete => None,
                Operation::Set => Some(checked(resource, &config.name, given()?)?),
                Operation::Append => {
                    Some(self.with_list(resource, &config.name, "APPEND", given()?, |list, words| {
                        list.extend(words.into_iter().filter(|word| !list.contains(word)).collect::<Vec<_>>());
                    })?)
                }
                Operation::Subtract => {
                    Some(self.with_list(resource, &config.name, "SUBTRACT", given()?, |list, words| {
                        list.retain(|word| !words.contains(word));
                    })?)
                }
            };
            changes.insert(config.name.clone(), value);
        }
        Ok(changes)
    }

    /// Changes the list that a key has now, be it its default.
    fn with_list(
        &self,
        resource: &Resource<'_>,
        name: &str,
        operation: &str,
        words: &str,
        change: impl FnOnce(&mut Vec<String>, Vec<String>),
    ) -> Result<String, Refusal> {
        let current = self.current(resource);
        let (key, value): (&Key, Option<String>) = self
            .catalog
            .with_layers(&current, |layers| match resource.kind {
                ResourceType::Topic => {
                    let key = topic_key(name)?;
                    Some((&key.key, Some(layers.of_topic_key(key)[0].scaled())))
                }
                ResourceType::Broker => {
                    let key = broker_key(name)?;
                    let layered = layers.of_broker_key(key.name).first().map(|value| value.value.to_owned());
                    Some((key, current.get(name).cloned().or(layered)))
                }
                ResourceType::Group => {
                    let key = group_key(name)?;
                    Some((&key.key, Some(layers.of_group_key(key)[0].scaled())))
                }
            })
            .ok_or_else(|| unknown(resource, name))?;
        if key.kind != Kind::List {
            let message = format!("Can't {operation} to key {name} because its type is not LIST.");
            return Err(Refusal::new(ErrorCode::InvalidConfig, message));
        }
        let mut list: Vec<String> = parse_list(value.as_deref().unwrap_or_default()).map(str::to_owned).collect();
        change(&mut list, parse_list(words).map(str::to_owned).collect());
        checked(resource, name, &list.join(","))
    }

    /// Whether what a topic or a group will have goes together.
    fn check_relations(&self, resource: &Resource<'_>, changes: &ConfigChanges) -> Result<(), Refusal> {
        let check = match resource.kind {
            ResourceType::Topic => check_topic_relations,
            ResourceType::Group => check_group_relations,
            ResourceType::Broker => return Ok(()),
        };
        let mut configs = ConfigMap::clone(&self.current(resource));
        for (name, value) in changes {
            match value {
                Some(value) => configs.insert(name.clone(), value.clone()),
                None => configs.remove(name),
            };
        }
        let checked = self.catalog.with_layers(&configs, check);
        checked.map_err(|error| Refusal::new(ErrorCode::InvalidConfig, error.to_string()))
    }

    fn change_records(&self, resource: &Resource<'_>, changes: ConfigChanges) -> Vec<MetadataRecord> {
        let current = self.current(resource);
        let changed = changes.into_iter().filter(|(name, value)| current.get(name) != value.as_ref());
        let records = changed.map(|(name, value)| {
            let (resource_type, resource_name) = (resource.kind as i8, resource.name.to_owned());
            ConfigRecord { resource_type, resource_name, name, value }.into()
        });
        records.collect()
    }
}

fn check_once<'a>(seen: &mut BTreeSet<&'a str>, name: &'a str) -> Result<(), Refusal> {
    if seen.insert(name) {
        Ok(())
    } else {
        Err(Refusal::new(ErrorCode::InvalidRequest, "Error due to duplicate config keys"))
    }
}

fn null_value(name: &str) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, format!("Null value not supported for : {name}"))
}

fn unknown(resource: &Resource<'_>, name: &str) -> Refusal {
    match checked(resource, name, "") {
        Err(refusal) => refusal,
        Ok(_) => Refusal::plain(ErrorCode::InvalidConfig),
    }
}

fn checked(resource: &Resource<'_>, name: &str, value: &str) -> Result<String, Refusal> {
    match resource.kind {
        ResourceType::Topic => check_topic_value(name, value)
            .map(str::to_owned)
            .map_err(|error| Refusal::new(ErrorCode::InvalidConfig, error.to_string())),
        ResourceType::Group => check_group_value(name, value)
            .map(str::to_owned)
            .map_err(|error| Refusal::new(ErrorCode::InvalidConfig, error.to_string())),
        ResourceType::Broker if broker_key(name).is_some() && !is_dynamic(name) => {
            Err(Refusal::new(ErrorCode::InvalidRequest, format!("Cannot update these configs dynamically: [{name}]")))
        }
        ResourceType::Broker => check_broker_value(name, value)
            .map(str::to_owned)
            .map_err(|error| Refusal::new(ErrorCode::InvalidRequest, error.to_string())),
    }
}
