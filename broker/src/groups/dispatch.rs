//! From a request to its group: what is refused before a group is asked, and what is said of groups that are not there.

use wire::api::k09_offset_fetch::OffsetFetchRequestGroup;
use wire::api::k42_delete_groups::DeletableGroupResult;
use wire::api::k47_offset_delete::OffsetDeleteResponseTopic;
use wire::api::{
    HeartbeatRequest, HeartbeatResponse, LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse,
    OffsetDeleteRequest, SyncGroupRequest,
};
use wire::{ErrorCode, Uuid};

use super::commit::Commit;
use super::consumer::{self, ConsumerHeartbeat, JOIN_EPOCH, MEMBER_ID_VERSION, Refusal};
use super::delete::offset_delete_error;
use super::describe::{describe_error, describe_missing};
use super::explain::GroupFacts;
use super::group::Group;
use super::join::{Join, new_member_id};
use super::leave::{leave_response, leaving_members, member_response};
use super::member::NO_MEMBER;
use super::rebalance::{join_error, sync_error};
use super::{Availability, GroupRequest, Groups, fetch, partition_for};
use crate::Token;

impl Groups {
    pub(super) fn dispatch(&mut self, now_ms: i64, token: Token, request: GroupRequest, random: u128) {
        match request {
            GroupRequest::JoinGroup { request, version, client_id, client_host } => {
                let prefix = request.group_instance_id.as_deref().unwrap_or(&client_id);
                let new_member_id = new_member_id(prefix, random);
                self.join(now_ms, Join { token, request, version, client_id, client_host, new_member_id });
            }
            GroupRequest::ConsumerGroupHeartbeat { mut request, version, client_id, client_host } => {
                if request.member_id.is_empty() && version < MEMBER_ID_VERSION && request.member_epoch == JOIN_EPOCH {
                    request.member_id = Uuid::from_u128(random).to_string();
                }
                let heartbeat = ConsumerHeartbeat { token, request, client_id, client_host };
                self.consumer_heartbeat(now_ms, heartbeat, version);
            }
            GroupRequest::ConsumerGroupDescribe { group_id } => self.describe_consumer(token, group_id),
            GroupRequest::SyncGroup(request) => self.sync(now_ms, token, request),
            GroupRequest::Heartbeat(request) => self.heartbeat(now_ms, token, request),
            GroupRequest::LeaveGroup { request, version } => self.leave(now_ms, token, request, version),
            GroupRequest::OffsetCommit { request, version, refused } => {
                self.commit(now_ms, Commit { token, request, version, refused });
            }
            GroupRequest::OffsetFetch { request, version } => self.fetch(token, request, version),
            GroupRequest::DescribeGroups { group_id, version } => self.describe(token, group_id, version),
            GroupRequest::Explain { group_id } => self.explain(now_ms, token, group_id),
            GroupRequest::ListGroups(request) => self.list(token, &request),
            GroupRequest::DeleteGroups { group_id } => self.delete(now_ms, token, group_id),
            GroupRequest::OffsetDelete { request, refused } => {
                self.delete_offsets(now_ms, token, request, refused);
            }
        }
    }

    /// The partition that a group lives in, if it can be asked: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS.
    fn partition_of(&self, group_id: &str) -> Result<i32, ErrorCode> {
        let partition = partition_for(group_id, self.config.offsets_partitions);
        match self.partitions.get(&partition) {
            Some(Availability::Active) => Ok(partition),
            Some(Availability::Loading) => Err(ErrorCode::CoordinatorLoadInProgress),
            None => Err(ErrorCode::NotCoordinator),
        }
    }

    /// As [`Groups::partition_of`], for requests that mean members: the empty group id has none (INVALID_GROUP_ID).
    fn partition_of_named(&self, group_id: &str) -> Result<i32, ErrorCode> {
        if group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        self.partition_of(group_id)
    }

    fn join(&mut self, now_ms: i64, join: Join) {
        let token = join.token;
        let group_id = join.request.group_id.clone();
        let partition = match self.check_join(&join) {
            Ok(partition) => partition,
            Err((member_id, error)) => return self.outbox.respond(token, join_error(member_id, error)),
        };
        let member_id = join.request.member_id.clone();
        if self.has_consumers(&group_id) {
            self.with_consumer(now_ms, &group_id, |group, turn| group.join_classic(turn, join));
            return;
        }
        if join.is_new()
            && let Err(error) = self.get_or_create_classic(now_ms, &group_id, partition)
        {
            return self.outbox.respond(token, join_error(&member_id, error));
        }
        if self.with_classic(now_ms, &group_id, |group, turn| group.join(turn, join)).is_none() {
            self.outbox.respond(token, join_error(&member_id, ErrorCode::UnknownMemberId));
        }
    }

