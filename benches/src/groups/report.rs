//! A comparison's figures side by side, made from its kept runs alone.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

use super::figures::GroupMeasurement;
use crate::results::{self, GROUP_SCHEMA, RunResult};
use loadgen::compare::statistics::Ratio;

type Run = RunResult<GroupMeasurement>;

/// The report of comparison `id`.
///
/// # Errors
/// When a kept result can't be read, or none of groups belongs to `id`.
pub fn by_id(results: &Path, id: &str) -> io::Result<String> {
    let mut runs = Vec::new();
    for path in results::kept(results)? {
        let told = results::read::<serde_json::Value>(&path)?;
        if told.comparison.id == id && told.schema == GROUP_SCHEMA {
            runs.push(results::read::<GroupMeasurement>(&path)?);
        }
    }
    if runs.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("no run with groups belongs to comparison {id}")));
    }
    Ok(render(id, &runs))
}

/// One line on stderr while a comparison goes on.
pub(super) fn print_run(run: &Run) {
    let GroupMeasurement { load, latencies, resources, validity } = &run.measurement;
    let medians: Vec<String> =
        latencies.iter().map(|named| format!("{} {}", named.name, seconds(named.latency.p50_us / 1e6))).collect();
    eprintln!(
        "pair {} {} {:8} {:5.1} % of a core, {} answered; p50: {}; {} {}",
        run.comparison.pair,
        run.comparison.side,
        run.system,
        resources.server_cpu_share * 100.0,
        load.answered,
        medians.join(", "),
        validity.verdict,
        validity.reasons.join("; "),
    );
}

fn render(id: &str, runs: &[Run]) -> String {
    let mut text = format!("{id}: a / b, geometric mean over the pairs and 95 % interval\n");
    for side in ["a", "b"] {
        if let Some(run) = runs.iter().find(|run| run.comparison.side == side) {
            let durability = serde_json::to_value(run.durability).unwrap_or_default();
            let load = &run.measurement.load;
            let _ = writeln!(
                text,
                "{side}: {} {} {} {durability}, {} groups, {} members each, {} connections",
                run.system, run.version, run.revision, load.groups, load.members_per_group, load.connections,
            );
        }
    }
    line(&mut text, runs, "server CPU, share of a core", |m| Some(m.resources.server_cpu_share));
    line(&mut text, runs, "server CPU, us a request", |m| m.resources.server_cpu_us_per_request);
    line(&mut text, runs, "server RSS, MB", |m| Some(m.resources.server_rss_bytes as f64 / 1e6));
    line(&mut text, runs, "server peak RSS, MB", |m| Some(m.resources.server_rss_peak_bytes as f64 / 1e6));
    let names: Vec<String> = runs
        .first()
        .map_or(Vec::new(), |run| run.measurement.latencies.iter().map(|named| named.name.clone()).collect());
    for name in names {
        for (label, read) in [("p50", p50 as fn(&crate::measurement::Latency) -> f64), ("p99", p99)] {
            line(&mut text, runs, &format!("{name}, {label}, ms"), |m| {
                let named = m.latencies.iter().find(|named| named.name == name)?;
                (named.latency.samples > 0).then(|| read(&named.latency) / 1e3)
            });
        }
    }
    let doubtful = runs.iter().filter(|run| run.measurement.validity.verdict != "valid");
    let reasons: Vec<String> = doubtful
        .map(|run| {
            format!(
                "pair {}{}: {}",
                run.comparison.pair,
                run.comparison.side,
                run.measurement.validity.reasons.join("; ")
            )
        })
        .collect();
    let _ = writeln!(text, "{} of {} runs are not valid", reasons.len(), runs.len());
    for reason in reasons {
        let _ = writeln!(text, "    {reason}");
    }
    text
}

fn p50(latency: &crate::measurement::Latency) -> f64 {
    latency.p50_us
}

fn p99(latency: &crate::measurement::Latency) -> f64 {
    latency.p99_us
}

/// One figure: its ratio, and all points.
fn line(text: &mut String, runs: &[Run], name: &str, read: impl Fn(&GroupMeasurement) -> Option<f64>) {
    let mut pairs: BTreeMap<u32, [Option<f64>; 2]> = BTreeMap::new();
    for run in runs {
        pairs.entry(run.comparison.pair).or_default()[usize::from(run.comparison.side != "a")] = read(&run.measurement);
    }
    let whole: Vec<(f64, f64)> = pairs.values().filter_map(|[a, b]| (*a).zip(*b)).collect();
    let ratios: Vec<f64> = whole.iter().map(|(a, b)| a / b).collect();
    let _ = match Ratio::of(&ratios) {
        Some(Ratio { mean, low, high }) => writeln!(text, "{name:40} {mean:8.4}  [{low:.4}, {high:.4}]"),
        None => writeln!(text, "{name:40}        -  (too few points)"),
    };
    let points: Vec<String> = whole.iter().map(|(a, b)| format!("{a:.3}/{b:.3}={:.4}", a / b)).collect();
    let _ = writeln!(text, "    {}", points.join("  "));
}

fn seconds(value: f64) -> String {
    if value < 1.0 { format!("{:.2} ms", value * 1e3) } else { format!("{value:.2} s") }
}
