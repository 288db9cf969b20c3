//! The load generator's library: a lean Kafka client on `wire`, and what a run stamps and measures.
//!
//! Invariants: nothing here depends on the broker's crates, so that it measures any broker of Kafka's protocol; a record that
//! is late is sent late, never dropped.

pub mod client;
pub mod compare;
pub mod engine;
pub mod measure;
pub mod payload;
pub mod proxy;
pub mod report;
pub mod resources;
pub mod result;
pub mod run;
pub mod scenario;
pub mod search;
pub mod selftest;
pub mod session;
pub mod systems;
pub mod view;
pub mod workload;
