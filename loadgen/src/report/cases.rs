//! Runs sorted by what differs between them: the parameters that vary, and the cases that they make.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::measure::Latencies;
use crate::result::{SystemInfo, Verdict};
use crate::scenario::Scenario;

use super::figures::{Metric, median};
use super::input::Run;
use super::words;

/// The number of groups, as a parameter beside those that a scenario has.
pub const GROUPS: &str = "groups.count";
/// How a scenario says acks.
pub const ACKS: &str = "producers.acks";
/// How a scenario says partitions.
pub const PARTITIONS: &str = "topic.partitions";
/// How a scenario says the rate.
pub const RATE: &str = "producers.rate";
/// How a scenario says the first group's size.
pub const MEMBERS: &str = "groups.0.members";

/// Parameters that name a run but do not change what it does.
const NAMES: [&str; 5] = ["id", "family", "shows", "source", "scale"];
/// Parameters in the order in which people name them; others follow.
const ORDER: [&str; 9] = [
    "producers.acks",
    "groups.0.protocol",
    "events.0.do",
    "topic.partitions",
    GROUPS,
    "groups.0.members",
    "producers.record_bytes",
    "producers.linger_ms",
    "producers.batch_bytes",
];

/// All runs of one system with the same parameters.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// The system.
    pub system: &'a SystemInfo,
    /// Which of the report's systems, by the order in which they appear.
    pub system_index: usize,
    /// Every parameter that varies within the report, with its value here.
    pub settings: BTreeMap<String, Value>,
    /// The runs; at least one.
    pub runs: Vec<&'a Run>,
}

/// The cases of a report.
#[derive(Debug, Clone)]
pub struct Cases<'a> {
    /// In order: by system, then by the values of what varies.
    pub cases: Vec<Case<'a>>,
    /// The systems, in order.
    pub systems: Vec<&'a SystemInfo>,
    /// The parameters that vary, with all their values in order.
    pub axes: Vec<(String, Vec<Value>)>,
}

/// A scenario as a table of dotted keys. What only names things is left out.
fn flat(scenario: &Scenario) -> BTreeMap<String, Value> {
    let mut table = BTreeMap::new();
    let value = serde_json::to_value(scenario).unwrap_or_default();
    flatten("", &value, &mut table);
    let is_name = |key: &str| NAMES.contains(&key) || key.starts_with("groups.") && key.ends_with(".name");
    table.retain(|key, _| !is_name(key));
    table.insert(GROUPS.to_owned(), Value::from(scenario.groups.len()));
    table
}

fn flatten(prefix: &str, value: &Value, table: &mut BTreeMap<String, Value>) {
    let join = |part: &str| if prefix.is_empty() { part.to_owned() } else { format!("{prefix}.{part}") };
    match value {
        Value::Object(parts) => parts.iter().for_each(|(name, part)| flatten(&join(name), part, table)),
        Value::Array(parts) => {
            parts.iter().enumerate().for_each(|(at, part)| flatten(&join(&at.to_string()), part, table))
        }
        Value::Null => {}
        leaf => {
            table.insert(prefix.to_owned(), leaf.clone());
        }
    }
}

/// Numbers by size, before words; of words "all" is last, as of acks.
fn order_of(value: &Value) -> (bool, f64, String) {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let number = value.as_f64().or_else(|| text.parse().ok());
    (number.is_none(), number.unwrap_or_default(), text)
}

fn compare(a: &Value, b: &Value) -> std::cmp::Ordering {
    let ((a_word, a_number, a_text), (b_word, b_number, b_text)) = (order_of(a), order_of(b));
    a_word.cmp(&b_word).then(a_number.total_cmp(&b_number)).then(a_text.cmp(&b_text))
}

