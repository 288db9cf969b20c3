//! Whole brokers (`shard` and all below it, the real code) in a world made of one seed: time, network, disks, scheduling
//! and faults.
//!
//! A seed decides everything ([`scenario`]), so that a seed replays a run, event for event ([`trace`]). What clients saw
//! goes into a [`checkers::History`], which [`checkers`] judges. What can never run
//! here is the kernel, glommio and a real device.

pub mod broker;
pub mod client;
pub mod clock;
pub mod coverage;
pub mod cuts;
pub mod dice;
pub mod disk;
pub mod executor;
pub mod faults;
pub mod net;
pub mod run;
pub mod scenario;
pub mod trace;
pub mod world;

pub use run::{Outcome, run, run_cut};
