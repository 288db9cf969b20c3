//! CreatePartitions: more partitions for a topic, never fewer.
//!
//! Refusals are those of Kafka 4.3.1, but for one: where Kafka answers an excessive count with UNKNOWN_SERVER_ERROR, this is
//! INVALID_PARTITIONS.

use std::collections::BTreeMap;

use wire::ErrorCode;
use wire::api::k37_create_partitions::{CreatePartitionsTopic, CreatePartitionsTopicResult};
use wire::api::{CreatePartitionsRequest, CreatePartitionsResponse};
use wire::records::metadata::MetadataRecord;

use crate::config::table::PARTITIONS_MAX;

use super::{Context, ControllerResponse, Decision, Refusal};

impl Context<'_> {
    pub(super) fn create_partitions(&self, request: &CreatePartitionsRequest) -> Decision {
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for topic in &request.topics {
            *names.entry(&topic.name).or_default() += 1;
        }
        let mut records = Vec::new();
        let mut results = Vec::with_capacity(names.len());
        for topic in &request.topics {
            let Some(count) = names.remove(topic.name.as_str()) else { continue };
            let grown = if count > 1 {
                Err(Refusal::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
            } else {
                self.grow(topic, PARTITIONS_MAX as usize - records.len())
            };
            let (code, message) = match grown {
                Ok(more) => {
                    records.extend(more);
                    (ErrorCode::None, None)
                }
                Err(refusal) => (refusal.code, refusal.message),
            };
            let name = topic.name.clone();
            results.push(CreatePartitionsTopicResult { name, error_code: code.code(), error_message: message });
        }
        if request.validate_only {
            records.clear();
        }
        let response = CreatePartitionsResponse { results, ..CreatePartitionsResponse::default() };
        Decision { records, response: ControllerResponse::CreatePartitions(response) }
    }

    fn grow(&self, request: &CreatePartitionsTopic, allowed: usize) -> Result<Vec<MetadataRecord>, Refusal> {
        let topic = self.catalog.image.topic_named(&request.name);
        let topic = topic.ok_or(Refusal { code: ErrorCode::UnknownTopicOrPartition, message: None })?;
        let current = topic.partitions.len();
        let invalid = |message: String| Err(Refusal::new(ErrorCode::InvalidPartitions, message));
        let count = match usize::try_from(request.count) {
            Ok(count) if count == current => return invalid(format!("Topic already has {current} partition(s).")),
            Ok(count) if count > current => count,
            _ => {
                return invalid(format!(
                    "The topic {} currently has {current} partition(s); {} would not be an increase.",
                    request.name, request.count
                ));
            }
        };
        let additional = count - current;
        if additional > allowed {
            return invalid("Excessively large number of partitions per request.".into());
        }
        let assignments = match &request.assignments {
            None => vec![vec![self.catalog.node_id()]; additional],
            Some(assignments) if assignments.len() != additional => {
                let message = format!(
                    "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
                    assignments.len()
                );
                return Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
            }
            Some(assignments) => assignments.iter().map(|assignment| assignment.broker_ids.clone()).collect(),
        };
        for replicas in &assignments {
            self.check_assignment(replicas)?;
        }
        let indexes = current as i32..;
        Ok(indexes
            .zip(&assignments)
            .map(|(index, replicas)| self.partition_record(topic.id, index, replicas))
            .collect())
    }
}
