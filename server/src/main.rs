//! `partita`: the broker and its tools in one binary.
//!
//! Exit status: 0 done; 1 it could not be done (the reason is on stderr); 2 the command or the configuration is wrong.

mod check;
mod cli;
mod offline;
mod serve;
mod settings;
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
