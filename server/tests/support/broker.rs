//! One `partita serve`, started and surely ended.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Client, PATIENCE};

/// Tries to get ports that nobody else takes between our look and the broker's start.
const PORT_ATTEMPTS: usize = 5;
/// Settings under which a test does not wait for what a person would not notice.
const QUICK: &[(&str, &str)] = &[("group.initial.rebalance.delay.ms", "0"), ("offsets.topic.num.partitions", "4")];

/// The program under test.
pub fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_partita")
}

/// A data folder that outlives its brokers and goes with the test.
pub struct DataDir(TempDir);

impl DataDir {
    pub fn new() -> DataDir {
        DataDir(tempfile::tempdir().expect("there is room for a temporary folder"))
    }

    /// The folder that the broker is given.
    pub fn path(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.0.path().join("stderr")
    }
}

/// A running broker.
pub struct Broker {
    child: Option<Child>,
    address: String,
    metrics_address: String,
    log_path: PathBuf,
    /// Kept when the broker has a folder of its own.
    _own_dir: Option<DataDir>,
}

impl Broker {
    /// Starts a broker on two cores in a folder of its own.
    pub fn start(settings: &[(&str, &str)]) -> Broker {
        let dir = DataDir::new();
        let mut broker = Broker::start_in(&dir, 2, settings);
        broker._own_dir = Some(dir);
        broker
    }

    /// Starts a broker in a folder that may hold data.
    pub fn start_in(dir: &DataDir, cores: u16, settings: &[(&str, &str)]) -> Broker {
        match Broker::try_start(dir, cores, settings) {
            Ok(broker) => broker,
            Err((status, log)) => panic!("the broker ended with {status} instead of serving:\n{log}"),
        }
    }

    /// Like [`Broker::start_in`]; when the broker ends instead of serving: its status, and what it said.
    pub fn try_start(dir: &DataDir, cores: u16, settings: &[(&str, &str)]) -> Result<Broker, (ExitStatus, String)> {
        for attempt in 1.. {
            match Broker::launch(dir, cores, settings) {
                Err((_, log)) if log.contains("cannot listen") && attempt < PORT_ATTEMPTS => {}
                result => return result,
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Starts a broker that may have so many open files.
    pub fn start_with_descriptors(dir: &DataDir, descriptors: u64) -> Broker {
        let limit = libc::rlimit { rlim_cur: descriptors, rlim_max: descriptors };
        let limited = |command: &mut Command| {
            // SAFETY: setrlimit is async-signal-safe and only reads the structure, which the closure owns.
            unsafe {
                command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_NOFILE, &limit) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                })
            };
        };
        let launched = Broker::launch_with(dir, 2, &[], limited);
        launched.unwrap_or_else(|(status, log)| panic!("the broker ended with {status}:\n{log}"))
    }

    fn launch(dir: &DataDir, cores: u16, settings: &[(&str, &str)]) -> Result<Broker, (ExitStatus, String)> {
        Broker::launch_with(dir, cores, settings, |_| ())
    }

    fn launch_with(
        dir: &DataDir,
        cores: u16,
        settings: &[(&str, &str)],
        prepare: impl FnOnce(&mut Command),
    ) -> Result<Broker, (ExitStatus, String)> {
        let (address, metrics_address) = (free_address(), free_address());
        let log_path = dir.log_path();
        let mut command = Command::new(binary());
        command.args(["serve", "--listen", &address, "--cores", &cores.to_string()]);
        command.arg("--data-dir").arg(dir.path());
        let own = [("metrics.listen", metrics_address.as_str())];
        for (key, value) in own.iter().chain(QUICK).chain(settings) {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        prepare(&mut command);
        let log = File::create(&log_path).expect("the temporary folder takes a file");
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("the binary is built");
        let mut broker = Broker { child: Some(child), address, metrics_address, log_path, _own_dir: None };
        match broker.wait_until_ready() {
            None => Ok(broker),
            Some(status) => {
                broker.child = None;
                Err((status, broker.log()))
            }
        }
    }

    /// Waits until the broker answers ApiVersions; its status if it ends before.
    fn wait_until_ready(&mut self) -> Option<ExitStatus> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child().try_wait().expect("our child can be waited for") {
                return Some(status);
            }
            if Client::connect(&self.address).is_ok_and(|mut client| client.is_answered()) {
                return None;
            }
            assert!(begun.elapsed() < PATIENCE, "the broker is not ready in time:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Where clients connect.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A new connection.
    pub fn client(&self) -> Client {
        Client::connect(&self.address).expect("the broker takes connections")
    }

    /// What the broker has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log_path).unwrap_or_default()
    }

    /// Memory that the process has in RAM, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.as_ref().expect("the broker runs").id());
        let status = fs::read_to_string(path).expect("the broker runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has VmRSS");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("VmRSS is in kB");
        kib * 1024
    }

    /// The text of `/metrics`.
    pub fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(&self.metrics_address).expect("the metrics listener takes connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("the request is taken");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("the answer is text");
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        text
    }

    /// The value of a metric whose labels contain all of `labels`, summed up over all such lines.
    pub fn metric(&self, name: &str, labels: &[&str]) -> i64 {
        metric_lines(&self.metrics(), name, labels).map(|(_, value)| value).sum()
    }

    /// Stops the broker as an operator does, and demands that it ends well.
    pub fn stop(mut self) {
        let status = self.terminate();
        assert!(status.success(), "a clean stop ended with {status}:\n{}", self.log());
    }

    /// Sends SIGTERM and waits for the end.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a broker is stopped once");
        signal(&child, libc::SIGTERM);
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("our child can be waited for") {
                return status;
            }
            if begun.elapsed() > PATIENCE {
                end(&mut child);
                panic!("the broker did not stop in time:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills the broker at once, as a power cut does to a process.
    pub fn kill(mut self) {
        end(&mut self.child.take().expect("a broker is killed once"));
    }

    fn child(&mut self) -> &mut Child {
        self.child.as_mut().expect("the broker has not been stopped")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            end(child);
        }
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("the broker has said:\n{log}");
        } else {
            assert!(!log.contains("panicked"), "the broker has panicked:\n{log}");
        }
    }
}

/// The lines of a metric, as (labels, value).
pub fn metric_lines<'a>(text: &'a str, name: &'a str, labels: &'a [&str]) -> impl Iterator<Item = (&'a str, i64)> {
    text.lines().filter_map(move |line| {
        let (series, value) = line.split_once("} ")?;
        let (found, all) = series.split_once('{')?;
        let matches = found == name && labels.iter().all(|label| all.split(',').any(|one| one == *label));
        matches.then(|| (all, value.trim().parse::<f64>().expect("a metric has a number") as i64))
    })
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port exists");
    listener.local_addr().expect("a bound socket has an address").to_string()
}

fn signal(child: &Child, signal: i32) {
    // SAFETY: kill has no memory arguments, and the child has not been waited for.
    unsafe { libc::kill(child.id() as i32, signal) };
}

fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

/// Changes a file in place.
pub fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("the file is there");
    change(&mut bytes);
    fs::write(path, bytes).expect("the file can be written");
}
