//! DescribeCluster: the brokers and the controller. Answers are those of Kafka 4.3.1.

use wire::ErrorCode;
use wire::api::k60_describe_cluster::DescribeClusterBroker;
use wire::api::{DescribeClusterRequest, DescribeClusterResponse};

use crate::catalog::Catalog;

use super::{CLUSTER_OPERATIONS, operations};

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// Answers DescribeCluster as a client of the listener named `listener` is to see it.
pub fn describe_cluster(
    catalog: &Catalog,
    request: &DescribeClusterRequest,
    listener: &str,
) -> DescribeClusterResponse {
    let refuse = |code: ErrorCode, message: String| DescribeClusterResponse {
        error_code: code.code(),
        error_message: Some(message),
        ..DescribeClusterResponse::default()
    };
    match request.endpoint_type {
        BROKERS => {}
        CONTROLLERS => {
            let message =
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER";
            return refuse(ErrorCode::MismatchedEndpointType, message.into());
        }
        other => return refuse(ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {other}")),
    }
    let brokers = catalog.image.brokers().filter(|broker| request.include_fenced_brokers || !broker.fenced);
    let brokers = brokers.filter_map(|broker| {
        let endpoint = broker.endpoint(listener)?;
        Some(DescribeClusterBroker {
            broker_id: broker.id,
            host: endpoint.host.clone(),
            port: endpoint.port.into(),
            rack: broker.rack.clone(),
            is_fenced: broker.fenced,
        })
    });
    DescribeClusterResponse {
        cluster_id: catalog.cluster_id.to_string(),
        controller_id: catalog.node_id(),
        brokers: brokers.collect(),
        cluster_authorized_operations: operations(request.include_cluster_authorized_operations, CLUSTER_OPERATIONS),
        ..DescribeClusterResponse::default()
    }
}
