//! FindCoordinator and InitProducerId: who looks after a group, and who a producer is.
//!
//! Deviation: there are no transactions. Their coordinator is not found, with an error that Java's producer takes as final,
//! so that it fails at once and says why; a transactional id is refused alike.

use wire::ErrorCode;
use wire::api::k10_find_coordinator::Coordinator;
use wire::api::{FindCoordinatorRequest, FindCoordinatorResponse, InitProducerIdRequest, InitProducerIdResponse};

use crate::catalog::{Catalog, OFFSETS_TOPIC};
use crate::controller::ProducerIdBlock;

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
/// The first version that asks for several keys at once.
const BATCHED_VERSION: i16 = 4;
const NO_TRANSACTIONS: &str = "This broker does not support transactions.";

/// A response, and what it waits for.
#[derive(Debug, Clone, PartialEq)]
pub struct CoordinatorAnswer {
    /// The response, as long as nothing is created.
    pub response: FindCoordinatorResponse,
    /// Whether `__consumer_offsets` is to be created first
    /// ([`crate::controller::ControllerRequest::CreateOffsetsTopic`]), after which the question may be asked again.
    pub create_offsets_topic: bool,
}

/// Answers FindCoordinator as a client of the listener named `listener` is to see it.
pub fn find_coordinator(
    catalog: &Catalog,
    request: &FindCoordinatorRequest,
    version: i16,
    listener: &str,
) -> CoordinatorAnswer {
    let here = catalog.image.broker(catalog.node_id()).and_then(|broker| broker.endpoint(listener));
    let has_offsets_topic = catalog.image.topic_named(OFFSETS_TOPIC).is_some();
    let outcome = match (request.key_type, here) {
        (GROUP, Some(endpoint)) if has_offsets_topic => Ok((catalog.node_id(), endpoint)),
        (GROUP, _) => Err((ErrorCode::CoordinatorNotAvailable, ErrorCode::CoordinatorNotAvailable.message())),
        (TRANSACTION, _) => Err((ErrorCode::InvalidRequest, NO_TRANSACTIONS)),
        _ => Err((ErrorCode::InvalidRequest, ErrorCode::InvalidRequest.message())),
    };
    let coordinator = |key: &str| match outcome {
        Ok((node_id, endpoint)) => Coordinator {
            key: key.into(),
            node_id,
            host: endpoint.host.clone(),
            port: endpoint.port.into(),
            error_code: ErrorCode::None.code(),
            error_message: Some(if version < BATCHED_VERSION {
                ErrorCode::None.message().into()
            } else {
                String::new()
            }),
        },
        Err((code, message)) => Coordinator {
            key: key.into(),
            node_id: -1,
            host: String::new(),
            port: -1,
            error_code: code.code(),
            error_message: Some(message.into()),
        },
    };
    let response = if version < BATCHED_VERSION {
        let Coordinator { node_id, host, port, error_code, error_message, .. } = coordinator(&request.key);
        FindCoordinatorResponse { node_id, host, port, error_code, error_message, ..FindCoordinatorResponse::default() }
    } else {
        let coordinators = request.coordinator_keys.iter().map(|key| coordinator(key)).collect();
        FindCoordinatorResponse { coordinators, ..FindCoordinatorResponse::default() }
    };
    CoordinatorAnswer { response, create_offsets_topic: request.key_type == GROUP && !has_offsets_topic }
}

/// What InitProducerId comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum InitProducerIdAnswer {
    /// The answer.
    Respond(InitProducerIdResponse),
    /// The core's ids are used up: allocate a block ([`crate::controller::ControllerRequest::AllocateProducerIds`]) and ask
    /// again.
    NeedsBlock,
}

/// Answers InitProducerId with the next id of the core's block. As in Kafka, the id and epoch that an idempotent producer had
/// do not matter: it gets a new id.
pub fn init_producer_id(request: &InitProducerIdRequest, block: Option<&mut ProducerIdBlock>) -> InitProducerIdAnswer {
    if request.transactional_id.is_some() {
        return InitProducerIdAnswer::Respond(InitProducerIdResponse {
            error_code: ErrorCode::InvalidRequest.code(),
            producer_epoch: -1,
            ..InitProducerIdResponse::default()
        });
    }
    match block.and_then(ProducerIdBlock::take) {
        Some(producer_id) => InitProducerIdAnswer::Respond(InitProducerIdResponse {
            producer_id,
            producer_epoch: 0,
            ..InitProducerIdResponse::default()
        }),
        None => InitProducerIdAnswer::NeedsBlock,
    }
}
