//! Paired rounds: two sides under equal loads, one right after the other, in random order, each on an idle machine.
//!
//! The broker has one core and the driver another. What is claimed is the geometric mean of the pairs' ratios with its
//! interval; every run is kept, also the suspect ones, with the reason.

pub mod catalog;
mod machine;
mod report;
pub(crate) mod server;

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use loadgen::resources::idle::wait_until_idle;
use loadgen::result::Comparison;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use self::catalog::{Side, System, Trial};
pub use self::machine::Environment;
pub use self::report::{by_id, print as print_report};
pub use self::server::{Peer, ServerError, Servers};
use crate::admin::{self, AdminError};
use crate::driver::{self, DriveError, Load, Outcome};
use crate::measurement::Measurement;
use crate::results::{self, RunResult, SCHEMA, Surroundings};

/// A JVM's first half minute costs twice the CPU.
pub(crate) const JVM_WARM_UP: Duration = Duration::from_secs(20);

/// What holds for every comparison of one call.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder `results/`.
    pub results: PathBuf,
    /// Pairs of a comparison.
    pub pairs: u32,
    /// Before each window.
    pub warm_up: Duration,
    /// Each window.
    pub window: Duration,
    /// How long to wait for an idle machine; a run that starts without one is suspect.
    pub idle_within: Duration,
    /// Decides the order within pairs.
    pub seed: u64,
}

/// Why a comparison ended.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A broker did not start, or is not set up as it must be.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A topic was not created or deleted.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// A run failed.
    #[error("{0} under load: {1}")]
    Drive(&'static str, DriveError),
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs all pairs of `trial`, keeps every run, and prints and keeps the ratios. Returns the comparison's id.
///
/// # Errors
/// When a side fails: a broken pair is no comparison. The runs until then are kept.
pub fn run(
    settings: &Settings,
    servers: &Servers,
    environment: &Environment,
    trial: &Trial,
) -> Result<String, CompareError> {
    let id = format!("{}-{}", now(), trial.name);
    let mut random = SmallRng::seed_from_u64(settings.seed);
    for side in trial.sides().into_iter().filter(|side| side.system == System::Kafka) {
        let warming = Settings { window: JVM_WARM_UP, ..settings.clone() };
        round(&warming, servers, side)?;
    }
    for pair in 1..=settings.pairs {
        let a_first: bool = random.random();
        let order = if a_first { [("a", &trial.a), ("b", &trial.b)] } else { [("b", &trial.b), ("a", &trial.a)] };
        for (position, (name, side)) in (1..).zip(order) {
            let comparison = Comparison { id: id.clone(), pair, side: name.to_owned(), position };
            measure(settings, servers, environment, trial, side, comparison)?;
        }
    }
    results::keep_report(&settings.results, &id, &by_id(&settings.results, &id)?)?;
    Ok(id)
}

/// One side of one pair: gate, load, keep.
fn measure(
    settings: &Settings,
    servers: &Servers,
    environment: &Environment,
    trial: &Trial,
    side: &Side,
    comparison: Comparison,
) -> Result<(), CompareError> {
    let busy = wait_until_idle(settings.idle_within)?;
    let started = now();
    let Round { load, outcome, broker } = round(settings, servers, side)?;
    let mut measurement = Measurement::new(&load, &outcome);
    if let Some(share) = busy {
        measurement.validity.suspect(format!("the machine was {:.0} % busy before the run", share * 100.0));
    }
    let (version, revision) = servers.version(side.system);
    let surroundings = Surroundings { environment: environment.json(), scenario: side.scenario_toml(settings), broker };
    let result = RunResult {
        schema: SCHEMA,
        system: side.system.name().to_owned(),
        version,
        revision,
        durability: side.durability,
        scenario: trial.name.to_owned(),
        scenario_hash: surroundings.hash(),
        started,
        comparison,
        measurement,
    };
    report::print_run(&result);
    let folder = results::folder(&settings.results, &environment.machine, &result);
    Ok(results::write(&folder, &result, &surroundings, &outcome)?)
}

struct Round {
    load: Load,
    outcome: Outcome,
    /// The broker's command and settings.
    broker: String,
}

/// Starts (or wakes) the side's broker, makes the topic, loads it, and cleans up.
fn round(settings: &Settings, servers: &Servers, side: &Side) -> Result<Round, CompareError> {
    let server = servers.start(side.system)?;
    let topic = format!("bench-{}", now());
    if side.system.has_topics() {
        admin::create_topic(server.address(), &topic, side.partitions as i32, &side.topic_settings())?;
    }
    let load = side.load(settings, server.address(), server.pid(), topic);
    let outcome = driver::run(&load).map_err(|error| CompareError::Drive(side.system.name(), error))?;
    if side.system.has_topics() {
        admin::delete_topic(server.address(), &load.topic)?;
    }
    let broker = format!("{}\ntopic settings: {:?}\n", server.command(), side.topic_settings());
    server.stop()?;
    // What one run left dirty must not be written during the next.
    // SAFETY: sync has no preconditions.
    unsafe { libc::sync() };
    Ok(Round { load, outcome, broker })
}

pub(crate) fn now() -> String {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    results::timestamp(elapsed.as_secs() as i64)
}
