//! The ratios of a comparison, made from its kept runs alone: it can be printed again at any time.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

use crate::measurement::Measurement;
use crate::results::{self, RunResult};
use loadgen::compare::statistics::Ratio;

/// How to read one figure off a run.
type Metric = fn(&Measurement) -> Option<f64>;

/// What is compared.
const METRICS: [(&str, Metric); 6] = [
    ("MB/s", |m| Some(m.throughput.megabytes_per_second)),
    ("server CPU-s/GB", |m| m.resources.server_cpu_seconds_per_gigabyte),
    ("response p50", |m| Some(m.response.p50_us)),
    ("response p99", |m| Some(m.response.p99_us)),
    ("peak RSS", |m| m.resources.server_rss_peak_bytes.map(|bytes| bytes as f64)),
    ("disk bytes/byte", |m| Some(m.resources.disk_written_bytes_per_byte)),
];

/// The report of comparison `id`.
///
/// # Errors
/// When a kept result can't be read, or none belongs to `id`.
pub fn by_id(results: &Path, id: &str) -> io::Result<String> {
    let mut runs = Vec::new();
    for path in results::kept(results)? {
        // Of the runs that belong to others, which may be of another shape, only the place is read.
        if results::read::<serde_json::Value>(&path)?.comparison.id == id {
            runs.push(results::read(&path)?);
        }
    }
    if runs.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("no run belongs to comparison {id}")));
    }
    Ok(render(id, &runs))
}

/// Prints the report of comparison `id` on stdout.
///
/// # Errors
/// As [`by_id`].
pub fn print(results: &Path, id: &str) -> io::Result<()> {
    print!("{}", by_id(results, id)?);
    Ok(())
}

/// One line on stderr while a comparison goes on.
pub(super) fn print_run(run: &RunResult) {
    let measurement = &run.measurement;
    eprintln!(
        "pair {} {} {:8} {:8.1} MB/s {:8.3} CPU-s/GB p99 {:9.0} us {} {}",
        run.comparison.pair,
        run.comparison.side,
        run.system,
        measurement.throughput.megabytes_per_second,
        measurement.resources.server_cpu_seconds_per_gigabyte.unwrap_or(f64::NAN),
        measurement.response.p99_us,
        measurement.validity.verdict,
        measurement.validity.reasons.join("; "),
    );
}

fn render(id: &str, runs: &[RunResult]) -> String {
    let pairs = pairs(runs);
    let mut text = format!("{id}: a / b over {} pairs, geometric mean and 95 % interval\n", pairs.len());
    for side in ["a", "b"] {
        if let Some(run) = runs.iter().find(|run| run.comparison.side == side) {
            let durability = serde_json::to_value(run.durability).unwrap_or_default();
            let _ = writeln!(
                text,
                "{side}: {} {} {} {durability}, {} partitions, batches of {} bytes, depth {}",
                run.system,
                run.version,
                run.revision,
                run.measurement.load.partitions,
                run.measurement.load.batch_bytes,
                run.measurement.load.depth,
            );
        }
    }
    for (name, metric) in METRICS {
        let values: Vec<(f64, f64)> =
            pairs.iter().filter_map(|(a, b)| Some((metric(&a.measurement)?, metric(&b.measurement)?))).collect();
        let ratios: Vec<f64> = values.iter().map(|(a, b)| a / b).collect();
        let _ = match Ratio::of(&ratios) {
            Some(Ratio { mean, low, high }) => writeln!(text, "{name:16} {mean:8.3}  [{low:.3}, {high:.3}]"),
            None => writeln!(text, "{name:16}        -  (too few points)"),
        };
        let points: Vec<String> =
            values.iter().map(|(a, b)| format!("{}/{}={:.3}", short(*a), short(*b), a / b)).collect();
        let _ = writeln!(text, "    {}", points.join("  "));
    }
    let doubtful = runs.iter().filter(|run| run.measurement.validity.verdict != "valid").count();
    let _ = writeln!(text, "{doubtful} of {} runs are not valid", runs.len());
    text
}

/// The complete pairs, in order.
fn pairs(runs: &[RunResult]) -> Vec<(&RunResult, &RunResult)> {
    let mut sides: BTreeMap<u32, (Option<&RunResult>, Option<&RunResult>)> = BTreeMap::new();
    for run in runs {
        let pair = sides.entry(run.comparison.pair).or_default();
        match run.comparison.side.as_str() {
            "a" => pair.0 = Some(run),
            _ => pair.1 = Some(run),
        }
    }
    sides.into_values().filter_map(|(a, b)| a.zip(b)).collect()
}

/// Three significant digits or whole numbers.
fn short(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}
