//! Kept measurements: one folder a run under `results/`, and the index made from them.
//!
//! ```text
//! results/<system>/<YYYYMMDD>/<machine>/<scenario>/<run>/
//!     result.json  env.json  scenario.toml  broker.conf  latency.hlog  series.csv
//! results/index.ndjson
//! ```
//! `results/result.schema.json` describes `result.json`, `results/group-result.schema.json` that of runs with groups (which have no
//! `series.csv`); a test holds every kept one against its schema.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use loadgen::result::{Comparison, folder};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::driver::Outcome;
use crate::measurement::Measurement;

/// Says that a `result.json` is about produced records.
pub const SCHEMA: u32 = 1;
/// Says that a `result.json` is about groups.
pub const GROUP_SCHEMA: u32 = 2;
pub use folder::{INDEX, index};

/// When an acknowledged record is safe. Classes never share a chart unlabelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// In the page cache; lost with the machine.
    PageCacheOnly,
    /// On disk now and then.
    FlushedAtIntervals,
    /// On disk when it is acknowledged.
    FlushedBeforeAck,
}

/// One run, as `result.json` holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunResult<M = Measurement> {
    /// [`SCHEMA`] or [`GROUP_SCHEMA`].
    pub schema: u32,
    /// `partita`, `floor`, `kafka`.
    pub system: String,
    /// The system's own version.
    pub version: String,
    /// Commit of the measured source, `-dirty` when it was not clean; empty for a released peer.
    pub revision: String,
    /// When an acknowledged record is safe.
    pub durability: Durability,
    /// Name of the scenario.
    pub scenario: String,
    /// FNV-1a (64 bit, hex) over `scenario.toml` and `broker.conf`: equal hashes were set up equally.
    pub scenario_hash: String,
    /// Start of the run, UTC, `YYYYMMDDThhmmssZ`.
    pub started: String,
    /// The comparison that the run belongs to.
    pub comparison: Comparison,
    /// The figures.
    pub measurement: M,
}

/// What surrounds a result: text files beside it.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// `env.json`.
    pub environment: serde_json::Value,
    /// `scenario.toml`: the load, every parameter.
    pub scenario: String,
    /// `broker.conf`: the broker's command and settings.
    pub broker: String,
}

impl Surroundings {
    /// See [`RunResult::scenario_hash`].
    pub fn hash(&self) -> String {
        const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0100_0000_01b3;
        let bytes = self.scenario.bytes().chain([0]).chain(self.broker.bytes());
        let hash = bytes.fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
        format!("{hash:016x}")
    }
}

/// Keeps a comparison's report, and makes the index anew.
///
/// # Errors
/// When a file cannot be read or written.
pub fn keep_report(results: &Path, id: &str, report: &str) -> io::Result<()> {
    fs::write(results.join(INDEX), index(results)?)?;
    let reports = results.join("reports");
    fs::create_dir_all(&reports)?;
    fs::write(reports.join(format!("{id}.txt")), report)
}

/// The folder of a run.
pub fn folder<M>(results: &Path, machine: &str, result: &RunResult<M>) -> PathBuf {
    let date = result.started.get(..8).unwrap_or(&result.started);
    let run = format!("{}-pair{:02}{}", result.comparison.id, result.comparison.pair, result.comparison.side);
    results.join(&result.system).join(date).join(machine).join(&result.scenario).join(run)
}

/// Writes a run's folder.
///
/// # Errors
/// When a file can't be written.
pub fn write(folder: &Path, result: &RunResult, surroundings: &Surroundings, outcome: &Outcome) -> io::Result<()> {
    let histograms = [("response", &outcome.response), ("service", &outcome.service)];
    write_run(folder, result, surroundings, &histograms, outcome.window)?;
    let mut series = String::from("second,acknowledged_bytes\n");
    for (second, bytes) in outcome.bytes_per_second.iter().enumerate() {
        series.push_str(&format!("{second},{bytes}\n"));
    }
    fs::write(folder.join("series.csv"), series)
}

/// Writes what every run's folder has.
///
/// # Errors
/// When a file can't be written.
pub fn write_run<M: Serialize>(
    folder: &Path,
    result: &RunResult<M>,
    surroundings: &Surroundings,
    histograms: &[(&str, &Histogram<u64>)],
    window: Duration,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("result.json"), pretty(result)?)?;
    fs::write(folder.join("env.json"), pretty(&surroundings.environment)?)?;
    fs::write(folder.join("scenario.toml"), &surroundings.scenario)?;
    fs::write(folder.join("broker.conf"), &surroundings.broker)?;
    fs::write(folder.join("latency.hlog"), interval_log(histograms, window)?)
}

fn pretty(value: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// Histograms of nanoseconds in the format of HdrHistogram's own tools, one interval for the window.
fn interval_log(histograms: &[(&str, &Histogram<u64>)], window: Duration) -> io::Result<Vec<u8>> {
    const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;
    let mut bytes = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("values in nanoseconds, maxima in milliseconds")
        .with_max_value_divisor(NANOSECONDS_PER_MILLISECOND)
        .begin_log_with(&mut bytes, &mut serializer)?;
    for &(name, histogram) in histograms {
        log.write_histogram(histogram, Duration::ZERO, window, Tag::new(name))
            .map_err(|error| io::Error::other(error.to_string()))?;
    }
    Ok(bytes)
}

/// All kept `result.json` files of these two shapes, in the order of their paths; those of the load generator's own are its to read.
///
/// # Errors
/// When the folder can't be read, or a file is no JSON.
pub fn kept(results: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in folder::kept(results)? {
        let path = folder.join(folder::RESULT);
        let value: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
        if [SCHEMA, GROUP_SCHEMA].iter().any(|schema| value["schema"] == *schema) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Reads one `result.json`.
///
/// # Errors
/// When it can't be read or is of another shape.
pub fn read<M: DeserializeOwned>(path: &Path) -> io::Result<RunResult<M>> {
    let text = fs::read_to_string(path)?;
    serde_json::from_str(&text).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
}

/// The time of day in UTC as `YYYYMMDDThhmmssZ`.
pub fn timestamp(seconds_since_epoch: i64) -> String {
    // SAFETY: all fields are numbers or a nullable pointer, so zeroes are a value.
    let mut time: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid; the call writes `time` only.
    unsafe { libc::gmtime_r(&raw const seconds_since_epoch, &raw mut time) };
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        time.tm_year + 1900,
        time.tm_mon + 1,
        time.tm_mday,
        time.tm_hour,
        time.tm_min,
        time.tm_sec
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_utc_and_padded() {
        assert_eq!(timestamp(0), "19700101T000000Z");
        assert_eq!(timestamp(1_709_210_096), "20240229T123456Z");
    }

    #[test]
    fn the_hash_tells_the_load_from_the_broker() {
        let one = Surroundings { scenario: "ab".into(), broker: "c".into(), ..Surroundings::default() };
        let other = Surroundings { scenario: "a".into(), broker: "bc".into(), ..Surroundings::default() };
        assert_ne!(one.hash(), other.hash());
    }
}
