//! `sim`: runs seeds, and says how to run a failing one again.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use probe::{Mark, Mutation};
use sim::coverage::{Coverage, Reached};
use sim::cuts::{Cuts, Part};
use sim::faults::{Effect, Effects};

mod mutations;
mod shrink;

/// So many seeds have to reach everything that groups can go through …
const SEEDS_FOR_COVERAGE: u64 = 200;
/// … and so many every rare path.
const SEEDS_FOR_MARKS: u64 = 2_000;

/// Runs whole brokers in a simulated world.
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Arguments {
    /// One seed.
    #[arg(long, conflicts_with_all = ["seeds", "random"])]
    seed: Option<u64>,
    /// All seeds from A up to but without B, written A..B.
    #[arg(long, value_parser = parse_range, conflicts_with = "random")]
    seeds: Option<(u64, u64)>,
    /// So many seeds of the clock's choice.
    #[arg(long)]
    random: Option<u64>,
    /// Prints every event, one a line, and the broker's own log.
    #[arg(long)]
    trace: bool,
    /// Writes what clients saw into a file, as EDN for Jepsen's checker of Kafka histories.
    #[arg(long, value_name = "FILE", requires = "seed")]
    edn: Option<PathBuf>,
    /// Plants each bug that can be planted and runs seeds until one shows it.
    #[arg(long, conflicts_with_all = ["seed", "random"])]
    mutations: bool,
    /// Plants one bug, by name, and runs seeds until one shows it.
    #[arg(long, value_name = "BUG", value_parser = mutations::parse, conflicts_with_all = ["mutations", "random"])]
    mutation: Option<Mutation>,
    /// Adds what fixed seeds are not drawn with: stalls, unreadable sectors, compacted topics, new settings.
    #[arg(long)]
    storm: bool,
    /// Takes out of a failing seed whatever it fails without.
    #[arg(long, requires = "seed")]
    shrink: bool,
    /// Leaves parts of the seed's scenario out, as --shrink names them.
    #[arg(long, value_name = "PARTS", value_delimiter = ',', requires = "seed")]
    without: Vec<Part>,
    /// Of each producer only so many batches.
    #[arg(long, value_name = "COUNT", requires = "seed")]
    batches: Option<u32>,
    /// Goes on after a failing seed.
    #[arg(long)]
    keep_going: bool,
}

fn parse_range(text: &str) -> Result<(u64, u64), String> {
    let (from, to) = text.split_once("..").ok_or("expected A..B")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
    match (number(from)?, number(to)?) {
        (from, to) if from < to => Ok((from, to)),
        _ => Err("the range is empty".into()),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.trace {
        tracing_subscriber::fmt().without_time().with_target(false).init();
    }
    if arguments.mutations {
        return mutations::run_all(arguments.seeds.unwrap_or(mutations::SEEDS));
    }
    if let (Some(mutation), None) = (arguments.mutation, arguments.seed) {
        return mutations::run_one(mutation, arguments.seeds.unwrap_or(mutations::SEEDS));
    }
    probe::plant(arguments.mutation);
    if let (Some(seed), true) = (arguments.seed, arguments.shrink) {
        return shrink::shrink(seed, cuts_of(&arguments));
    }
    let seeds: Box<dyn Iterator<Item = u64>> = match (arguments.seed, arguments.seeds, arguments.random) {
        (Some(seed), ..) => Box::new(std::iter::once(seed)),
        (_, Some((from, to)), _) => Box::new(from..to),
        (.., count) => {
            // The only clock that is ever read: it chooses the seeds, which then decide everything.
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros() as u64);
            println!("random seeds from {now}");
            Box::new(now..now + count.unwrap_or(1))
        }
    };
    run_all(seeds, &arguments)
}

#[derive(Default)]
struct Totals {
    seeds: u64,
    failed: Vec<u64>,
    acked: usize,
    read: usize,
    effects: Effects,
    coverage: Coverage,
    marks: BTreeMap<Mark, u64>,
}

