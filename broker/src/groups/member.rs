//! A member of a classic group.

use bytes::Bytes;
use wire::api::k11_join_group::JoinGroupRequestProtocol;
use wire::api::k15_describe_groups::DescribedGroupMember;
use wire::records::consumer_offsets::MemberMetadata;

use super::connections::{ConnectionId, Lost};
use crate::Token;

/// What Kafka calls "unknown member": the id of somebody who has none yet.
pub(super) const NO_MEMBER: &str = "";

/// A member, from its first complete JoinGroup until it leaves, fails or is replaced.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub id: String,
    /// The id that a static member keeps over its lives (KIP-345).
    pub instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    /// How long the group waits for it to rejoin.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// The protocols that it can do, the most wanted first, each with its metadata for it.
    pub protocols: Vec<JoinGroupRequestProtocol>,
    /// What the leader has given it in this generation.
    pub assignment: Bytes,
    /// It has not been answered its first JoinGroup yet, so its death would show in nothing but its silence.
    pub is_new: bool,
    /// When to take it for dead; `None` while it waits for the group and cannot send heartbeats.
    pub heartbeat_deadline: Option<i64>,
    /// When it last said something, in ms since the epoch; `None` before it has, in this life of the coordinator.
    pub last_heard_ms: Option<i64>,
    /// The connection by which it is seen to live: that of what it has parked, else the last that it was heard on.
    pub connection: Option<ConnectionId>,
    /// That connection is gone, and it has not been heard since.
    pub lost: Option<Lost>,
    /// Its JoinGroup, parked until the rebalance is complete.
    pub awaiting_join: Option<Token>,
    /// Its SyncGroup, parked until the leader's assignment is durable.
    pub awaiting_sync: Option<Token>,
    /// It has joined this generation and not asked for its assignment yet.
    pub pending_sync: bool,
}

impl Member {
    /// Whether it still wants the same protocols, in the same order and with the same metadata.
    pub fn matches(&self, protocols: &[JoinGroupRequestProtocol]) -> bool {
        self.protocols == protocols
    }

    /// Its metadata for a protocol; empty for one that it cannot do.
    pub fn metadata(&self, protocol: &str) -> Bytes {
        let known = self.protocols.iter().find(|known| known.name == protocol);
        known.map_or_else(Bytes::new, |known| known.metadata.clone())
    }

    /// The one of `candidates` that it wants most.
    pub fn vote<'a>(&self, candidates: &[&'a str]) -> Option<&'a str> {
        let wanted = |name: &str| candidates.iter().copied().find(|candidate| *candidate == name);
        self.protocols.iter().find_map(|protocol| wanted(&protocol.name))
    }

    /// Whether it counts as alive without heartbeats.
    pub fn is_excused(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    /// It has said something, on `from`.
    pub fn heard(&mut self, now_ms: i64, from: Option<ConnectionId>) {
        self.last_heard_ms = Some(now_ms);
        self.lost = None;
        if self.awaiting_join.is_none() && self.awaiting_sync.is_none() {
            self.connection = from;
        }
    }

    /// Starts its session anew.
    pub fn reset_heartbeat(&mut self, now_ms: i64) {
        let session_ms = i64::from(self.session_timeout_ms);
        self.heartbeat_deadline = Some(now_ms + probe::mutated!(session_ms, ExpiresEarly => session_ms / 2));
    }

    /// As DescribeGroups shows it; `protocol` is the group's, once it is stable.
    pub fn describe(&self, protocol: Option<&str>) -> DescribedGroupMember {
        DescribedGroupMember {
            member_id: self.id.clone(),
            group_instance_id: self.instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            member_metadata: protocol.map_or_else(Bytes::new, |protocol| self.metadata(protocol)),
            member_assignment: protocol.map_or_else(Bytes::new, |_| self.assignment.clone()),
        }
    }

    /// As it is persisted with the group's protocol and the assignment given to it.
    pub fn to_record(&self, protocol: &str, assignment: Bytes) -> MemberMetadata {
        MemberMetadata {
            member_id: self.id.clone(),
            group_instance_id: self.instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout: self.rebalance_timeout_ms,
            session_timeout: self.session_timeout_ms,
            subscription: self.metadata(protocol),
            assignment,
        }
    }

    /// Brings it back; only the group's protocol is known then.
    pub fn from_record(record: MemberMetadata, protocol: &str) -> Member {
        let no_timeout = record.rebalance_timeout < 0;
        Member {
            id: record.member_id,
            instance_id: record.group_instance_id,
            client_id: record.client_id,
            client_host: record.client_host,
            rebalance_timeout_ms: if no_timeout { record.session_timeout } else { record.rebalance_timeout },
            session_timeout_ms: record.session_timeout,
            protocols: vec![JoinGroupRequestProtocol { name: protocol.to_owned(), metadata: record.subscription }],
            assignment: record.assignment,
            is_new: false,
            heartbeat_deadline: None,
            last_heard_ms: None,
            connection: None,
            lost: None,
            awaiting_join: None,
            awaiting_sync: None,
            pending_sync: false,
        }
    }
}
