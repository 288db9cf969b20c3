//! What the broker decides: catalog and controller, configuration, partitions, groups.
//!
//! State machines without I/O, clock or randomness: requests go in by `handle_*` with the time and random bits as arguments,
//! work to do comes out by `poll_effect`, and what was done comes back in as another input. `shard` carries it out; the
//! simulator runs the very same code.
//!
//! Invariants: nothing here reads a clock, a file or a socket, and no order depends on a random hasher (clippy.toml enforces it).

pub mod catalog;
pub mod config;
pub mod controller;
pub mod groups;
pub mod partition;
pub mod queries;

/// Names a parked request: the shard gives it, effects carry it back.
pub type Token = u64;
