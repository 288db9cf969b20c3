//! Up- and downgrade of a living group: when it happens, and what becomes of those who wait.
//!
//! Behaviour: Kafka 4.3 with `group.consumer.migration.policy`. A classic group of consumers that a member of the new protocol
//! joins goes on as a consumer group with all its members; whoever has a JoinGroup or SyncGroup parked is told
//! REBALANCE_IN_PROGRESS, and joins the consumer group. A consumer group that is left with none but members of the
//! classic protocol goes on as a classic group, and rebalances unless all have what they are to have.
//! Invariants: a refused member leaves the group as it was.

use wire::ErrorCode;

use super::classic_group::ClassicGroup;
use super::consumer::{ConsumerGroup, ConsumerHeartbeat, Refusal};
use super::group::Group;
use super::history::Reason;
use super::outbox::{Then, Turn};
use super::rebalance::{join_error, sync_error};
use super::{GroupConfig, Groups};

/// Which ways a living group may go (`group.consumer.migration.policy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationPolicy {
    /// None, and members of the two protocols do not mix.
    Disabled,
    /// From the classic protocol to the new one.
    Upgrade,
    /// From the new protocol to the classic one.
    Downgrade,
    /// Both.
    Bidirectional,
}

impl MigrationPolicy {
    /// As it is configured.
    pub fn named(name: &str) -> Option<MigrationPolicy> {
        match name {
            "disabled" => Some(MigrationPolicy::Disabled),
            "upgrade" => Some(MigrationPolicy::Upgrade),
            "downgrade" => Some(MigrationPolicy::Downgrade),
            "bidirectional" => Some(MigrationPolicy::Bidirectional),
            _ => None,
        }
    }

    /// Whether members of both protocols may be in one group.
    pub fn is_enabled(self) -> bool {
        self != MigrationPolicy::Disabled
    }

    /// Whether a classic group may become a consumer group.
    pub fn allows_upgrade(self) -> bool {
        matches!(self, MigrationPolicy::Upgrade | MigrationPolicy::Bidirectional)
    }

    /// Whether a consumer group may become a classic group.
    pub fn allows_downgrade(self) -> bool {
        matches!(self, MigrationPolicy::Downgrade | MigrationPolicy::Bidirectional)
    }
}

impl Groups {
    /// A member of the new protocol joins a classic group: GROUP_ID_NOT_FOUND where it may not, or whatever a consumer
    /// group has against it.
    ///
    /// # Panics
    /// If there is no such classic group.
    pub(super) fn upgrade(&mut self, now_ms: i64, heartbeat: ConsumerHeartbeat) -> Result<(), Refusal> {
        let group_id = heartbeat.request.group_id.clone();
        let (config, image) = (&self.config, &self.image);
        let mut turn = Turn { now_ms, from: self.from, config, image, out: &mut self.outbox };
        let Some(group) = self.groups.get_mut(group_id.as_str()) else { panic!("group {group_id} is not there") };
        let Group::Classic(classic) = group else { panic!("group {group_id} is no classic group") };
        check_upgrade(classic, config)?;
        let mut consumer = ConsumerGroup::from_classic(classic, &turn)?;
        consumer.keep(&mut turn, heartbeat)?;
        for member in classic.members.values_mut() {
            if let Some(token) = member.awaiting_join.take() {
                turn.out.respond(token, join_error(&member.id, ErrorCode::RebalanceInProgress));
            }
            if let Some(token) = member.awaiting_sync.take() {
                turn.out.respond(token, sync_error(ErrorCode::RebalanceInProgress));
            }
        }
        consumer.offsets = std::mem::take(&mut classic.offsets);
        consumer.connections.append(&mut classic.connections);
        consumer.history.follow(std::mem::take(&mut classic.history));
        consumer.has_committed = classic.has_committed;
        consumer.indexed_deadline = classic.indexed_deadline;
        *group = Group::Consumer(Box::new(consumer));
        self.with_group(now_ms, &group_id, |_, _| ());
        Ok(())
    }
}

fn check_upgrade(group: &ClassicGroup, config: &GroupConfig) -> Result<(), Refusal> {
    let reason = if !config.consumer.migration.allows_upgrade() {
        "online upgrade is disabled"
    } else if !group.is_consumer_group() {
        "the group does not use the consumer embedded protocol"
    } else if group.members.len() > config.consumer.size_max {
        "the group size exceeds the consumer group maximum size"
    } else {
        return Ok(());
    };
    let message = format!("Cannot upgrade classic group {} to consumer group because {reason}.", group.id);
    Err(Refusal::new(ErrorCode::GroupIdNotFound, message))
}

impl Group {
    /// Goes on as a classic group if it is a consumer group without a member of the new protocol.
    pub fn downgrade_if_due(&mut self, turn: &mut Turn<'_>) {
        let Group::Consumer(consumer) = self else { return };
        if !consumer.is_to_downgrade(turn) {
            return;
        }
        let is_to_rebalance = consumer.is_to_rebalance();
        let Some(mut classic) = consumer.take_classic(turn) else { return };
        if is_to_rebalance {
            // The log keeps the consumer group until the rebalance ends: what members are to have, not all of them have.
            classic.history.happened(turn.now_ms, Reason::GroupDowngraded, None);
            classic.prepare_rebalance(turn);
        } else {
            let record = classic.to_record(|member| member.assignment.clone());
            classic.append(turn, vec![record], Then::Nothing);
        }
        *self = Group::Classic(Box::new(classic));
    }
}
