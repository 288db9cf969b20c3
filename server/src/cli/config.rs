//! `partita config`: every key there is, and what this command line, environment and file make of it.

use broker::config::table::{BROKER_KEYS, TOPIC_KEYS};
use broker::config::{Key, Range};
use clap::Args;
use serde::Serialize;

use super::CliError;
use super::output::{Format, Table, write_all, write_json};
use crate::settings::{SettingFlags, Settings, environment_variable};

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(flatten)]
    settings: SettingFlags,
    /// List the keys that each topic may set for itself instead
    #[arg(long)]
    topic: bool,
    /// How to list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Serialize)]
struct KeyLine {
    key: &'static str,
    r#type: String,
    default: Option<&'static str>,
    unit: Option<String>,
    range: Option<String>,
    /// What is set, when something is.
    value: Option<String>,
    /// Where it is set.
    origin: Option<String>,
    /// The variable that sets it.
    variable: Option<String>,
    /// For a topic's key: the broker keys that give its default, the first that is set.
    synonyms: Vec<&'static str>,
    doc: &'static str,
}

impl KeyLine {
    fn new(key: &Key) -> KeyLine {
        let unit = key.unit.to_string();
        KeyLine {
            key: key.name,
            r#type: key.kind.to_string(),
            default: key.default,
            unit: Some(unit).filter(|unit| !unit.is_empty()),
            range: Some(key.range.to_string()).filter(|_| key.range != Range::Any),
            value: None,
            origin: None,
            variable: None,
            synonyms: Vec::new(),
            doc: key.doc,
        }
    }

    fn of_broker(key: &Key, settings: &Settings) -> KeyLine {
        let set = settings.get(key.name);
        KeyLine {
            value: set.map(|(value, _)| value.to_owned()),
            origin: set.map(|(_, origin)| origin.to_string()),
            variable: Some(environment_variable(key.name)),
            ..KeyLine::new(key)
        }
    }
}

pub(super) fn run(args: ConfigArgs) -> Result<(), CliError> {
    let lines: Vec<KeyLine> = if args.topic {
        let line = |topic: &broker::config::table::TopicKey| KeyLine {
            synonyms: topic.synonyms.iter().map(|synonym| synonym.name).collect(),
            ..KeyLine::new(&topic.key)
        };
        TOPIC_KEYS.iter().map(line).collect()
    } else {
        let settings = Settings::gather(&args.settings, std::env::vars())?;
        settings.broker_config()?;
        BROKER_KEYS.iter().map(|key| KeyLine::of_broker(key, &settings)).collect()
    };
    match args.format {
        Format::Json => write_json(&lines),
        Format::Text => write_all(text(&lines).as_bytes()),
    }
}

fn text(lines: &[KeyLine]) -> String {
    let mut text = String::new();
    for line in lines {
        let mut facts = Table::default();
        let mut fact = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                facts.row([format!("  {name}"), value]);
            }
        };
        let unit = line.unit.as_ref().map_or_else(String::new, |unit| format!(" {unit}"));
        let with_unit = |value: &str| format!("{value}{unit}");
        fact("set to", line.value.as_deref().map(with_unit));
        fact("by", line.origin.clone());
        fact("default", Some(line.default.map_or_else(|| "(unset)".to_owned(), with_unit)));
        fact("type", Some(line.r#type.clone()));
        fact("range", line.range.clone());
        let synonyms = Some(line.synonyms.join(", ")).filter(|names| !names.is_empty());
        fact("broker's", synonyms);
        text.push_str(&format!("{}\n  {}\n{}\n", line.key, line.doc, facts.render()));
    }
    text
}
