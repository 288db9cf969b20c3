//! Members of a consumer group that speak the classic protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.
//!
//! Behaviour: Kafka 4.3's `classicGroupJoinToConsumerGroup` and its like. The broker assigns: nobody leads, and nobody waits
//! for the others. A member's generation is its epoch. When it is to give something up or can get something, its next
//! heartbeat says REBALANCE_IN_PROGRESS; it joins, with what it still has, and is given its next step by SyncGroup. An eager
//! member has nothing when it joins, a cooperative one joins once more after it has given up what it is to.
//! Deviations: a heartbeat makes the target assignment too, if that is due; Kafka leaves that to who joins or speaks the new
//! protocol.

use bytes::Bytes;
use wire::api::k11_join_group::JoinGroupRequestProtocol;
use wire::api::k13_leave_group::MemberIdentity;
use wire::api::k68_consumer_group_heartbeat::TopicPartitions;
use wire::api::{HeartbeatRequest, HeartbeatResponse, JoinGroupResponse, SyncGroupRequest, SyncGroupResponse};
use wire::records::consumer_groups::{ClassicMemberMetadata, ClassicProtocol};
use wire::records::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition};
use wire::{ErrorCode, TopicPartitionId};

use super::super::assignor::Assignment;
use super::super::classic_group::CONSUMER;
use super::super::history::Reason;
use super::super::join::Join;
use super::super::leave::{leave_response, member_response};
use super::super::member::NO_MEMBER;
use super::super::outbox::{Answer, Turn};
use super::super::rebalance::{join_error, sync_error};
use super::member::{Member, MemberState};
use super::{ConsumerGroup, without_epochs};
use crate::Token;
use crate::catalog::Image;

impl ConsumerGroup {
    /// Handles a JoinGroup whose group id and session timeout are in order.
    pub fn join_classic(&mut self, turn: &mut Turn<'_>, join: Join) {
        let (token, member_id) = (join.token, join.request.member_id.clone());
        if let Err(error) = self.try_join_classic(turn, join) {
            turn.out.respond(token, join_error(&member_id, error));
        }
    }

