//! `loadgen find-max`: the largest rate that is sustained, and the ladder up to it.

use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use loadgen::result::{Interval, RunResult};
use loadgen::scenario::{Scenario, catalog};
use loadgen::search::{self, Found, Limits};
use loadgen::systems::{Running, System};

use super::plain::Plain;
use super::stage::{Stage, StageArgs};
use super::{CliError, signals};

#[derive(Debug, Args)]
pub(super) struct FindMaxArgs {
    /// A scenario's id (`loadgen list`), a file, or a workload; its own rate is not used
    #[arg(default_value = "steady")]
    scenario: String,
    /// partita, kafka, kafka-flush, or the host:port of a running broker
    #[arg(long, default_value = "partita")]
    system: System,
    /// The largest p99 of the response latency, in ms
    #[arg(long, value_name = "MS", default_value_t = 100)]
    p99_ms: u64,
    /// Leave the ladder out
    #[arg(long)]
    no_ladder: bool,
    #[command(flatten)]
    stage: StageArgs,
}

/// Searches, climbs, and says what was found.
pub(super) fn run(args: &FindMaxArgs) -> Result<(), CliError> {
    let sweep = catalog::find(&args.scenario)?;
    let stop = signals::stop_flag()?;
    let stage = args.stage.set_up(std::slice::from_ref(&args.system))?;
    let mut running = stage.start(&args.system)?;
    let limits = Limits { p99_us: args.p99_ms.saturating_mul(1000) };
    for scenario in &sweep.scenarios {
        stage.rehearse(&mut running, scenario, &stop)?;
        let mut trial = |scenario: &Scenario| keep(&stage, &mut running, scenario, &stop);
        let found = search::find_max(scenario, &limits, &mut trial)?;
        println!("{}", told(scenario, &args.system, &found));
        let Some(rate) = found.rate.filter(|_| !args.no_ladder) else { continue };
        println!("records/s offered, acknowledged, response p50, p99 us");
        for rung in search::ladder(scenario, rate) {
            let (result, _) = trial(&rung)?;
            println!("{}", step(&result));
        }
    }
    Ok(())
}

/// One run, which is kept; one that is stopped ends the search.
fn keep(
    stage: &Stage,
    running: &mut Running,
    scenario: &Scenario,
    stop: &AtomicBool,
) -> Result<(RunResult, Vec<Interval>), CliError> {
    eprintln!("loadgen: {}", scenario.id);
    let mut files = stage.measure(running, scenario, (1, 1), false, &mut Plain::default(), stop)?;
    stage.keep(&mut files, None)?;
    if stop.load(Ordering::Relaxed) {
        return Err(CliError::Stopped);
    }
    Ok((files.result, files.series))
}

fn told(scenario: &Scenario, system: &System, found: &Found) -> String {
    let mut text =
        format!("{} on {system}: a closed loop gets through {:.0} records/s\n", scenario.id, found.saturated);
    for trial in found.trials.iter().filter(|trial| trial.rate.is_some()) {
        let reasons: Vec<String> = trial.failures.iter().map(ToString::to_string).collect();
        let verdict = if reasons.is_empty() { "sustained".to_owned() } else { reasons.join("; ") };
        text.push_str(&format!("  {:>9.0} records/s: {verdict}\n", trial.rate.unwrap_or_default()));
    }
    text.push_str(&match found.rate {
        Some(rate) => {
            let bytes = rate * f64::from(scenario.producers.record_bytes) / 1e6;
            format!("sustained: {rate:.0} records/s, {bytes:.1} MB/s")
        }
        None => "no rate that was tried is sustained".to_owned(),
    });
    if found.is_clients_ceiling {
        text.push_str("\nThat is the load generator's ceiling on its processors: the broker may sustain more.");
    }
    text
}

fn step(result: &RunResult) -> String {
    let [p50, p99] = match &result.latency.response {
        Some(latency) => [latency.p50_us.to_string(), latency.p99_us.to_string()],
        None => ["-".to_owned(), "-".to_owned()],
    };
    let Some(rate) = result.scenario.producers.rate.per_second() else { return String::new() };
    format!("{rate:>12.0} {:>12.0} {p50:>9} {p99:>9}", result.throughput.acked_per_s)
}
