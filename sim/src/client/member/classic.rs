//! The classic protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.
//!
//! Eager members give everything up before they join; cooperative ones say what they have, and join once more when they had
//! to give something up.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use checkers::history::groups::GroupAction;
use wire::ErrorCode;
use wire::api::k11_join_group::JoinGroupRequestProtocol;
use wire::api::k13_leave_group::MemberIdentity;
use wire::api::k14_sync_group::SyncGroupRequestAssignment;
use wire::api::{HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest};
use wire::records::consumer_protocol::ConsumerProtocolSubscription;

use super::assignor::{self, Assignor, Named};
use super::{Member, Place, Trouble};
use crate::client::RETRY;
use crate::client::link::Lost;
use crate::coverage::Reached;

const PROTOCOL_TYPE: &str = "consumer";
/// From here on requests name the protocol that was selected.
const SYNC_PROTOCOL_VERSION: i16 = 5;
/// From here on LeaveGroup names several members.
const LEAVE_MEMBERS_VERSION: i16 = 3;
/// Of 100 static members that end cleanly, how many are removed from the group.
const STATIC_REMOVAL_PERCENT: u64 = 50;

impl Member {
    /// The next thing to do.
    pub(super) async fn classic_step(&mut self) -> Result<(), Trouble> {
        if !self.is_settled {
            return self.rejoin().await;
        }
        self.heartbeat().await?;
        if self.is_settled {
            self.work().await?;
            self.commit_when_due().await?;
        }
        if self.is_settled && self.shared.clock.now_ns() >= self.next_refresh_ns {
            self.refresh_topics().await?;
            self.is_settled = self.assigned_from.as_ref().is_none_or(|before| *before == self.counts());
        }
        Ok(())
    }

    async fn rejoin(&mut self) -> Result<(), Trouble> {
        if !self.group.plan.is_cooperative() && !self.held.is_empty() {
            self.give_up(self.held.keys().copied().collect()).await?;
        }
        self.show();
        match self.join().await? {
            Some(joined) => self.sync(joined).await,
            None => Ok(()),
        }
    }

    fn protocols(&self) -> Vec<JoinGroupRequestProtocol> {
        let plan = &self.group.plan;
        let owned = self.held.iter().map(|(key, held)| (held.topic.clone(), key.partition)).collect();
        let subscription = ConsumerProtocolSubscription {
            topics: plan.topics.clone(),
            owned_partitions: assignor::by_topic(&owned),
            generation_id: self.generation,
            ..Default::default()
        };
        let metadata = Bytes::from(subscription.to_bytes());
        let protocol = |assignor: &Assignor| JoinGroupRequestProtocol {
            name: assignor.name().to_owned(),
            metadata: metadata.clone(),
        };
        let mut protocols: Vec<_> = plan.assignors.iter().map(protocol).collect();
        // Not all members have the same favourite.
        if self.name.ends_with('0') {
            protocols.reverse();
        }
        protocols
    }

    /// Waits for a generation; `None` when it has to be tried again.
    async fn join(&mut self) -> Result<Option<JoinGroupResponse>, Trouble> {
        self.ready(Place::Coordinator).await?;
        if self.member_id.is_empty() {
            self.abandon_former();
        }
        self.waits();
        let plan = &self.group.plan;
        let request = JoinGroupRequest {
            group_id: plan.id(),
            session_timeout_ms: plan.session.as_millis() as i32,
            rebalance_timeout_ms: plan.rebalance.as_millis() as i32,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: PROTOCOL_TYPE.into(),
            protocols: self.protocols(),
            reason: None,
        };
        let version = plan.versions.join;
        let response = self.ask(Place::Coordinator, version, &request).await?;
        self.shared.trace.event(format_args!(
            "{} joins: error {} generation {}",
            self.name, response.error_code, response.generation_id
        ));
        match ErrorCode::from_code(response.error_code) {
            Some(ErrorCode::None) => {
                self.member_id.clone_from(&response.member_id);
                self.take_instance();
                return Ok(Some(response));
            }
            Some(ErrorCode::MemberIdRequired) => self.member_id = response.member_id,
            Some(ErrorCode::UnknownMemberId) => self.fenced(true),
            Some(ErrorCode::FencedInstanceId) => return Err(Trouble::Replaced),
            Some(ErrorCode::RebalanceInProgress) => {}
            Some(error) if error.is_retriable() => self.shared.clock.sleep(RETRY).await,
            _ => {
                self.unexpected("JoinGroup", response.error_code);
                self.shared.clock.sleep(RETRY).await;
            }
        }
        Ok(None)
    }

    async fn sync(&mut self, joined: JoinGroupResponse) -> Result<(), Trouble> {
        let is_leader = joined.leader == self.member_id;
        self.assigned_from = None;
        let assignments = if is_leader { self.assign(&joined).await? } else { Vec::new() };
        self.ready(Place::Coordinator).await?;
        self.waits();
        let asked_ns = self.shared.clock.now_ns();
        let version = self.group.plan.versions.sync;
        let named = version >= SYNC_PROTOCOL_VERSION;
        let request = SyncGroupRequest {
            group_id: self.group.plan.id(),
            generation_id: joined.generation_id,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: named.then(|| PROTOCOL_TYPE.to_owned()),
            protocol_name: joined.protocol_name.filter(|_| named),
            assignments,
        };
        let response = self.ask(Place::Coordinator, version, &request).await?;
        match ErrorCode::from_code(response.error_code) {
            Some(ErrorCode::None) => match assignor::decode(&response.assignment) {
                Ok(assigned) => {
                    self.generation = joined.generation_id;
                    self.next_heartbeat_ns = self.shared.clock.now_ns();
                    self.take_assignment(asked_ns, assigned).await?;
                }
                Err(error) => self.shared.violation(format!("{}: its assignment is none: {error}", self.name)),
            },
            Some(error) => self.refused(error, "SyncGroup").await?,
            None => self.unexpected("SyncGroup", response.error_code),
        }
        Ok(())
    }

