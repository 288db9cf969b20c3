//! What was delivered of one run, as it is told; [`checkers::Deliveries`] judges.

use checkers::Verdict;
use serde::Serialize;

/// The verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DeliverySummary {
    /// Records of the run that came, repetitions included.
    pub received: u64,
    /// Sequences below the highest one seen (or below what was acknowledged) that never came.
    pub lost: u64,
    /// Records that came again.
    pub doubled: u64,
    /// Records that came for the first time after a later one.
    pub reordered: u64,
    /// Records of somebody else.
    pub foreign: u64,
}

impl From<Verdict> for DeliverySummary {
    /// `lost` includes gaps: producers here keep their order, and nobody else tells how a record's sending ended. Offsets that
    /// go back count as records that came again.
    fn from(verdict: Verdict) -> DeliverySummary {
        let Verdict { received, lost, unseen, gaps, doubled, went_back, reordered, foreign, .. } = verdict;
        DeliverySummary { received, lost: lost + unseen + gaps, doubled: doubled + went_back, reordered, foreign }
    }
}
