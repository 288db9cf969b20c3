//! What befalls members, and how soon others take over.

use std::collections::BTreeMap;

use crate::engine::clock::Nanos;
use crate::result::Failure;
use crate::scenario::EventAction;

/// When a partition was another member's, and when that one had read it.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    reassigned: Option<Nanos>,
    read: Option<Nanos>,
}

/// One event that took effect.
#[derive(Debug)]
struct Watched {
    at: Nanos,
    action: EventAction,
    group: usize,
    group_name: String,
    member: usize,
    /// Its partitions.
    partitions: BTreeMap<i32, Taken>,
}

/// All events of a run.
#[derive(Debug, Default)]
pub(super) struct Failures(Vec<Watched>);

impl Failures {
    /// A member that held `partitions` is lost.
    pub(super) fn happened(
        &mut self,
        at: Nanos,
        action: EventAction,
        (group, group_name): (usize, &str),
        member: usize,
        partitions: &[i32],
    ) {
        let partitions = partitions.iter().map(|partition| (*partition, Taken::default())).collect();
        self.0.push(Watched { at, action, group, group_name: group_name.to_owned(), member, partitions });
    }

    /// A member has these partitions now.
    pub(super) fn assigned(&mut self, group: usize, member: usize, partitions: &[i32], at: Nanos) {
        for watched in self.waiting(group, member, at) {
            for partition in partitions {
                if let Some(taken) = watched.partitions.get_mut(partition) {
                    taken.reassigned.get_or_insert(at);
                }
            }
        }
    }

    /// A member has read a partition for the first time since it was given it.
    pub(super) fn first_record(&mut self, group: usize, member: usize, partition: i32, at: Nanos) {
        for watched in self.waiting(group, member, at) {
            if let Some(taken) = watched.partitions.get_mut(&partition) {
                taken.read.get_or_insert(at);
            }
        }
    }

    fn waiting(&mut self, group: usize, member: usize, at: Nanos) -> impl Iterator<Item = &mut Watched> {
        let is_about =
            move |watched: &&mut Watched| watched.group == group && watched.member != member && watched.at <= at;
        self.0.iter_mut().filter(is_about)
    }

    /// What came of them; `seconds` counts from the window's start.
    pub(super) fn results(&self, seconds: impl Fn(Nanos) -> f64) -> Vec<Failure> {
        let result = |watched: &Watched| {
            // A partition that was never taken over makes the whole one that was not.
            let after = |of: fn(&Taken) -> Option<Nanos>| {
                let moments: Option<Vec<Nanos>> = watched.partitions.values().map(of).collect();
                moments?.into_iter().max().map(|last| (last - watched.at) as f64 / 1e6)
            };
            Failure {
                at_s: seconds(watched.at),
                action: watched.action.name().to_owned(),
                group: watched.group_name.clone(),
                member: format!("{}-{}", watched.group_name, watched.member),
                partitions: watched.partitions.keys().copied().collect(),
                reassigned_ms: after(|taken| taken.reassigned),
                step_up_ms: after(|taken| taken.read),
            }
        };
        self.0.iter().map(result).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_made_good_when_each_partition_is_read_by_another() {
        let mut failures = Failures::default();
        failures.happened(1_000_000, EventAction::Kill, (0, "g"), 2, &[4, 5]);
        failures.assigned(0, 2, &[4, 5], 2_000_000);
        failures.assigned(1, 1, &[4, 5], 2_000_000);
        failures.assigned(0, 1, &[4], 3_000_000);
        failures.assigned(0, 0, &[5, 4], 5_000_000);
        failures.first_record(0, 1, 4, 6_000_000);
        let found = &failures.results(|at| at as f64)[0];
        assert_eq!((found.member.as_str(), found.reassigned_ms, found.step_up_ms), ("g-2", Some(4.0), None));
        failures.first_record(0, 0, 5, 7_500_000);
        assert_eq!(failures.results(|at| at as f64)[0].step_up_ms, Some(6.5));
    }
}
