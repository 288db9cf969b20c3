//! A suite of runs as a person watches it in a terminal.
//!
//! [`State`] is what is known, [`screen`] draws it, [`TerminalView`] owns the terminal and draws on a thread of its own, so that a slow
//! terminal never holds up a run.
//!
//! Invariants: at most [`REDRAWS_PER_SECOND`]; the terminal is as it was when the view is dropped, when a thread panics, and when a
//! second Ctrl-C ends the process ([`restore`]).

pub mod screen;
mod state;
mod terminal;
#[cfg(test)]
mod tests;

pub use state::State;
pub use terminal::{TerminalView, ViewObserver, restore};

/// Redraws a second, at most.
pub const REDRAWS_PER_SECOND: u32 = 10;
