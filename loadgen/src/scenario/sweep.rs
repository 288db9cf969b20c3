//! A scenario file: one scenario, or one varied along axes.
//!
//! ```toml
//! id = "acks"
//! [[sweep]]
//! key = "producers.acks"          # dotted; a number is a place in a list: groups.0.members
//! label = "acks"                  # the runs' ids: acks-acks0, acks-acks1, …
//! values = ["0", "1", "all"]
//! names = ["none", "one", "all"]  # what stands for the values in the ids, where they are no plain numbers or words
//! ```
//! The first axis varies slowest.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::{Scenario, ScenarioError};

/// Axes of a sweep at most.
pub const AXES_MAX: usize = 3;
/// Runs of a sweep at most.
pub const RUNS_MAX: usize = 1000;

/// The runs that one file makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// The file's id.
    pub id: String,
    /// What it shows.
    pub shows: String,
    /// The runs, in order; at least one.
    pub scenarios: Vec<Scenario>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Axis {
    key: String,
    #[serde(default)]
    label: String,
    values: Vec<Value>,
    #[serde(default)]
    names: Option<Vec<String>>,
}

impl Sweep {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ScenarioError::File`] and those of [`Sweep::parse`].
    pub fn read(path: &Path) -> Result<Sweep, ScenarioError> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| ScenarioError::File { path: name.clone(), error })?;
        Sweep::parse(&name, &text)
    }

    /// Reads a file's text; `name` is for messages.
    ///
    /// # Errors
    /// Text that is no scenario, an unknown key, an impossible combination of values, or an axis that varies nothing.
    pub fn parse(name: &str, text: &str) -> Result<Sweep, ScenarioError> {
        let syntax = |detail: String| ScenarioError::Syntax { name: name.to_owned(), detail };
        let mut table: Table = text.parse().map_err(|error: toml::de::Error| syntax(error.to_string()))?;
        let axes = match table.remove("sweep") {
            Some(axes) => {
                Vec::<Axis>::deserialize(axes).map_err(|error| syntax(format!("in [[sweep]]: {}", error.message())))?
            }
            None => Vec::new(),
        };
        if axes.is_empty() {
            // From the text itself: the error then shows the line.
            let mut scenario: Scenario = toml::from_str(text).map_err(|error| syntax(error.to_string()))?;
            if scenario.family.is_empty() {
                scenario.family.clone_from(&scenario.id);
            }
            scenario.validate()?;
            return Ok(Sweep { id: scenario.id.clone(), shows: scenario.shows.clone(), scenarios: vec![scenario] });
        }
        let complain = |axis: &Axis, reason: &str| ScenarioError::Axis {
            name: name.to_owned(),
            key: axis.key.clone(),
            reason: reason.to_owned(),
        };
        let runs = axes.iter().try_fold(1usize, |runs, axis| runs.checked_mul(axis.values.len()));
        if axes.len() > AXES_MAX || runs.is_none_or(|runs| runs > RUNS_MAX) {
            let reason = format!("at most {AXES_MAX} axes and {RUNS_MAX} runs");
            return Err(complain(&axes[0], &reason));
        }
        if let Some(empty) = axes.iter().find(|axis| axis.values.is_empty()) {
            return Err(complain(empty, "it has no values"));
        }
        let mut tables = vec![(table, String::new())];
        for axis in &axes {
            tables = vary(tables, axis).map_err(|reason| complain(axis, reason))?;
        }
        let mut scenarios = Vec::with_capacity(tables.len());
        for (table, suffix) in tables {
            let mut scenario = Scenario::deserialize(table).map_err(|error| syntax(error.message().to_owned()))?;
            scenario.family = std::mem::take(&mut scenario.id);
            scenario.id = format!("{}{suffix}", scenario.family);
            scenario.validate()?;
            scenarios.push(scenario);
        }
        let first = &scenarios[0];
        Ok(Sweep { id: first.family.clone(), shows: first.shows.clone(), scenarios })
    }
}

fn vary(tables: Vec<(Table, String)>, axis: &Axis) -> Result<Vec<(Table, String)>, &'static str> {
    let mut varied = Vec::with_capacity(tables.len() * axis.values.len());
    for (table, suffix) in tables {
        for (at, value) in axis.values.iter().enumerate() {
            let mut table = Value::Table(table.clone());
            set(&mut table, &axis.key, value)?;
            let Value::Table(table) = table else { return Err("it leads nowhere") };
            let text = match (&axis.names, value) {
                (Some(names), _) => names.get(at).ok_or("there are fewer names than values")?.clone(),
                (None, Value::String(text)) => text.clone(),
                (None, other) => other.to_string(),
            };
            varied.push((table, format!("{suffix}-{}{}", axis.label, text.to_lowercase())));
        }
    }
    Ok(varied)
}

/// Puts a value at a dotted place, making tables on the way but no list elements.
fn set(root: &mut Value, key: &str, value: &Value) -> Result<(), &'static str> {
    let mut place = root;
    for part in key.split('.') {
        place = match place {
            Value::Table(table) => table.entry(part).or_insert_with(|| Value::Table(Table::new())),
            Value::Array(list) => {
                let index: usize = part.parse().map_err(|_| "a place in a list is a number")?;
                list.get_mut(index).ok_or("the list has no such place")?
            }
            _ => return Err("it leads through a value that has no parts"),
        };
    }
    *place = value.clone();
    Ok(())
}
