//! What the tests of the whole process share: a broker in a temporary folder, and a client that speaks `wire`.
//!
//! Invariant: a broker that a test has started is gone when the test ends, however it ends.

#![allow(dead_code, unused_imports, reason = "each test file uses its own part")]

mod broker;
mod client;
mod member;
pub mod power_disk;
mod recorder;
mod requests;
pub mod segments;

pub use broker::{Broker, DataDir, binary, edit, metric_lines};
pub use client::{Client, decode};
pub use member::{Member, two_members};
pub use recorder::Recorder;
pub use requests::*;

use std::time::{Duration, Instant};

/// How long anything may take before a test fails; generous, because machines that run tests are busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `state` holds.
pub fn wait_until(what: &str, mut state: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !state() {
        assert!(begun.elapsed() < PATIENCE, "this did not come about in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
