//! ApiVersions, Metadata, DescribeCluster, DescribeTopicPartitions, DescribeConfigs: answered from the catalog.
//! CreateTopics, DeleteTopics, CreatePartitions, AlterConfigs, IncrementalAlterConfigs: asked of the controller.
//! InitProducerId: from this core's block of ids, which the controller reserves.
//! Behaviour: a topic that Metadata creates is created before the answer, which then has its leaders; Kafka answers
//! LEADER_NOT_AVAILABLE first and lets the client ask again.

use std::rc::Rc;

use broker::controller::{ControllerRequest, ControllerResponse};
use broker::queries::{self, InitProducerIdAnswer};
use wire::ErrorCode;
use wire::api::*;

use super::{Context, SERVED};
use crate::mesh::{Call, Reply};
use crate::world::{CoreId, World};

pub(super) async fn api_versions<W: World>(
    context: Rc<Context<W>>,
    request: ApiVersionsRequest,
) -> ApiVersionsResponse {
    queries::api_versions(&context.core.catalog(), &request, context.version, SERVED)
}

pub(super) async fn metadata<W: World>(context: Rc<Context<W>>, request: MetadataRequest) -> MetadataResponse {
    let ask = || queries::metadata(&context.core.catalog(), &request, context.version, context.listener());
    let answer = ask();
    if answer.to_create.is_empty() {
        return answer.response;
    }
    let created = context.control(ControllerRequest::AutoCreateTopics(answer.to_create)).await;
    let ControllerResponse::AutoCreateTopics(results) = created else { unreachable!("the response to this request") };
    let mut response = ask().response;
    for (name, error) in results.iter().filter(|(_, error)| error.is_error()) {
        let topics = response.topics.iter_mut().filter(|topic| topic.name.as_deref() == Some(name));
        topics.for_each(|topic| topic.error_code = error.code());
    }
    response
}

pub(super) async fn describe_cluster<W: World>(
    context: Rc<Context<W>>,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    queries::describe_cluster(&context.core.catalog(), &request, context.listener())
}

pub(super) async fn describe_partitions<W: World>(
    context: Rc<Context<W>>,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    queries::describe_topic_partitions(&context.core.catalog(), &request)
}

pub(super) async fn describe_configs<W: World>(
    context: Rc<Context<W>>,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    queries::describe_configs(&context.core.catalog(), &request)
}

pub(super) async fn init_producer_id<W: World>(
    context: Rc<Context<W>>,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    loop {
        if !context.core.is_open() {
            // As whoever asks a closed core.
            return std::future::pending().await;
        }
        let answer = queries::init_producer_id(&request, context.core.state().producer_ids.as_mut());
        if let InitProducerIdAnswer::Respond(response) = answer {
            return response;
        }
        match context.control(ControllerRequest::AllocateProducerIds).await {
            ControllerResponse::ProducerIds(Ok(block)) if context.core.is_open() => {
                context.core.state().producer_ids = Some(block);
            }
            ControllerResponse::ProducerIds(Ok(_)) => {}
            ControllerResponse::ProducerIds(Err(error)) => {
                return InitProducerIdResponse {
                    error_code: error.code(),
                    producer_id: -1,
                    producer_epoch: -1,
                    ..Default::default()
                };
            }
            _ => unreachable!("the response to this request"),
        }
    }
}

macro_rules! controlled {
    ($($handler:ident: $request:ident -> $response:ident as $variant:ident;)*) => {
        $(pub(super) async fn $handler<W: World>(context: Rc<Context<W>>, request: $request) -> $response {
            match context.control(ControllerRequest::$variant(request)).await {
                ControllerResponse::$variant(response) => response,
                _ => unreachable!("the response to this request"),
            }
        })*
    };
}

controlled! {
    create: CreateTopicsRequest -> CreateTopicsResponse as CreateTopics;
    delete: DeleteTopicsRequest -> DeleteTopicsResponse as DeleteTopics;
    create_partitions: CreatePartitionsRequest -> CreatePartitionsResponse as CreatePartitions;
    alter_configs: AlterConfigsRequest -> AlterConfigsResponse as AlterConfigs;
    incremental_alter_configs:
        IncrementalAlterConfigsRequest -> IncrementalAlterConfigsResponse as IncrementalAlterConfigs;
}

impl<W: World> Context<W> {
    /// Asks the controller.
    pub(super) async fn control(&self, request: ControllerRequest) -> ControllerResponse {
        match self.core.call(CoreId::FIRST, Call::Control(Box::new(request))).await {
            Reply::Control(response) => *response,
            _ => unreachable!("a call is answered by the reply of its kind"),
        }
    }

    /// Makes sure that `__consumer_offsets` exists.
    pub(super) async fn create_offsets_topic(&self) -> Result<(), ErrorCode> {
        match self.control(ControllerRequest::CreateOffsetsTopic).await {
            ControllerResponse::CreateOffsetsTopic(ErrorCode::None) => Ok(()),
            ControllerResponse::CreateOffsetsTopic(error) => Err(error),
            _ => unreachable!("the response to this request"),
        }
    }

    /// The listener that the client has connected to.
    pub(super) fn listener(&self) -> &str {
        &self.client.listener
    }
}
