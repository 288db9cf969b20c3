//! CreateTopics, and the topics that the broker creates by itself: on demand, and for groups' offsets.
//!
//! Refusals are those of Kafka 4.3.1, word for word where its words fit one node. Deviation: of two names in one request that
//! differ only in `.` and `_` the second is refused, which Kafka does only when the first exists already.

use std::collections::{BTreeMap, BTreeSet};

use wire::api::CreateTopicsRequest;
use wire::api::CreateTopicsResponse;
use wire::api::k19_create_topics::{CreatableTopic, CreatableTopicConfigs, CreatableTopicResult};
use wire::records::metadata::{ConfigRecord, MetadataRecord, PartitionRecord, TopicRecord};
use wire::{ErrorCode, Uuid};

use crate::catalog::{CLUSTER_METADATA_TOPIC, Image, OFFSETS_TOPIC, ResourceType, check_topic_name, collision_key};
use crate::config::table::{PARTITIONS_MAX, TOPIC_KEYS};
use crate::config::{ConfigMap, check_topic_relations, check_topic_value};

use super::{Context, ControllerResponse, Decision, Refusal};

/// What a request leaves to the broker.
const DEFAULT: i32 = -1;

/// A topic that may be created.
struct NewTopic {
    name: String,
    id: Uuid,
    /// The replicas of each partition.
    assignments: Vec<Vec<i32>>,
    configs: ConfigMap,
}

/// What one request is going to create.
#[derive(Default)]
struct Plan {
    topics: Vec<NewTopic>,
    /// The names by what collides with them: their collision key, or themselves.
    names: BTreeMap<String, String>,
    ids: BTreeSet<Uuid>,
    partitions: usize,
}

impl Plan {
    fn name_like(&self, name: &str) -> Option<&str> {
        let key = collision_key(name).unwrap_or_else(|| name.into());
        self.names.get(&key).map(String::as_str)
    }

    fn push(&mut self, topic: NewTopic) {
        let key = collision_key(&topic.name).unwrap_or_else(|| topic.name.clone());
        self.names.insert(key, topic.name.clone());
        self.ids.insert(topic.id);
        self.partitions += topic.assignments.len();
        self.topics.push(topic);
    }
}

