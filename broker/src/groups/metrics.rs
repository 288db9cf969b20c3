//! What is counted of groups, as of now: for `/metrics`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Groups;
use super::group::Group;
use super::history::{Counts, Reason};

/// All groups of a core.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupsMetrics {
    /// How many groups there are in each state.
    pub states: BTreeMap<&'static str, u64>,
    /// The first groups by name, as many as were asked for.
    pub groups: Vec<GroupMetrics>,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMetrics {
    /// Its id.
    pub group_id: Arc<str>,
    /// Its state, as Kafka spells it.
    pub state: &'static str,
    /// How many members it has.
    pub members: usize,
    /// Its generation, or its epoch.
    pub generation: i32,
    /// How long a rebalance has been under way, in ms; 0 without one.
    pub rebalancing_ms: u64,
    /// What was counted since the coordinator knows the group.
    pub counts: Counts,
    /// Its committed offsets by partition, for each topic.
    pub offsets: Vec<(String, Vec<(i32, i64)>)>,
}

impl GroupMetrics {
    /// Rebalances that have begun, for each reason that there was.
    pub fn rebalances(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        let counted = Reason::ALL.iter().copied().zip(self.counts.rebalances);
        counted.filter(|(_, count)| *count > 0)
    }
}

impl Groups {
    /// Counts all groups, and describes the first `groups_max` by name.
    pub fn metrics(&self, now_ms: i64, groups_max: usize) -> GroupsMetrics {
        let mut metrics = GroupsMetrics::default();
        for group in self.groups.values() {
            *metrics.states.entry(group.state_name()).or_default() += 1;
        }
        metrics.groups = self.groups.values().take(groups_max).map(|group| group.metrics(now_ms)).collect();
        metrics
    }
}

impl Group {
    fn metrics(&self, now_ms: i64) -> GroupMetrics {
        let rebalancing_ms = self.history().rebalance.as_ref().map_or(0, |rebalance| now_ms - rebalance.since_ms);
        let offsets = self.offsets().topics().map(|(topic, partitions)| {
            let offsets = partitions.iter().map(|(&partition, committed)| (partition, committed.offset));
            (topic.to_owned(), offsets.collect())
        });
        GroupMetrics {
            group_id: self.id().clone(),
            state: self.state_name(),
            members: self.member_count(),
            generation: self.generation(),
            rebalancing_ms: u64::try_from(rebalancing_ms).unwrap_or(0),
            counts: self.history().counts.clone(),
            offsets: offsets.collect(),
        }
    }
}