    /// As the leader. A leader that is told to skip that keeps the assignment as it is.
    async fn assign(&mut self, joined: &JoinGroupResponse) -> Result<Vec<SyncGroupRequestAssignment>, Trouble> {
        self.refresh_topics().await?;
        let counts = self.counts();
        if joined.skip_assignment {
            // Nobody says which topics it was made for: at its next look at them it has everything assigned anew.
            self.assigned_from = Some(BTreeMap::new());
            return Ok(Vec::new());
        }
        self.assigned_from = Some(counts.clone());
        let selected = joined.protocol_name.as_deref().and_then(Assignor::named);
        let Some(selected) = selected.filter(|selected| self.group.plan.assignors.contains(selected)) else {
            self.shared.violation(format!("{}: protocol {:?} was selected", self.name, joined.protocol_name));
            return Ok(Vec::new());
        };
        match selected.assign(&joined.members, &counts) {
            Ok(assignments) => Ok(assignments
                .into_iter()
                .map(|(member_id, partitions)| SyncGroupRequestAssignment {
                    member_id,
                    assignment: Bytes::from(assignor::encode(&partitions)),
                })
                .collect()),
            Err(error) => {
                self.shared.violation(format!("{}: the members' metadata cannot be read: {error}", self.name));
                Ok(Vec::new())
            }
        }
    }

    async fn take_assignment(&mut self, asked_ns: u64, assigned: BTreeSet<Named>) -> Result<(), Trouble> {
        if assigned.iter().any(|(topic, partition)| self.topics.get(topic).is_none_or(|(_, count)| partition >= count))
        {
            self.refresh_topics().await?;
        }
        let assigned = self.resolve(&assigned);
        let revoked: Vec<_> = self.held.keys().filter(|key| !assigned.contains_key(key)).copied().collect();
        self.granted(asked_ns, &assigned);
        self.is_settled = revoked.is_empty();
        if !revoked.is_empty() {
            self.shared.reached(Reached::RevokedIncrementally);
            self.give_up(revoked).await?;
            self.is_settled = false;
        }
        Ok(())
    }

    async fn heartbeat(&mut self) -> Result<(), Trouble> {
        if self.shared.clock.now_ns() < self.next_heartbeat_ns {
            return Ok(());
        }
        self.ready(Place::Coordinator).await?;
        let asked_ns = self.shared.clock.now_ns();
        let plan = &self.group.plan;
        self.next_heartbeat_ns = asked_ns + plan.heartbeat.as_nanos() as u64;
        let request = HeartbeatRequest {
            group_id: plan.id(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.clone(),
        };
        let version = plan.versions.heartbeat;
        let response = self.ask(Place::Coordinator, version, &request).await?;
        match ErrorCode::from_code(response.error_code) {
            Some(ErrorCode::None) => {
                self.renewed(asked_ns);
                Ok(())
            }
            Some(error) => self.refused(error, "Heartbeat").await,
            None => {
                self.unexpected("Heartbeat", response.error_code);
                Ok(())
            }
        }
    }

    /// Commits and says goodbye; a static member leaves only when it is to be removed.
    pub(super) async fn classic_leave(&mut self) -> Result<(), Trouble> {
        if self.is_settled {
            self.commit().await?;
        }
        let is_removed = self.instance.is_none() || self.shared.dice.chance(STATIC_REMOVAL_PERCENT);
        if self.member_id.is_empty() || !is_removed {
            return Ok(());
        }
        self.ready(Place::Coordinator).await?;
        self.record(GroupAction::Abandoned);
        let version = self.group.plan.versions.leave;
        let member = MemberIdentity {
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.clone(),
            reason: None,
        };
        let named = version >= LEAVE_MEMBERS_VERSION;
        let request = LeaveGroupRequest {
            group_id: self.group.plan.id(),
            member_id: if named { String::new() } else { self.member_id.clone() },
            members: if named { vec![member] } else { Vec::new() },
        };
        let response = self.ask(Place::Coordinator, version, &request).await?;
        let codes = response.members.iter().map(|member| member.error_code).chain([response.error_code]);
        match codes.into_iter().find(|code| *code != 0).map(ErrorCode::from_code) {
            None => {
                self.left();
                Ok(())
            }
            Some(Some(ErrorCode::UnknownMemberId | ErrorCode::FencedInstanceId)) => Ok(()),
            // It tries again as long as it is to.
            Some(Some(error)) if error.is_retriable() => {
                self.shared.clock.sleep(RETRY).await;
                Err(Trouble::Lost(Lost::Gone))
            }
            _ => {
                self.unexpected("LeaveGroup", response.error_code);
                Ok(())
            }
        }
    }
}