impl Context<'_> {
    pub(super) fn create_topics(&self, request: &CreateTopicsRequest) -> Decision {
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for topic in &request.topics {
            *names.entry(&topic.name).or_default() += 1;
        }
        let too_many = self.too_many_partitions(request);
        let mut plan = Plan::default();
        let mut results = Vec::with_capacity(names.len());
        for topic in &request.topics {
            // Of a name that stands several times there is one answer.
            let Some(count) = names.remove(topic.name.as_str()) else { continue };
            let planned = if count > 1 {
                Err(Refusal::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
            } else {
                self.plan(topic, &plan).and_then(|planned| match &too_many {
                    Some(refusal) => Err(refusal.clone()),
                    None => Ok(planned),
                })
            };
            match planned {
                Ok(planned) => {
                    results.push(self.accepted(&planned));
                    plan.push(planned);
                }
                Err(refusal) => results.push(refused(&topic.name, refusal)),
            }
        }
        let records = if request.validate_only { Vec::new() } else { self.creation(&plan) };
        let response = CreateTopicsResponse { topics: results, ..CreateTopicsResponse::default() };
        Decision { records, response: ControllerResponse::CreateTopics(response) }
    }

    /// Creates topics that clients have asked about, with the broker's defaults, up to the limit of one request.
    pub(super) fn auto_create_topics(&self, names: Vec<String>) -> Decision {
        let mut plan = Plan::default();
        let results = names.into_iter().map(|name| {
            let known = self.catalog.image.topic_named(&name).is_some() || plan.name_like(&name) == Some(name.as_str());
            let code = if known { ErrorCode::None } else { self.plan_by_itself(&name, &mut plan) };
            (name, code)
        });
        let results = results.collect();
        Decision { records: self.creation(&plan), response: ControllerResponse::AutoCreateTopics(results) }
    }

    pub(super) fn create_offsets_topic(&self) -> Decision {
        let mut plan = Plan::default();
        let code = match self.catalog.image.topic_named(OFFSETS_TOPIC) {
            Some(_) => ErrorCode::None,
            None => self.plan_by_itself(OFFSETS_TOPIC, &mut plan),
        };
        Decision { records: self.creation(&plan), response: ControllerResponse::CreateOffsetsTopic(code) }
    }

    fn plan_by_itself(&self, name: &str, plan: &mut Plan) -> ErrorCode {
        let topic = self.by_itself(name);
        if plan.partitions + topic.num_partitions as usize > PARTITIONS_MAX as usize {
            return ErrorCode::PolicyViolation;
        }
        match self.plan(&topic, plan) {
            Ok(planned) => {
                plan.push(planned);
                ErrorCode::None
            }
            Err(refusal) => refusal.code,
        }
    }

    /// A topic as the broker would ask for it.
    fn by_itself(&self, name: &str) -> CreatableTopic {
        let config = &self.catalog.config;
        let (num_partitions, replication_factor) = if name == OFFSETS_TOPIC {
            (config.offsets_topic_num_partitions, config.offsets_topic_replication_factor)
        } else {
            (config.num_partitions, config.default_replication_factor)
        };
        CreatableTopic { name: name.into(), num_partitions, replication_factor, ..CreatableTopic::default() }
    }

    /// Kafka refuses a request as a whole that asks for too many partitions.
    fn too_many_partitions(&self, request: &CreateTopicsRequest) -> Option<Refusal> {
        let count = |topic: &CreatableTopic| match topic.num_partitions {
            _ if !topic.assignments.is_empty() => topic.assignments.len() as i64,
            DEFAULT => i64::from(self.catalog.config.num_partitions),
            count => i64::from(count.max(0)),
        };
        let total: i64 = request.topics.iter().map(count).sum();
        let message = "Excessively large number of partitions per request.";
        (total > PARTITIONS_MAX).then(|| Refusal::new(ErrorCode::PolicyViolation, message))
    }

    fn plan(&self, topic: &CreatableTopic, plan: &Plan) -> Result<NewTopic, Refusal> {
        let image = &self.catalog.image;
        check_new_name(&topic.name, image, plan)?;
        let configs = planned_configs(topic, self.catalog.config.offsets_topic_segment_bytes)?;
        let related = self.catalog.with_layers(&configs, check_topic_relations);
        related.map_err(|error| Refusal::new(ErrorCode::InvalidConfig, error.to_string()))?;
        let assignments = self.planned_assignments(topic)?;
        Ok(NewTopic { name: topic.name.clone(), id: self.new_topic_id(plan), assignments, configs })
    }

    fn planned_assignments(&self, topic: &CreatableTopic) -> Result<Vec<Vec<i32>>, Refusal> {
        if !topic.assignments.is_empty() {
            return self.manual_assignments(topic);
        }
        let config = &self.catalog.config;
        let replicas = match i32::from(topic.replication_factor) {
            DEFAULT => config.default_replication_factor,
            1.. => topic.replication_factor,
            _ => {
                let message = "Replication factor must be larger than 0, or -1 to use the default value.";
                return Err(Refusal::new(ErrorCode::InvalidReplicationFactor, message));
            }
        };
        let partitions = match topic.num_partitions {
            DEFAULT => config.num_partitions,
            1.. => topic.num_partitions,
            _ => {
                let message = "Number of partitions was set to an invalid non-positive value.";
                return Err(Refusal::new(ErrorCode::InvalidPartitions, message));
            }
        };
        if replicas > 1 {
            let brokers = self.catalog.image.brokers().count();
            let message = format!(
                "Unable to replicate the partition {replicas} time(s): The target replication factor of {replicas} cannot be \
                 reached because only {brokers} broker(s) are registered."
            );
            return Err(Refusal::new(ErrorCode::InvalidReplicationFactor, message));
        }
        // A request beyond the limit is refused as a whole; it must not take memory before.
        let partitions = i64::from(partitions).min(PARTITIONS_MAX) as usize;
        Ok(vec![vec![self.catalog.node_id()]; partitions])
    }

    fn manual_assignments(&self, topic: &CreatableTopic) -> Result<Vec<Vec<i32>>, Refusal> {
        let not_default = |what| {
            let message = format!("A manual partition assignment was specified, but {what} was not set to -1.");
            Err(Refusal::new(ErrorCode::InvalidRequest, message))
        };
        if i32::from(topic.replication_factor) != DEFAULT {
            return not_default("replication factor");
        }
        if topic.num_partitions != DEFAULT {
            return not_default("numPartitions");
        }
        let mut assignments = BTreeMap::new();
        for assignment in &topic.assignments {
            let index = assignment.partition_index;
            if assignments.insert(index, &assignment.broker_ids).is_some() {
                let message = format!("Found multiple manual partition assignments for partition {index}");
                return Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
            }
            self.check_assignment(&assignment.broker_ids)?;
        }
        if !assignments.keys().copied().eq(0..assignments.len() as i32) {
            let message = "partitions should be a consecutive 0-based integer sequence";
            return Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
        }
        Ok(assignments.into_values().cloned().collect())
    }

    /// Checks the brokers that a client wants a partition on.
    pub(super) fn check_assignment(&self, replicas: &[i32]) -> Result<(), Refusal> {
        let refuse = |what: String| {
            Err(Refusal::new(
                ErrorCode::InvalidReplicaAssignment,
                format!("The manual partition assignment includes {what}"),
            ))
        };
        if replicas.is_empty() {
            return refuse("an empty replica list.".into());
        }
        for (index, &broker) in replicas.iter().enumerate() {
            if replicas[..index].contains(&broker) {
                return refuse(format!("the broker {broker} more than once."));
            }
            if self.catalog.image.broker(broker).is_none() {
                return refuse(format!("broker {broker}, but no such broker is registered."));
            }
        }
        Ok(())
    }

    /// An id that nobody has. Java's tools take a text that begins with `-` for an option, so no id begins so.
    fn new_topic_id(&self, plan: &Plan) -> Uuid {
        // Any odd number: each index gives another id of the same random bits.
        const STEP: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
        let taken = |id: Uuid| {
            id.is_zero()
                || id == Uuid::METADATA_TOPIC
                || self.catalog.image.topic(id).is_some()
                || plan.ids.contains(&id)
        };
        (plan.topics.len() as u128..)
            .map(|index| random_uuid(self.random ^ index.wrapping_mul(STEP)))
            .find(|&id| !taken(id) && !id.to_string().starts_with('-'))
            .expect("there are more ids than topics")
    }

    fn creation(&self, plan: &Plan) -> Vec<MetadataRecord> {
        let mut records: Vec<MetadataRecord> = Vec::new();
        for topic in &plan.topics {
            records.push(TopicRecord { name: topic.name.clone(), topic_id: topic.id }.into());
            for (name, value) in &topic.configs {
                records.push(topic_config_record(&topic.name, name, Some(value.clone())));
            }
            for (index, replicas) in topic.assignments.iter().enumerate() {
                records.push(self.partition_record(topic.id, index as i32, replicas));
            }
        }
        records
    }

    /// A new partition whose replicas are all in sync, the first being the leader.
    pub(super) fn partition_record(&self, topic_id: Uuid, partition_id: i32, replicas: &[i32]) -> MetadataRecord {
        PartitionRecord {
            partition_id,
            topic_id,
            replicas: replicas.to_vec(),
            isr: replicas.to_vec(),
            leader: replicas[0],
            leader_epoch: 0,
            partition_epoch: 0,
            directories: vec![self.identity.directory_id; replicas.len()],
            ..PartitionRecord::default()
        }
        .into()
    }

    fn accepted(&self, topic: &NewTopic) -> CreatableTopicResult {
        let configs = self.catalog.with_layers(&topic.configs, |layers| {
            let described = TOPIC_KEYS.iter().map(|key| {
                let value = layers.of_topic_key(key)[0];
                CreatableTopicConfigs {
                    name: key.key.name.into(),
                    value: Some(value.scaled()),
                    read_only: false,
                    config_source: value.source as i8,
                    is_sensitive: false,
                }
            });
            described.collect()
        });
        CreatableTopicResult {
            name: topic.name.clone(),
            topic_id: topic.id,
            num_partitions: topic.assignments.len() as i32,
            replication_factor: topic.assignments[0].len() as i16,
            configs: Some(configs),
            ..CreatableTopicResult::default()
        }
    }
}