    fn try_join_classic(&mut self, turn: &mut Turn<'_>, join: Join) -> Result<(), ErrorCode> {
        let request = &join.request;
        if !turn.config.consumer.migration.is_enabled() {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if self.members.len() >= turn.config.consumer.size_max && !self.members.contains_key(&request.member_id) {
            return Err(ErrorCode::GroupMaxSizeReached);
        }
        if !self.supports_classic(&request.protocol_type, &request.protocols) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if join.needs_known_id() {
            turn.out.respond(join.token, join_error(&join.new_member_id, ErrorCode::MemberIdRequired));
            return Ok(());
        }
        let metadata = request.protocols.first().map(|protocol| &protocol.metadata[..]).unwrap_or_default();
        let subscription =
            ConsumerProtocolSubscription::from_bytes(metadata).map_err(|_| ErrorCode::UnknownServerError)?;
        let member_id = self.find_classic_member(&join)?;
        let owned = owned_partitions(turn.image, &subscription);
        self.update_classic_member(turn, &join, &member_id, subscription);
        self.catch_up(turn);
        self.reconcile(&member_id, Some(&owned)).map_err(|refusal| refusal.error)?;

        let member = self.members.get_mut(&member_id).expect("it has just been updated");
        member.is_to_sync = true;
        member.await_revocation(turn.now_ms);
        member.schedule(&mut self.timers);
        let response = JoinGroupResponse {
            generation_id: member.epoch,
            protocol_type: Some(CONSUMER.to_owned()),
            protocol_name: Some(member.classic_protocol().name.clone()),
            member_id,
            ..JoinGroupResponse::default()
        };
        self.flush(turn, Some(Answer::Join { token: join.token, response }));
        Ok(())
    }

    /// Whether somebody with these protocols can be a member: one of them must be known to all that speak the classic protocol.
    fn supports_classic(&self, protocol_type: &str, protocols: &[JoinGroupRequestProtocol]) -> bool {
        let knows = |member: &Member, name: &str| {
            let classic = member.classic.as_ref();
            classic.is_none_or(|known| known.supported_protocols.iter().any(|protocol| protocol.name == name))
        };
        let is_common =
            |protocol: &JoinGroupRequestProtocol| self.members.values().all(|member| knows(member, &protocol.name));
        protocol_type == CONSUMER && protocols.iter().any(is_common)
    }

    /// The id of the member that joins, new or not: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
    fn find_classic_member(&mut self, join: &Join) -> Result<String, ErrorCode> {
        let request = &join.request;
        let known = request.group_instance_id.as_ref().map(|instance_id| self.static_members.get(instance_id));
        match known {
            // Whatever id it has, as in Kafka.
            None if join.is_new() => Ok(join.new_member_id.clone()),
            None => Ok(request.member_id.clone()),
            Some(None) if join.is_new() => Ok(join.new_member_id.clone()),
            Some(None) => Err(ErrorCode::UnknownMemberId),
            Some(Some(former_id)) if join.is_new() => {
                let former_id = former_id.clone();
                self.rename_member(&former_id, &join.new_member_id);
                Ok(join.new_member_id.clone())
            }
            Some(Some(current)) if *current != request.member_id => Err(ErrorCode::FencedInstanceId),
            Some(Some(_)) => Ok(request.member_id.clone()),
        }
    }

    fn update_classic_member(
        &mut self,
        turn: &Turn<'_>,
        join: &Join,
        member_id: &str,
        subscription: ConsumerProtocolSubscription,
    ) {
        let before = self.members.get(member_id);
        let mut member = before.cloned().unwrap_or_else(|| Member::new(member_id.to_owned()));
        member.instance_id.clone_from(&join.request.group_instance_id);
        member.rack_id = subscription.rack_id.or(member.rack_id);
        member.rebalance_timeout_ms = join.rebalance_timeout_ms();
        member.subscribed_topic_names = subscription.topics.into_iter().collect();
        member.subscribed_topic_regex = None;
        member.client_id.clone_from(&join.client_id);
        member.client_host.clone_from(&join.client_host);
        let protocols = join.request.protocols.iter();
        member.classic = Some(ClassicMemberMetadata {
            session_timeout_ms: join.request.session_timeout_ms,
            supported_protocols: protocols.map(to_classic_protocol).collect(),
        });
        member.rebalance_deadline = None;
        member.heard(turn);
        member.begin_session(turn, &self.id);
        self.connections.extend(turn.from);
        let moves_on = before.is_none_or(|before| !before.has_subscription_of(&member));
        let reason = if before.is_some() { Reason::SubscriptionChanged } else { Reason::MemberJoined };
        self.set_member(member);
        if moves_on {
            self.happened(turn, reason, member_id);
            self.bump_epoch();
            self.topics_changed = true;
        }
    }

    /// Handles a SyncGroup.
    pub fn sync_classic(&mut self, turn: &mut Turn<'_>, token: Token, request: SyncGroupRequest) {
        let outcome = self.check_sync(turn, &request);
        let member = match outcome {
            Err(error) => {
                self.refused(turn, ("SyncGroup", &request.member_id, request.generation_id), error);
                return turn.out.respond(token, sync_error(error));
            }
            Ok(()) => self.members.get_mut(&request.member_id).expect("it was just checked"),
        };
        member.heard(turn);
        member.begin_session(turn, &self.id);
        member.rebalance_deadline = None;
        member.schedule(&mut self.timers);
        let response = SyncGroupResponse {
            protocol_type: request.protocol_type,
            protocol_name: request.protocol_name,
            assignment: member.classic_assignment(turn.image, &without_epochs(&member.assigned)),
            ..SyncGroupResponse::default()
        };
        self.connections.extend(turn.from);
        self.flush(turn, Some(Answer::Sync { token, response }));
    }

    fn check_sync(&mut self, turn: &Turn<'_>, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        let target_epoch = self.target_epoch;
        let instance_id = request.group_instance_id.as_deref();
        let member = self.classic_member(&request.member_id, instance_id, request.generation_id)?;
        let differs = |asked: &Option<String>, is: &str| asked.as_ref().is_some_and(|asked| asked != is);
        if differs(&request.protocol_type, CONSUMER) || differs(&request.protocol_name, &member.classic_protocol().name)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if member.epoch < target_epoch && member.state != MemberState::UnrevokedPartitions {
            self.await_join(turn, &request.member_id);
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    /// Handles a Heartbeat.
    pub fn heartbeat_classic(
        &mut self,
        turn: &mut Turn<'_>,
        token: Token,
        request: &HeartbeatRequest,
    ) -> Result<(), ErrorCode> {
        let outcome = self.try_heartbeat_classic(turn, token, request);
        if let Err(error) = outcome {
            self.refused(turn, ("Heartbeat", &request.member_id, request.generation_id), error);
        }
        outcome
    }

    fn try_heartbeat_classic(
        &mut self,
        turn: &mut Turn<'_>,
        token: Token,
        request: &HeartbeatRequest,
    ) -> Result<(), ErrorCode> {
        let instance_id = request.group_instance_id.as_deref();
        let member = self.classic_member(&request.member_id, instance_id, request.generation_id)?;
        member.heard(turn);
        member.begin_session(turn, &request.group_id);
        self.connections.extend(turn.from);
        self.catch_up(turn);
        let member = &self.members[&request.member_id];
        let is_to_join = match member.state {
            _ if member.epoch < self.target_epoch => true,
            MemberState::Stable => false,
            MemberState::UnreleasedPartitions => !self.waits_for_others(member),
            MemberState::UnrevokedPartitions | MemberState::Unknown => true,
        };
        let mut response = HeartbeatResponse::default();
        if is_to_join {
            response.error_code = ErrorCode::RebalanceInProgress.code();
            self.await_join(turn, &request.member_id);
        }
        let member_id = request.member_id.clone();
        self.flush(turn, Some(Answer::Heartbeat { token, member_id, response }));
        Ok(())
    }

    /// Whether somebody else has something that a member is to get. It joins once for all of it, when all is free.
    fn waits_for_others(&self, member: &Member) -> bool {
        self.target.get(&member.id).into_iter().flatten().any(|(&topic, partitions)| {
            let assigned = member.assigned.get(&topic);
            let is_missing = |partition: &i32| !assigned.is_some_and(|assigned| assigned.contains_key(partition));
            let is_owned = |&partition: &i32| self.owner_of(TopicPartitionId { topic, partition }).is_some();
            partitions.iter().any(|partition| is_missing(partition) && is_owned(partition))
        })
    }

    /// Begins to wait for a member to join, unless that is waited for already.
    fn await_join(&mut self, turn: &Turn<'_>, member_id: &str) {
        let member = self.members.get_mut(member_id).expect("only members are waited for");
        member.is_to_sync = false;
        if member.rebalance_deadline.is_none() {
            member.await_revocation(turn.now_ms);
            member.schedule(&mut self.timers);
        }
    }

    /// Handles a LeaveGroup, which may name any member.
    pub fn leave_classic(&mut self, turn: &mut Turn<'_>, token: Token, version: i16, members: Vec<MemberIdentity>) {
        let mut responses = Vec::with_capacity(members.len());
        let mut has_left = false;
        for identity in members {
            let outcome = self.leaving_member(&identity);
            let error = outcome.as_ref().err().copied().unwrap_or(ErrorCode::None);
            if let Ok(member_id) = outcome {
                self.happened(turn, Reason::MemberLeft, &member_id);
                self.remove_member(&member_id);
                has_left = true;
            }
            responses.push(member_response(identity, error));
        }
        if has_left {
            self.bump_epoch();
            self.topics_changed = true;
        }
        self.flush(turn, Some(Answer::Leave { token, response: leave_response(version, responses) }));
    }

    fn leaving_member(&self, identity: &MemberIdentity) -> Result<String, ErrorCode> {
        if identity.member_id == NO_MEMBER {
            // An administrator removes a static member without knowing its id.
            let instance_id = identity.group_instance_id.as_ref();
            let member_id = instance_id.and_then(|instance_id| self.static_members.get(instance_id));
            return member_id.cloned().ok_or(ErrorCode::UnknownMemberId);
        }
        self.validate_member(&identity.member_id, identity.group_instance_id.as_deref())?;
        Ok(identity.member_id.clone())
    }

    /// Checks that a member is who it says it is: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
    fn validate_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        match instance_id.map(|instance_id| self.static_members.get(instance_id)) {
            Some(None) => return Err(ErrorCode::UnknownMemberId),
            Some(Some(current)) if current != member_id => return Err(ErrorCode::FencedInstanceId),
            _ => {}
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// A member that speaks the classic protocol: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION.
    fn classic_member(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> Result<&mut Member, ErrorCode> {
        self.validate_member(member_id, instance_id)?;
        let member = self.members.get_mut(member_id).expect("it was just checked");
        if member.classic.is_none() {
            return Err(ErrorCode::UnknownMemberId);
        }
        if member.epoch == generation { Ok(member) } else { Err(ErrorCode::IllegalGeneration) }
    }
}

impl Member {
    /// The classic protocol that it wants most.
    ///
    /// # Panics
    /// If it does not speak the classic protocol.
    fn classic_protocol(&self) -> &ClassicProtocol {
        let classic = self.classic.as_ref().expect("it speaks the classic protocol");
        classic.supported_protocols.first().expect("who joins brings a protocol")
    }

    /// What it is told that it has, in the version of its own metadata. Topics that are gone have no name to be told by.
    fn classic_assignment(&self, image: &Image, assignment: &Assignment) -> Bytes {
        to_assignment(image, assignment).to_bytes_like(&self.classic_protocol().metadata).into()
    }
}

fn to_classic_protocol(protocol: &JoinGroupRequestProtocol) -> ClassicProtocol {
    ClassicProtocol { name: protocol.name.clone(), metadata: protocol.metadata.clone() }
}

/// An assignment as consumers of the classic protocol know it.
pub(super) fn to_assignment(image: &Image, assignment: &Assignment) -> ConsumerProtocolAssignment {
    let topics = assignment.iter().filter_map(|(&topic, partitions)| {
        let topic = image.topic(topic)?.name.to_string();
        Some(TopicPartition { topic, partitions: partitions.iter().copied().collect() })
    });
    ConsumerProtocolAssignment { assigned_partitions: topics.collect(), user_data: None }
}

/// What a member says that it still has, of topics that there are.
fn owned_partitions(image: &Image, subscription: &ConsumerProtocolSubscription) -> Vec<TopicPartitions> {
    let topics = subscription.owned_partitions.iter().filter_map(|owned| {
        let topic_id = image.topic_named(&owned.topic)?.id;
        Some(TopicPartitions { topic_id, partitions: owned.partitions.clone() })
    });
    topics.collect()
}