fn cuts_of(arguments: &Arguments) -> Cuts {
    let Arguments { without, batches, storm, .. } = arguments;
    Cuts { without: without.iter().copied().collect(), batches_max: *batches, storm: *storm }
}

fn run_all(seeds: impl Iterator<Item = u64>, arguments: &Arguments) -> ExitCode {
    let mut totals = Totals::default();
    let cuts = cuts_of(arguments);
    for seed in seeds {
        totals.seeds += 1;
        let failures = match catch_unwind(AssertUnwindSafe(|| sim::run_cut(seed, &cuts, arguments.trace))) {
            Ok(outcome) => {
                totals.acked += outcome.acked;
                totals.read += outcome.read;
                for (effect, times) in &outcome.effects {
                    *totals.effects.entry(*effect).or_insert(0) += times;
                }
                for (reached, times) in &outcome.coverage {
                    *totals.coverage.entry(*reached).or_insert(0) += times;
                }
                for (mark, times) in &outcome.marks {
                    *totals.marks.entry(*mark).or_insert(0) += times;
                }
                if arguments.seed.is_some() {
                    println!("seed {seed}: {} events, hash {:016x}", outcome.events, outcome.hash);
                }
                let mut failures = outcome.failures();
                if let Some(path) = &arguments.edn {
                    failures.extend(write_edn(&outcome, path).err());
                }
                failures
            }
            Err(_) => vec!["it panicked".to_owned()],
        };
        if !failures.is_empty() {
            totals.failed.push(seed);
            report(seed, &cuts, &failures);
            if !arguments.keep_going {
                break;
            }
        }
    }
    summarize(&totals, arguments.storm)
}

fn write_edn(outcome: &sim::Outcome, path: &Path) -> Result<(), String> {
    let mut text = String::new();
    checkers::edn::export(&outcome.history, &mut text).expect("a string takes everything");
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn report(seed: u64, cuts: &Cuts, failures: &[String]) {
    println!("seed {seed} FAILED");
    for failure in failures.iter().take(10) {
        println!("  {failure}");
    }
    println!("  again: cargo run --release -p sim -- --seed {seed}{cuts} --trace (or --shrink)");
}

fn summarize(totals: &Totals, storm: bool) -> ExitCode {
    let Totals { seeds, failed, acked, read, effects, coverage, marks } = totals;
    println!("{seeds} seeds, {} failed: {acked} values acknowledged, {read} read at the end", failed.len());
    let text: Vec<String> = Effect::ALL
        .iter()
        .chain(Effect::STORM)
        .map(|effect| format!("{effect:?} {}", effects.get(effect).unwrap_or(&0)))
        .collect();
    println!("faults that took effect: {}", text.join(", "));
    let text: Vec<String> =
        Reached::ALL.iter().map(|reached| format!("{reached:?} {}", coverage.get(reached).unwrap_or(&0))).collect();
    println!("groups went through: {}", text.join(", "));
    let missing: Vec<_> = Reached::ALL.iter().filter(|reached| !coverage.contains_key(reached)).collect();
    if *seeds >= SEEDS_FOR_COVERAGE && !missing.is_empty() {
        println!("no group went through {missing:?}: {seeds} seeds without that prove nothing about it");
        return ExitCode::FAILURE;
    }
    if probe::ON {
        let text: Vec<String> =
            Mark::ALL.iter().map(|mark| format!("{mark:?} {}", marks.get(mark).unwrap_or(&0))).collect();
        println!("rare paths: {}", text.join(", "));
        let missing: Vec<_> = Mark::ALL.iter().filter(|mark| !marks.contains_key(mark)).collect();
        if storm && *seeds >= SEEDS_FOR_MARKS && !missing.is_empty() {
            println!("nothing came to {missing:?}: {seeds} seeds without that prove nothing about it");
            return ExitCode::FAILURE;
        }
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
