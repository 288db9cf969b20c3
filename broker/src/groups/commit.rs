//! OffsetCommit: v2–v10.
//! Behaviour: Kafka's `OffsetMetadataManager.commitOffset`. Members commit in their generation; whoever has no group
//! management commits with generation −1 and no member id while the group has no members. Answered once durable.
//! Deviations: none.   Versions: v5 no retention time; v6 leader epoch; v7 static members; v9 another error for a group
//! that is not there; v10 topic ids.

use wire::ErrorCode;
use wire::api::k08_offset_commit::{
    OffsetCommitRequestPartition, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use wire::api::{OffsetCommitRequest, OffsetCommitResponse};

use super::classic_group::{ClassicGroup, State};
use super::group::Group;
use super::member::NO_MEMBER;
use super::offsets::CommittedOffset;
use super::outbox::{Answer, Then, Turn};
use super::records::GroupRecord;
use crate::Token;

/// From here on an unknown group has an error of its own.
const GROUP_ID_NOT_FOUND_VERSION: i16 = 9;
/// "The broker's own retention."
const DEFAULT_RETENTION: i64 = -1;

/// An OffsetCommit whose topics are known, and what was said of the others already.
#[derive(Debug)]
pub(super) struct Commit {
    pub token: Token,
    pub request: OffsetCommitRequest,
    pub version: i16,
    pub refused: Vec<OffsetCommitResponseTopic>,
}

impl Commit {
    /// What somebody is told who commits to a group that is not there; `None` creates it.
    pub fn refusal_without_group(&self) -> Option<ErrorCode> {
        match self.request.generation_id_or_member_epoch {
            ..0 => None,
            _ if self.version >= GROUP_ID_NOT_FOUND_VERSION => Some(ErrorCode::GroupIdNotFound),
            _ => Some(ErrorCode::IllegalGeneration),
        }
    }

    /// The same error for all partitions.
    pub fn refuse(self, error: ErrorCode) -> OffsetCommitResponse {
        self.respond(|_| error)
    }

    fn respond(self, error_of: impl Fn(&OffsetCommitRequestPartition) -> ErrorCode) -> OffsetCommitResponse {
        let mut topics = self.refused;
        for topic in self.request.topics {
            let partitions = topic.partitions.iter().map(|partition| OffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                error_code: error_of(partition).code(),
            });
            let is_same =
                |known: &&mut OffsetCommitResponseTopic| known.name == topic.name && known.topic_id == topic.topic_id;
            match topics.iter_mut().find(is_same) {
                Some(known) => known.partitions.extend(partitions),
                None => topics.push(OffsetCommitResponseTopic {
                    partitions: partitions.collect(),
                    name: topic.name,
                    topic_id: topic.topic_id,
                }),
            }
        }
        OffsetCommitResponse { topics, ..OffsetCommitResponse::default() }
    }
}

impl Group {
    /// Persists the offsets that are in order; a group that is not there yet commits as an empty one.
    pub fn commit(&mut self, turn: &mut Turn<'_>, commit: Commit) {
        let token = commit.token;
        let admitted = match self {
            Group::Classic(group) => group.admit_commit(turn, &commit.request),
            Group::Consumer(group) => group.admit_commit(turn, &commit.request, commit.version),
        };
        if let Err(error) = admitted {
            return turn.out.respond(token, commit.refuse(error));
        }
        let metadata_bytes_max = turn.config.offset_metadata_bytes_max;
        let error_of = |partition: &OffsetCommitRequestPartition| {
            let metadata_bytes = partition.committed_metadata.as_ref().map_or(0, String::len);
            if metadata_bytes > metadata_bytes_max { ErrorCode::OffsetMetadataTooLarge } else { ErrorCode::None }
        };
        let retention_ms = commit.request.retention_time_ms;
        let expire_timestamp = (retention_ms != DEFAULT_RETENTION).then(|| turn.now_ms.saturating_add(retention_ms));
        let mut records = Vec::new();
        for topic in &commit.request.topics {
            for partition in topic.partitions.iter().filter(|partition| error_of(partition) == ErrorCode::None) {
                let committed = CommittedOffset {
                    offset: partition.committed_offset,
                    leader_epoch: partition.committed_leader_epoch,
                    metadata: partition.committed_metadata.clone().unwrap_or_default(),
                    commit_timestamp: turn.now_ms,
                    expire_timestamp,
                    topic_id: topic.topic_id,
                };
                records.push(GroupRecord::Offset {
                    topic: topic.name.clone(),
                    partition: partition.partition_index,
                    committed: Some(committed),
                });
            }
        }
        let response = commit.respond(error_of);
        probe::mutation!(CommitsDropped => records.truncate((records.len() - 1).max(1)));
        if records.is_empty() {
            turn.out.respond(token, response);
        } else {
            probe::mutation!(CommitBeforeDurable => {
                turn.out.respond(token, response);
                return self.append(turn, records, Then::Nothing);
            });
            self.append(turn, records, Then::Answer(Answer::Commit { token, response }));
        }
    }
}

impl ClassicGroup {
    /// Checks who commits; a member that may is alive.
    fn admit_commit(&mut self, turn: &Turn<'_>, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
        if let Err(error) = self.validate_commit(request) {
            let given = ("OffsetCommit", request.member_id.as_str(), request.generation_id_or_member_epoch);
            self.refused(turn, given, error);
            return Err(error);
        }
        self.history.counts.commits += 1;
        self.heard(turn, &request.member_id);
        if matches!(self.state, State::Stable | State::PreparingRebalance) {
            self.reset_heartbeat(turn.now_ms, &request.member_id);
        }
        Ok(())
    }

    /// `ClassicGroup.validateOffsetCommit`.
    fn validate_commit(&self, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        if generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        let instance_id = request.group_instance_id.as_deref();
        if generation < 0 && request.member_id == NO_MEMBER && instance_id.is_none() {
            return Err(ErrorCode::UnknownMemberId);
        }
        self.validate_member(&request.member_id, instance_id)?;
        if !probe::mutated!(self.is_generation_of(&request.member_id, generation), StaleGeneration => true) {
            return Err(ErrorCode::IllegalGeneration);
        }
        if self.state == State::CompletingRebalance {
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }
}

/// Turns the response around when the offsets could not be persisted: partitions that had passed fail now.
pub(super) fn commit_failed(response: &mut OffsetCommitResponse, error: ErrorCode) {
    for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        if partition.error_code == ErrorCode::None.code() {
            partition.error_code = error.code();
        }
    }
}
