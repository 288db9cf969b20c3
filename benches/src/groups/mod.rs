//! What groups cost and how fast they recover, in pairs of brokers as [`crate::compare`] does it.
//!
//! One thread is all members of all groups: [`member`](self) requests go out over non-blocking connections, each answer moves a small state
//! machine on. The broker cannot tell them from clients of their own.

mod catalog;
mod classic;
mod commits;
mod connection;
mod consumer;
mod figures;
mod fleet;
mod heartbeats;
mod member;
mod reader;
mod report;
mod step_up;

use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;
use loadgen::resources::idle::wait_until_idle;
use loadgen::result::Comparison;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use wire::ErrorCode;

pub use self::catalog::{Scale, Scenario, Trial, all};
pub use self::figures::{GroupLoad, GroupMeasurement, GroupResources, NamedLatency};
pub use self::report::by_id;
use crate::admin::{self, AdminError, Resource};
use crate::compare::catalog::System;
use crate::compare::server::Server;
use crate::compare::{Environment, JVM_WARM_UP, ServerError, Servers, Settings, now};
use crate::results::{self, Durability, GROUP_SCHEMA, RunResult, Surroundings};

/// Why a run has no result.
#[derive(Debug, thiserror::Error)]
pub enum GroupsError {
    /// A socket or a file failed, or the broker closed a connection.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The broker's answer could not be read.
    #[error("the broker's answer is malformed: {0}")]
    Malformed(&'static str),
    /// The broker answered an error that no client gets over.
    #[error("{what}: the broker answered error code {code}")]
    Refused {
        /// To what.
        what: &'static str,
        /// Kafka's error code.
        code: i16,
    },
    /// Groups did not come about.
    #[error("{formed} of {of} groups have formed within {within:?}")]
    NotFormed {
        /// How many have.
        formed: usize,
        /// How many there are to be.
        of: usize,
        /// How long they had.
        within: Duration,
    },
    /// A broker did not start, or is not set up as it must be.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A topic or a setting was refused.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

/// The error of an answer; one that this build does not know is one that no client gets over.
fn verdict(code: i16) -> ErrorCode {
    ErrorCode::from_code(code).unwrap_or(ErrorCode::UnknownServerError)
}

/// The topic of offsets.
const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Loads a peer once without measuring, so that its compiler is done with what follows.
///
/// # Errors
/// When the peer fails.
pub fn warm_up(settings: &Settings, servers: &Servers) -> Result<(), GroupsError> {
    let trial = catalog::warm_up();
    let settings = Settings { window: JVM_WARM_UP, ..settings.clone() };
    round(&settings, servers, &trial, System::Kafka, Durability::PageCacheOnly, settings.seed).map(drop)
}

/// Runs all pairs of `trial`, keeps every run, and keeps the ratios. Returns the comparison's id.
///
/// # Errors
/// When a side fails: a broken pair is no comparison. The runs until then are kept.
pub fn run(
    settings: &Settings,
    servers: &Servers,
    environment: &Environment,
    trial: &Trial,
) -> Result<String, GroupsError> {
    let id = format!("{}-{}", now(), trial.name);
    let mut random = SmallRng::seed_from_u64(settings.seed);
    for pair in 1..=settings.pairs {
        let a = ("a", System::Partita, Durability::FlushedBeforeAck);
        let b = ("b", System::Kafka, trial.kafka_durability);
        let order = if random.random() { [a, b] } else { [b, a] };
        for (position, (side, system, durability)) in (1..).zip(order) {
            let comparison = Comparison { id: id.clone(), pair, side: side.to_owned(), position };
            measure(settings, servers, environment, trial, system, durability, comparison, random.random())?;
        }
    }
    results::keep_report(&settings.results, &id, &by_id(&settings.results, &id)?)?;
    Ok(id)
}

/// One side of one pair: gate, load, keep.
#[expect(clippy::too_many_arguments, reason = "each says another thing about the one run")]
fn measure(
    settings: &Settings,
    servers: &Servers,
    environment: &Environment,
    trial: &Trial,
    system: System,
    durability: Durability,
    comparison: Comparison,
    seed: u64,
) -> Result<(), GroupsError> {
    let busy = wait_until_idle(settings.idle_within)?;
    let started = now();
    let Round { mut measurement, histograms, scenario, broker } =
        round(settings, servers, trial, system, durability, seed)?;
    if let Some(share) = busy {
        measurement.validity.suspect(format!("the machine was {:.0} % busy before the run", share * 100.0));
    }
    let (version, revision) = servers.version(system);
    let surroundings = Surroundings { environment: environment.json(), scenario, broker };
    let window = Duration::from_secs_f64(measurement.load.window_seconds);
    let result = RunResult {
        schema: GROUP_SCHEMA,
        system: system.name().to_owned(),
        version,
        revision,
        durability,
        scenario: trial.name.to_owned(),
        scenario_hash: surroundings.hash(),
        started,
        comparison,
        measurement,
    };
    report::print_run(&result);
    let folder = results::folder(&settings.results, &environment.machine, &result);
    let named: Vec<_> = histograms.iter().map(|(name, histogram)| (*name, histogram)).collect();
    Ok(results::write_run(&folder, &result, &surroundings, &named, window)?)
}

struct Round {
    measurement: GroupMeasurement,
    histograms: Vec<(&'static str, Histogram<u64>)>,
    scenario: String,
    /// The broker's command and settings.
    broker: String,
}

/// Starts (or wakes) the broker, loads it, and ends it (or puts it back to sleep), whatever came of the load.
fn round(
    settings: &Settings,
    servers: &Servers,
    trial: &Trial,
    system: System,
    durability: Durability,
    seed: u64,
) -> Result<Round, GroupsError> {
    let mut servers = servers.clone();
    servers.partita_settings.extend(trial.partita_settings());
    let server = servers.start(system)?;
    let scenario = trial.scenario(format!("groups-{}", now()), settings.window, settings.warm_up);
    let mut random = SmallRng::seed_from_u64(seed);
    let loaded = prepare(&server, system, &scenario, durability)
        .map_err(GroupsError::from)
        .and_then(|told| Ok((told, load(&server, &scenario, &mut random)?)))
        .and_then(|loaded| Ok(clean_up(&server, system, &scenario, durability).map(|()| loaded)?));
    let command = server.command();
    server.stop()?;
    // What one run left dirty must not be written during the next.
    // SAFETY: sync has no preconditions.
    unsafe { libc::sync() };
    let (told, (measurement, histograms)) = loaded?;
    let broker = format!("{command}\nsettings made meanwhile: {told:?}\n");
    Ok(Round { measurement, histograms, scenario: scenario.toml(), broker })
}

type Loaded = (GroupMeasurement, Vec<(&'static str, Histogram<u64>)>);

fn load(server: &Server, scenario: &Scenario, random: &mut SmallRng) -> Result<Loaded, GroupsError> {
    let (address, pid) = (server.address(), server.pid());
    let both = |tally: figures::Tally| vec![("response", tally.response), ("service", tally.service)];
    Ok(match scenario {
        Scenario::Heartbeats(load) => {
            let (measurement, tally) = load.run(address, pid, random)?;
            (measurement, both(tally))
        }
        Scenario::Commits(load) => {
            let (measurement, tally) = load.run(address, pid)?;
            (measurement, both(tally))
        }
        Scenario::StepUp(load) => {
            let (measurement, times) = load.run(address, pid, random)?;
            (measurement, vec![("step-up", times)])
        }
    })
}

/// Creates the topic and says what the load needs; returns what the broker was told.
fn prepare(
    server: &Server,
    system: System,
    scenario: &Scenario,
    durability: Durability,
) -> Result<Vec<String>, AdminError> {
    let address = server.address();
    admin::create_topic(address, scenario.topic(), scenario.partitions(), &[])?;
    admin::await_coordinator(address, scenario.topic())?;
    let mut told = Vec::new();
    if system == System::Kafka && durability == Durability::FlushedBeforeAck {
        admin::alter_config(address, (Resource::Topic, OFFSETS_TOPIC), "flush.messages", Some("1"))?;
        told.push(format!("{OFFSETS_TOPIC}: flush.messages=1"));
    }
    if let Scenario::StepUp(load) = scenario {
        let timeout = load.session_timeout.as_millis().to_string();
        for group in load.consumer_groups() {
            admin::alter_config(address, (Resource::Group, &group), "consumer.session.timeout.ms", Some(&timeout))?;
        }
        told.push(format!("groups of the consumer protocol: consumer.session.timeout.ms={timeout}"));
    }
    Ok(told)
}

fn clean_up(server: &Server, system: System, scenario: &Scenario, durability: Durability) -> Result<(), AdminError> {
    if system == System::Kafka && durability == Durability::FlushedBeforeAck {
        admin::alter_config(server.address(), (Resource::Topic, OFFSETS_TOPIC), "flush.messages", None)?;
    }
    admin::delete_topic(server.address(), scenario.topic())
}

#[cfg(test)]
mod tests;
