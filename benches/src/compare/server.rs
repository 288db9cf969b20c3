//! The brokers under test: Partita and the floor are started afresh for each run and deleted after it; a peer that the user
//! started is woken for its runs and stopped (SIGSTOP) during the others', because an idle JVM is not idle.

use std::io;
use std::iter;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use loadgen::resources::environment::without_folder;
use tempfile::TempDir;

use super::catalog::System;

/// The floor zero-fills a gigabyte first.
const START_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// Why a broker is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// It did not start.
    #[error("{command}: {error}")]
    Start {
        /// How it was started.
        command: String,
        /// What went wrong.
        error: io::Error,
    },
    /// No peer was given.
    #[error("this comparison needs a running Kafka: --kafka ADDRESS,PID")]
    NoPeer,
    /// A peer may run where the driver runs.
    #[error("process {pid} may run on processors {allowed}; start it with taskset -c {cpu}")]
    NotPinned {
        /// The peer.
        pid: u32,
        /// Where it may run.
        allowed: String,
        /// Where it must.
        cpu: usize,
    },
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A broker that the user runs.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process.
    pub pid: u32,
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, pid) = text.rsplit_once(',').ok_or("ADDRESS,PID")?;
        let address = address.parse().map_err(|error| format!("{address}: {error}"))?;
        let pid = pid.parse().map_err(|error| format!("{pid}: {error}"))?;
        Ok(Self { address, pid })
    }
}

/// Where the brokers come from.
#[derive(Clone, Debug)]
pub struct Servers {
    /// The binary `partita`.
    pub partita: PathBuf,
    /// The binary `floor`.
    pub floor: PathBuf,
    /// A running Kafka.
    pub kafka: Option<Peer>,
    /// Its version.
    pub kafka_version: String,
    /// Commit of this tree.
    pub revision: String,
    /// Where data folders are made; on the disk to be measured.
    pub data: PathBuf,
    /// Processor of the brokers.
    pub cpu: usize,
    /// Settings of Partita, `KEY=VALUE`.
    pub partita_settings: Vec<String>,
}

impl Servers {
    pub(crate) fn version(&self, system: System) -> (String, String) {
        match system {
            System::Kafka => (self.kafka_version.clone(), String::new()),
            System::Partita | System::Floor => (env!("CARGO_PKG_VERSION").to_owned(), self.revision.clone()),
        }
    }

    /// Puts the peer to sleep until one of its runs; it wakes when the guard is dropped.
    ///
    /// # Errors
    /// When the peer is not pinned to the brokers' processor.
    pub fn quiet_peer(&self) -> Result<Option<Asleep>, ServerError> {
        let Some(peer) = &self.kafka else { return Ok(None) };
        let status = std::fs::read_to_string(format!("/proc/{}/status", peer.pid))?;
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or("").trim();
        if allowed != self.cpu.to_string() {
            return Err(ServerError::NotPinned { pid: peer.pid, allowed: allowed.to_owned(), cpu: self.cpu });
        }
        signal(peer.pid, libc::SIGSTOP)?;
        Ok(Some(Asleep { pid: peer.pid }))
    }

    pub(crate) fn start(&self, system: System) -> Result<Server, ServerError> {
        match system {
            System::Kafka => {
                let peer = self.kafka.clone().ok_or(ServerError::NoPeer)?;
                signal(peer.pid, libc::SIGCONT)?;
                Ok(Server::Peer(peer))
            }
            System::Partita => self.launch(&self.partita, |command, address, data| {
                command.args(["serve", "--cores", "1", "--listen", address, "--data-dir"]).arg(data);
                for setting in &self.partita_settings {
                    command.args(["--set", setting]);
                }
            }),
            System::Floor => self.launch(&self.floor, |command, address, data| {
                command.args(["--filing", "--listen", address, "--data-dir"]).arg(data);
            }),
        }
    }

    fn launch(&self, binary: &Path, arguments: impl FnOnce(&mut Command, &str, &Path)) -> Result<Server, ServerError> {
        let data = TempDir::with_prefix_in("partita-bench-", &self.data)?;
        let address = free_address()?;
        // taskset becomes the broker, so that the process id is the broker's.
        let mut command = Command::new("taskset");
        command.arg("-c").arg(self.cpu.to_string()).arg(binary);
        arguments(&mut command, &address.to_string(), data.path());
        let text = format!("{command:?}");
        let failed = |error| ServerError::Start { command: text.clone(), error };
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().map_err(failed)?;
        let words = iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<String> = words.map(|word| without_folder(&word.to_string_lossy())).collect();
        let mut started = Started { child, address, command: words.join(" "), _data: data };
        started.wait_until_listening().map_err(failed)?;
        Ok(Server::Started(started))
    }
}

/// A peer that sleeps; dropping this wakes it.
#[derive(Debug)]
pub struct Asleep {
    pid: u32,
}

impl Drop for Asleep {
    fn drop(&mut self) {
        // The peer may have ended meanwhile, and then there is nobody to wake.
        let _ = signal(self.pid, libc::SIGCONT);
    }
}

/// A broker that is ready for one run.
pub(crate) enum Server {
    Started(Started),
    Peer(Peer),
}

pub(crate) struct Started {
    child: Child,
    address: SocketAddr,
    command: String,
    _data: TempDir,
}

impl Server {
    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Server::Started(started) => started.address,
            Server::Peer(peer) => peer.address,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        match self {
            Server::Started(started) => started.child.id(),
            Server::Peer(peer) => peer.pid,
        }
    }

    /// The command line, as far as it is known.
    pub(crate) fn command(&self) -> String {
        match self {
            Server::Started(started) => started.command.clone(),
            Server::Peer(peer) => std::fs::read(format!("/proc/{}/cmdline", peer.pid))
                .map(|bytes| without_folders(&String::from_utf8_lossy(&bytes)))
                .unwrap_or_default(),
        }
    }

    /// Ends a started broker and waits for it; puts a peer back to sleep.
    pub(crate) fn stop(self) -> io::Result<()> {
        match self {
            Server::Started(mut started) => started.end(),
            Server::Peer(peer) => signal(peer.pid, libc::SIGSTOP),
        }
    }
}

/// A command line of words that end in zero bytes, as one to read.
fn without_folders(words: &str) -> String {
    words.split_terminator('\0').map(without_folder).collect::<Vec<_>>().join(" ")
}

impl Started {
    fn wait_until_listening(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + START_WITHIN;
        loop {
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("ended with {status}")));
            }
            if Instant::now() > deadline {
                return Err(io::Error::from(io::ErrorKind::TimedOut));
            }
            thread::sleep(POLL);
        }
    }

    fn end(&mut self) -> io::Result<()> {
        signal(self.child.id(), libc::SIGTERM)?;
        let deadline = Instant::now() + STOP_WITHIN;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                return self.child.kill();
            }
            thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Started {
    /// A run that failed leaves no process behind.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn signal(pid: u32, signal: libc::c_int) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: the call touches no memory.
    let result = unsafe { libc::kill(pid, signal) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A port that was free a moment ago.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_kept_without_the_folders_of_its_machine() {
        let words = "/usr/bin/java\0-Xmx1g\0-Dconf=/etc/x/log.xml\0-cp\0/opt/kafka/*\0kafka.Kafka\0a/b\0";
        assert_eq!(without_folders(words), "java -Xmx1g -Dconf=log.xml -cp * kafka.Kafka a/b");
    }
}
