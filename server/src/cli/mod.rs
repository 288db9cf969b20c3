//! The command line: what there is to say, and which module does it.
//!
//! stdout is data, stderr is for people. Whatever lists something has `--format json`.

mod completions;
mod config;
mod connect;
mod consume;
mod dump;
mod error;
mod group;
pub(crate) mod output;
mod partition_metrics;
mod produce;
mod repair;
mod serve;
mod topic;

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};
use wire::batch::NO_TIMESTAMP;

pub(crate) use error::CliError;

/// A Kafka-compatible broker whose acknowledgements are durable, and its tools.
///
/// Without a command it serves, and takes the flags of `partita serve`.
#[derive(Debug, Parser)]
#[command(name = "partita", version, propagate_version = true, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the broker
    ///
    /// Settings come from flags, else the environment (PARTITA_ and the key in upper case, _ for .), else the file given with
    /// --config, else the defaults. Everything is kept in the data folder, by default `partita-data` in the folder that it is
    /// started in. SIGTERM or Ctrl-C stops it cleanly; what was acknowledged survives any other end too.
    Serve(serve::ServeArgs),
    /// Create, list, describe, alter and delete topics
    #[command(subcommand)]
    Topic(topic::TopicCommand),
    /// List, describe, reset and delete groups, and show how far they are behind
    #[command(subcommand)]
    Group(group::GroupCommand),
    /// Write the lines of stdin to a topic, one record each
    Produce(produce::ProduceArgs),
    /// Print the records of a topic
    Consume(consume::ConsumeArgs),
    /// Look into files of a data folder
    #[command(subcommand)]
    Log(LogCommand),
    /// Is this host fit for the broker? Measures flushes and says what to do
    Check(crate::check::CheckArgs),
    /// List every broker key with its value, default, unit and range
    Config(config::ConfigArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    /// Print the batches and records of a segment, or the entries of an index or of a producer snapshot
    Dump(dump::DumpArgs),
    /// Copy all that can still be read of a stopped broker's data folder to a new one
    ///
    /// The old folder is only read, and stays as it is. Damaged batches are left out and named; the offsets of all others
    /// stay what they were. A broker starts on the copy as on any data folder.
    Repair(repair::RepairArgs),
}

/// Runs the command line that the process was started with.
pub(crate) fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(message) = error.message() {
                eprintln!("partita: {message}");
            }
            error.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<(), CliError> {
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => serve::run(args),
        Command::Topic(command) => topic::run(command),
        Command::Group(command) => group::run(command),
        Command::Produce(args) => produce::run(args),
        Command::Consume(args) => consume::run(args),
        Command::Log(LogCommand::Dump(args)) => dump::run(args),
        Command::Log(LogCommand::Repair(args)) => repair::run(args),
        Command::Check(args) => crate::check::run(args),
        Command::Config(args) => config::run(args),
        Command::Completions(args) => completions::run(args),
    }
}

/// The wall clock, in ms since the epoch.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(NO_TIMESTAMP)
}

#[cfg(test)]
mod tests;
