//! `loadgen run`.

use clap::Args;

use super::CliError;
use super::stage::StageArgs;
use super::suite::{self, BrokerArgs};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// A scenario's id or a published workload (`loadgen list`), a file that ends in .toml, or an OpenMessaging workload that ends in .yaml
    scenario: String,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    stage: StageArgs,
}

/// Runs every run of the scenario.
pub(super) fn run(args: &RunArgs) -> Result<(), CliError> {
    suite::measure(std::slice::from_ref(&args.scenario), &args.broker, &args.stage)?.judged()
}
