//! ConsumerGroupHeartbeat: v0–v1.
//! Behaviour: Kafka's `GroupMetadataManager.consumerGroupHeartbeat`. A member joins with epoch 0 and says everything; later it
//! says what has changed. It is answered its epoch, and its assignment when that has changed or everything was said. A
//! member that comes with its previous epoch has not received the last answer, and goes on. Epoch −1 leaves; −2 leaves a
//! static member's place to its next life, until the session is over.
//! Deviations: see the group's page.   Versions: v1 regular expressions, member ids made by the client.

use wire::ErrorCode;
use wire::api::k68_consumer_group_heartbeat::{Assignment, TopicPartitions};
use wire::api::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use super::super::GroupConfig;
use super::super::assignor::{self, Assignor};
use super::super::history::Reason;
use super::super::outbox::{Answer, Turn};
use super::ConsumerGroup;
use super::member::{JOIN_EPOCH, LEAVE_EPOCH, Member, MemberState, Owned, STATIC_LEAVE_EPOCH};
use super::records::Change;
use crate::Token;

/// From here on members make their own ids (KIP-1082).
pub(in super::super) const MEMBER_ID_VERSION: i16 = 1;
/// How soon a member is to come again that waits, or may soon get what is another's, in ms.
const EXPECTANT_HEARTBEAT_INTERVAL_MS: i32 = 500;
/// "It has not changed."
const SAME_REBALANCE_TIMEOUT: i32 = -1;

/// A heartbeat and who sent it.
#[derive(Debug)]
pub(in super::super) struct ConsumerHeartbeat {
    pub token: Token,
    /// With a member id, the broker's where the client has not made one.
    pub request: ConsumerGroupHeartbeatRequest,
    pub client_id: String,
    pub client_host: String,
}

/// What somebody is told who gets nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Refusal {
    pub error: ErrorCode,
    /// In Kafka's words where it has any.
    pub message: Option<String>,
}

impl From<ErrorCode> for Refusal {
    fn from(error: ErrorCode) -> Refusal {
        Refusal { error, message: None }
    }
}

impl Refusal {
    pub fn new(error: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal { error, message: Some(message.into()) }
    }

    pub fn into_response(self) -> ConsumerGroupHeartbeatResponse {
        ConsumerGroupHeartbeatResponse {
            error_code: self.error.code(),
            error_message: self.message.or_else(|| Some(self.error.message().to_owned())),
            ..ConsumerGroupHeartbeatResponse::default()
        }
    }
}

/// Checks what can be checked without a group (`throwIfConsumerGroupHeartbeatRequestIsInvalid`).
pub(in super::super) fn validate(
    request: &ConsumerGroupHeartbeatRequest,
    version: i16,
    config: &GroupConfig,
) -> Result<(), Refusal> {
    let epoch = request.member_epoch;
    let is_blank = |text: &Option<String>| text.as_ref().is_some_and(|text| text.trim().is_empty());
    let needs_id = version >= MEMBER_ID_VERSION || epoch > JOIN_EPOCH || epoch == LEAVE_EPOCH;
    let is_joining = epoch == JOIN_EPOCH;
    let broken_rules = [
        (needs_id && request.member_id.trim().is_empty(), "MemberId can't be empty."),
        (request.group_id.trim().is_empty(), "GroupId can't be empty."),
        (is_blank(&request.instance_id), "InstanceId can't be empty."),
        (is_blank(&request.rack_id), "RackId can't be empty."),
        (
            is_joining && request.rebalance_timeout_ms == SAME_REBALANCE_TIMEOUT,
            "RebalanceTimeoutMs must be provided in first request.",
        ),
        (
            is_joining && request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()),
            "TopicPartitions must be empty when (re-)joining.",
        ),
        (
            is_joining && request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none(),
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
        ),
        (epoch == STATIC_LEAVE_EPOCH && request.instance_id.is_none(), "InstanceId can't be null."),
        (epoch < STATIC_LEAVE_EPOCH, "MemberEpoch is invalid."),
    ];
    if let Some((_, rule)) = broken_rules.into_iter().find(|(is_broken, _)| *is_broken) {
        return Err(Refusal::new(ErrorCode::InvalidRequest, rule));
    }
    let Some(assignor) = &request.server_assignor else { return Ok(()) };
    let available = config.consumer.assignors;
    if available.iter().any(|known| known.name() == assignor) {
        return Ok(());
    }
    let names: Vec<&str> = available.iter().copied().map(Assignor::name).collect();
    let names = names.join(", ");
    let message = format!("ServerAssignor {assignor} is not supported. Supported assignors: {names}.");
    Err(Refusal::new(ErrorCode::UnsupportedAssignor, message))
}