pub(super) fn refused(name: &str, refusal: Refusal) -> CreatableTopicResult {
    CreatableTopicResult {
        name: name.into(),
        error_code: refusal.code.code(),
        error_message: refusal.message,
        configs: Some(Vec::new()),
        ..CreatableTopicResult::default()
    }
}

pub(super) fn topic_config_record(topic: &str, name: &str, value: Option<String>) -> MetadataRecord {
    let resource_type = ResourceType::Topic as i8;
    ConfigRecord { resource_type, resource_name: topic.into(), name: name.into(), value }.into()
}

fn check_new_name(name: &str, image: &Image, plan: &Plan) -> Result<(), Refusal> {
    check_topic_name(name).map_err(|message| Refusal::new(ErrorCode::InvalidTopicException, message))?;
    if name == CLUSTER_METADATA_TOPIC {
        let message = format!("Creation of internal topic {name} is prohibited.");
        return Err(Refusal::new(ErrorCode::InvalidRequest, message));
    }
    if image.topic_named(name).is_some() {
        return Err(Refusal::new(ErrorCode::TopicAlreadyExists, format!("Topic '{name}' already exists.")));
    }
    if let Some(other) = image.topic_colliding_with(name).or_else(|| plan.name_like(name)) {
        let message = format!("Topic '{name}' collides with existing topic: {other}");
        return Err(Refusal::new(ErrorCode::InvalidTopicException, message));
    }
    Ok(())
}