impl<'a> Cases<'a> {
    /// Sorts runs into cases.
    pub fn of(runs: &'a [Run]) -> Cases<'a> {
        let mut systems: Vec<&SystemInfo> = Vec::new();
        for run in runs {
            if !systems.contains(&&run.result.system) {
                systems.push(&run.result.system);
            }
        }
        // Ours first where it is among them: the reader compares others with it.
        systems.sort_by_key(|system| system.name != "partita");
        let tables: Vec<BTreeMap<String, Value>> = runs.iter().map(|run| flat(&run.result.scenario)).collect();
        let axes = axes_of(&tables);
        let mut cases: Vec<Case<'_>> = Vec::new();
        for (run, mut settings) in runs.iter().zip(tables) {
            settings.retain(|key, _| axes.iter().any(|(axis, _)| axis == key));
            let system = &run.result.system;
            let known = cases.iter_mut().find(|case| case.system == system && case.settings == settings);
            match known {
                Some(case) => case.runs.push(run),
                None => {
                    let system_index = systems.iter().position(|known| *known == system).unwrap_or_default();
                    cases.push(Case { system, system_index, settings, runs: vec![run] });
                }
            }
        }
        let keys: Vec<&String> = axes.iter().map(|(key, _)| key).collect();
        cases.sort_by(|a, b| {
            let by_settings = keys.iter().map(|key| match (a.settings.get(*key), b.settings.get(*key)) {
                (Some(a), Some(b)) => compare(a, b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            });
            let unequal = by_settings.into_iter().find(|order| order.is_ne());
            a.system_index.cmp(&b.system_index).then(unequal.unwrap_or(std::cmp::Ordering::Equal))
        });
        Cases { cases, systems, axes }
    }

    /// The values of one parameter; none when it does not vary.
    pub fn axis(&self, key: &str) -> Option<&[Value]> {
        self.axes.iter().find(|(axis, _)| axis == key).map(|(_, values)| values.as_slice())
    }

    /// What a picture calls a case: its system where there are several, and its values of all that varies but `without`.
    pub fn label(&self, case: &Case<'_>, without: &[&str]) -> String {
        let mut words: Vec<String> = Vec::new();
        if self.systems.len() > 1 && !without.contains(&SYSTEM) {
            words.push(self.system_label(case.system));
        }
        for (key, _) in self.axes.iter().filter(|(key, _)| !without.contains(&key.as_str())) {
            if let Some(value) = case.settings.get(key) {
                words.push(words::setting(key, value));
            }
        }
        words.join(", ")
    }

    /// A system's name, with its version where one name has several.
    pub fn system_label(&self, info: &SystemInfo) -> String {
        let same_name = self.systems.iter().filter(|system| system.name == info.name).count();
        let same_version =
            self.systems.iter().filter(|system| system.name == info.name && system.version == info.version).count();
        match (same_name, same_version) {
            (1, _) => words::system_name(&info.name).to_owned(),
            (_, 1) => words::system(info),
            _ => format!("{} {}", words::system(info), info.revision.get(..8).unwrap_or(&info.revision)),
        }
    }

    /// The cases in heaps that differ only in `along` (parameters, or [`SYSTEM`]).
    pub fn heaps(&self, along: &[&str]) -> Vec<Vec<&Case<'a>>> {
        let mut heaps: Vec<(Common<'_>, Vec<&Case<'a>>)> = Vec::new();
        for case in &self.cases {
            let system = (!along.contains(&SYSTEM)).then_some(case.system_index);
            let rest: BTreeMap<&String, &Value> =
                case.settings.iter().filter(|(key, _)| !along.contains(&key.as_str())).collect();
            match heaps.iter_mut().find(|(common, _)| *common == (system, rest.clone())) {
                Some((_, heap)) => heap.push(case),
                None => heaps.push(((system, rest), vec![case])),
            }
        }
        heaps.into_iter().map(|(_, heap)| heap).collect()
    }
}

/// What the cases of a heap have in common: the system, if it is, and the values of parameters.
type Common<'c> = (Option<usize>, BTreeMap<&'c String, &'c Value>);

/// The system, as something that cases may differ in.
pub const SYSTEM: &str = "system";

fn axes_of(tables: &[BTreeMap<String, Value>]) -> Vec<(String, Vec<Value>)> {
    let keys: BTreeSet<&String> = tables.iter().flat_map(BTreeMap::keys).collect();
    let mut axes: Vec<(String, Vec<Value>)> = Vec::new();
    for key in keys {
        let mut values: Vec<Value> = tables.iter().filter_map(|table| table.get(key)).cloned().collect();
        values.sort_by(compare);
        values.dedup();
        if values.len() > 1 {
            axes.push((key.clone(), values));
        }
    }
    let rank = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
    axes.sort_by(|a, b| rank(&a.0).cmp(&rank(&b.0)).then(a.0.cmp(&b.0)));
    axes
}

impl Case<'_> {
    /// The runs whose figures may be shown: the valid ones, else all.
    fn shown(&self) -> Vec<&Run> {
        let valid: Vec<&Run> =
            self.runs.iter().copied().filter(|run| run.result.validity.verdict == Verdict::Valid).collect();
        if valid.is_empty() { self.runs.clone() } else { valid }
    }

    /// Each repetition's figure.
    pub fn values(&self, metric: Metric) -> Vec<f64> {
        self.shown().iter().filter_map(|run| metric.of(&run.result)).collect()
    }

    /// The figure: the middle of the repetitions'.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        median(self.values(metric))
    }

    /// Whether no run of it is valid.
    pub fn is_doubtful(&self) -> bool {
        self.runs.iter().all(|run| run.result.validity.verdict != Verdict::Valid)
    }

    /// The histogram of one kind of latency over all repetitions; percentiles are never averaged.
    pub fn latencies(&self, tag: &str) -> Option<Latencies> {
        let mut merged = Latencies::default();
        for latencies in self.shown().iter().filter_map(|run| run.latencies.get(tag)) {
            merged.merge(latencies);
        }
        (merged.samples() > 0).then_some(merged)
    }
}
