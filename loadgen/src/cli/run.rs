//! `loadgen run`.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use clap::Args;
use loadgen::result::folder::{RunFiles, write_index};
use loadgen::result::{Durability, SystemInfo, Verdict};
use loadgen::run::{Options, Target};
use loadgen::scenario::catalog;

use super::viewer::Viewer;
use super::{CliError, signals};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// A scenario's id (`loadgen list`), or a file that ends in .toml
    scenario: String,
    /// Brokers to begin with, host:port, several separated by commas
    #[arg(long, value_name = "ADDRESS", default_value = "localhost:9092")]
    bootstrap: String,
    /// Where results are kept
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    results: PathBuf,
    /// Names this machine in the results
    #[arg(long, default_value = "local")]
    machine: String,
    /// Show lines, also on a terminal
    #[arg(long)]
    plain: bool,
    /// Leave the runs' topics where they are
    #[arg(long)]
    keep_topics: bool,
}

/// Runs every run of the scenario.
pub(super) fn run(args: &RunArgs) -> Result<(), CliError> {
    let sweep = catalog::find(&args.scenario)?;
    let stop = signals::stop_flag()?;
    let system = SystemInfo {
        name: "address".into(),
        version: String::new(),
        revision: String::new(),
        durability: Durability::Unknown,
    };
    let target = Target { bootstrap: args.bootstrap.clone(), system };
    let command: Vec<String> = std::env::args().collect();
    let runs = sweep.scenarios.len();
    let mut viewer = Viewer::start(args.plain, stop.clone());
    let mut invalid = 0;
    for (index, scenario) in sweep.scenarios.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let options = Options { command: command.join(" "), run: index + 1, runs, keeps_topics: args.keep_topics };
        viewer.begin(index + 1, runs, &scenario.id);
        let outcome = loadgen::run::run(scenario, &target, &options, &mut viewer, &stop);
        invalid += usize::from(outcome.result.validity.verdict > Verdict::Suspect);
        let files = RunFiles {
            result: outcome.result,
            env: serde_json::Value::Null,
            broker: String::new(),
            series: outcome.series,
            server: None,
            events: outcome.events,
            latency_log: outcome.latency_log,
        };
        let output = |error| CliError::Output { folder: args.results.clone(), error };
        let folder = files.write(&args.results, &args.machine).map_err(output)?;
        write_index(&args.results).map_err(output)?;
        viewer.finished(&files.result, Some(&folder));
    }
    viewer.end();
    if invalid > 0 { Err(CliError::NotValid { invalid, runs }) } else { Ok(()) }
}
