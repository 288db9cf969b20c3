//! Probes in the broker's code, for the simulator: planted bugs, which its checkers have to find, and marks of rare paths, which
//! its seeds have to reach.
//!
//! A probe is one line where the thing happens. It compiles to nothing unless the feature `on` is set, which only `sim` does (with
//! its feature `mutations`). A bug is on for one thread at a time and only after [`plant`]; marks count a thread's passages.
//!
//! ```
//! fn journaled() -> bool {
//!     probe::mutation!(SkipFlush => return false);
//!     probe::reached!(GroupTorn);
//!     probe::mutated!(true, AckBeforeFlush => false)
//! }
//! assert!(journaled());
//! ```

mod marks;
mod mutations;
mod state;

pub use marks::Mark;
pub use mutations::Mutation;
pub use state::{is_planted, mark, plant, take_marks};

/// Whether there are probes in this build.
pub const ON: bool = cfg!(feature = "on");

/// `mutation!(Name => statement)`: does what is wrong instead of what follows, where that bug is planted.
#[cfg(feature = "on")]
#[macro_export]
macro_rules! mutation {
    ($name:ident => $wrong:stmt) => {
        if $crate::is_planted($crate::Mutation::$name) {
            $wrong
        }
    };
}

/// `mutation!(Name => statement)`: nothing, in this build.
#[cfg(not(feature = "on"))]
#[macro_export]
macro_rules! mutation {
    ($name:ident => $wrong:stmt) => {};
}

/// `mutated!(right, Name => wrong)`: what is right, unless that bug is planted.
#[cfg(feature = "on")]
#[macro_export]
macro_rules! mutated {
    ($right:expr, $name:ident => $wrong:expr) => {
        if $crate::is_planted($crate::Mutation::$name) { $wrong } else { $right }
    };
}

/// `mutated!(right, Name => wrong)`: what is right, in this build.
#[cfg(not(feature = "on"))]
#[macro_export]
macro_rules! mutated {
    ($right:expr, $name:ident => $wrong:expr) => {
        // Not the bare expression: `let x = x;` is a lint's business.
        ::std::convert::identity($right)
    };
}

/// `reached!(Name)`: counts that a rare path was taken.
#[cfg(feature = "on")]
#[macro_export]
macro_rules! reached {
    ($name:ident) => {
        $crate::mark($crate::Mark::$name)
    };
}

/// `reached!(Name)`: nothing, in this build.
#[cfg(not(feature = "on"))]
#[macro_export]
macro_rules! reached {
    ($name:ident) => {};
}
