//! What is measured: brokers that the tool starts, pins, freezes and ends by itself, and any other by its address.
//!
//! | system | what it is | when an acknowledged record is safe |
//! |---|---|---|
//! | `partita` | this project's broker, the binary beside this one | flushed before the ack |
//! | `kafka` | Apache Kafka 4.3.1 as shipped, one node in KRaft mode | page cache only |
//! | `kafka-flush` | the same with `log.flush.interval.messages=1` | flushed before the ack |
//! | `host:port` | whatever answers there | nobody has said |
//!
//! Invariants: a started broker listens on loopback only, on free ports, with its data in a temporary folder; when its [`Running`] is
//! dropped its process and its data are gone, however that came about. It is in a process group of its own, so that Ctrl-C reaches this
//! tool alone, which can then still ask the broker what it has.

mod fetch;
mod kafka;
mod page_cache;
mod partita;
mod process;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::{Client, ClientError};
use crate::resources::affinity::CpuList;
use crate::result::{Durability, SystemInfo};

pub use fetch::cache_folder;
pub use page_cache::warm_page_cache;
pub use partita::revision;
use process::ServerProcess;

/// How long a broker may take from its start to its first sensible answer.
const START_WITHIN: Duration = Duration::from_secs(120);
/// How long one question of the wait for it may take.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// A kind of broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum System {
    /// This project's broker.
    Partita,
    /// Apache Kafka as shipped.
    Kafka,
    /// Apache Kafka that flushes each batch before it acknowledges.
    KafkaFlush,
    /// A broker that somebody else runs, by its bootstrap list.
    Address(String),
}

impl System {
    /// As in `results/`: an address is `address`, because whose it is says nothing about what it is.
    pub fn name(&self) -> &'static str {
        match self {
            System::Partita => "partita",
            System::Kafka => "kafka",
            System::KafkaFlush => "kafka-flush",
            System::Address(_) => "address",
        }
    }

    /// When a record that it has acknowledged is safe, as it is started here.
    pub fn durability(&self) -> Durability {
        match self {
            System::Partita | System::KafkaFlush => Durability::FlushedBeforeAck,
            System::Kafka => Durability::PageCacheOnly,
            System::Address(_) => Durability::Unknown,
        }
    }

    /// Whether its first half minute costs more than any later one, because a compiler runs beside it.
    pub fn is_jvm(&self) -> bool {
        matches!(self, System::Kafka | System::KafkaFlush)
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            System::Address(bootstrap) => f.write_str(bootstrap),
            named => f.write_str(named.name()),
        }
    }
}

impl FromStr for System {
    type Err = SystemError;

    fn from_str(text: &str) -> Result<Self, SystemError> {
        match text {
            "partita" => Ok(System::Partita),
            "kafka" => Ok(System::Kafka),
            "kafka-flush" => Ok(System::KafkaFlush),
            address if address.contains(':') => Ok(System::Address(address.to_owned())),
            other => Err(SystemError::Unknown(other.to_owned())),
        }
    }
}

/// Why a broker is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// It has no such name.
    #[error(
        "there is no system {0:?}: expected partita, kafka, kafka-flush, or the address of a running broker as host:port"
    )]
    Unknown(String),
    /// A program that is needed is not installed.
    #[error("{program} is missing, and {system} needs it: {remedy}")]
    Missing {
        /// The program.
        program: &'static str,
        /// What needs it.
        system: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A program that was to build or to fetch something failed.
    #[error("{what} failed ({status}). Its last words:\n{output}")]
    Failed {
        /// What was tried.
        what: String,
        /// How it ended.
        status: String,
        /// The end of what it wrote.
        output: String,
    },
    /// There is no binary, and no sources to build it from.
    #[error("there is no broker at {0}: build it with `cargo build --release -p server`, or name it with --partita")]
    NoBinary(PathBuf),
    /// It was started and did not come up.
    #[error("{system} did not come up: {reason}. It was started as\n    {command}\nand its last words are\n{output}")]
    Start {
        /// What was started.
        system: &'static str,
        /// Its command line.
        command: String,
        /// Why it is not up.
        reason: String,
        /// The end of its log.
        output: String,
    },
    /// It cannot be reached or does not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The operating system refused.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's word.
        error: io::Error,
    },
}

impl SystemError {
    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> SystemError {
        let what = what.into();
        move |error| SystemError::Io { what, error }
    }
}

/// How brokers are started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder on the disk to be measured; each broker's own temporary folder is made in it.
    pub data: PathBuf,
    /// Where brokers may run; none: wherever this process may.
    pub cpus: Option<CpuList>,
    /// Partita's binary; none: the one beside this one, built when it is missing or older than its sources.
    pub partita: Option<PathBuf>,
    /// Further settings of the broker, under Kafka's names.
    pub settings: Vec<(String, String)>,
    /// Page cache to touch before a broker that relies on it is started, in bytes.
    pub page_cache_bytes: u64,
}

