//! The machine around a run.

use std::fs;
use std::io;

use serde_json::json;

use loadgen::resources::environment::{line_of, slug, without_folder};
use loadgen::resources::procfs;

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
