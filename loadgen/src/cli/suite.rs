//! `loadgen suite`, and `loadgen` without a command: scenarios one after another on a broker of one's own, then a page that shows them.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Parser};
use loadgen::report::{index, input, page};
use loadgen::result::Verdict;
use loadgen::scenario::{Scenario, catalog};
use loadgen::systems::{Running, System};

use super::report::ReportError;
use super::stage::{Stage, StageArgs};
use super::viewer::Viewer;
use super::{CliError, signals};

/// The last suite's page, in the folder of results.
const LATEST: &str = "latest.html";

#[derive(Debug, Args)]
pub(super) struct SuiteArgs {
    /// Scenarios by id (`loadgen list`), files that end in .toml, or OpenMessaging workloads that end in .yaml
    #[arg(value_name = "SCENARIO", default_value = "quick")]
    scenarios: Vec<String>,
    #[command(flatten)]
    broker: BrokerArgs,
    /// Where the page goes [default: latest.html in the folder of results]
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    stage: StageArgs,
}

impl Default for SuiteArgs {
    /// As the command line is parsed when nothing is said.
    fn default() -> Self {
        #[derive(Parser)]
        struct Nothing {
            #[command(flatten)]
            args: SuiteArgs,
        }
        Nothing::parse_from(["loadgen"]).args
    }
}

/// Which broker, and how its runs are shown.
#[derive(Debug, Args)]
pub(super) struct BrokerArgs {
    /// A running broker: addresses to begin with, host:port, several separated by commas
    #[arg(long, value_name = "ADDRESS", conflicts_with = "system")]
    bootstrap: Option<String>,
    /// A broker that is started here and ended afterwards: partita, kafka or kafka-flush [default: partita]
    #[arg(long)]
    system: Option<System>,
    /// Leave the runs' topics where they are
    #[arg(long)]
    keep_topics: bool,
    /// Show lines, also on a terminal
    #[arg(long)]
    plain: bool,
}

/// What some runs came to.
#[derive(Debug)]
pub(super) struct Made {
    /// Where they are kept.
    pub(super) folders: Vec<PathBuf>,
    /// How many there were to be.
    runs: usize,
    /// How many are neither valid nor merely suspect.
    invalid: usize,
}

/// Runs the suite and makes its page.
pub(super) fn run(args: &SuiteArgs) -> Result<(), CliError> {
    let made = measure(&args.scenarios, &args.broker, &args.stage)?;
    let results = &args.stage.results;
    let page = args.report.clone().unwrap_or_else(|| results.join(LATEST));
    let found = input::read(&made.folders).map_err(ReportError::Read)?;
    if !found.runs.is_empty() {
        fs::write(&page, page::report(&found)).map_err(|error| ReportError::Write(page.clone(), error))?;
        let written = index::write(results).map_err(ReportError::Read)?;
        println!("The report: {}", page.display());
        println!("All reports: {}", written.index.display());
    }
    made.judged()
}

/// Runs all runs of some scenarios on one broker, shows and keeps them.
///
/// # Errors
/// What keeps runs from being made at all; what goes wrong within one is in its verdict.
pub(super) fn measure(names: &[String], broker: &BrokerArgs, stage: &StageArgs) -> Result<Made, CliError> {
    let mut scenarios = Vec::new();
    for name in names {
        scenarios.extend(catalog::find(name)?.scenarios);
    }
    let stop = signals::stop_flag()?;
    let system = match (&broker.bootstrap, &broker.system) {
        (Some(bootstrap), _) => System::Address(bootstrap.clone()),
        (None, Some(system)) => system.clone(),
        (None, None) => System::Partita,
    };
    let stage = stage.set_up(std::slice::from_ref(&system))?;
    let mut running = stage.start(&system)?;
    if let Some(first) = scenarios.first().filter(|_| system.is_jvm()) {
        stage.rehearse(&mut running, first, &stop)?;
    }
    let mut viewer = Viewer::start(broker.plain, stop.clone());
    let made = all(&stage, &mut running, &scenarios, broker.keep_topics, &mut viewer, &stop);
    viewer.end();
    made
}

fn all(
    stage: &Stage,
    running: &mut Running,
    scenarios: &[Scenario],
    keeps_topics: bool,
    viewer: &mut Viewer,
    stop: &Arc<AtomicBool>,
) -> Result<Made, CliError> {
    let runs = scenarios.len();
    let mut made = Made { folders: Vec::new(), runs, invalid: 0 };
    for (run, scenario) in (1..).zip(scenarios) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        viewer.begin(run, runs, &scenario.id);
        let mut files = stage.measure(running, scenario, (run, runs), keeps_topics, viewer, stop)?;
        let folder = stage.keep(&mut files, None)?;
        viewer.finished(&files.result, folder.as_deref());
        made.invalid += usize::from(files.result.validity.verdict > Verdict::Suspect);
        made.folders.extend(folder);
    }
    Ok(made)
}

impl Made {
    /// An error when runs are not to be used.
    pub(super) fn judged(&self) -> Result<(), CliError> {
        let (invalid, runs) = (self.invalid, self.runs);
        if invalid > 0 { Err(CliError::NotValid { invalid, runs }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_is_the_quick_suite_on_a_partita_of_its_own() {
        let args = SuiteArgs::default();
        assert_eq!(args.scenarios, ["quick"]);
        assert!(args.broker.bootstrap.is_none() && args.broker.system.is_none() && args.report.is_none());
        assert!(catalog::find(&args.scenarios[0]).is_ok());
    }
}