impl Options {
    /// Data in the system's folder for large temporary files, one processor set for all, nothing special.
    pub fn new() -> Self {
        // /tmp may be memory, which is no disk to be measured.
        let on_disk = Path::new("/var/tmp");
        let data = if on_disk.is_dir() { on_disk.to_owned() } else { std::env::temp_dir() };
        Self { data, cpus: None, partita: None, settings: Vec::new(), page_cache_bytes: 0 }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// A broker that answers.
#[derive(Debug)]
pub struct Running {
    system: System,
    bootstrap: String,
    info: SystemInfo,
    conf: String,
    process: Option<ServerProcess>,
    // Dropped after the process, which writes into it.
    data: Option<TempDir>,
}

impl Running {
    /// Starts a broker, or finds the one at an address, and waits until it answers.
    ///
    /// # Errors
    /// It is not to be had, each with what to do about it.
    pub fn start(system: &System, options: &Options) -> Result<Self, SystemError> {
        match system {
            System::Partita => partita::start(options),
            System::Kafka | System::KafkaFlush => kafka::start(system, options),
            System::Address(bootstrap) => {
                let client = Client::connect(bootstrap, "loadgen", ASK_TIMEOUT)?;
                let nodes = client.brokers().count();
                let info = SystemInfo {
                    name: system.name().to_owned(),
                    version: String::new(),
                    revision: String::new(),
                    durability: system.durability(),
                };
                let conf = format!("# A broker that somebody else runs: {bootstrap}, {nodes} nodes\n");
                let (system, bootstrap) = (system.clone(), bootstrap.clone());
                Ok(Self { system, bootstrap, info, conf, process: None, data: None })
            }
        }
    }

    /// Which kind it is.
    pub fn system(&self) -> &System {
        &self.system
    }

    /// Where it listens: a bootstrap list.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// What a result says of it.
    pub fn info(&self) -> &SystemInfo {
        &self.info
    }

    /// Its command and settings: `broker.conf` of a run, without the folders of this machine.
    pub fn conf(&self) -> &str {
        &self.conf
    }

    /// Its processes on this machine; none when somebody else runs it.
    pub fn pids(&self) -> Vec<u32> {
        self.process.iter().map(ServerProcess::pid).collect()
    }

    /// Where it keeps its data; none when somebody else runs it.
    pub fn data(&self) -> Option<&Path> {
        self.data.as_ref().map(TempDir::path)
    }

    /// Whether its process still runs; a broker that somebody else runs is taken to.
    pub fn is_alive(&mut self) -> bool {
        self.process.as_mut().is_none_or(ServerProcess::is_alive)
    }

    /// The end of what it has written to its log; empty when somebody else runs it.
    pub fn last_words(&self) -> String {
        self.process.as_ref().map(ServerProcess::last_words).unwrap_or_default()
    }

    /// Stops it where it is, so that it costs nothing while others are measured: an idle JVM is not idle.
    ///
    /// # Errors
    /// When it has ended.
    pub fn freeze(&self) -> io::Result<()> {
        self.process.as_ref().map_or(Ok(()), |process| process.signal(libc::SIGSTOP))
    }

    /// Lets it go on, with the peak of its memory counted anew.
    ///
    /// # Errors
    /// When it has ended.
    pub fn thaw(&self) -> io::Result<()> {
        let Some(process) = &self.process else { return Ok(()) };
        process.signal(libc::SIGCONT)?;
        process.forget_peak()
    }

    /// Ends it: it is asked to stop, and killed when it does not.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn stop(mut self) -> io::Result<()> {
        self.process.take().map_or(Ok(()), ServerProcess::stop)
    }
}

/// Waits until the broker has a node that clients can be sent to.
fn wait_until_answering(process: &mut ServerProcess, system: &'static str, bootstrap: &str) -> Result<(), SystemError> {
    let deadline = Instant::now() + START_WITHIN;
    loop {
        let reason = match Client::connect(bootstrap, "loadgen", ASK_TIMEOUT) {
            Ok(client) if client.brokers().next().is_some() => return Ok(()),
            Ok(_) => "it answers, and knows of no broker".to_owned(),
            Err(error) => error.to_string(),
        };
        let ended = process.ended();
        if ended.is_some() || Instant::now() > deadline {
            let reason = ended.unwrap_or_else(|| format!("after {} s: {reason}", START_WITHIN.as_secs()));
            let (command, output) = (process.command().to_owned(), process.last_words());
            return Err(SystemError::Start { system, command, reason, output });
        }
        std::thread::sleep(POLL);
    }
}
