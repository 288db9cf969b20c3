//! One run of a scenario, and what can be seen of it while it goes on.

mod progress;

pub use progress::{Phase, Progress};
