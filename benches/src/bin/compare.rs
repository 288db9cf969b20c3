//! Runs paired rounds and keeps them in `results/`; prints kept comparisons; makes the index.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use benches::compare::{self, Environment, Peer, Servers, Settings, catalog};
use benches::results;
use clap::{Args, Parser, Subcommand};
use loadgen::resources::affinity::CpuList;

/// Compares brokers in pairs: one core for the broker, another for the driver, order randomised, each run on an idle machine.
#[derive(Parser)]
struct Arguments {
    /// Where results are kept.
    #[arg(long, global = true, default_value = "results")]
    results: PathBuf,
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the comparisons.
    List,
    /// Run comparisons by name.
    Run(Box<Run>),
    /// Print a kept comparison again.
    Report {
        /// As printed by `run`.
        id: String,
    },
    /// Make index.ndjson again.
    Index,
}

#[derive(Args)]
struct Run {
    /// Which; `list` names them.
    #[arg(required = true)]
    names: Vec<String>,
    /// The broker's binary.
    #[arg(long, default_value = "target/release/partita")]
    partita: PathBuf,
    /// Setting of Partita, KEY=VALUE.
    #[arg(long = "set")]
    partita_settings: Vec<String>,
    /// The floor's binary.
    #[arg(long, default_value = "target/release/floor")]
    floor: PathBuf,
    /// A running Kafka, pinned to the brokers' processor: its address and process id.
    #[arg(long, value_name = "ADDRESS,PID")]
    kafka: Option<Peer>,
    /// The version of that Kafka.
    #[arg(long, default_value = "4.3.1")]
    kafka_version: String,
    /// MiB of page cache to touch before Kafka is measured.
    #[arg(long, default_value_t = 4096)]
    page_cache_mib: u64,
    /// Folder on the disk to be measured.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    data: PathBuf,
    /// Pairs of each comparison.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
    /// Seconds before each window.
    #[arg(long, default_value_t = 3.0)]
    warm_up: f64,
    /// Seconds of each window.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// MB/s (10^6 bytes) of the open loop.
    #[arg(long, default_value_t = 50.0)]
    rate: f64,
    /// Seconds to wait for an idle machine before each run.
    #[arg(long, default_value_t = 600)]
    idle_within: u64,
    /// The brokers' processor.
    #[arg(long, default_value_t = 0)]
    server_cpu: usize,
    /// The driver's processor.
    #[arg(long, default_value_t = 1)]
    client_cpu: usize,
    /// Name of this machine in results/.
    #[arg(long)]
    machine: Option<String>,
    /// Decides the order within pairs.
    #[arg(long, default_value_t = rand::random())]
    seed: u64,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    match arguments.command {
        Action::List => {
            for trial in catalog::all(1.0) {
                println!("{:18} {}", trial.name, trial.about);
            }
        }
        Action::Run(run) => execute(&arguments.results, *run)?,
        Action::Report { id } => compare::print_report(&arguments.results, &id)?,
        Action::Index => {
            std::fs::write(arguments.results.join(results::INDEX), results::index(&arguments.results)?)?;
        }
    }
    Ok(())
}

fn execute(results: &std::path::Path, run: Run) -> Result<(), Box<dyn Error>> {
    let trials = catalog::all(run.rate * 1e6);
    let chosen = run
        .names
        .iter()
        .map(|name| trials.iter().find(|trial| trial.name == name).ok_or(format!("no comparison {name}; see list")))
        .collect::<Result<Vec<_>, _>>()?;
    let environment = Environment::read(run.machine, std::env::args().collect())?;
    let settings = Settings {
        results: results.to_owned(),
        pairs: run.pairs,
        warm_up: Duration::try_from_secs_f64(run.warm_up)?,
        window: Duration::try_from_secs_f64(run.seconds)?,
        idle_within: Duration::from_secs(run.idle_within),
        seed: run.seed,
    };
    let servers = Servers {
        partita: run.partita,
        floor: run.floor,
        kafka: run.kafka,
        kafka_version: run.kafka_version,
        revision: loadgen::systems::revision(),
        data: run.data,
        cpu: run.server_cpu,
        partita_settings: run.partita_settings,
    };
    eprintln!("seed {}", settings.seed);
    CpuList::new(vec![run.client_cpu]).ok_or("--client-cpu: no such processor")?.pin_this_thread()?;
    if servers.kafka.is_some() {
        loadgen::systems::warm_page_cache(&servers.data, run.page_cache_mib << 20)?;
    }
    let _asleep = servers.quiet_peer()?;
    for trial in chosen {
        eprintln!("{}: {}", trial.name, trial.about);
        let id = compare::run(&settings, &servers, &environment, trial)?;
        compare::print_report(results, &id)?;
    }
    Ok(())
}
