//! A broker's process: started on its processors with its output in a file, and gone when its owner is.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::resources::affinity::CpuList;
use crate::resources::environment::without_folder;

/// How long a broker may take to stop when it is asked to.
const STOP_WITHIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
/// How much of a log's end is shown when something went wrong, in bytes.
const LAST_WORDS_BYTES: u64 = 2000;

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub(super) struct ServerProcess {
    child: Child,
    command: String,
    log: PathBuf,
}

impl ServerProcess {
    /// Starts `command` on `cpus` with both its outputs in the file `log`.
    pub(super) fn start(mut command: Command, cpus: Option<&CpuList>, log: PathBuf) -> io::Result<Self> {
        let output = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        // A child inherits where the thread that starts it may run; the calling thread stays where it is.
        let child = thread::scope(|scope| {
            let start = || {
                cpus.map_or(Ok(()), CpuList::pin_this_thread)?;
                command.spawn()
            };
            scope.spawn(start).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        Ok(Self { child, command: words.join(" "), log })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The whole command line.
    pub(super) fn command(&self) -> &str {
        &self.command
    }

    pub(super) fn is_alive(&mut self) -> bool {
        self.ended().is_none()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(format!("it ended with {status}")),
            Err(error) => Some(error.to_string()),
        }
    }

    pub(super) fn last_words(&self) -> String {
        end_of(&self.log).unwrap_or_else(|error| format!("(its log cannot be read: {error})"))
    }

    pub(super) fn signal(&self, signal: libc::c_int) -> io::Result<()> {
        let pid = libc::pid_t::try_from(self.child.id()).map_err(io::Error::other)?;
        // SAFETY: the call touches no memory. The id is our child's, which is not waited for yet, so it is nobody else's.
        let result = unsafe { libc::kill(pid, signal) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Lets the kernel count the peak of its memory from what it has now (proc(5), clear_refs).
    pub(super) fn forget_peak(&self) -> io::Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")
    }

    pub(super) fn stop(mut self) -> io::Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        self.signal(libc::SIGCONT)?;
        self.signal(libc::SIGTERM)?;
        let deadline = Instant::now() + STOP_WITHIN;
        while self.is_alive() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        // What is left is ended by the drop.
        Ok(())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended already, and then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The end of a text file.
pub(super) fn end_of(path: &std::path::Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_WORDS_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(LAST_WORDS_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Addresses on loopback that were free a moment ago, all different.
pub(super) fn free_addresses<const COUNT: usize>() -> io::Result<[SocketAddr; COUNT]> {
    let listeners: Vec<TcpListener> =
        (0..COUNT).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<io::Result<_>>()?;
    let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); COUNT];
    for (address, listener) in addresses.iter_mut().zip(&listeners) {
        *address = listener.local_addr()?;
    }
    Ok(addresses)
}

/// A command line without the folders of this machine, for what is kept.
pub(super) fn kept(command: &str) -> String {
    command.split(' ').map(without_folder).collect::<Vec<_>>().join(" ")
}
