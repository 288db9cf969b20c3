//! Recovery.

pub mod verdict;
