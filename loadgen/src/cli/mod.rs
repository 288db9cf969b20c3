//! The commands of `loadgen`, a file each.

pub mod report;
