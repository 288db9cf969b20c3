//! What the commands that measure have in common: where, on which processors, which broker, and what is kept.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use loadgen::resources::affinity::CpuList;
use loadgen::resources::environment::Environment;
use loadgen::result::folder::RunFiles;
use loadgen::run::{self, Observer};
use loadgen::scenario::Scenario;
use loadgen::session::Session;
use loadgen::systems::{self, Running, System};

use super::CliError;

/// A JVM's first half minute costs twice the processor time, so a rehearsal lasts so long, in seconds; that of others only fills caches.
const REHEARSAL_JVM_S: f64 = 20.0;
const REHEARSAL_S: f64 = 3.0;

#[derive(Debug, Args)]
pub(super) struct StageArgs {
    /// Where results are kept
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    pub(super) results: PathBuf,
    /// Names this machine in the results [default: its processors]
    #[arg(long, value_name = "NAME")]
    machine: Option<String>,
    /// Folder on the disk to be measured, for brokers that are started here [default: /var/tmp]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Processors of brokers that are started here, as 0 or 0-3 [default: the first half]
    #[arg(long, value_name = "LIST")]
    server_cpus: Option<CpuList>,
    /// Processors of the load generator [default: the second half, beside a broker that is started here]
    #[arg(long, value_name = "LIST")]
    client_cpus: Option<CpuList>,
    /// Partita's binary [default: the one beside this one, built when it is missing or older than its sources]
    #[arg(long, value_name = "FILE")]
    partita: Option<PathBuf>,
    /// Setting of brokers that are started here, several times if need be
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// Seconds to wait for an idle machine before each run; a run that starts without one is suspect
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    idle_within: u64,
    /// MiB of page cache to touch before a broker that relies on it is started; 0: none
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    page_cache_mib: u64,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Ready to measure.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) session: Session,
    options: systems::Options,
    command: String,
}

impl StageArgs {
    /// Pins this thread, and what it starts, to the client's processors.
    ///
    /// # Errors
    /// A processor that is not there, or a folder.
    pub(super) fn set_up(&self, systems: &[System]) -> Result<Stage, CliError> {
        let starts = systems.iter().any(|system| !matches!(system, System::Address(_)));
        let allowed = CpuList::allowed().map_err(CliError::Machine)?;
        let halves = starts.then(|| allowed.split());
        let server_cpus = self.server_cpus.clone().or_else(|| halves.as_ref().map(|halves| halves.0.clone()));
        let client_cpus = self.client_cpus.clone().or_else(|| halves.as_ref().map(|halves| halves.1.clone()));
        if let Some(cpus) = &client_cpus {
            cpus.pin_this_thread().map_err(|error| CliError::Pin { cpus: cpus.clone(), error })?;
        }
        let mut options = systems::Options {
            cpus: server_cpus.clone().filter(|_| starts),
            partita: self.partita.clone(),
            settings: self.settings.clone(),
            page_cache_bytes: self.page_cache_mib << 20,
            ..systems::Options::new()
        };
        if let Some(data) = &self.data {
            options.data.clone_from(data);
        }
        let words: Vec<String> = std::env::args().collect();
        let data = starts.then_some(options.data.as_path());
        let environment = Environment::read(self.machine.as_deref(), &words, options.cpus.as_ref(), data)
            .map_err(|error| CliError::Data { folder: options.data.clone(), error })?;
        let command = environment.command.join(" ");
        let session = Session {
            results: Some(self.results.clone()),
            environment,
            server_cpus: options.cpus.clone(),
            idle_within: Duration::from_secs(self.idle_within),
        };
        Ok(Stage { session, options, command })
    }
}

impl Stage {
    /// Starts a broker, or finds the one at an address, and says so.
    ///
    /// # Errors
    /// When it is not to be had.
    pub(super) fn start(&self, system: &System) -> Result<Running, CliError> {
        eprintln!("loadgen: starting {system}");
        Ok(Running::start(system, &self.options)?)
    }

    /// Lets a broker be loaded once before it is measured, so that a compiler that runs beside it is done and memory was touched.
    ///
    /// # Errors
    /// When the machine cannot be watched.
    pub(super) fn rehearse(
        &self,
        running: &mut Running,
        scenario: &Scenario,
        stop: &AtomicBool,
    ) -> Result<(), CliError> {
        eprintln!("loadgen: rehearsing with {}", running.system());
        let mut rehearsal = scenario.clone();
        rehearsal.timing.warm_up_s = 0.0;
        rehearsal.timing.window_s = if running.system().is_jvm() { REHEARSAL_JVM_S } else { REHEARSAL_S };
        rehearsal.events.clear();
        rehearsal.backlog = None;
        self.measure(running, &rehearsal, (1, 1), false, &mut (), stop).map(drop)
    }

    /// Makes a run that is number `of.0` of `of.1`; it is not kept yet.
    ///
    /// # Errors
    /// When the machine cannot be watched.
    pub(super) fn measure(
        &self,
        running: &mut Running,
        scenario: &Scenario,
        of: (usize, usize),
        keeps_topics: bool,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<RunFiles, CliError> {
        let options = run::Options { command: self.command.clone(), run: of.0, runs: of.1, keeps_topics };
        self.session.measure(running, scenario, &options, observer, stop).map_err(CliError::Machine)
    }

    /// Keeps a run and returns its folder.
    ///
    /// # Errors
    /// When a file can't be written.
    pub(super) fn keep(
        &self,
        files: &mut RunFiles,
        place: Option<loadgen::result::Comparison>,
    ) -> Result<Option<PathBuf>, CliError> {
        let folder = self.session.results.clone().unwrap_or_default();
        self.session.keep(files, place).map_err(|error| CliError::Output { folder, error })
    }
}
