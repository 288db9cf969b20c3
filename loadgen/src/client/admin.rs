//! Topics: created, changed, deleted, and their settings.

use std::time::Duration;

use wire::api::k19_create_topics::{CreatableTopic, CreatableTopicConfig};
use wire::api::k20_delete_topics::DeleteTopicState;
use wire::api::k32_describe_configs::DescribeConfigsResource;
use wire::api::k37_create_partitions::CreatePartitionsTopic;
use wire::api::k44_incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use wire::api::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest,
};
use wire::{ErrorCode, Uuid};

use super::{Client, ClientError, check};

const RESOURCE_TOPIC: i8 = 2;
const RESOURCE_BROKER: i8 = 4;
const OPERATION_SET: i8 = 0;
const OPERATION_DELETE: i8 = 1;
/// Where a setting comes from when it is the topic's own.
const SOURCE_TOPIC: i8 = 1;
/// How long the controller may take; the answer is waited for a little longer.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(30);

/// A setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSetting {
    /// Its name.
    pub name: String,
    /// Its value, if it has one and may be told.
    pub value: Option<String>,
    /// Whether the topic itself sets it.
    pub is_own: bool,
}

/// A change to one setting of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicConfigChange {
    /// The topic sets it.
    Set(String, String),
    /// The topic goes by the broker's default again.
    Delete(String),
}

fn admin_timeout_ms() -> i32 {
    ADMIN_TIMEOUT.as_millis() as i32
}

pub(super) fn unmentioned(what: String) -> ClientError {
    let message = Some("the answer does not mention it".into());
    ClientError::Refused { what, code: ErrorCode::UnknownServerError.code(), message }
}

impl Client {
    /// Creates a topic; none of partitions or replicas means the broker's default. Returns its id and how many partitions
    /// it got, if the broker tells.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the broker's word.
    pub fn create_topic(
        &mut self,
        name: &str,
        partitions: Option<i32>,
        replicas: Option<i16>,
        configs: &[(String, String)],
    ) -> Result<(Uuid, Option<i32>), ClientError> {
        let config =
            |(name, value): &(String, String)| CreatableTopicConfig { name: name.clone(), value: Some(value.clone()) };
        let topic = CreatableTopic {
            name: name.to_owned(),
            num_partitions: partitions.unwrap_or(-1),
            replication_factor: replicas.unwrap_or(-1),
            assignments: Vec::new(),
            configs: configs.iter().map(config).collect(),
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: admin_timeout_ms(), validate_only: false };
        let answer = self.call_controller(&request)?;
        let what = || format!("creating topic {name}");
        let result = answer.topics.into_iter().next().ok_or_else(|| unmentioned(what()))?;
        check(result.error_code, result.error_message.as_deref(), what)?;
        Ok((result.topic_id, Some(result.num_partitions).filter(|count| *count > 0)))
    }

    /// Deletes a topic and all that is in it.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the broker's word.
    pub fn delete_topic(&mut self, name: &str) -> Result<(), ClientError> {
        let request = DeleteTopicsRequest {
            topics: vec![DeleteTopicState { name: Some(name.to_owned()), topic_id: Uuid::ZERO }],
            topic_names: vec![name.to_owned()],
            timeout_ms: admin_timeout_ms(),
        };
        let answer = self.call_controller(&request)?;
        let what = || format!("deleting topic {name}");
        let result = answer.responses.into_iter().next().ok_or_else(|| unmentioned(what()))?;
        check(result.error_code, result.error_message.as_deref(), what)?;
        self.forget(name);
        Ok(())
    }

    /// Adds partitions until a topic has `count`.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the broker's word.
    pub fn create_partitions(&mut self, name: &str, count: i32) -> Result<(), ClientError> {
        let topic = CreatePartitionsTopic { name: name.to_owned(), count, assignments: None };
        let request =
            CreatePartitionsRequest { topics: vec![topic], timeout_ms: admin_timeout_ms(), validate_only: false };
        let answer = self.call_controller(&request)?;
        let what = || format!("adding partitions to topic {name}");
        let result = answer.results.into_iter().next().ok_or_else(|| unmentioned(what()))?;
        check(result.error_code, result.error_message.as_deref(), what)?;
        self.forget(name);
        Ok(())
    }

    /// Changes settings of a topic, all or none of them.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the broker's word.
    pub fn alter_topic(&mut self, name: &str, changes: &[TopicConfigChange]) -> Result<(), ClientError> {
        let change = |change: &TopicConfigChange| match change {
            TopicConfigChange::Set(name, value) => {
                AlterableConfig { name: name.clone(), config_operation: OPERATION_SET, value: Some(value.clone()) }
            }
            TopicConfigChange::Delete(name) => {
                AlterableConfig { name: name.clone(), config_operation: OPERATION_DELETE, value: None }
            }
        };
        let resource = AlterConfigsResource {
            resource_type: RESOURCE_TOPIC,
            resource_name: name.to_owned(),
            configs: changes.iter().map(change).collect(),
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
        let answer = self.call_controller(&request)?;
        let what = || format!("changing the settings of topic {name}");
        let result = answer.responses.into_iter().next().ok_or_else(|| unmentioned(what()))?;
        check(result.error_code, result.error_message.as_deref(), what)
    }

    /// All settings in force for a topic.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the broker's word.
    pub fn topic_settings(&mut self, name: &str) -> Result<Vec<TopicSetting>, ClientError> {
        let request = describe(RESOURCE_TOPIC, name, None);
        let answer = self.call_any(&request)?;
        settings(answer.results, || format!("asking for the settings of topic {name}"))
    }

    /// One setting of a broker.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the broker's word.
    pub fn broker_setting(&mut self, id: i32, key: &str) -> Result<Option<String>, ClientError> {
        let request = describe(RESOURCE_BROKER, &id.to_string(), Some(vec![key.to_owned()]));
        let answer = self.call_node(id, &request)?;
        let found = settings(answer.results, || format!("asking for {key} of broker {id}"))?;
        Ok(found.into_iter().find(|setting| setting.name == key).and_then(|setting| setting.value))
    }
}

fn describe(resource_type: i8, name: &str, keys: Option<Vec<String>>) -> DescribeConfigsRequest {
    let resource = DescribeConfigsResource { resource_type, resource_name: name.to_owned(), configuration_keys: keys };
    DescribeConfigsRequest { resources: vec![resource], include_synonyms: false, include_documentation: false }
}

fn settings(
    results: Vec<wire::api::k32_describe_configs::DescribeConfigsResult>,
    what: impl Fn() -> String,
) -> Result<Vec<TopicSetting>, ClientError> {
    let result = results.into_iter().next().ok_or_else(|| unmentioned(what()))?;
    check(result.error_code, result.error_message.as_deref(), what)?;
    let setting = |entry: wire::api::k32_describe_configs::DescribeConfigsResourceResult| TopicSetting {
        is_own: entry.config_source == SOURCE_TOPIC,
        name: entry.name,
        value: entry.value,
    };
    Ok(result.configs.into_iter().map(setting).collect())
}
