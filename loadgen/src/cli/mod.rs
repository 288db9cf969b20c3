//! The command line: one file a subcommand.

mod compare;
mod error;
mod find_max;
mod list;
mod plain;
mod report;
mod run;
mod self_test;
mod signals;
mod stage;
mod suite;
mod verify;
mod viewer;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub(crate) use error::CliError;

/// Measures any Kafka broker, and proves in the same run that nothing was lost, doubled or reordered.
///
/// Without a command it starts a Partita in a temporary folder, runs the suite "quick" against it, and writes a report.
#[derive(Debug, Parser)]
#[command(name = "loadgen", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario, by its id or from a file, against a broker
    Run(Box<run::RunArgs>),
    /// Run scenarios one after another and make a page of what they found
    Suite(Box<suite::SuiteArgs>),
    /// Run systems side by side, in pairs, and print their ratios
    Compare(Box<compare::CompareArgs>),
    /// Look for the largest rate that a system sustains, then climb the ladder up to it
    FindMax(Box<find_max::FindMaxArgs>),
    /// List the scenarios that ship with the tool
    List,
    /// Measure the tool itself against brokers of its own: its ceiling, whether it sees a stall, how far equal runs differ
    SelfTest,
    /// Read a topic back that a run has left, and count what is missing, doubled or out of order
    Verify(verify::VerifyArgs),
    /// Make pages from kept runs
    Report(report::ReportArgs),
}

/// Parses the command line, obeys it, and says how it went.
pub(crate) fn main() -> ExitCode {
    let ended = match Cli::parse().command {
        Some(command) => obey(command),
        None => suite::run(&suite::SuiteArgs::default()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loadgen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn obey(command: Command) -> Result<(), CliError> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Suite(args) => suite::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::FindMax(args) => find_max::run(&args),
        Command::List => list::list(),
        Command::SelfTest => self_test::self_test(),
        Command::Verify(args) => verify::verify(&args),
        Command::Report(args) => report::run(&args).map_err(CliError::from),
    }
}
