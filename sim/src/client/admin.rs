//! An administrator: creates and deletes topics, and deletes records, each until it is answered for good.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use checkers::history::Event;
use wire::api::k03_metadata::MetadataRequestTopic;
use wire::api::k19_create_topics::{CreatableTopic, CreatableTopicConfig};
use wire::api::k20_delete_topics::DeleteTopicState;
use wire::api::k21_delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use wire::api::k32_describe_configs::DescribeConfigsResource;
use wire::api::k37_create_partitions::CreatePartitionsTopic;
use wire::api::k44_incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use wire::api::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest, MetadataRequest,
};
use wire::{ErrorCode, TopicPartitionId, Uuid};

use super::link::{Link, Lost};
use super::{RETRY, Shared, Topic, TopicState};
use crate::coverage::Reached;

const ALTER_CONFIGS_VERSION: i16 = 1;
const CREATE_PARTITIONS_VERSION: i16 = 3;
const CREATE_TOPICS_VERSION: i16 = 7;
const DELETE_TOPICS_VERSION: i16 = 6;
const DELETE_RECORDS_VERSION: i16 = 2;
const DESCRIBE_CONFIGS_VERSION: i16 = 4;
const METADATA_VERSION: i16 = 12;
/// The kind of resource that a topic is.
const TOPIC_RESOURCE: i8 = 2;
/// IncrementalAlterConfigs' name for giving a value.
const SET: i8 = 0;
const TIMEOUT_MS: i32 = 5_000;

/// A topic to create.
#[derive(Clone, Debug)]
pub struct TopicPlan {
    /// Its name.
    pub name: String,
    /// Its partitions.
    pub partitions: i32,
    /// Its settings.
    pub configs: Vec<(String, String)>,
}

impl TopicPlan {
    /// Whether of each key only the newest record stays.
    pub fn is_compacted(&self) -> bool {
        self.configs.iter().any(|(name, value)| name == "cleanup.policy" && value == "compact")
    }
}

/// What an administrator does, one step after the other.
#[derive(Clone, Debug)]
pub enum AdminStep {
    /// Creates a topic.
    Create(TopicPlan),
    /// Gives a topic so many more partitions.
    Grow(String, i32),
    /// Gives a setting of a topic another value.
    Configure(String, &'static str, &'static str),
    /// Deletes a topic by name.
    Delete(String),
    /// Deletes a part of a partition's records, in percent of those that there are.
    DeleteRecords(TopicPartitionId, String, u64),
}

/// Takes the steps, with pauses of up to `pause`.
pub async fn administer(shared: Rc<Shared>, steps: Vec<AdminStep>, pause: Duration) {
    let mut link = None;
    for step in steps {
        shared.clock.sleep(shared.dice.delay(&(Duration::ZERO..=pause))).await;
        shared.trace.event(format_args!("admin: {step:?}"));
        until_answered(&shared, &mut link, &step).await;
    }
}

/// Creates topics before anything else happens.
pub async fn create_all(shared: &Shared, plans: &[TopicPlan]) {
    let mut link = None;
    for plan in plans {
        until_answered(shared, &mut link, &AdminStep::Create(plan.clone())).await;
    }
}

async fn until_answered(shared: &Shared, kept: &mut Option<Link>, step: &AdminStep) {
    loop {
        let mut link = match kept.take() {
            Some(link) => link,
            None => shared.link("admin").await,
        };
        let done = match step {
            AdminStep::Create(plan) => create(shared, &mut link, plan).await,
            AdminStep::Grow(name, more) => grow(shared, &mut link, name, *more).await,
            AdminStep::Configure(name, setting, value) => configure(shared, &mut link, name, (setting, value)).await,
            AdminStep::Delete(name) => delete(shared, &mut link, name).await,
            AdminStep::DeleteRecords(key, name, percent) => {
                delete_records(shared, &mut link, (*key, name), *percent).await
            }
        };
        match done {
            Ok(done) => {
                *kept = Some(link);
                if done {
                    return;
                }
                shared.clock.sleep(RETRY).await;
            }
            Err(Lost::Malformed(what)) => shared.violation(format!("admin: {what}")),
            Err(lost) => shared.trace.event(format_args!("admin: {lost}")),
        }
    }
}

fn unexpected(shared: &Shared, what: &str, code: i16) -> bool {
    if !ErrorCode::from_code(code).is_some_and(ErrorCode::is_retriable) {
        shared.violation(format!("{what} answers error {code}"));
        return true;
    }
    false
}