impl ConsumerGroup {
    /// Handles a heartbeat that [`validate`] has let pass.
    pub fn heartbeat(&mut self, turn: &mut Turn<'_>, heartbeat: ConsumerHeartbeat) -> Result<(), Refusal> {
        let (member_id, member_epoch) = (heartbeat.request.member_id.clone(), heartbeat.request.member_epoch);
        let outcome = match member_epoch {
            LEAVE_EPOCH | STATIC_LEAVE_EPOCH => self.leave(turn, heartbeat),
            _ => self.keep(turn, heartbeat),
        };
        if let Err(refusal) = &outcome {
            self.refused(turn, ("ConsumerGroupHeartbeat", &member_id, member_epoch), refusal.error);
            self.flush(turn, None);
        }
        outcome
    }

    /// A member joins or goes on. Nothing is written where it is refused.
    pub fn keep(&mut self, turn: &mut Turn<'_>, heartbeat: ConsumerHeartbeat) -> Result<(), Refusal> {
        let request = &heartbeat.request;
        let size_max = turn.config.consumer.size_max;
        if self.members.len() >= size_max && !self.members.contains_key(&request.member_id) {
            let message = format!("The consumer group has reached its maximum capacity of {size_max} members.");
            return Err(Refusal::new(ErrorCode::GroupMaxSizeReached, message));
        }
        self.check_expression(request.subscribed_topic_regex.as_deref())?;
        self.find_member(request)?;
        let assigned_before = self.update_member(turn, &heartbeat);
        self.catch_up(turn);
        self.reconcile(&request.member_id, request.topic_partitions.as_deref())?;
        self.await_revocation(turn, &request.member_id);
        let member = &self.members[&request.member_id];
        let is_full = request.member_epoch == JOIN_EPOCH
            || request.rebalance_timeout_ms != SAME_REBALANCE_TIMEOUT
                && (request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some())
                && request.topic_partitions.is_some();
        let has_changed = assigned_before.is_some_and(|before| before != member.assigned);
        let response = ConsumerGroupHeartbeatResponse {
            member_id: Some(member.id.clone()),
            member_epoch: member.epoch,
            heartbeat_interval_ms: self.heartbeat_interval_ms(turn, member),
            assignment: (is_full || has_changed).then(|| response_assignment(&member.assigned)),
            ..ConsumerGroupHeartbeatResponse::default()
        };
        self.flush(turn, Some(Answer::ConsumerHeartbeat { token: heartbeat.token, response }));
        Ok(())
    }

    /// When a member is to come again: sooner than usual while it waits for partitions, while one whose connection is lost may
    /// leave it some, or if it is the first to step up when anybody goes.
    fn heartbeat_interval_ms(&self, turn: &Turn<'_>, member: &Member) -> i32 {
        let usual_ms = turn.heartbeat_interval_ms(&self.id);
        let is_expectant = member.state == MemberState::UnreleasedPartitions
            || self.lost_until_ms.is_some_and(|until_ms| turn.now_ms <= until_ms)
            || self.is_next_in_line(member);
        if is_expectant { usual_ms.min(EXPECTANT_HEARTBEAT_INTERVAL_MS) } else { usual_ms }
    }

