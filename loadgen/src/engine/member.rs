//! A group member without its socket: which request is due when, and what an answer means.
//!
//! Driving contract: when [`Member::due`] has come, send [`Member::ask`]'s request to the group's coordinator; hand its answer to
//! [`Member::take`], or call [`Member::lost`] when none will come. One request is out at a time, as with Kafka's own clients.

use super::EngineError;
use super::clock::Nanos;
use super::connection::Answer;
use super::member_classic::Classic;
use super::member_consumer::Consumer;
use super::reader::Asked;
use crate::engine::topology::Topic;
use crate::scenario::{Group, Protocol};
use wire::api::{
    ConsumerGroupHeartbeatRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest,
};

/// Before a request that was refused for the moment is sent again.
pub(super) const RETRY_PAUSE: Nanos = 100_000_000;

/// What a member asks of its coordinator.
#[derive(Debug)]
pub(super) enum Ask {
    Join(JoinGroupRequest),
    Sync(SyncGroupRequest),
    Heartbeat(HeartbeatRequest),
    Leave(LeaveGroupRequest),
    Consumer(ConsumerGroupHeartbeatRequest),
}

/// What an answer has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing: an answered heartbeat, or a step on the way to a place in the group.
    Nothing,
    /// These partitions are to be given up before anything else is asked; what was read of them is to be committed.
    Revoked(Vec<i32>),
    /// The member may read these and no others; what it had before and has still goes on where it was.
    Assigned(Vec<i32>),
    /// All partitions are lost already: there is nothing to commit.
    Lost,
    /// The coordinator is another, or not ready.
    Coordinator,
}

/// A member of either kind.
#[derive(Debug)]
pub(super) enum Member {
    Classic(Classic),
    Consumer(Consumer),
}

impl Member {
    /// A member of a group (by its id at the broker) that joins at `due`; none of a group that the tool itself assigns.
    pub(super) fn new(group: &Group, id: &str, topic: &Topic, member: u128, due: Nanos) -> Option<Member> {
        match group.protocol {
            Protocol::Assigned => None,
            Protocol::Classic => Some(Member::Classic(Classic::new(group, id, topic, due))),
            Protocol::Consumer => Some(Member::Consumer(Consumer::new(group, id, topic, member, due))),
        }
    }

    /// When the next request is to be sent; none while one is out.
    pub(super) fn due(&self) -> Option<Nanos> {
        match self {
            Member::Classic(member) => member.due(),
            Member::Consumer(member) => member.due(),
        }
    }

    /// What is due.
    pub(super) fn ask(&mut self) -> Ask {
        match self {
            Member::Classic(member) => member.ask(),
            Member::Consumer(member) => Ask::Consumer(member.ask()),
        }
    }

    /// Takes the answer to the request that is out.
    pub(super) fn take(&mut self, answer: &Answer<Asked>, now: Nanos) -> Result<News, EngineError> {
        match self {
            Member::Classic(member) => member.take(answer, now),
            Member::Consumer(member) => member.take(answer, now),
        }
    }

    /// No answer will come to the request that is out: it is asked again later.
    pub(super) fn lost(&mut self, now: Nanos) {
        match self {
            Member::Classic(member) => member.lost(now),
            Member::Consumer(member) => member.lost(now),
        }
    }

    /// A goodbye; none when the group does not know the member.
    pub(super) fn leave(&self) -> Option<Ask> {
        match self {
            Member::Classic(member) => member.leave().map(Ask::Leave),
            Member::Consumer(member) => member.leave().map(Ask::Consumer),
        }
    }

    /// The generation or epoch, while the member has a settled place in the group.
    pub(super) fn settled(&self) -> Option<i32> {
        match self {
            Member::Classic(member) => member.settled(),
            Member::Consumer(member) => member.settled(),
        }
    }

    /// Member id and generation or epoch, as a commit names them.
    pub(super) fn identity(&self) -> (&str, i32) {
        match self {
            Member::Classic(member) => member.identity(),
            Member::Consumer(member) => member.identity(),
        }
    }
}
