//! FindCoordinator, and the APIs of groups: each group is asked of the core that has its partition of
//! `__consumer_offsets`. Requests that name several groups are spread over the cores and gathered in their order.
//! Behaviour: the offsets topic is created when a coordinator is first looked for. Before that every core answers
//! NOT_COORDINATOR.
//! Deviations: none.

use std::collections::BTreeSet;
use std::rc::Rc;

use broker::catalog::OFFSETS_TOPIC;
use broker::groups::{self, GroupRequest, GroupResponse};
use broker::queries;
use futures_util::future::join_all;
use wire::TopicPartitionId;
use wire::api::k15_describe_groups::DescribedGroup;
use wire::api::*;

use super::Context;
use crate::mesh::{Call, Reply};
use crate::world::{CoreId, World};

pub(super) async fn find_coordinator<W: World>(
    context: Rc<Context<W>>,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let ask = || queries::find_coordinator(&context.core.catalog(), &request, context.version, context.listener());
    let answer = ask();
    if answer.create_offsets_topic && context.create_offsets_topic().await.is_ok() {
        return ask().response;
    }
    answer.response
}

/// Takes the response out of the answer to the request of its kind.
macro_rules! expect {
    ($answer:expr, $kind:ident) => {
        match $answer {
            GroupResponse::$kind(response) => response,
            _ => unreachable!("a request is answered by the response of its kind"),
        }
    };
}

pub(super) async fn join<W: World>(context: Rc<Context<W>>, request: JoinGroupRequest) -> JoinGroupResponse {
    let group_id = request.group_id.clone();
    let request = GroupRequest::JoinGroup {
        request,
        version: context.version,
        client_id: context.client_id.clone(),
        client_host: context.client.host_as_kafka_shows(),
    };
    expect!(context.ask_group(&group_id, request).await, JoinGroup)
}

pub(super) async fn consumer_heartbeat<W: World>(
    context: Rc<Context<W>>,
    request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    let group_id = request.group_id.clone();
    let request = GroupRequest::ConsumerGroupHeartbeat {
        request,
        version: context.version,
        client_id: context.client_id.clone(),
        client_host: context.client.host_as_kafka_shows(),
    };
    expect!(context.ask_group(&group_id, request).await, ConsumerGroupHeartbeat)
}

pub(super) async fn consumer_describe<W: World>(
    context: Rc<Context<W>>,
    request: ConsumerGroupDescribeRequest,
) -> ConsumerGroupDescribeResponse {
    let context = &context;
    let described = request.group_ids.into_iter().map(|group_id| async move {
        let request = GroupRequest::ConsumerGroupDescribe { group_id: group_id.clone() };
        expect!(context.ask_group(&group_id, request).await, ConsumerGroupDescribe)
    });
    ConsumerGroupDescribeResponse { groups: join_all(described).await, ..Default::default() }
}

pub(super) async fn sync<W: World>(context: Rc<Context<W>>, request: SyncGroupRequest) -> SyncGroupResponse {
    let group_id = request.group_id.clone();
    match GroupRequest::sync_group(request, context.version) {
        Ok(request) => expect!(context.ask_group(&group_id, request).await, SyncGroup),
        Err(refused) => refused,
    }
}

pub(super) async fn heartbeat<W: World>(context: Rc<Context<W>>, request: HeartbeatRequest) -> HeartbeatResponse {
    let group_id = request.group_id.clone();
    expect!(context.ask_group(&group_id, GroupRequest::Heartbeat(request)).await, Heartbeat)
}

pub(super) async fn leave<W: World>(context: Rc<Context<W>>, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let group_id = request.group_id.clone();
    let request = GroupRequest::LeaveGroup { request, version: context.version };
    expect!(context.ask_group(&group_id, request).await, LeaveGroup)
}

pub(super) async fn commit<W: World>(context: Rc<Context<W>>, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let group_id = request.group_id.clone();
    let request = GroupRequest::offset_commit(&context.core.catalog().image, request, context.version);
    expect!(context.ask_group(&group_id, request).await, OffsetCommit)
}

pub(super) async fn fetch_offsets<W: World>(
    context: Rc<Context<W>>,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    let version = context.version;
    let asked = GroupRequest::offset_fetches(&context.core.catalog().image, request, version);
    let answers = asked.into_iter().map(|asked| async {
        let GroupRequest::OffsetFetch { request, .. } = &asked else { unreachable!("one for each group") };
        let group_id = request.group_id.clone();
        expect!(context.ask_group(&group_id, asked).await, OffsetFetch)
    });
    let answers = join_all(answers).await;
    groups::offset_fetch_response(&context.core.catalog().image, version, answers)
}

pub(super) async fn describe<W: World>(
    context: Rc<Context<W>>,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let (context, version, is_to_explain) = (&context, context.version, request.explain);
    let described = request.groups.into_iter().map(|group_id| async move {
        let request = GroupRequest::DescribeGroups { group_id: group_id.clone(), version };
        let group = expect!(context.ask_group(&group_id, request).await, DescribeGroups);
        let findings = if is_to_explain { context.explain_group(group_id).await } else { Vec::new() };
        DescribedGroup { findings, ..group }
    });
    DescribeGroupsResponse { groups: join_all(described).await, ..Default::default() }
}

pub(super) async fn list<W: World>(context: Rc<Context<W>>, request: ListGroupsRequest) -> ListGroupsResponse {
    let calls = context.core.all().map(|core| {
        let request = GroupRequest::ListGroups(request.clone());
        context.core.call(core, Call::Group(None, Box::new(request)))
    });
    let mut listed = ListGroupsResponse::default();
    for reply in join_all(calls).await {
        let part = expect!(open(reply), ListGroups);
        if part.error_code != 0 {
            listed.error_code = part.error_code;
        }
        listed.groups.extend(part.groups);
    }
    listed
}

pub(super) async fn delete<W: World>(context: Rc<Context<W>>, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let names: BTreeSet<String> = request.groups_names.into_iter().collect();
    let context = &context;
    let deleted = names.into_iter().map(|group_id| async move {
        let request = GroupRequest::DeleteGroups { group_id: group_id.clone() };
        expect!(context.ask_group(&group_id, request).await, DeleteGroups)
    });
    DeleteGroupsResponse { results: join_all(deleted).await, ..Default::default() }
}

pub(super) async fn delete_offsets<W: World>(
    context: Rc<Context<W>>,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let group_id = request.group_id.clone();
    let request = GroupRequest::offset_delete(&context.core.catalog().image, request);
    expect!(context.ask_group(&group_id, request).await, OffsetDelete)
}

impl<W: World> Context<W> {
    /// Asks the coordinator of a group.
    pub(super) async fn ask_group(&self, group_id: &str, request: GroupRequest) -> GroupResponse {
        let coordinator = self.coordinator(group_id).unwrap_or(CoreId::FIRST);
        self.client.asks(coordinator);
        open(self.core.call(coordinator, Call::Group(Some(self.client.connection), Box::new(request))).await)
    }

    fn coordinator(&self, group_id: &str) -> Option<CoreId> {
        let catalog = self.core.catalog();
        let topic = catalog.image.topic_named(OFFSETS_TOPIC)?;
        let partition = groups::partition_for(group_id, topic.partitions.len() as i32);
        catalog.core_of(TopicPartitionId { topic: topic.id, partition }).map(CoreId)
    }
}

fn open(reply: Reply) -> GroupResponse {
    match reply {
        Reply::Group(response) => *response,
        _ => unreachable!("a call is answered by the reply of its kind"),
    }
}