fn planned_configs(topic: &CreatableTopic, offsets_segment_bytes: i32) -> Result<ConfigMap, Refusal> {
    let mut configs = ConfigMap::new();
    if topic.name == OFFSETS_TOPIC {
        configs.insert("cleanup.policy".into(), "compact".into());
        configs.insert("compression.type".into(), "producer".into());
        configs.insert("segment.bytes".into(), offsets_segment_bytes.to_string());
    }
    for config in &topic.configs {
        let Some(value) = &config.value else {
            let message = format!("Null value not supported for topic configs: {}", config.name);
            return Err(Refusal::new(ErrorCode::InvalidConfig, message));
        };
        let value = check_topic_value(&config.name, value)
            .map_err(|error| Refusal::new(ErrorCode::InvalidConfig, error.to_string()))?;
        configs.insert(config.name.clone(), value.into());
    }
    Ok(configs)
}

/// A random (version 4) UUID of these bits.
fn random_uuid(random: u128) -> Uuid {
    const VERSION_MASK: u128 = 0xf000 << 64;
    const VERSION_4: u128 = 0x4000 << 64;
    const VARIANT_MASK: u128 = 0b11 << 62;
    const VARIANT_RFC: u128 = 0b10 << 62;
    Uuid::from_u128(random & !VERSION_MASK & !VARIANT_MASK | VERSION_4 | VARIANT_RFC)
}
