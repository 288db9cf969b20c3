//! What groups want done: answers that leave, and records that become durable first.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use wire::ErrorCode;
use wire::api::k42_delete_groups::DeletableGroupResult;
use wire::api::{
    ConsumerGroupHeartbeatResponse, HeartbeatResponse, JoinGroupResponse, LeaveGroupResponse, OffsetCommitResponse,
    OffsetDeleteResponse, SyncGroupResponse,
};

use super::commit::commit_failed;
use super::connections::ConnectionId;
use super::consumer::Refusal;
use super::delete::offset_delete_error;
use super::rebalance::{join_error, sync_error};
use super::records::{self, GroupRecord};
use super::static_member::ReplacedMember;
use super::{GroupConfig, GroupEffect, GroupResponse};
use crate::Token;
use crate::catalog::Image;

/// Names a write; given by the broker, never twice.
pub type WriteId = u64;

/// What happens once a write is durable, after its records have been applied, or once it has failed.
#[derive(Debug)]
pub(super) enum Then {
    /// Nobody waits.
    Nothing,
    /// The leader's assignment goes out to the members of that generation.
    Assign { generation: i32, assignments: BTreeMap<String, Bytes> },
    /// A static member has come back under a new id.
    ReplaceStatic(Box<ReplacedMember>),
    /// A request is answered.
    Answer(Answer),
}

/// The answer to a request that has written something.
#[derive(Debug)]
pub(super) enum Answer {
    Commit { token: Token, response: OffsetCommitResponse },
    DeleteGroup { token: Token, group_id: String },
    DeleteOffsets { token: Token, response: OffsetDeleteResponse },
    ConsumerHeartbeat { token: Token, response: ConsumerGroupHeartbeatResponse },
    Join { token: Token, response: JoinGroupResponse },
    Sync { token: Token, response: SyncGroupResponse },
    Heartbeat { token: Token, member_id: String, response: HeartbeatResponse },
    Leave { token: Token, response: LeaveGroupResponse },
}

impl Answer {
    /// The member that it leads on, and that has some time for what it is told.
    pub fn leads(&self) -> Option<&str> {
        match self {
            Answer::ConsumerHeartbeat { response, .. } => response.member_id.as_deref(),
            Answer::Heartbeat { member_id, response, .. } => {
                (response.error_code == ErrorCode::RebalanceInProgress.code()).then_some(member_id)
            }
            _ => None,
        }
    }

    /// Answers by how the write went.
    pub fn send(self, out: &mut Outbox, outcome: Result<(), ErrorCode>) {
        match self {
            Answer::Commit { token, mut response } => {
                if let Err(error) = outcome {
                    commit_failed(&mut response, error);
                }
                out.respond(token, response);
            }
            Answer::DeleteGroup { token, group_id } => {
                let error_code = outcome.err().unwrap_or(ErrorCode::None).code();
                out.respond(token, DeletableGroupResult { group_id, error_code });
            }
            Answer::DeleteOffsets { token, response } => match outcome {
                Ok(()) => out.respond(token, response),
                Err(error) => out.respond(token, offset_delete_error(error)),
            },
            Answer::ConsumerHeartbeat { token, response } => match outcome {
                Ok(()) => out.respond(token, response),
                Err(error) => out.respond(token, Refusal::from(error).into_response()),
            },
            Answer::Join { token, response } => match outcome {
                Ok(()) => out.respond(token, response),
                Err(error) => out.respond(token, join_error(&response.member_id, error)),
            },
            Answer::Sync { token, response } => match outcome {
                Ok(()) => out.respond(token, response),
                Err(error) => out.respond(token, sync_error(error)),
            },
            Answer::Heartbeat { token, mut response, .. } => {
                response.error_code = outcome.err().map_or(response.error_code, ErrorCode::code);
                out.respond(token, response);
            }
            Answer::Leave { token, mut response } => {
                response.error_code = outcome.err().map_or(response.error_code, ErrorCode::code);
                out.respond(token, response);
            }
        }
    }
}

/// A write that is not durable yet.
#[derive(Debug)]
pub(super) struct PendingWrite {
    pub offsets_partition: i32,
    pub group_id: Arc<str>,
    pub records: Vec<GroupRecord>,
    pub then: Then,
    /// More answers that say what is durable with this write.
    pub answers: Vec<Answer>,
}

impl PendingWrite {
    pub fn new(offsets_partition: i32, group_id: Arc<str>, records: Vec<GroupRecord>, then: Then) -> PendingWrite {
        PendingWrite { offsets_partition, group_id, records, then, answers: Vec::new() }
    }
}

/// Effects in the order in which they arose, and the writes under way.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    effects: VecDeque<GroupEffect>,
    pending: BTreeMap<WriteId, PendingWrite>,
    /// Writes that cannot even be encoded; they have failed before they began.
    unwritable: VecDeque<WriteId>,
    last_write_id: WriteId,
}

impl Outbox {
    pub fn respond(&mut self, token: Token, response: impl Into<GroupResponse>) {
        self.effects.push_back(GroupEffect::Respond { token, response: response.into() });
    }

    /// Writes records of one group as one batch.
    pub fn append(&mut self, now_ms: i64, write: PendingWrite) -> WriteId {
        assert!(!write.records.is_empty(), "a write has a record");
        self.last_write_id += 1;
        let write_id = self.last_write_id;
        match records::batch(now_ms, &write.group_id, &write.records) {
            Ok(batch) => {
                let offsets_partition = write.offsets_partition;
                self.effects.push_back(GroupEffect::Append { write_id, offsets_partition, batch });
            }
            Err(_) => self.unwritable.push_back(write_id),
        }
        self.pending.insert(write_id, write);
        write_id
    }

    /// Answers when a write is durable or has failed; at once where it is not under way.
    pub fn respond_after(&mut self, write_id: Option<WriteId>, answer: Answer) {
        match write_id.and_then(|write_id| self.pending.get_mut(&write_id)) {
            Some(write) => write.answers.push(answer),
            None => answer.send(self, Ok(())),
        }
    }

    pub fn take_pending(&mut self, write_id: WriteId) -> Option<PendingWrite> {
        self.pending.remove(&write_id)
    }

    pub fn poll_unwritable(&mut self) -> Option<WriteId> {
        self.unwritable.pop_front()
    }

    pub fn poll_effect(&mut self) -> Option<GroupEffect> {
        self.effects.pop_front()
    }

    /// Writes of a group that are under way.
    pub fn pending_of<'a>(&'a self, group_id: &'a str) -> impl Iterator<Item = &'a PendingWrite> + 'a {
        self.pending.values().filter(move |write| &*write.group_id == group_id)
    }

    /// Gives up the writes of a partition of the offsets topic.
    pub fn take_pending_in(&mut self, offsets_partition: i32) -> Vec<PendingWrite> {
        let ours = |_: &WriteId, write: &mut PendingWrite| write.offsets_partition == offsets_partition;
        self.pending.extract_if(.., ours).map(|(_, write)| write).collect()
    }
}

/// What a group needs to react to one input.
pub(super) struct Turn<'a> {
    /// Ms since the epoch.
    pub now_ms: i64,
    /// The connection of the request, if it is one.
    pub from: Option<ConnectionId>,
    pub config: &'a GroupConfig,
    pub image: &'a Image,
    pub out: &'a mut Outbox,
}
