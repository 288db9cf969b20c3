//! `loadgen`: produces at a rate and measures, consumes and proves.
//!
//! Exit status: 0 done and nothing wrong; 1 it could not be done, or a record was lost, doubled or reordered; 2 wrong usage.

mod cli;
mod consume;
mod produce;

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand};
use loadgen::client::{Client, ClientError};

/// Produces to and consumes from a Kafka broker at a rate, and measures honestly.
#[derive(Debug, Parser)]
#[command(name = "loadgen", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Produce records in open loop: record i is due at t0 + i / rate, whatever became of those before
    Produce(produce::ProduceArgs),
    /// Consume a run's records and count those lost, doubled and reordered
    Consume(consume::ConsumeArgs),
    /// Make pages from kept runs
    Report(cli::report::ReportArgs),
}

/// Where to.
#[derive(Debug, Args)]
struct TargetArgs {
    /// Brokers to begin with, host:port, several separated by commas
    #[arg(long, value_name = "ADDRESS", default_value = "localhost:9092")]
    bootstrap_server: String,
    /// The topic, which must exist
    #[arg(long)]
    topic: String,
    /// Names the run in each record, so that runs can share a topic
    #[arg(long, default_value_t = 1)]
    run: u32,
}

/// How long a broker may take to answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

impl TargetArgs {
    fn connect(&self) -> Result<Client, ClientError> {
        Client::connect(&self.bootstrap_server, "loadgen", REQUEST_TIMEOUT)
    }
}

/// Why a run ended.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("overloaded: {0}")]
    Overloaded(String),
    #[error("the run is not clean: {0}")]
    NotClean(String),
    #[error("cannot write the result: {0}")]
    Output(#[from] serde_json::Error),
    #[error(transparent)]
    Report(#[from] cli::report::ReportError),
}

/// The wall clock in ns since the epoch: what crosses processes.
fn wall_ns() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

fn main() -> ExitCode {
    let ended = match Cli::parse().command {
        Command::Produce(args) => produce::run(&args),
        Command::Consume(args) => consume::run(&args),
        Command::Report(args) => cli::report::run(&args).map_err(RunError::from),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loadgen: {error}");
            ExitCode::FAILURE
        }
    }
}
