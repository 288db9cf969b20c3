//! A member's next step to its target (Kafka's `CurrentAssignmentBuilder`).
//!
//! What the member has and is not to have is taken first; until it says that it has given that up, it stays in its epoch. Then
//! its epoch is the target's, and it gets what nobody else owns; for the rest it waits.

use wire::TopicPartitionId;
use wire::api::k68_consumer_group_heartbeat::TopicPartitions;

use super::super::assignor::Assignment;
use super::ConsumerGroup;
use super::member::{Member, MemberState, Owned};

impl ConsumerGroup {
    /// The member after its next step. `owned` is what it says that it has, where it says so; `None` where it has to begin
    /// anew.
    pub(super) fn next_step(&self, member: &Member, owned: Option<&[TopicPartitions]>) -> Option<Member> {
        match member.state {
            MemberState::Stable if member.epoch == self.target_epoch => Some(member.clone()),
            MemberState::Stable | MemberState::UnreleasedPartitions => Some(self.approach(member, member.epoch, owned)),
            MemberState::UnrevokedPartitions if owns_any(owned, &member.pending_revocation) => Some(member.clone()),
            MemberState::UnrevokedPartitions => Some(self.approach(member, member.epoch + 1, owned)),
            MemberState::Unknown if owned.is_some_and(<[_]>::is_empty) => {
                Some(self.approach(member, self.target_epoch, owned))
            }
            MemberState::Unknown => None,
        }
    }

    /// `epoch` is the member's while it has something to give up.
    fn approach(&self, member: &Member, epoch: i32, owned: Option<&[TopicPartitions]>) -> Member {
        let nothing = Assignment::new();
        let target = self.target.get(&member.id).unwrap_or(&nothing);
        let is_target = |topic, partition| target.get(topic).is_some_and(|partitions| partitions.contains(partition));
        let mut next = member.clone();
        let (mut kept, mut revoked) = (Owned::new(), Owned::new());
        for (topic, partitions) in &member.assigned {
            for (partition, since_epoch) in partitions {
                let part = if is_target(topic, partition) { &mut kept } else { &mut revoked };
                part.entry(*topic).or_default().insert(*partition, *since_epoch);
            }
        }
        if probe::mutated!(owns_any(owned, &revoked), GrantBeforeRevoke => false) {
            next.state = MemberState::UnrevokedPartitions;
            next.assigned = kept;
            next.pending_revocation = revoked;
            next.move_to(epoch);
            return next;
        }
        let has_unreleased = self.grant(&member.id, target, &mut kept);
        next.state = if has_unreleased { MemberState::UnreleasedPartitions } else { MemberState::Stable };
        next.assigned = kept;
        next.pending_revocation = Owned::new();
        next.move_to(self.target_epoch);
        next
    }

    /// Gives the member what it is to get and nobody else owns; true if something is left.
    fn grant(&self, member_id: &str, target: &Assignment, assigned: &mut Owned) -> bool {
        let mut has_unreleased = false;
        for (&topic, partitions) in target {
            for &partition in partitions {
                let has_it = assigned.get(&topic).is_some_and(|partitions| partitions.contains_key(&partition));
                let owner = self.owner_of(TopicPartitionId { topic, partition });
                if owner.is_some_and(|owner| owner != member_id) {
                    has_unreleased = true;
                } else if !has_it {
                    assigned.entry(topic).or_default().insert(partition, self.target_epoch);
                }
            }
        }
        has_unreleased
    }
}

impl Member {
    fn move_to(&mut self, epoch: i32) {
        if epoch != self.epoch {
            self.previous_epoch = self.epoch;
            self.epoch = epoch;
        }
    }
}

/// Whether a member still has any of these partitions; unless it says what it has, it does.
fn owns_any(owned: Option<&[TopicPartitions]>, partitions: &Owned) -> bool {
    if partitions.is_empty() {
        return false;
    }
    let Some(owned) = owned else { return true };
    owned.iter().any(|topic| {
        partitions
            .get(&topic.topic_id)
            .is_some_and(|pending| topic.partitions.iter().any(|partition| pending.contains_key(partition)))
    })
}
