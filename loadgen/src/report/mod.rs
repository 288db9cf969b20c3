//! What a run shows, as pages that open anywhere: one file each, no network, no script.

pub mod chart;
