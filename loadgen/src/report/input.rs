//! What a report is made from: run folders, read whole. A folder that cannot be read is not skipped silently: it is named with why.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use crate::measure::Latencies;
use crate::resources::environment::Environment;
use crate::result::{RunEvent, RunResult, SCHEMA, folder};

use super::earlier::EarlierRun;

/// A file of a run that is larger was not written by this tool.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// One run with all that its folder holds.
#[derive(Debug, Clone)]
pub struct Run {
    /// Where it lies.
    pub folder: PathBuf,
    /// `result.json`.
    pub result: RunResult,
    /// `env.json`; absent when it is of another shape.
    pub environment: Option<Environment>,
    /// `broker.conf`.
    pub broker: String,
    /// `series.csv`.
    pub series: Series,
    /// `events.ndjson`.
    pub events: Vec<RunEvent>,
    /// `latency.hlog`, merged over the run: a histogram in µs for each tag.
    pub latencies: BTreeMap<String, Latencies>,
}

/// A folder that no picture is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it lies.
    pub folder: PathBuf,
    /// Why.
    pub reason: String,
}

/// All that was found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Runs of the load generator.
    pub runs: Vec<Run>,
    /// Runs of the tools that came before it.
    pub earlier: Vec<EarlierRun>,
    /// What could not be read.
    pub left_out: Vec<LeftOut>,
}

/// Reads all runs in and below these folders, each once, by the time when they were made.
///
/// # Errors
/// When a folder can't be listed.
pub fn read(folders: &[PathBuf]) -> io::Result<Found> {
    let mut places = Vec::new();
    for place in folders {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", place.display()));
        places.extend(folder::kept(place).map_err(named)?);
    }
    places.sort();
    places.dedup();
    let mut found = Found::default();
    for place in places {
        match read_one(&place) {
            Ok(One::Run(run)) => found.runs.push(*run),
            Ok(One::Earlier(run)) => found.earlier.push(*run),
            Err(reason) => found.left_out.push(LeftOut { folder: place, reason }),
        }
    }
    found.runs.sort_by(|a, b| (&a.result.started, &a.result.run).cmp(&(&b.result.started, &b.result.run)));
    Ok(found)
}

enum One {
    Run(Box<Run>),
    Earlier(Box<EarlierRun>),
}

fn read_one(place: &Path) -> Result<One, String> {
    let text = text_of(&place.join(folder::RESULT))?;
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("result.json is no JSON: {error}"))?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(schema) if schema == u64::from(SCHEMA) => {
            let result = serde_json::from_value(value)
                .map_err(|error| format!("result.json is not as its schema says: {error}"))?;
            Ok(One::Run(Box::new(Run::read(place, result))))
        }
        Some(_) => EarlierRun::read(place, &value).map(|run| One::Earlier(Box::new(run))),
        None => Err("result.json does not say which schema it has".to_owned()),
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    let named = |error: io::Error| format!("{}: {error}", path.display());
    let size = fs::metadata(path).map_err(named)?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("{} has {size} bytes, more than {FILE_BYTES_MAX}", path.display()));
    }
    fs::read_to_string(path).map_err(named)
}

impl Run {
    /// What stands beside a result is a help to its reader: what is missing of it is left away.
    fn read(place: &Path, result: RunResult) -> Run {
        let text = |name: &str| text_of(&place.join(name)).unwrap_or_default();
        let events = text("events.ndjson").lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Run {
            folder: place.to_owned(),
            result,
            environment: serde_json::from_str(&text("env.json")).ok(),
            broker: text("broker.conf"),
            series: Series::parse(&text("series.csv")),
            events,
            latencies: histograms(text("latency.hlog").as_bytes()),
        }
    }
}

/// A table of numbers by column; what is not a number is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    columns: BTreeMap<String, Vec<Option<f64>>>,
}

