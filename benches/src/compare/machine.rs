//! The machine around a run: what it is, whether it is idle, and its page cache.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use loadgen::resources::environment::{slug, without_folder};
use loadgen::resources::procfs::{self, Machine};

/// A busy share of all processors that counts as idle.
const IDLE_SHARE: f64 = 0.05;

/// What a result must be read beside.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Short name for the folder.
    pub machine: String,
    /// The command that made the runs, without the folders of its machine.
    pub command: Vec<String>,
}

impl Environment {
    /// Describes this machine; without a name it gets one from its processor.
    ///
    /// # Errors
    /// When `/proc` is not readable.
    pub fn read(machine: Option<String>, command: Vec<String>) -> io::Result<Self> {
        let machine = match machine {
            Some(name) => name,
            None => format!("{}cpu-{}", procfs::processors(), slug(&line_of("/proc/cpuinfo", "model name")?)),
        };
        let command = command.iter().map(|word| without_folder(word)).collect();
        Ok(Self { machine, command })
    }

    /// `env.json`.
    pub fn json(&self) -> serde_json::Value {
        let text = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned()).ok();
        json!({
            "machine": self.machine,
            "command": self.command,
            "cpu": line_of("/proc/cpuinfo", "model name").ok(),
            "cpus": procfs::processors(),
            "memory": line_of("/proc/meminfo", "MemTotal").ok(),
            "kernel": text("/proc/sys/kernel/osrelease"),
            "congestion_control_default": text("/proc/sys/net/ipv4/tcp_congestion_control"),
            "congestion_control_client": "cubic",
            "transparent_huge_pages": text("/sys/kernel/mm/transparent_hugepage/enabled"),
            "load_average": text("/proc/loadavg"),
        })
    }
}

/// What stands behind the colon of the first line that starts with `name`; empty when there is none.
fn line_of(path: &str, name: &str) -> io::Result<String> {
    let text = fs::read_to_string(path)?;
    let line = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
    Ok(line.map_or(String::new(), |(_, value)| value.trim().to_owned()))
}

/// Waits for a second in which the machine was idle; after `within`, gives up and tells how busy it was.
pub(crate) fn wait_until_idle(within: Duration) -> io::Result<Option<f64>> {
    const SAMPLE: Duration = Duration::from_secs(1);
    let deadline = Instant::now() + within;
    loop {
        let (before, at) = (Machine::read()?, Instant::now());
        thread::sleep(SAMPLE);
        let used = Machine::read()? - before;
        let share = (used.busy + used.steal).as_secs_f64() / (at.elapsed().as_secs_f64() * procfs::processors() as f64);
        if share <= IDLE_SHARE {
            return Ok(None);
        }
        if Instant::now() >= deadline {
            return Ok(Some(share));
        }
    }
}

/// Writes and deletes files of `bytes` in `folder`, so that a broker that relies on the page cache does not pay for the
/// machine's first touch of its memory.
///
/// # Errors
/// When the folder has no room.
pub fn warm_page_cache(folder: &Path, bytes: u64) -> io::Result<()> {
    let piece = vec![1; 1 << 20];
    let mut file = tempfile::tempfile_in(folder)?;
    for _ in 0..bytes >> 20 {
        file.write_all(&piece)?;
    }
    Ok(())
}

/// The commit of the working folder's tree, with `-dirty` when sources differ from it; empty outside a repository.
pub fn revision() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    // Keeping a result changes the index: that is no other source.
    let changes = git(&["status", "--porcelain", "--untracked-files=no", "--", ":/", ":(exclude,top)results"]);
    if changes.is_empty() { commit } else { format!("{commit}-dirty") }
}