async fn create(shared: &Shared, link: &mut Link, plan: &TopicPlan) -> Result<bool, Lost> {
    let config =
        |(name, value): &(String, String)| CreatableTopicConfig { name: name.clone(), value: Some(value.clone()) };
    let topic = CreatableTopic {
        name: plan.name.clone(),
        num_partitions: plan.partitions,
        replication_factor: 1,
        configs: plan.configs.iter().map(config).collect(),
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: TIMEOUT_MS, validate_only: false };
    let response = link.ask(CREATE_TOPICS_VERSION, &request).await?;
    let Some(result) = response.topics.first() else {
        shared.violation("CreateTopics answers nothing".into());
        return Ok(true);
    };
    let id = match ErrorCode::from_code(result.error_code) {
        Some(ErrorCode::None) => Some(result.topic_id),
        // An earlier attempt went unanswered.
        Some(ErrorCode::TopicAlreadyExists) => topic_id(link, &plan.name).await?,
        _ => return Ok(unexpected(shared, "CreateTopics", result.error_code)),
    };
    let Some(id) = id else { return Ok(false) };
    let topic = Topic {
        name: plan.name.clone(),
        id,
        partitions: plan.partitions,
        state: TopicState::Alive,
        configs: BTreeMap::new(),
    };
    shared.trace.event(format_args!("topic {} is {id}", topic.name));
    shared.topics.borrow_mut().push(topic);
    shared.topics_changed();
    let has_retention = plan.configs.iter().any(|(name, _)| name.starts_with("retention"));
    for partition in 0..plan.partitions {
        let key = TopicPartitionId { topic: id, partition };
        let mut history = shared.history.borrow_mut();
        let partition = history.partition(key);
        partition.has_retention = has_retention;
        partition.keys = plan.is_compacted().then(BTreeMap::new);
    }
    Ok(true)
}

async fn topic_id(link: &mut Link, name: &str) -> Result<Option<Uuid>, Lost> {
    let topics = metadata(link, Some(name)).await?;
    Ok(topics.into_iter().find(|(found, _, _)| found == name).map(|(_, id, _)| id))
}

/// Name, id and number of partitions of each topic, or of one.
pub(super) async fn metadata(link: &mut Link, name: Option<&str>) -> Result<Vec<(String, Uuid, usize)>, Lost> {
    let topics = name.map(|name| vec![MetadataRequestTopic { name: Some(name.to_owned()), ..Default::default() }]);
    let request = MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() };
    let response = link.ask(METADATA_VERSION, &request).await?;
    let good = response.topics.into_iter().filter(|topic| topic.error_code == 0);
    Ok(good.map(|topic| (topic.name.unwrap_or_default(), topic.topic_id, topic.partitions.len())).collect())
}

async fn delete(shared: &Shared, link: &mut Link, name: &str) -> Result<bool, Lost> {
    let id = {
        let mut topics = shared.topics.borrow_mut();
        let Some(topic) = topics.iter_mut().rfind(|topic| topic.name == name) else { return Ok(true) };
        topic.state = TopicState::Deleting;
        topic.id
    };
    let topics = vec![DeleteTopicState { name: None, topic_id: id }];
    let request = DeleteTopicsRequest { topics, timeout_ms: TIMEOUT_MS, ..Default::default() };
    let response = link.ask(DELETE_TOPICS_VERSION, &request).await?;
    let code = response.responses.first().map_or(ErrorCode::UnknownServerError.code(), |result| result.error_code);
    match ErrorCode::from_code(code) {
        // The latter: an earlier attempt went unanswered.
        Some(ErrorCode::None | ErrorCode::UnknownTopicId) => {
            let mut topics = shared.topics.borrow_mut();
            topics.iter_mut().filter(|topic| topic.id == id).for_each(|topic| topic.state = TopicState::Deleted);
            shared.topics_changed();
            if shared.is_read_by_groups(name) {
                shared.reached(Reached::TopicDeleted);
            }
            Ok(true)
        }
        _ => Ok(unexpected(shared, "DeleteTopics", code)),
    }
}

