//! `loadgen`: measures any Kafka broker, honestly, and proves in the same run that nothing was lost, doubled or reordered.
//!
//! Exit status: 0 done, and every run valid or merely suspect; 1 it could not be done, or a run is invalid or was cut short; 2 wrong usage.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
