//! A run's folder: the one place that names, writes and reads it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Interval, RunEvent, RunResult, series_csv};

/// The index's name under `results/`.
pub const INDEX: &str = "index.ndjson";
/// The name of a run's figures in its folder.
pub const RESULT: &str = "result.json";

/// All that is kept of a run.
#[derive(Debug)]
pub struct RunFiles {
    /// `result.json`.
    pub result: RunResult,
    /// `env.json`: the machine.
    pub env: serde_json::Value,
    /// `broker.conf`: the broker's command and settings; empty when it was started by somebody else.
    pub broker: String,
    /// `series.csv`.
    pub series: Vec<Interval>,
    /// `server.csv`, if the server could be watched.
    pub server: Option<String>,
    /// `events.ndjson`.
    pub events: Vec<RunEvent>,
    /// `latency.hlog`.
    pub latency_log: Vec<u8>,
}

impl RunFiles {
    /// Where the run belongs under `results`.
    pub fn folder(&self, results: &Path, machine: &str) -> PathBuf {
        let result = &self.result;
        let date = result.started.get(..8).unwrap_or(&result.started);
        results.join(&result.system.name).join(date).join(machine).join(&result.scenario.id).join(&result.run)
    }

    /// Writes the run under `results` and returns its folder.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn write(&self, results: &Path, machine: &str) -> io::Result<PathBuf> {
        let folder = self.folder(results, machine);
        fs::create_dir_all(&folder)?;
        let pretty = |value: &serde_json::Value| serde_json::to_string_pretty(value).map(|text| text + "\n");
        fs::write(folder.join(RESULT), pretty(&serde_json::to_value(&self.result)?)?)?;
        fs::write(folder.join("env.json"), pretty(&self.env)?)?;
        fs::write(folder.join("scenario.toml"), self.result.scenario.to_toml())?;
        fs::write(folder.join("broker.conf"), &self.broker)?;
        let groups: Vec<String> = self.result.groups.iter().map(|group| group.name.clone()).collect();
        fs::write(folder.join("series.csv"), series_csv(&groups, &self.series))?;
        if let Some(server) = &self.server {
            fs::write(folder.join("server.csv"), server)?;
        }
        let mut events = Vec::new();
        for event in &self.events {
            serde_json::to_writer(&mut events, event)?;
            events.push(b'\n');
        }
        fs::write(folder.join("events.ndjson"), events)?;
        fs::write(folder.join("latency.hlog"), &self.latency_log)?;
        Ok(folder)
    }
}

/// Reads one run's `result.json`.
///
/// # Errors
/// When it can't be read or is of another shape.
pub fn read(folder: &Path) -> io::Result<RunResult> {
    let path = folder.join(RESULT);
    let text = fs::read_to_string(&path)?;
    serde_json::from_str(&text).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
}

/// The folders of all runs under `results`, in the order of their paths.
///
/// # Errors
/// When a folder can't be read.
pub fn kept(results: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![results.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() == RESULT {
                found.push(folder.clone());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Makes the index of all runs of any shape anew: one line a run, its folder first.
///
/// # Errors
/// When a result can't be read or the index can't be written.
pub fn write_index(results: &Path) -> io::Result<()> {
    fs::write(results.join(INDEX), index(results)?)
}

/// The schema of runs that the project's first tools made with groups; of those that produced it is 1.
const OF_GROUPS: u64 = 2;

/// What the index says of a run, and where in its result that stands.
type IndexFields = &'static [(&'static str, &'static str)];

const OWN: IndexFields = &[
    ("version", "/system/version"),
    ("revision", "/system/revision"),
    ("durability", "/system/durability"),
    ("scenario", "/scenario/id"),
    ("scenario_hash", "/scenario_hash"),
    ("verdict", "/validity/verdict"),
    ("acked_mb_per_s", "/throughput/acked_mb_per_s"),
    ("response_p99_us", "/latency/response/p99_us"),
    ("server_cpu_s_per_gb", "/resources/server_cpu_s_per_gb"),
];
const PRODUCED: IndexFields = &[
    ("version", "/version"),
    ("revision", "/revision"),
    ("durability", "/durability"),
    ("scenario", "/scenario"),
    ("scenario_hash", "/scenario_hash"),
    ("verdict", "/measurement/validity/verdict"),
    ("megabytes_per_second", "/measurement/throughput/megabytes_per_second"),
    ("server_cpu_seconds_per_gigabyte", "/measurement/resources/server_cpu_seconds_per_gigabyte"),
    ("response_p99_us", "/measurement/response/p99_us"),
];
const GROUPS: IndexFields = &[
    ("version", "/version"),
    ("revision", "/revision"),
    ("durability", "/durability"),
    ("scenario", "/scenario"),
    ("scenario_hash", "/scenario_hash"),
    ("verdict", "/measurement/validity/verdict"),
    ("server_cpu_share", "/measurement/resources/server_cpu_share"),
    ("server_cpu_us_per_request", "/measurement/resources/server_cpu_us_per_request"),
    ("server_rss_peak_bytes", "/measurement/resources/server_rss_peak_bytes"),
];

fn index_line(place: &Path, result: &serde_json::Value, system: &str, fields: IndexFields) -> serde_json::Value {
    let at = |pointer: &str| result.pointer(pointer).cloned().unwrap_or(serde_json::Value::Null);
    let mut line = serde_json::json!({ "folder": place, "system": at(system) });
    for &(name, pointer) in fields {
        line[name] = at(pointer);
    }
    line
}

/// The index that the kept runs make, those of the project's first tools included.
///
/// # Errors
/// When a result can't be read.
pub fn index(results: &Path) -> io::Result<String> {
    let mut lines = Vec::new();
    for folder in kept(results)? {
        let text = fs::read_to_string(folder.join(RESULT))?;
        let value: serde_json::Value = serde_json::from_str(&text)?;
        let place = folder.strip_prefix(results).unwrap_or(&folder);
        let line = match value["schema"].as_u64() {
            Some(schema) if schema == u64::from(super::SCHEMA) => index_line(place, &value, "/system/name", OWN),
            Some(OF_GROUPS) => index_line(place, &value, "/system", GROUPS),
            _ => index_line(place, &value, "/system", PRODUCED),
        };
        writeln!(lines, "{line}")?;
    }
    String::from_utf8(lines).map_err(io::Error::other)
}
