//! The load itself: worker threads, each an epoll loop that drives many clients which do no I/O of their own accord.
//!
//! - [`worker`]: the loop. [`producer`]: open-loop producing. [`reader`]: a member of a group, on [`fetcher`] and a member's protocol.
//! - [`connection`]: frames on a non-blocking socket. [`board`]: what threads see of each other. [`topology`]: where everything is.
//!
//! Invariants: nothing is allocated for a record; a worker never waits for anything but its epoll; whatever a broker answers, a worker
//! does not panic.

pub mod board;
pub mod clock;
pub mod connection;
pub mod context;
mod error;
pub mod fetcher;
mod filler;
mod member;
mod member_classic;
mod member_consumer;
pub mod producer;
pub mod queue;
pub mod reader;
pub mod recorder;
pub mod schedule;
pub mod topology;
pub mod worker;

pub use error::EngineError;