    fn check_join<'a>(&self, join: &'a Join) -> Result<i32, (&'a str, ErrorCode)> {
        let request = &join.request;
        let partition = self.partition_of_named(&request.group_id).map_err(|error| match error {
            ErrorCode::InvalidGroupId => (NO_MEMBER, error),
            _ => (request.member_id.as_str(), error),
        })?;
        let allowed = self.config.session_timeout_ms_min..=self.config.session_timeout_ms_max;
        if !allowed.contains(&i64::from(request.session_timeout_ms)) {
            return Err((&request.member_id, ErrorCode::InvalidSessionTimeout));
        }
        Ok(partition)
    }

    fn sync(&mut self, now_ms: i64, token: Token, request: SyncGroupRequest) {
        let group_id = request.group_id.clone();
        let found = self.partition_of_named(&group_id).and_then(|_| {
            let found = self.with_group(now_ms, &group_id, |group, turn| match group {
                Group::Classic(group) => group.sync(turn, token, request),
                Group::Consumer(group) => group.sync_classic(turn, token, request),
            });
            found.ok_or(ErrorCode::UnknownMemberId)
        });
        if let Err(error) = found {
            self.outbox.respond(token, sync_error(error));
        }
    }

    fn heartbeat(&mut self, now_ms: i64, token: Token, request: HeartbeatRequest) {
        let outcome = match self.partition_of_named(&request.group_id) {
            // The session is not known yet, and starts anew once it is.
            Err(ErrorCode::CoordinatorLoadInProgress) => Ok(()),
            Err(error) => Err(error),
            Ok(_) if self.has_consumers(&request.group_id) => {
                let outcome = self.with_consumer(now_ms, &request.group_id, |group, turn| {
                    group.heartbeat_classic(turn, token, &request)
                });
                match outcome.expect("the group is there") {
                    Ok(()) => return,
                    Err(error) => Err(error),
                }
            }
            Ok(_) => self
                .with_classic(now_ms, &request.group_id, |group, turn| group.heartbeat(turn, &request))
                .unwrap_or(Err(ErrorCode::UnknownMemberId)),
        };
        let error_code = outcome.err().unwrap_or(ErrorCode::None).code();
        self.outbox.respond(token, HeartbeatResponse { error_code, ..HeartbeatResponse::default() });
    }

    fn leave(&mut self, now_ms: i64, token: Token, request: LeaveGroupRequest, version: i16) {
        let group_id = request.group_id.clone();
        let response = match self.partition_of_named(&group_id) {
            Err(error) => LeaveGroupResponse { error_code: error.code(), ..LeaveGroupResponse::default() },
            Ok(_) => {
                let members = leaving_members(request, version);
                if self.has_consumers(&group_id) {
                    self.with_consumer(now_ms, &group_id, |group, turn| {
                        group.leave_classic(turn, token, version, members);
                    });
                    return;
                }
                let unknown = |member| member_response(member, ErrorCode::UnknownMemberId);
                let responses = match self.groups.get(group_id.as_str()) {
                    Some(Group::Classic(_)) => self
                        .with_classic(now_ms, &group_id, |group, turn| group.leave(turn, members))
                        .expect("the group is there"),
                    Some(Group::Consumer(_)) | None => members.into_iter().map(unknown).collect(),
                };
                leave_response(version, responses)
            }
        };
        self.outbox.respond(token, response);
    }

    fn commit(&mut self, now_ms: i64, commit: Commit) {
        let token = commit.token;
        let group_id = commit.request.group_id.clone();
        let is_known = self.groups.contains_key(group_id.as_str());
        let outcome = self.partition_of(&group_id).and_then(|partition| match commit.refusal_without_group() {
            Some(error) if !is_known => Err(error),
            _ => Ok(partition),
        });
        match outcome {
            Err(error) => self.outbox.respond(token, commit.refuse(error)),
            Ok(partition) => {
                self.get_or_create(&group_id, partition);
                self.with_group(now_ms, &group_id, |group, turn| group.commit(turn, commit));
            }
        }
    }

    fn fetch(&mut self, token: Token, request: OffsetFetchRequestGroup, version: i16) {
        let response = match self.partition_of(&request.group_id) {
            Err(error) => fetch::refuse(request, version, error),
            Ok(_) => {
                let group = self.groups.get(request.group_id.as_str());
                match group.map_or(Ok(()), |group| group.validate_fetch(&request)) {
                    Err(error) => fetch::refuse(request, version, error),
                    Ok(()) => fetch::answer(group, request),
                }
            }
        };
        self.outbox.respond(token, response);
    }

    fn describe(&mut self, token: Token, group_id: String, version: i16) {
        let response = match self.partition_of(&group_id) {
            Err(error) => describe_error(group_id, error),
            Ok(_) => match self.groups.get(group_id.as_str()) {
                Some(Group::Classic(group)) => group.describe(),
                Some(Group::Consumer(_)) => describe_missing(group_id, version, "is not a classic group"),
                None => describe_missing(group_id, version, "not found"),
            },
        };
        self.outbox.respond(token, response);
    }

    fn explain(&mut self, now_ms: i64, token: Token, group_id: String) {
        let facts = self.partition_of(&group_id).map(|_| {
            let facts = self.with_group(now_ms, &group_id, |group, turn| group.facts(turn));
            facts.unwrap_or_else(|| GroupFacts::unknown(group_id, now_ms))
        });
        self.outbox.respond(token, facts);
    }

    fn consumer_heartbeat(&mut self, now_ms: i64, heartbeat: ConsumerHeartbeat, version: i16) {
        let token = heartbeat.token;
        let group_id = heartbeat.request.group_id.clone();
        let is_leaving = heartbeat.request.member_epoch < JOIN_EPOCH;
        let outcome = consumer::validate(&heartbeat.request, version, &self.config).and_then(|()| {
            let partition = self.partition_of(&group_id)?;
            if heartbeat.request.member_epoch == JOIN_EPOCH {
                self.get_or_create_consumer(&group_id, partition);
                if let Some(Group::Classic(_)) = self.groups.get(group_id.as_str()) {
                    return self.upgrade(now_ms, heartbeat);
                }
            }
            let outcome = self.with_group(now_ms, &group_id, |group, turn| match group {
                Group::Consumer(group) => group.heartbeat(turn, heartbeat),
                Group::Classic(_) => Err(no_consumer_group(&group_id, "is not a consumer group")),
            });
            outcome.unwrap_or_else(|| Err(consumer::no_group(&group_id, is_leaving)))
        });
        if let Err(refusal) = outcome {
            self.outbox.respond(token, refusal.into_response());
        }
    }

    fn describe_consumer(&mut self, token: Token, group_id: String) {
        let outcome = match self.partition_of_named(&group_id) {
            Err(error) => Err(Refusal::from(error)),
            Ok(_) => match self.groups.get(group_id.as_str()) {
                Some(Group::Consumer(group)) => Ok(group.describe(&self.image, self.config.consumer.assignors)),
                Some(Group::Classic(_)) => Err(no_consumer_group(&group_id, "is not a consumer group")),
                None => Err(no_consumer_group(&group_id, "not found")),
            },
        };
        let response = outcome.unwrap_or_else(|refusal| consumer::describe_error(group_id, refusal));
        self.outbox.respond(token, response);
    }

    fn list(&mut self, token: Token, request: &ListGroupsRequest) {
        let is_loading = self.partitions.values().any(|&availability| availability == Availability::Loading);
        let response = if is_loading {
            let error_code = ErrorCode::CoordinatorLoadInProgress.code();
            ListGroupsResponse { error_code, ..ListGroupsResponse::default() }
        } else {
            let groups = self.groups.values().filter_map(|group| group.list(request)).collect();
            ListGroupsResponse { groups, ..ListGroupsResponse::default() }
        };
        self.outbox.respond(token, response);
    }

    fn delete(&mut self, now_ms: i64, token: Token, group_id: String) {
        let outcome = self.partition_of(&group_id).and_then(|_| {
            let found = self.with_group(now_ms, &group_id, |group, turn| group.delete(turn, token));
            found.unwrap_or(Err(ErrorCode::GroupIdNotFound))
        });
        if let Err(error) = outcome {
            let error_code = error.code();
            self.outbox.respond(token, DeletableGroupResult { group_id, error_code });
        }
    }

    fn delete_offsets(
        &mut self,
        now_ms: i64,
        token: Token,
        request: OffsetDeleteRequest,
        refused: Vec<OffsetDeleteResponseTopic>,
    ) {
        let group_id = request.group_id.clone();
        let found = self.partition_of_named(&group_id).and_then(|_| {
            self.with_group(now_ms, &group_id, |group, turn| group.delete_offsets(turn, token, request, refused))
                .ok_or(ErrorCode::GroupIdNotFound)
        });
        if let Err(error) = found {
            self.outbox.respond(token, offset_delete_error(error));
        }
    }
}

fn no_consumer_group(group_id: &str, reason: &str) -> Refusal {
    Refusal::new(ErrorCode::GroupIdNotFound, format!("Group {group_id} {reason}."))
}
