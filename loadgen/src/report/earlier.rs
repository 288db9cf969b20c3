//! Runs that the project's first tools made (schemas 1 and 2): measured in pairs, and shown as ratios only.
//!
//! They have neither the scenario nor the proof of delivery that the load generator's own runs have, so that they are in no
//! other picture.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::compare::metrics::Better;
use crate::result::{Comparison, Durability, SystemInfo, Validity};

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlierRun {
    /// Where it lies.
    pub folder: PathBuf,
    /// What was measured.
    pub system: SystemInfo,
    /// The scenario's name.
    pub scenario: String,
    /// Start, UTC.
    pub started: String,
    /// Its place in its comparison.
    pub comparison: Comparison,
    /// What was measured.
    pub figures: Vec<Figure>,
    /// Whether the figures mean something.
    pub validity: Validity,
}

/// A figure by its own name.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// In words.
    pub name: String,
    /// Which way is better.
    pub better: Better,
    /// The number.
    pub value: f64,
}

#[derive(Deserialize)]
struct Shape {
    schema: u64,
    system: String,
    version: String,
    revision: String,
    durability: Durability,
    scenario: String,
    started: String,
    comparison: Comparison,
    measurement: Value,
}

/// Schema 1: where a figure stands, and what it is.
const PRODUCED: [(&str, &str, Better); 7] = [
    ("/throughput/megabytes_per_second", "megabytes acknowledged", Better::More),
    ("/response/p50_us", "response p50", Better::Less),
    ("/response/p99_us", "response p99", Better::Less),
    ("/response/p999_us", "response p99.9", Better::Less),
    ("/resources/server_cpu_seconds_per_gigabyte", "server CPU per GB", Better::Less),
    ("/resources/server_rss_peak_bytes", "server peak memory", Better::Less),
    ("/resources/disk_written_bytes_per_byte", "bytes on disk per payload byte", Better::Less),
];

impl EarlierRun {
    /// Reads a `result.json` of schema 1 or 2.
    ///
    /// # Errors
    /// Why the run is left out.
    pub fn read(folder: &Path, value: &Value) -> Result<EarlierRun, String> {
        let shape: Shape = serde_json::from_value(value.clone())
            .map_err(|error| format!("result.json is of no known shape: {error}"))?;
        let validity = shape.measurement.get("validity").cloned().unwrap_or_default();
        let validity =
            serde_json::from_value(validity).map_err(|error| format!("its validity cannot be read: {error}"))?;
        let figures = match shape.schema {
            1 => produced(&shape.measurement),
            2 => of_groups(&shape.measurement),
            other => return Err(format!("its schema is {other}, which this version does not know")),
        };
        let Shape { system, version, revision, durability, scenario, started, comparison, .. } = shape;
        let system = SystemInfo { name: system, version, revision, durability };
        Ok(EarlierRun { folder: folder.to_owned(), system, scenario, started, comparison, figures, validity })
    }
}

fn produced(measurement: &Value) -> Vec<Figure> {
    let figure = |(place, name, better): &(&str, &str, Better)| {
        let value = measurement.pointer(place)?.as_f64()?;
        Some(Figure { name: (*name).to_owned(), better: *better, value })
    };
    PRODUCED.iter().filter_map(figure).collect()
}

fn of_groups(measurement: &Value) -> Vec<Figure> {
    let mut figures = Vec::new();
    for latency in measurement.get("latencies").and_then(Value::as_array).into_iter().flatten() {
        let name = latency.get("name").and_then(Value::as_str).unwrap_or_default();
        for (place, percentile) in [("/latency/p50_us", "p50"), ("/latency/p99_us", "p99")] {
            let Some(value) = latency.pointer(place).and_then(Value::as_f64) else { continue };
            let name = format!("{name}, {percentile}");
            figures.push(Figure { name, better: Better::Less, value });
        }
    }
    let resources = [
        ("/resources/server_cpu_us_per_request", "server CPU per request"),
        ("/resources/server_rss_peak_bytes", "server peak memory"),
    ];
    for (place, name) in resources {
        if let Some(value) = measurement.pointer(place).and_then(Value::as_f64) {
            figures.push(Figure { name: name.to_owned(), better: Better::Less, value });
        }
    }
    figures
}