    /// Whether it is to have nothing, though there are partitions, and whatever becomes free is its: the assignors prefer the first
    /// by id. One member of each subscription at most, so that idle members cost little however many they are.
    fn is_next_in_line(&self, member: &Member) -> bool {
        let is_idle = |id: &String| self.target.get(id).is_none_or(assignor::Assignment::is_empty);
        let mut before = self.members.range(..member.id.clone());
        is_idle(&member.id)
            && !self.owners.is_empty()
            && !before.any(|(id, other)| is_idle(id) && other.has_subscription_of(member))
    }

    /// Makes sure that whoever goes on is a member, and that whoever joins may become one.
    fn find_member(&mut self, request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
        let is_joining = request.member_epoch == JOIN_EPOCH;
        if let Some(instance_id) = &request.instance_id {
            match self.static_members.get(instance_id) {
                Some(current) if is_joining => {
                    let current = current.clone();
                    return self.replace_static_member(&current, request, instance_id);
                }
                None if is_joining => {}
                found => check_instance(found, request, instance_id)?,
            }
        }
        match self.members.get(&request.member_id) {
            Some(member) => member.check_epoch(request),
            None if is_joining => Ok(()),
            None => Err(unknown_member(&request.member_id, &self.id)),
        }
    }

    /// A static member that has left for a moment comes back, under whatever id. Who speaks the classic protocol, or takes
    /// the place of somebody who does, need not have left.
    fn replace_static_member(
        &mut self,
        former_id: &str,
        request: &ConsumerGroupHeartbeatRequest,
        instance_id: &str,
    ) -> Result<(), Refusal> {
        let member_id = &request.member_id;
        let former = &self.members[former_id];
        if former.classic.is_none() && former.epoch != STATIC_LEAVE_EPOCH {
            if former_id == member_id {
                // Its join could not be persisted, or it has not heard the answer: it joins as any member does once more.
                return Ok(());
            }
            let message = format!(
                "Static member {member_id} with instance id {instance_id} cannot join the group because the instance id \
                 is owned by {former_id} member."
            );
            return Err(Refusal::new(ErrorCode::UnreleasedInstanceId, message));
        }
        self.rename_member(former_id, member_id);
        Ok(())
    }

    /// Puts a member that is to begin anew in the place of a static member's former life.
    pub(super) fn rename_member(&mut self, former_id: &str, member_id: &str) {
        let target = self.target.get(former_id).cloned();
        let former = self.remove_member(former_id).expect("static members are members");
        if let Some(target) = target {
            self.target.insert(member_id.to_owned(), target);
            self.changes.insert(Change::Target(member_id.to_owned()));
        }
        self.set_member(Member {
            id: member_id.to_owned(),
            epoch: JOIN_EPOCH,
            previous_epoch: JOIN_EPOCH,
            indexed_deadline: None,
            ..former
        });
    }

    /// Takes over what a member says, and takes a new one in. Returns what it was assigned where that is going to change.
    fn update_member(&mut self, turn: &Turn<'_>, heartbeat: &ConsumerHeartbeat) -> Option<Owned> {
        let id = &heartbeat.request.member_id;
        self.connections.extend(turn.from);
        let known = self.members.get_mut(id);
        if let Some(member) = known
            && !member.is_changed_by(heartbeat)
        {
            member.heard(turn);
            member.begin_session(turn, &self.id);
            member.schedule(&mut self.timers);
            let is_settled = self.epoch == self.target_epoch && !self.topics_changed;
            return (!is_settled || !member.is_reconciled_to(self.target_epoch)).then(|| member.assigned.clone());
        }
        let before = self.members.get(id).cloned();
        let mut member = before.clone().unwrap_or_else(|| Member::new(id.clone()));
        member.update(heartbeat);
        member.heard(turn);
        member.begin_session(turn, &self.id);
        if self.epoch == 0 {
            // A group moves on when it is created, and again when somebody subscribes.
            self.bump_epoch();
        }
        let reason = if before.is_some() { Reason::SubscriptionChanged } else { Reason::MemberJoined };
        let before = before.unwrap_or_else(|| Member::new(id.clone()));
        let moves_on = !before.has_subscription_of(&member);
        self.set_member(member);
        if moves_on {
            self.happened(turn, reason, id);
            self.bump_epoch();
            self.topics_changed = true;
        }
        Some(before.assigned)
    }

