//! The scenarios that ship with the tool: `loadgen/scenarios/*.toml`, embedded.

use std::path::Path;

use super::{ScenarioError, Sweep};

macro_rules! embedded {
    ($($id:literal),* $(,)?) => {
        /// The catalog's ids and their files, in the order in which a suite runs them.
        pub const FILES: &[(&str, &str)] =
            &[$(($id, include_str!(concat!("../../scenarios/", $id, ".toml")))),*];
    };
}

embedded!["quick", "acks", "partitions", "size", "group-size", "fan-out", "floor", "catch-up", "rebalance"];

/// The scenarios of one id, or of a file when `name` ends in `.toml`.
///
/// # Errors
/// [`ScenarioError::Unknown`], and those of [`Sweep::read`].
pub fn find(name: &str) -> Result<Sweep, ScenarioError> {
    if name.ends_with(".toml") {
        return Sweep::read(Path::new(name));
    }
    match FILES.iter().find(|(id, _)| *id == name) {
        Some((id, text)) => Sweep::parse(id, text),
        None => {
            let known = FILES.iter().map(|(id, _)| *id).collect::<Vec<_>>().join(", ");
            Err(ScenarioError::Unknown { id: name.to_owned(), known })
        }
    }
}
