//! DeleteTopics: by name, and from v6 on by id.
//!
//! Refusals are those of Kafka 4.3.1.

use std::collections::{BTreeMap, BTreeSet};

use wire::api::k20_delete_topics::{DeletableTopicResult, DeleteTopicState};
use wire::api::{DeleteTopicsRequest, DeleteTopicsResponse};
use wire::records::metadata::RemoveTopicRecord;
use wire::{ErrorCode, Uuid};

use crate::catalog::Topic;

use super::{Context, ControllerResponse, Decision, Refusal};

impl Context<'_> {
    pub(super) fn delete_topics(&self, request: &DeleteTopicsRequest) -> Decision {
        let by_name =
            request.topic_names.iter().map(|name| DeleteTopicState { name: Some(name.clone()), ..Default::default() });
        let asked: Vec<_> = by_name.chain(request.topics.iter().cloned()).collect();
        let identity = |topic: &DeleteTopicState| (topic.name.clone(), topic.topic_id);
        let mut counts: BTreeMap<_, usize> = BTreeMap::new();
        for topic in &asked {
            *counts.entry(identity(topic)).or_default() += 1;
        }
        let mut removed = BTreeSet::new();
        let mut records = Vec::new();
        let mut responses = Vec::with_capacity(asked.len());
        for topic in &asked {
            // What stands several times has one answer.
            let Some(count) = counts.remove(&identity(topic)) else { continue };
            let is_named = topic.name.is_some() || !topic.topic_id.is_zero();
            let result = if count > 1 && is_named {
                Err(Refusal::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
            } else {
                self.to_delete(topic)
            };
            match result {
                Ok(found) => {
                    // The same topic may stand in a request by name and by id.
                    if removed.insert(found.id) {
                        records.push(RemoveTopicRecord { topic_id: found.id }.into());
                    }
                    responses.push(DeletableTopicResult {
                        name: Some(found.name.to_string()),
                        topic_id: found.id,
                        ..DeletableTopicResult::default()
                    });
                }
                Err(refusal) => responses.push(DeletableTopicResult {
                    name: topic.name.clone(),
                    topic_id: topic.topic_id,
                    error_code: refusal.code.code(),
                    error_message: refusal.message,
                }),
            }
        }
        let response = DeleteTopicsResponse { responses, ..DeleteTopicsResponse::default() };
        Decision { records, response: ControllerResponse::DeleteTopics(response) }
    }

    fn to_delete(&self, topic: &DeleteTopicState) -> Result<&Topic, Refusal> {
        let invalid = |message: &str| Err(Refusal::new(ErrorCode::InvalidRequest, message));
        let image = &self.catalog.image;
        match (&topic.name, topic.topic_id) {
            (Some(_), id) if !id.is_zero() => invalid("You may not specify both topic name and topic id."),
            (None, Uuid::ZERO) => invalid("Neither topic name nor id were specified."),
            (Some(name), _) => {
                image.topic_named(name).map(|topic| &**topic).ok_or(Refusal::plain(ErrorCode::UnknownTopicOrPartition))
            }
            (None, id) => image.topic(id).map(|topic| &**topic).ok_or(Refusal::plain(ErrorCode::UnknownTopicId)),
        }
    }
}