    /// Leads a member one step on. `owned` is what it says that it has, where it says so.
    pub(super) fn reconcile(&mut self, member_id: &str, owned: Option<&[TopicPartitions]>) -> Result<(), Refusal> {
        let member = &self.members[member_id];
        if member.is_reconciled_to(self.target_epoch) {
            return Ok(());
        }
        let Some(mut next) = self.next_step(member, owned) else {
            let message = "The consumer group member is in a unknown state. The member must abandon all its partitions \
                           and rejoin.";
            return Err(Refusal::new(ErrorCode::FencedMemberEpoch, message));
        };
        if member.has_assignment_of(&next) {
            return Ok(());
        }
        next.rebalance_deadline = None;
        self.set_member(next);
        Ok(())
    }

    /// Begins to wait for a member to give up what it is to, unless that is waited for already.
    fn await_revocation(&mut self, turn: &Turn<'_>, member_id: &str) {
        let member = self.members.get_mut(member_id).expect("it has just been heard");
        if member.state == MemberState::UnrevokedPartitions && member.rebalance_deadline.is_none() {
            member.await_revocation(turn.now_ms);
            member.schedule(&mut self.timers);
        }
    }

    fn leave(&mut self, turn: &mut Turn<'_>, heartbeat: ConsumerHeartbeat) -> Result<(), Refusal> {
        let ConsumerGroupHeartbeatRequest { member_id, member_epoch, instance_id, .. } = &heartbeat.request;
        if let Some(instance_id) = instance_id {
            check_instance(self.static_members.get(instance_id), &heartbeat.request, instance_id)?;
        }
        let Some(member) = self.members.get(member_id) else { return Err(unknown_member(member_id, &self.id)) };
        if *member_epoch == STATIC_LEAVE_EPOCH {
            let away = Member {
                epoch: STATIC_LEAVE_EPOCH,
                state: MemberState::Stable,
                pending_revocation: Owned::new(),
                rebalance_deadline: None,
                ..member.clone()
            };
            self.set_member(away);
        } else {
            self.happened(turn, Reason::MemberLeft, member_id);
            self.remove_member(member_id);
            self.bump_epoch();
            self.topics_changed = true;
        }
        let response = ConsumerGroupHeartbeatResponse {
            member_id: Some(member_id.clone()),
            member_epoch: *member_epoch,
            ..ConsumerGroupHeartbeatResponse::default()
        };
        self.flush(turn, Some(Answer::ConsumerHeartbeat { token: heartbeat.token, response }));
        Ok(())
    }
}

impl Member {
    /// FENCED_MEMBER_EPOCH, unless the epoch is this one, or the one before and the last answer may have been lost. Who
    /// joins again has given everything up.
    fn check_epoch(&self, request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
        let received = request.member_epoch;
        let size = match received.cmp(&self.epoch) {
            _ if received == JOIN_EPOCH => return Ok(()),
            std::cmp::Ordering::Equal => return Ok(()),
            std::cmp::Ordering::Greater => "greater",
            std::cmp::Ordering::Less => {
                let owned = request.topic_partitions.as_deref();
                if received == self.previous_epoch && owned.is_some_and(|owned| self.is_assigned_all_of(owned)) {
                    return Ok(());
                }
                "smaller"
            }
        };
        let message = format!(
            "The consumer group member has a {size} member epoch ({received}) than the one known by the group coordinator \
             ({}). The member must abandon all its partitions and rejoin.",
            self.epoch
        );
        Err(Refusal::new(ErrorCode::FencedMemberEpoch, message))
    }

