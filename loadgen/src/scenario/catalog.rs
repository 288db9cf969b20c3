//! The scenarios that ship with the tool: `loadgen/scenarios/*.toml`, embedded.

use std::path::Path;

use super::{ScenarioError, Sweep};
use crate::workload;

macro_rules! embedded {
    ($($id:literal),* $(,)?) => {
        /// The catalog's ids and their files, in the order in which a suite runs them.
        pub const FILES: &[(&str, &str)] =
            &[$(($id, include_str!(concat!("../../scenarios/", $id, ".toml")))),*];
    };
}

embedded![
    "quick",
    "acks",
    "partitions",
    "size",
    "group-size",
    "fan-out",
    "floor",
    "catch-up",
    "rebalance",
    "ceiling",
    "steady"
];

/// The scenarios of one id, of a file when `name` ends in `.toml`, or those of a [workload](crate::workload).
///
/// # Errors
/// [`ScenarioError::Unknown`], and those of [`Sweep::read`] and [`workload::find`].
pub fn find(name: &str) -> Result<Sweep, ScenarioError> {
    if name.ends_with(".toml") {
        return Sweep::read(Path::new(name));
    }
    match FILES.iter().find(|(id, _)| *id == name) {
        Some((id, text)) => Sweep::parse(id, text),
        None if workload::is_workload(name) => workload::find(name),
        None => {
            let known = FILES.iter().map(|(id, _)| *id).collect::<Vec<_>>().join(", ");
            Err(ScenarioError::Unknown { id: name.to_owned(), known })
        }
    }
}