async fn grow(shared: &Shared, link: &mut Link, name: &str, more: i32) -> Result<bool, Lost> {
    let found = shared.topics.borrow().iter().rfind(|topic| topic.name == name).cloned();
    let Some(topic) = found.filter(|topic| topic.state == TopicState::Alive) else { return Ok(true) };
    let count = topic.partitions + more;
    let topics = vec![CreatePartitionsTopic { name: name.to_owned(), count, assignments: None }];
    let request = CreatePartitionsRequest { topics, timeout_ms: TIMEOUT_MS, validate_only: false };
    let response = link.ask(CREATE_PARTITIONS_VERSION, &request).await?;
    let code = response.results.first().map_or(ErrorCode::UnknownServerError.code(), |result| result.error_code);
    match ErrorCode::from_code(code) {
        // The latter: an earlier attempt went unanswered.
        Some(ErrorCode::None | ErrorCode::InvalidPartitions) => {
            let mut topics = shared.topics.borrow_mut();
            topics.iter_mut().filter(|known| known.id == topic.id).for_each(|known| known.partitions = count);
            shared.topics_changed();
            if shared.is_read_by_groups(name) {
                shared.reached(Reached::TopicGrew);
            }
            Ok(true)
        }
        _ => Ok(unexpected(shared, "CreatePartitions", code)),
    }
}

async fn configure(
    shared: &Shared,
    link: &mut Link,
    name: &str,
    (setting, value): (&'static str, &'static str),
) -> Result<bool, Lost> {
    let found = shared.topics.borrow().iter().rfind(|topic| topic.name == name).cloned();
    let Some(topic) = found.filter(|topic| topic.state == TopicState::Alive) else { return Ok(true) };
    let config = AlterableConfig { name: setting.into(), config_operation: SET, value: Some(value.into()) };
    let resource =
        AlterConfigsResource { resource_type: TOPIC_RESOURCE, resource_name: name.into(), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    let response = link.ask(ALTER_CONFIGS_VERSION, &request).await?;
    let code = response.responses.first().map_or(ErrorCode::UnknownServerError.code(), |result| result.error_code);
    if code != ErrorCode::None.code() {
        return Ok(unexpected(shared, "IncrementalAlterConfigs", code));
    }
    let mut topics = shared.topics.borrow_mut();
    for known in topics.iter_mut().filter(|known| known.id == topic.id) {
        known.configs.insert(setting, value);
    }
    Ok(true)
}

/// The settings of a topic.
pub(super) async fn settings(link: &mut Link, name: &str) -> Result<BTreeMap<String, Option<String>>, Lost> {
    let resource =
        DescribeConfigsResource { resource_type: TOPIC_RESOURCE, resource_name: name.into(), configuration_keys: None };
    let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    let response = link.ask(DESCRIBE_CONFIGS_VERSION, &request).await?;
    let configs = response.results.into_iter().flat_map(|result| result.configs);
    Ok(configs.map(|config| (config.name, config.value)).collect())
}

async fn delete_records(
    shared: &Shared,
    link: &mut Link,
    (key, name): (TopicPartitionId, &str),
    percent: u64,
) -> Result<bool, Lost> {
    if shared.history.borrow_mut().partition(key).keys.is_some() {
        // Refused, as by Kafka, where nothing is deleted.
        return Ok(true);
    }
    let Some(end) = super::consumer::list_offset(link, name, key.partition, super::consumer::LATEST).await? else {
        return Ok(shared.may_be_gone(key.topic));
    };
    let offset = end * percent as i64 / 100;
    shared.history.borrow_mut().record(key, Event::DeleteRecords { offset, acked: false });
    let partitions = vec![DeleteRecordsPartition { partition_index: key.partition, offset }];
    let topics = vec![DeleteRecordsTopic { name: name.to_owned(), partitions }];
    let request = DeleteRecordsRequest { topics, timeout_ms: TIMEOUT_MS };
    let response = link.ask(DELETE_RECORDS_VERSION, &request).await?;
    let answer = response.topics.into_iter().flat_map(|topic| topic.partitions).next();
    let Some(answer) = answer else {
        shared.violation("DeleteRecords answers nothing".into());
        return Ok(true);
    };
    match ErrorCode::from_code(answer.error_code) {
        Some(ErrorCode::None) => {
            shared.trace.event(format_args!("log start of {name}-{} is {}", key.partition, answer.low_watermark));
            let offset = answer.low_watermark;
            let mut history = shared.history.borrow_mut();
            history.record(key, Event::DeleteRecords { offset, acked: true });
            Ok(true)
        }
        Some(ErrorCode::UnknownTopicOrPartition) if shared.may_be_gone(key.topic) => Ok(true),
        _ => Ok(unexpected(shared, "DeleteRecords", answer.error_code)),
    }
}
