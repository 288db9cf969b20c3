//! Runs the comparisons with groups and keeps them in `results/`; prints kept ones.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use benches::compare::{Environment, Peer, Servers, Settings};
use benches::groups::{self, Scale};
use clap::{Args, Parser, Subcommand};
use loadgen::resources::affinity::CpuList;

/// Compares what groups cost and how fast they recover, in pairs: one core for the broker, another for the members.
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
    /// A running Kafka, pinned to the brokers' processor: its address and process id.
    #[arg(long, value_name = "ADDRESS,PID")]
    kafka: Peer,
    /// The version of that Kafka.
    #[arg(long, default_value = "4.3.1")]
    kafka_version: String,
    /// Folder on the disk to be measured.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    data: PathBuf,
    /// Pairs of each comparison.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
    /// Seconds before each window; more than two heartbeats, so that all members are in step.
    #[arg(long, default_value_t = 8.0)]
    warm_up: f64,
    /// Seconds of each window.
    #[arg(long, default_value_t = 15.0)]
    seconds: f64,
    /// Seconds to wait for an idle machine before each run.
    #[arg(long, default_value_t = 20)]
    idle_within: u64,
    /// Leave out the load that warms Kafka up; for tries.
    #[arg(long)]
    cold: bool,
    /// Another number of groups that send heartbeats; for tries.
    #[arg(long, default_value_t = Scale::default().groups)]
    groups: usize,
    /// Another number of commits a second; for tries.
    #[arg(long, default_value_t = Scale::default().commits_per_second)]
    commits: f64,
    /// Another number of groups of each protocol and way to lose a member; for tries.
    #[arg(long, default_value_t = Scale::default().losses)]
    losses: usize,
    /// The brokers' processor.
    #[arg(long, default_value_t = 0)]
    server_cpu: usize,
    /// The members' processor.
    #[arg(long, default_value_t = 1)]
    client_cpu: usize,
    /// Name of this machine in results/.
    #[arg(long)]
    machine: Option<String>,
    /// Decides the order within pairs and the moments of losses.
    #[arg(long, default_value_t = rand::random())]
    seed: u64,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("groups: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    match arguments.command {
        Action::List => {
            for trial in groups::all(Scale::default()) {
                println!("{:20} {}", trial.name, trial.about);
            }
            Ok(())
        }
        Action::Run(run) => execute(&arguments.results, *run),
        Action::Report { id } => {
            print!("{}", groups::by_id(&arguments.results, &id)?);
            Ok(())
        }
    }
}

fn execute(results: &std::path::Path, run: Run) -> Result<(), Box<dyn Error>> {
    let scale = Scale { groups: run.groups, commits_per_second: run.commits, losses: run.losses, ..Scale::default() };
    let trials = groups::all(scale);
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
        floor: PathBuf::new(),
        kafka: Some(run.kafka),
        kafka_version: run.kafka_version,
        revision: loadgen::systems::revision(),
        data: run.data,
        cpu: run.server_cpu,
        partita_settings: run.partita_settings,
    };
    eprintln!("seed {}", settings.seed);
    CpuList::new(vec![run.client_cpu]).ok_or("--client-cpu: no such processor")?.pin_this_thread()?;
    let _asleep = servers.quiet_peer()?;
    if !run.cold {
        groups::warm_up(&settings, &servers)?;
    }
    let mut failed = Vec::new();
    for trial in chosen {
        eprintln!("{}: {}", trial.name, trial.about);
        // One that fails is not to cost those after it.
        match groups::run(&settings, &servers, &environment, trial) {
            Ok(id) => print!("{}", groups::by_id(results, &id)?),
            Err(error) => {
                eprintln!("{}: {error}", trial.name);
                failed.push(trial.name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}
