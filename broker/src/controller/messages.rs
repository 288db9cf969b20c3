//! What the controller is asked, what it answers, and what it has done.

use std::sync::Arc;

use wire::api::{
    AlterConfigsRequest, AlterConfigsResponse, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest,
    CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};
use wire::{ErrorCode, TopicPartitionId, Uuid};

use crate::Token;
use crate::catalog::Catalog;

use super::{ProducerIdBlock, Refusal, create_topics};

/// What the controller is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum ControllerRequest {
    /// A client's CreateTopics.
    CreateTopics(CreateTopicsRequest),
    /// A client's DeleteTopics.
    DeleteTopics(DeleteTopicsRequest),
    /// A client's CreatePartitions.
    CreatePartitions(CreatePartitionsRequest),
    /// A client's AlterConfigs.
    AlterConfigs(AlterConfigsRequest),
    /// A client's IncrementalAlterConfigs.
    IncrementalAlterConfigs(IncrementalAlterConfigsRequest),
    /// Create these topics with the broker's defaults, because a client has asked for their metadata.
    AutoCreateTopics(Vec<String>),
    /// Create `__consumer_offsets`, because a client has asked for a group's coordinator.
    CreateOffsetsTopic,
    /// Reserve a block of producer ids for one core.
    AllocateProducerIds,
}

/// What the controller answers.
#[derive(Debug, Clone, PartialEq)]
pub enum ControllerResponse {
    /// To [`ControllerRequest::CreateTopics`].
    CreateTopics(CreateTopicsResponse),
    /// To [`ControllerRequest::DeleteTopics`].
    DeleteTopics(DeleteTopicsResponse),
    /// To [`ControllerRequest::CreatePartitions`].
    CreatePartitions(CreatePartitionsResponse),
    /// To [`ControllerRequest::AlterConfigs`].
    AlterConfigs(AlterConfigsResponse),
    /// To [`ControllerRequest::IncrementalAlterConfigs`].
    IncrementalAlterConfigs(IncrementalAlterConfigsResponse),
    /// To [`ControllerRequest::AutoCreateTopics`]: each name, and why it could not be created. A topic that was there already
    /// is no error.
    AutoCreateTopics(Vec<(String, ErrorCode)>),
    /// To [`ControllerRequest::CreateOffsetsTopic`]; that it was there already is no error.
    CreateOffsetsTopic(ErrorCode),
    /// To [`ControllerRequest::AllocateProducerIds`].
    ProducerIds(Result<ProducerIdBlock, ErrorCode>),
}

/// A partition, and the core that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedPartition {
    /// The partition.
    pub key: TopicPartitionId,
    /// Its topic's name.
    pub topic: Arc<str>,
    /// Its core.
    pub core: u16,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub enum ControllerEffect {
    /// Append this batch to the metadata log; then [`super::Controller::appended`].
    Append {
        /// Names the write.
        write_id: u64,
        /// One whole batch whose offsets and leader epoch are set.
        batch: Vec<u8>,
    },
    /// Give every core the catalog, open and close partitions; then [`super::Controller::published`].
    Publish {
        /// The write that it comes from.
        write_id: u64,
        /// The new catalog.
        catalog: Arc<Catalog>,
        /// Partitions whose logs are to be created.
        created: Vec<PlacedPartition>,
        /// Partitions whose logs are to be deleted.
        deleted: Vec<PlacedPartition>,
        /// Topics, there before and after, whose configuration has changed.
        reconfigured: Vec<Uuid>,
    },
    /// This node's registration is durable and published: clients may be let in.
    Started,
    /// This node could not register, which its catalog needs it to be.
    StartFailed {
        /// Why.
        error: ErrorCode,
    },
    /// Answer a request.
    Respond {
        /// The request.
        token: Token,
        /// The answer.
        response: ControllerResponse,
    },
}

impl ControllerResponse {
    /// Turns what was to succeed into an error, because it could not be written.
    pub(super) fn fail(&mut self, error: ErrorCode) {
        let failed = |code: &mut i16, message: &mut Option<String>| {
            if *code == ErrorCode::None.code() {
                *code = error.code();
                *message = Some(error.message().into());
            }
        };
        match self {
            ControllerResponse::CreateTopics(response) => response.topics.iter_mut().for_each(|topic| {
                if topic.error_code == ErrorCode::None.code() {
                    *topic = create_topics::refused(&topic.name, Refusal::plain(error));
                }
            }),
            ControllerResponse::DeleteTopics(response) => {
                response.responses.iter_mut().for_each(|topic| failed(&mut topic.error_code, &mut topic.error_message));
            }
            ControllerResponse::CreatePartitions(response) => {
                response.results.iter_mut().for_each(|topic| failed(&mut topic.error_code, &mut topic.error_message));
            }
            ControllerResponse::AlterConfigs(response) => {
                response.responses.iter_mut().for_each(|item| failed(&mut item.error_code, &mut item.error_message));
            }
            ControllerResponse::IncrementalAlterConfigs(response) => {
                response.responses.iter_mut().for_each(|item| failed(&mut item.error_code, &mut item.error_message));
            }
            ControllerResponse::AutoCreateTopics(topics) => {
                topics.iter_mut().filter(|(_, code)| !code.is_error()).for_each(|(_, code)| *code = error);
            }
            ControllerResponse::CreateOffsetsTopic(code) => *code = error,
            ControllerResponse::ProducerIds(block) => *block = Err(error),
        }
    }
}
