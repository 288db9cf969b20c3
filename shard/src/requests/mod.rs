//! From a frame to its answer: which APIs this broker serves, and what each does on the core that accepted it.
//!
//! An API that is not listed in [`SERVED`] is not in ApiVersions, and closes the connection, as in Kafka.

mod explain;
mod fetch;
mod groups;
mod offsets;
mod produce;
mod spread;
mod topics;

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;

use broker::queries;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use wire::api::*;
use wire::codec::Reader;
use wire::header::{RequestHeader, response_chunks};
use wire::message::Api;

use crate::budget::Reservation;
use crate::connection::{Answer, Client};
use crate::core::Core;
use crate::world::World;

/// From this version on Produce names topics by id.
const TOPIC_IDS_PRODUCE: i16 = 13;
/// From this version on Fetch names topics by id.
const TOPIC_IDS_FETCH: i16 = 13;

/// What this broker serves: the table of ApiVersions.
pub const SERVED: &[ApiKey] = &[
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::SyncGroup,
    ApiKey::DescribeGroups,
    ApiKey::ListGroups,
    ApiKey::ApiVersions,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::DeleteRecords,
    ApiKey::InitProducerId,
    ApiKey::OffsetForLeaderEpoch,
    ApiKey::DescribeConfigs,
    ApiKey::AlterConfigs,
    ApiKey::CreatePartitions,
    ApiKey::DeleteGroups,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::OffsetDelete,
    ApiKey::DescribeCluster,
    ApiKey::ConsumerGroupHeartbeat,
    ApiKey::ConsumerGroupDescribe,
    ApiKey::DescribeTopicPartitions,
];

/// A request's circumstances.
pub(crate) struct Context<W: World> {
    pub(crate) core: Rc<Core<W>>,
    pub(crate) client: Rc<Client>,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    /// Name that the client gives itself; empty when it gives none.
    pub(crate) client_id: String,
    /// Memory of the answer, which goes when it has been sent.
    pub(crate) answer_memory: Cell<Option<Reservation>>,
}

/// Begins a request. What has to happen in the order of the connection's requests has happened on return.
pub(crate) fn dispatch<W: World>(
    core: &Rc<Core<W>>,
    client: &Rc<Client>,
    frame: Bytes,
) -> LocalBoxFuture<'static, Answer> {
    let mut reader = Reader::new(&frame);
    let header = match RequestHeader::decode(&mut reader) {
        Ok(header) => header,
        Err(error) => return close(format!("a request header cannot be read: {error}")),
    };
    let Some(api) = ApiKey::from_key(header.api_key).filter(|api| SERVED.contains(api)) else {
        return close(format!("API {} is not served; ApiVersions lists those that are", header.api_key));
    };
    core.counters().request(api);
    let mut context = Context {
        core: core.clone(),
        client: client.clone(),
        version: header.api_version,
        correlation_id: header.correlation_id,
        client_id: header.client_id.unwrap_or_default().to_owned(),
        answer_memory: Cell::default(),
    };
    if !api.versions().contains(&header.api_version) {
        if api != ApiKey::ApiVersions {
            return close(format!("{} v{} is not served", api.name(), header.api_version));
        }
        // A newer client learns from an answer that every client can read which versions there are.
        context.version = 0;
        let response = queries::api_versions_unsupported(SERVED);
        return std::future::ready(context.respond::<ApiVersionsRequest>(&response)).boxed_local();
    }
    let body = frame.slice(frame.len() - reader.left()..);
    context.route(api, body)
}

fn close(reason: String) -> LocalBoxFuture<'static, Answer> {
    std::future::ready(Answer::Close(reason)).boxed_local()
}

impl<W: World> Context<W> {
    fn route(self, api: ApiKey, body: Bytes) -> LocalBoxFuture<'static, Answer> {
        match api {
            ApiKey::Produce => produce::start(self, body),
            ApiKey::Fetch => self.answer(body, fetch::handle),
            ApiKey::ListOffsets => self.answer(body, offsets::list),
            ApiKey::DeleteRecords => self.answer(body, offsets::delete_records),
            ApiKey::OffsetForLeaderEpoch => self.answer(body, offsets::epoch_ends),
            ApiKey::Metadata => self.answer(body, topics::metadata),
            ApiKey::DescribeCluster => self.answer(body, topics::describe_cluster),
            ApiKey::DescribeTopicPartitions => self.answer(body, topics::describe_partitions),
            ApiKey::DescribeConfigs => self.answer(body, topics::describe_configs),
            ApiKey::ApiVersions => self.answer(body, topics::api_versions),
            ApiKey::CreateTopics => self.answer(body, topics::create),
            ApiKey::DeleteTopics => self.answer(body, topics::delete),
            ApiKey::CreatePartitions => self.answer(body, topics::create_partitions),
            ApiKey::AlterConfigs => self.answer(body, topics::alter_configs),
            ApiKey::IncrementalAlterConfigs => self.answer(body, topics::incremental_alter_configs),
            ApiKey::InitProducerId => self.answer(body, topics::init_producer_id),
            ApiKey::FindCoordinator => self.answer(body, groups::find_coordinator),
            ApiKey::JoinGroup => self.answer(body, groups::join),
            ApiKey::SyncGroup => self.answer(body, groups::sync),
            ApiKey::Heartbeat => self.answer(body, groups::heartbeat),
            ApiKey::LeaveGroup => self.answer(body, groups::leave),
            ApiKey::OffsetCommit => self.answer(body, groups::commit),
            ApiKey::OffsetFetch => self.answer(body, groups::fetch_offsets),
            ApiKey::DescribeGroups => self.answer(body, groups::describe),
            ApiKey::ListGroups => self.answer(body, groups::list),
            ApiKey::DeleteGroups => self.answer(body, groups::delete),
            ApiKey::OffsetDelete => self.answer(body, groups::delete_offsets),
            ApiKey::ConsumerGroupHeartbeat => self.answer(body, groups::consumer_heartbeat),
            ApiKey::ConsumerGroupDescribe => self.answer(body, groups::consumer_describe),
        }
    }

    /// Decodes, handles and encodes when the connection's earlier requests have been answered.
    fn answer<A, F>(
        self,
        body: Bytes,
        handler: impl FnOnce(Rc<Self>, A) -> F + 'static,
    ) -> LocalBoxFuture<'static, Answer>
    where
        A: Api + 'static,
        F: Future<Output = A::Response>,
    {
        async move {
            let request = match self.decode::<A>(&body) {
                Ok(request) => request,
                Err(close) => return close,
            };
            drop(body);
            let context = Rc::new(self);
            let response = handler(context.clone(), request).await;
            context.respond::<A>(&response)
        }
        .boxed_local()
    }

    /// The request's body; record bytes stay in its frame.
    fn decode<A: Api>(&self, body: &Bytes) -> Result<A, Answer> {
        let mut reader = Reader::shared(body);
        A::decode(&mut reader, self.version)
            .map_err(|error| Answer::Close(format!("{} v{} cannot be read: {error}", A::NAME, self.version)))
    }

    fn respond<A: Api>(&self, response: &A::Response) -> Answer {
        let frame = response_chunks::<A>(self.correlation_id, self.version, response);
        Answer::Send(frame, self.answer_memory.take())
    }
}
