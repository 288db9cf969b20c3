//! The server-side assignors of consumer groups (KIP-848): who is to read which partition.
//!
//! Behaviour: Kafka 4.3's `RangeAssignor` (partition by partition) and `UniformAssignor` (its promises: balance first,
//! then stickiness; which of several equally good assignments comes out is not fixed there either).
//! Invariants: the same spec gives the same assignment; a partition goes to one member at most, to a member that
//! subscribes to its topic, and to nobody only where nobody does.
//! Deviations: none that a client can rely on. Racks are no input: neither of Kafka's assignors looks at them.

mod heterogeneous;
mod homogeneous;
mod range;

use std::collections::{BTreeMap, BTreeSet};

use wire::Uuid;

/// Partitions by topic id; no topic without a partition.
pub type Assignment = BTreeMap<Uuid, BTreeSet<i32>>;

/// The target assignments of all members, by member id. Every member of the spec is there.
pub type GroupAssignment = BTreeMap<String, Assignment>;

/// A member, as an assignor sees it.
#[derive(Debug, Clone, Copy)]
pub struct MemberSpec<'a> {
    /// The id that a static member keeps over its lives.
    pub instance_id: Option<&'a str>,
    /// Ids of the topics that it subscribes to, by name or by regular expression.
    pub subscribed: &'a BTreeSet<Uuid>,
    /// Its target assignment so far.
    pub assigned: &'a Assignment,
}

/// What an assignor decides upon.
#[derive(Debug, Clone, Default)]
pub struct GroupSpec<'a> {
    /// The members by id.
    pub members: BTreeMap<&'a str, MemberSpec<'a>>,
    /// How many partitions each topic has. Topics that are not here do not exist: they give nobody anything.
    pub partitions: BTreeMap<Uuid, i32>,
}

impl GroupSpec<'_> {
    /// The partitions of a topic; none of one that does not exist.
    fn partitions_of(&self, topic: Uuid) -> std::ops::Range<i32> {
        0..self.partitions.get(&topic).copied().unwrap_or(0)
    }

    /// What all members subscribe to, where they all subscribe to the same topics.
    fn common_subscription(&self) -> Option<&BTreeSet<Uuid>> {
        let mut members = self.members.values();
        let first = members.next()?.subscribed;
        members.all(|member| member.subscribed == first).then_some(first)
    }
}

/// The assignors that a member can ask for (`group.consumer.assignors`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignor {
    /// As even as can be over all topics, moving as little as can be. The default.
    Uniform,
    /// Each topic in contiguous ranges, in the members' order, so that topics with equally many partitions are split
    /// alike and can be joined.
    Range,
}

impl Assignor {
    /// All of them, the default first.
    pub const ALL: [Assignor; 2] = [Assignor::Uniform, Assignor::Range];

    /// All of them, the one first that stands first in the list; the default order for an empty list.
    pub fn in_order(wanted: &[Assignor]) -> &'static [Assignor] {
        match wanted {
            [Assignor::Uniform] => &[Assignor::Uniform],
            [Assignor::Range] => &[Assignor::Range],
            [Assignor::Range, ..] => &[Assignor::Range, Assignor::Uniform],
            [] | [Assignor::Uniform, ..] => &Assignor::ALL,
        }
    }

    /// As members ask for it.
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Assignor> {
        Assignor::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// Assigns all partitions of the topics that the members subscribe to.
    pub fn assign(self, spec: &GroupSpec<'_>) -> GroupAssignment {
        match (self, spec.common_subscription()) {
            (Assignor::Range, _) => range::assign(spec),
            (Assignor::Uniform, Some(topics)) => homogeneous::assign(spec, topics),
            (Assignor::Uniform, None) => heterogeneous::assign(spec),
        }
    }
}

#[cfg(test)]
mod tests;
