//! Consumers go forward and leave nothing out.

use std::collections::{BTreeMap, BTreeSet};

use super::AnomalyKind;
use crate::history::{Event, PartitionHistory, ProcessId};

/// Follows every consumer through a partition. `known` are the offsets that hold a value.
pub(super) fn check(history: &PartitionHistory, known: &BTreeSet<i64>) -> Vec<AnomalyKind> {
    let mut found = Vec::new();
    let mut positions: BTreeMap<ProcessId, i64> = BTreeMap::new();
    for event in &history.events {
        match event {
            Event::Assign { process } => {
                positions.remove(process);
            }
            Event::Poll { process, records } => {
                for &(to, _) in records {
                    let Some(from) = positions.insert(*process, to) else { continue };
                    if to <= from {
                        found.push(AnomalyKind::NonMonotonicPoll { process: *process, from, to });
                    } else if known.range(from + 1..to).next().is_some() {
                        found.push(AnomalyKind::PollSkip { process: *process, from, to });
                    }
                }
            }
            _ => {}
        }
    }
    found
}
