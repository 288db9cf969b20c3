//! `loadgen compare`: systems side by side, and the ratios that they make.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use clap::Args;
use loadgen::compare::{self, SYSTEMS_MAX, report};
use loadgen::result::{RunResult, Verdict, timestamp};
use loadgen::scenario::{Scenario, catalog};
use loadgen::systems::{Running, System};

use super::plain::Plain;
use super::stage::{Stage, StageArgs};
use super::{CliError, signals};

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// partita, kafka, kafka-flush, or the host:port of a running broker; the first is compared with each of the others
    #[arg(required = true, num_args = 2..=SYSTEMS_MAX, value_name = "SYSTEM")]
    systems: Vec<System>,
    /// What is run on them, each run of it a comparison: scenarios by id, files, or workloads
    #[arg(long, value_name = "SCENARIO", value_delimiter = ',', default_values_t = ["ceiling".to_owned(), "steady".to_owned()])]
    scenario: Vec<String>,
    /// Pairs of each comparison; 6 are the least for a claim
    #[arg(long, default_value_t = report::PAIRS_MIN as u32, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pairs: u32,
    /// Decides who runs first [default: the time]
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    stage: StageArgs,
}

/// Runs all pairs, keeps every run, and prints and keeps the ratios.
pub(super) fn run(args: &CompareArgs) -> Result<(), CliError> {
    let mut scenarios = Vec::new();
    for name in &args.scenario {
        scenarios.extend(catalog::find(name)?.scenarios);
    }
    let stop = signals::stop_flag()?;
    let stage = args.stage.set_up(&args.systems)?;
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seed = args.seed.unwrap_or(since_epoch.as_nanos() as u64);
    eprintln!("loadgen: seed {seed}");
    let mut running = Vec::new();
    for system in &args.systems {
        let mut one = stage.start(system)?;
        if let Some(first) = scenarios.first() {
            stage.rehearse(&mut one, first, &stop)?;
        }
        one.freeze().map_err(CliError::Machine)?;
        running.push(one);
    }
    let mut doubtful = (0, 0);
    for scenario in &scenarios {
        let results = pairs(args, &stage, &mut running, scenario, seed, &stop)?;
        doubtful.0 += results.iter().filter(|result| result.validity.verdict > Verdict::Suspect).count();
        doubtful.1 += results.len();
        for ratios in report::all(&results) {
            let text = ratios.render();
            println!("{text}");
            let folder = args.stage.results.join("reports");
            let write = || {
                fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(format!("{}.txt", ratios.id)), text))
            };
            write().map_err(|error| CliError::Output { folder: folder.clone(), error })?;
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    match doubtful {
        (0, _) => Ok(()),
        (invalid, runs) => Err(CliError::NotValid { invalid, runs }),
    }
}

/// All pairs of one scenario.
fn pairs(
    args: &CompareArgs,
    stage: &Stage,
    running: &mut [Running],
    scenario: &Scenario,
    seed: u64,
    stop: &AtomicBool,
) -> Result<Vec<RunResult>, CliError> {
    let names: Vec<&str> = args.systems.iter().map(System::name).collect();
    let id = format!("{}-{}", timestamp(SystemTime::now()), scenario.id);
    let turns = compare::schedule(&id, &names, args.pairs, seed);
    let mut results = Vec::new();
    for (index, turn) in turns.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let place = &turn.place;
        let broker = &mut running[turn.system];
        eprintln!(
            "loadgen: {} of {}: {} with {}, pair {}{}",
            index + 1,
            turns.len(),
            scenario.id,
            broker.system(),
            place.pair,
            place.side
        );
        broker.thaw().map_err(CliError::Machine)?;
        let measured = stage.measure(broker, scenario, (index + 1, turns.len()), false, &mut Plain::default(), stop);
        broker.freeze().map_err(CliError::Machine)?;
        let mut files = measured?;
        stage.keep(&mut files, Some(place.clone()))?;
        eprintln!("{}", line(&files.result));
        results.push(files.result);
    }
    Ok(results)
}

fn line(result: &RunResult) -> String {
    let cpu = result.resources.server_cpu_s_per_gb.map_or("-".to_owned(), |cpu| format!("{cpu:.3}"));
    let p99 = result.latency.response.as_ref().map_or("-".to_owned(), |latency| latency.p99_us.to_string());
    format!(
        "  {:11} {:8.1} MB/s, {cpu} CPU-s/GB, response p99 {p99} us, {:?} {}",
        result.system.name,
        result.throughput.acked_mb_per_s,
        result.validity.verdict,
        result.validity.reasons.join("; ")
    )
}
