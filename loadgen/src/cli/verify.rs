//! `loadgen verify`.

use std::io::Write;

use clap::Args;

use super::{CliError, signals};

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Brokers to begin with, host:port, several separated by commas
    #[arg(long, value_name = "ADDRESS", default_value = "localhost:9092")]
    bootstrap: String,
    /// A topic that `loadgen run --keep-topics` has left
    topic: String,
    /// The run's number in the records; the first record's, if it is not given
    #[arg(long)]
    run: Option<u32>,
    /// Give up after so many seconds without an answer
    #[arg(long, default_value_t = 30.0)]
    silence_s: f64,
}

/// Reads a topic back and says what is wrong with it.
pub(super) fn verify(args: &VerifyArgs) -> Result<(), CliError> {
    let stop = signals::stop_flag()?;
    let found = loadgen::run::verify(&args.bootstrap, &args.topic, args.run, args.silence_s, &stop)?;
    let Some((run, verdict)) = found else { return Err(CliError::NothingToVerify { topic: args.topic.clone() }) };
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "run {run}: {} records, {} missing below a later one, {} doubled, {} behind a later one, {} offsets given \
         twice, {} offsets jumped over, {} foreign or torn",
        verdict.received,
        verdict.gaps,
        verdict.doubled,
        verdict.reordered,
        verdict.went_back,
        verdict.skipped,
        verdict.foreign
    )?;
    let wrong = verdict.gaps + verdict.doubled + verdict.reordered + verdict.went_back + verdict.skipped;
    if wrong + verdict.foreign > 0 { Err(CliError::NotClean { topic: args.topic.clone() }) } else { Ok(()) }
}