impl Series {
    /// Reads comma-separated text whose first line names the columns.
    pub fn parse(text: &str) -> Series {
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().map(|line| line.split(',').collect()).unwrap_or_default();
        let mut columns: BTreeMap<String, Vec<Option<f64>>> =
            names.iter().map(|name| ((*name).to_owned(), Vec::new())).collect();
        let phase = names.iter().position(|name| *name == "phase");
        // Seconds before the schedule began have no place on its axis.
        let is_placed = |line: &&str| phase.is_none_or(|at| line.split(',').nth(at) != Some("backlog"));
        for line in lines.filter(is_placed) {
            let mut fields = line.split(',');
            for name in &names {
                let number =
                    fields.next().and_then(|field| field.parse().ok()).filter(|number: &f64| number.is_finite());
                columns.entry((*name).to_owned()).or_default().push(number);
            }
        }
        Series { columns }
    }

    /// The names of all columns that begin so.
    pub fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.columns.keys().map(String::as_str).filter(move |name| name.starts_with(prefix))
    }

    /// The points of one column over another, where both are there.
    pub fn points(&self, x: &str, y: &str) -> Vec<(f64, f64)> {
        let (Some(xs), Some(ys)) = (self.columns.get(x), self.columns.get(y)) else { return Vec::new() };
        xs.iter().zip(ys).filter_map(|(x, y)| Some(((*x)?, (*y)?))).collect()
    }

    /// The same, each value divided by its interval's length: counts become rates.
    pub fn rates(&self, x: &str, y: &str, seconds: &str) -> Vec<(f64, f64)> {
        let lengths = self.points(x, seconds);
        let long =
            |at: f64| lengths.iter().find(|(x, _)| *x == at).map(|(_, length)| *length).filter(|length| *length > 0.0);
        self.points(x, y).into_iter().filter_map(|(x, count)| Some((x, count / long(x)?))).collect()
    }
}

/// The histograms of an interval log, merged by tag. Lines that cannot be read end the log: what was read until there counts.
fn histograms(log: &[u8]) -> BTreeMap<String, Latencies> {
    let mut merged: BTreeMap<String, Latencies> = BTreeMap::new();
    let mut deserializer = Deserializer::new();
    for entry in IntervalLogIterator::new(log).map_while(Result::ok) {
        let LogEntry::Interval(interval) = entry else { continue };
        let Ok(bytes) = BASE64_STANDARD.decode(interval.encoded_histogram()) else { continue };
        let Ok(histogram) = deserializer.deserialize::<u64, _>(&mut bytes.as_slice()) else { continue };
        let tag = interval.tag().map_or("", |tag| tag.as_str());
        let latencies = merged.entry(tag.to_owned()).or_default();
        for value in histogram.iter_recorded() {
            latencies.record_us(value.value_iterated_to(), value.count_at_value());
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::result::hlog::{Entry, LatencyLog};

    #[test]
    fn a_series_has_columns_and_holes() {
        let series = Series::parse("from_s,seconds,acked,p99_us,lag_a,lag_b\n-1.0,1.0,500,,1,2\n0.0,0.5,500,9,3,inf\n");
        assert_eq!(series.points("from_s", "p99_us"), [(0.0, 9.0)]);
        assert_eq!(series.rates("from_s", "acked", "seconds"), [(-1.0, 500.0), (0.0, 1000.0)]);
        assert_eq!(series.names("lag_").collect::<Vec<_>>(), ["lag_a", "lag_b"]);
        assert_eq!(series.points("from_s", "lag_b"), [(-1.0, 2.0)]);
        assert_eq!(Series::parse("").points("a", "b"), []);
        let phases = Series::parse("from_s,phase,acked\n0.0,backlog,7\n-1.0,warm-up,8\n");
        assert_eq!(phases.points("from_s", "acked"), [(-1.0, 8.0)]);
    }

    #[test]
    fn an_interval_log_merges_by_tag() {
        let mut log = LatencyLog::new(SystemTime::now()).expect("memory takes it");
        for second in 0..3 {
            let mut latencies = Latencies::default();
            latencies.record_us(100 * (second + 1), 10);
            let (from, length) = (Duration::from_secs(second), Duration::from_secs(1));
            let entry = |tag| Entry { tag, from, length, latencies: &latencies };
            log.write(&[entry("response"), entry("e2e")]).expect("memory takes it");
        }
        let read = histograms(log.as_bytes());
        assert_eq!(read.keys().collect::<Vec<_>>(), ["e2e", "response"]);
        assert_eq!((read["response"].samples(), read["response"].percentile_us(50.0)), (30, 200));
        assert!(histograms(b"no log at all").is_empty());
    }
}
