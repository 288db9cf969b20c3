//! What Partita is measured with: the floor program, the driver that loads any broker with the same bytes, and the
//! paired comparison that fills `results/`.
//!
//! Nothing here runs in production. Linux only (io_uring, epoll, `/proc`).
//! Start reading at [`driver`] (the client) and [`floor`] (the server that marks what the hardware allows); [`compare`] runs
//! them in pairs and [`results`] keeps what came out. [`groups`] does the same with members of consumer groups.

pub mod admin;
pub mod batch;
pub mod compare;
pub mod driver;
pub mod floor;
pub mod groups;
pub mod measurement;
pub mod memory;
pub mod produce;
pub mod results;
pub mod varint;
