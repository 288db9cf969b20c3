//! `loadgen run`.

use std::sync::atomic::Ordering;

use clap::Args;
use loadgen::result::Verdict;
use loadgen::scenario::catalog;
use loadgen::systems::System;

use super::stage::StageArgs;
use super::viewer::Viewer;
use super::{CliError, signals};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// A scenario's id or a published workload (`loadgen list`), a file that ends in .toml, or an OpenMessaging workload that ends in .yaml
    scenario: String,
    /// A running broker: addresses to begin with, host:port, several separated by commas
    #[arg(long, value_name = "ADDRESS", conflicts_with = "system")]
    bootstrap: Option<String>,
    /// A broker that is started here and ended afterwards: partita, kafka or kafka-flush [default: partita]
    #[arg(long)]
    system: Option<System>,
    /// Show lines, also on a terminal
    #[arg(long)]
    plain: bool,
    /// Leave the runs' topics where they are
    #[arg(long)]
    keep_topics: bool,
    #[command(flatten)]
    stage: StageArgs,
}

/// Runs every run of the scenario.
pub(super) fn run(args: &RunArgs) -> Result<(), CliError> {
    let sweep = catalog::find(&args.scenario)?;
    let stop = signals::stop_flag()?;
    let system = match (&args.bootstrap, &args.system) {
        (Some(bootstrap), _) => System::Address(bootstrap.clone()),
        (None, Some(system)) => system.clone(),
        (None, None) => System::Partita,
    };
    let stage = args.stage.set_up(std::slice::from_ref(&system))?;
    let mut running = stage.start(&system)?;
    if system.is_jvm() {
        stage.rehearse(&mut running, &sweep.scenarios[0], &stop)?;
    }
    let runs = sweep.scenarios.len();
    let mut viewer = Viewer::start(args.plain, stop.clone());
    let mut invalid = 0;
    for (index, scenario) in sweep.scenarios.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let of = (index + 1, runs);
        viewer.begin(of.0, runs, &scenario.id);
        let mut files = stage.measure(&mut running, scenario, of, args.keep_topics, &mut viewer, &stop)?;
        let folder = stage.keep(&mut files, None)?;
        viewer.finished(&files.result, folder.as_deref());
        invalid += usize::from(files.result.validity.verdict > Verdict::Suspect);
    }
    viewer.end();
    if invalid > 0 { Err(CliError::NotValid { invalid, runs }) } else { Ok(()) }
}
