//! What a result must be read beside: the machine, the device, the command. `env.json` of a run.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::affinity::CpuList;
use super::device::Device;
use super::procfs;

/// The machine and the command; `env.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Short name for the folder of results.
    pub machine: String,
    /// The command that made the run, without the folders of its machine.
    pub command: Vec<String>,
    /// The processor's own name.
    pub cpu: String,
    /// Processors.
    pub cpus: usize,
    /// The server's processors, when it was pinned.
    pub server_cpus: Option<String>,
    /// This process's processors.
    pub client_cpus: String,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Memory that pages of files may take without anything being written out, in bytes.
    pub available_memory_bytes: Option<u64>,
    /// The kernel's release.
    pub kernel: String,
    /// TCP's congestion control.
    pub congestion_control: String,
    /// Transparent huge pages.
    pub transparent_huge_pages: String,
    /// Runnable tasks before the run, over 1, 5 and 15 minutes.
    pub load_average: String,
    /// The device under the server's data; none when the server runs elsewhere.
    pub device: Option<Device>,
}

impl Environment {
    /// Describes this machine. `machine` names it, else its processor does; `data` is where the server keeps its data, when it is here.
    ///
    /// # Errors
    /// When `/proc` is not readable, or there is no folder `data`.
    pub fn read(
        machine: Option<&str>,
        command: &[String],
        server_cpus: Option<&CpuList>,
        data: Option<&Path>,
    ) -> io::Result<Self> {
        let cpu = line_of("/proc/cpuinfo", "model name")?;
        Ok(Self {
            machine: machine.map_or_else(|| format!("{}cpu-{}", procfs::processors(), slug(&cpu)), slug),
            command: command.iter().map(|word| without_folder(word)).collect(),
            cpu,
            cpus: procfs::processors(),
            server_cpus: server_cpus.map(CpuList::to_string),
            client_cpus: CpuList::allowed()?.to_string(),
            memory_bytes: kib_of("MemTotal")?,
            available_memory_bytes: kib_of("MemAvailable")?,
            kernel: text_of("/proc/sys/kernel/osrelease"),
            congestion_control: text_of("/proc/sys/net/ipv4/tcp_congestion_control"),
            transparent_huge_pages: text_of("/sys/kernel/mm/transparent_hugepage/enabled"),
            load_average: text_of("/proc/loadavg"),
            device: data.map(Device::under).transpose()?,
        })
    }
}

fn text_of(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// What stands behind the colon of the first line that starts with `name`; empty when there is none.
///
/// # Errors
/// When the file is not readable.
pub fn line_of(path: &str, name: &str) -> io::Result<String> {
    let text = fs::read_to_string(path)?;
    let line = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
    Ok(line.map_or(String::new(), |(_, value)| value.trim().to_owned()))
}

fn kib_of(name: &str) -> io::Result<Option<u64>> {
    let line = line_of("/proc/meminfo", name)?;
    Ok(line.split(' ').next().and_then(|kib| kib.parse::<u64>().ok()).map(|kib| kib * 1024))
}

/// Letters and digits, everything else a single hyphen: a name that is safe as a folder's.
pub fn slug(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// A word of a command line: of an absolute path only the last component, because where a machine has its files is no part of
/// how something was set up.
pub fn without_folder(word: &str) -> String {
    match word.split_once('=') {
        Some((name, value)) => format!("{name}={}", last_component(value)),
        None => last_component(word).to_owned(),
    }
}

fn last_component(text: &str) -> &str {
    match text.strip_prefix('/') {
        Some(path) => path.rsplit('/').next().unwrap_or(path),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_makes_a_folder_name() {
        assert_eq!(slug("Intel(R) Xeon(R) @ 2.20GHz"), "intel-r-xeon-r-2-20ghz");
    }

    #[test]
    fn a_command_is_kept_without_the_folders_of_its_machine() {
        let words = ["/usr/bin/java", "-Dconf=/etc/x/log.xml", "/opt/kafka/*", "a/b", "--rate=5"].map(without_folder);
        assert_eq!(words, ["java", "-Dconf=log.xml", "*", "a/b", "--rate=5"]);
    }

    #[test]
    fn the_environment_survives_json() {
        let environment = Environment::read(Some("My machine"), &["loadgen".to_owned()], None, None).unwrap();
        assert_eq!(environment.machine, "my-machine");
        assert!(environment.memory_bytes > environment.available_memory_bytes);
        let text = serde_json::to_string(&environment).unwrap();
        assert_eq!(serde_json::from_str::<Environment>(&text).unwrap(), environment);
    }
}