    fn is_assigned_all_of(&self, owned: &[TopicPartitions]) -> bool {
        owned.iter().all(|topic| {
            let assigned = self.assigned.get(&topic.topic_id);
            topic.partitions.iter().all(|partition| assigned.is_some_and(|assigned| assigned.contains_key(partition)))
        })
    }

    /// Whether a heartbeat says anything new about the member.
    fn is_changed_by(&self, heartbeat: &ConsumerHeartbeat) -> bool {
        let request = &heartbeat.request;
        let differs = |said: &Option<String>, is: &Option<String>| said.is_some() && said != is;
        self.client_id != heartbeat.client_id
            || self.client_host != heartbeat.client_host
            || self.classic.is_some()
            || request.rebalance_timeout_ms != SAME_REBALANCE_TIMEOUT
            || request.subscribed_topic_names.is_some()
            || request.subscribed_topic_regex.is_some()
            || differs(&request.instance_id, &self.instance_id)
            || differs(&request.rack_id, &self.rack_id)
            || differs(&request.server_assignor, &self.server_assignor)
    }

    fn update(&mut self, heartbeat: &ConsumerHeartbeat) {
        let ConsumerHeartbeat { request, client_id, client_host, .. } = heartbeat;
        self.client_id.clone_from(client_id);
        self.client_host.clone_from(client_host);
        self.classic = None;
        let said = |said: &Option<String>, is: &mut Option<String>| {
            if said.is_some() {
                is.clone_from(said);
            }
        };
        said(&request.instance_id, &mut self.instance_id);
        said(&request.rack_id, &mut self.rack_id);
        said(&request.server_assignor, &mut self.server_assignor);
        if request.rebalance_timeout_ms != SAME_REBALANCE_TIMEOUT {
            self.rebalance_timeout_ms = request.rebalance_timeout_ms;
        }
        if let Some(names) = &request.subscribed_topic_names {
            self.subscribed_topic_names = names.iter().cloned().collect();
        }
        if let Some(expression) = &request.subscribed_topic_regex {
            // The empty one takes a subscription back.
            self.subscribed_topic_regex = Some(expression.clone()).filter(|expression| !expression.is_empty());
        }
    }
}

/// Checks that a static member is who it says it is: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
fn check_instance(
    current: Option<&String>,
    request: &ConsumerGroupHeartbeatRequest,
    instance_id: &str,
) -> Result<(), Refusal> {
    let member_id = &request.member_id;
    match current {
        None => Err(Refusal::new(ErrorCode::UnknownMemberId, format!("Instance id {instance_id} is unknown."))),
        Some(current) if current != member_id => {
            let message =
                format!("Static member {member_id} with instance id {instance_id} was fenced by member {current}.");
            Err(Refusal::new(ErrorCode::FencedInstanceId, message))
        }
        Some(_) => Ok(()),
    }
}

/// There is no such group; Kafka has two ways to say it.
pub(in super::super) fn no_group(group_id: &str, is_leaving: bool) -> Refusal {
    let what = if is_leaving { "Group" } else { "Consumer group" };
    Refusal::new(ErrorCode::GroupIdNotFound, format!("{what} {group_id} not found."))
}

fn unknown_member(member_id: &str, group_id: &str) -> Refusal {
    let message = format!("Member {member_id} is not a member of group {group_id}.");
    Refusal::new(ErrorCode::UnknownMemberId, message)
}

fn response_assignment(assigned: &Owned) -> Assignment {
    let topics = assigned
        .iter()
        .map(|(&topic_id, partitions)| TopicPartitions { topic_id, partitions: partitions.keys().copied().collect() });
    Assignment { topic_partitions: topics.collect() }
}
