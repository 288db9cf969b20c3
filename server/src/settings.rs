//! The broker's settings from one TOML file, the environment and flags, and where each of them came from.
//!
//! Precedence: flag > environment > file > default. Keys are those of `broker::config` (Kafka's names where Kafka has them); in
//! TOML they are dotted keys, tables or quoted keys alike, in the environment `PARTITA_` and the key in upper case with `_` for `.`.
//!
//! Invariant: nothing that was written is ignored. An unknown key refuses, and the error names the place and the nearest key.
//! Deviation: variables that Kubernetes sets for a service called "partita" (`PARTITA_PORT…`, `PARTITA_SERVICE_…`) are passed
//! over, because nobody wrote them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use broker::config::table::{BROKER_KEYS, broker_key, nearest_broker_key};
use broker::config::{BrokerConfig, ConfigError};
use clap::Args;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What every variable of ours begins with.
const ENVIRONMENT_PREFIX: &str = "PARTITA_";
/// Variables of ours that are no broker key: the command line reads them.
const OTHER_VARIABLES: &[&str] =
    &["PARTITA_BOOTSTRAP_SERVER", "PARTITA_CONFIG", "PARTITA_LOG_FORMAT", "PARTITA_LOG_LEVEL"];
/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The flags that set broker keys.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SettingFlags {
    /// TOML file with settings; `partita config` lists every key
    #[arg(long, value_name = "FILE", env = "PARTITA_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Where to listen, [NAME://]host:port, several separated by commas [default: localhost:9092]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Folder that holds everything; created when missing [default: partita-data in the current folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<String>,
    /// How many cores to use, one pinned thread each [default: all that the process may use]
    #[arg(long, value_name = "N")]
    pub(crate) cores: Option<u16>,
    /// Sets any key, for example num.partitions=4; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// Where a setting was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In the file, on this line (from 1).
    File { path: PathBuf, line: usize },
    /// In the environment.
    Environment { variable: String },
    /// On the command line.
    Flag { text: String },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Origin::Environment { variable } => write!(f, "environment variable {variable}"),
            Origin::Flag { text } => write!(f, "flag {text}"),
        }
    }
}

/// Why the settings are refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}: {error}. Check the path given with --config")]
    File { path: PathBuf, error: io::Error },
    /// The file is not TOML.
    #[error("{path} is not valid TOML: {error}")]
    Toml { path: PathBuf, error: String },
    /// A value that no key could have.
    #[error("{origin}: {reason}")]
    Shape { origin: Origin, reason: String },
    /// A key that does not exist, or a value that it does not take.
    #[error("{origin}: {error}. `partita config` lists every key with its range")]
    Key { origin: Origin, error: ConfigError },
    /// Settings that contradict each other by their defaults alone.
    #[error("{0}. `partita config` lists every key with its range")]
    Config(#[from] ConfigError),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    value: String,
    origin: Origin,
}

/// What was set, each key by its last and strongest word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings(BTreeMap<&'static str, Setting>);

impl Settings {
    /// Gathers what file, environment and flags say.
    ///
    /// # Errors
    /// The first thing that is wrong, and where.
    pub(crate) fn gather(
        flags: &SettingFlags,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Settings, SettingsError> {
        let mut settings = Settings::default();
        if let Some(path) = &flags.config {
            settings.add_file(path)?;
        }
        for (variable, value) in environment {
            settings.add_variable(variable, value)?;
        }
        settings.add_flags(flags)?;
        Ok(settings)
    }

    /// The typed configuration.
    ///
    /// # Errors
    /// Values that contradict each other.
    pub(crate) fn broker_config(&self) -> Result<BrokerConfig, SettingsError> {
        let pairs = self.0.iter().map(|(name, setting)| (*name, setting.value.as_str()));
        BrokerConfig::parse(pairs).map_err(|error| {
            let name = match &error {
                ConfigError::Invalid { name, .. } => name.as_str(),
                ConfigError::Contradiction { name, .. } => name,
                _ => "",
            };
            match self.0.get(name) {
                Some(setting) => SettingsError::Key { origin: setting.origin.clone(), error },
                None => SettingsError::Config(error),
            }
        })
    }

    /// A key's value and where it was written, if it was.
    pub(crate) fn get(&self, name: &str) -> Option<(&str, &Origin)> {
        self.0.get(name).map(|setting| (setting.value.as_str(), &setting.origin))
    }

    fn add(&mut self, name: &str, value: &str, origin: Origin) -> Result<(), SettingsError> {
        let Some(key) = broker_key(name) else {
            let error = ConfigError::Unknown { name: name.into(), nearest: nearest_broker_key(name) };
            return Err(SettingsError::Key { origin, error });
        };
        match key.check(value) {
            Ok(value) => self.0.insert(key.name, Setting { value: value.to_owned(), origin }),
            Err(error) => return Err(SettingsError::Key { origin, error }),
        };
        Ok(())
    }

    fn add_flags(&mut self, flags: &SettingFlags) -> Result<(), SettingsError> {
        for text in &flags.set {
            let origin = Origin::Flag { text: format!("--set {text}") };
            let Some((name, value)) = text.split_once('=') else {
                return Err(SettingsError::Shape { origin, reason: "expected KEY=VALUE".into() });
            };
            self.add(name.trim(), value, origin)?;
        }
        let named = [
            ("listeners", "--listen", flags.listen.clone()),
            ("data.dir", "--data-dir", flags.data_dir.clone()),
            ("cores", "--cores", flags.cores.map(|cores| cores.to_string())),
        ];
        for (name, flag, value) in named {
            if let Some(value) = value {
                self.add(name, &value, Origin::Flag { text: format!("{flag} {value}") })?;
            }
        }
        Ok(())
    }

    fn add_variable(&mut self, variable: String, value: String) -> Result<(), SettingsError> {
        let Some(rest) = variable.strip_prefix(ENVIRONMENT_PREFIX) else { return Ok(()) };
        if OTHER_VARIABLES.contains(&variable.as_str()) || is_kubernetes(rest) {
            return Ok(());
        }
        let known = BROKER_KEYS.iter().find(|key| environment_variable(key.name) == variable);
        let name = known.map_or_else(|| rest.to_ascii_lowercase().replace('_', "."), |key| key.name.to_owned());
        self.add(&name, &value, Origin::Environment { variable })
    }

    fn add_file(&mut self, path: &Path) -> Result<(), SettingsError> {
        let unreadable = |error| SettingsError::File { path: path.to_owned(), error };
        let length = fs::metadata(path).map_err(unreadable)?.len();
        if length > FILE_BYTES_MAX {
            return Err(unreadable(io::Error::other(format!("it is larger than {FILE_BYTES_MAX} bytes"))));
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let document = DeTable::parse(&text)
            .map_err(|error| SettingsError::Toml { path: path.to_owned(), error: error.to_string() })?;
        let mut entries = Vec::new();
        flatten("", document.get_ref(), &mut entries);
        for (name, position, value) in entries {
            let line = text.get(..position).map_or(1, |before| before.matches('\n').count() + 1);
            let origin = Origin::File { path: path.to_owned(), line };
            match text_of(value) {
                Some(value) => self.add(&name, &value, origin)?,
                None => {
                    let reason = format!("{name} is a TOML {}, not a text, number, boolean or list", value.type_str());
                    return Err(SettingsError::Shape { origin, reason });
                }
            }
        }
        Ok(())
    }
}

/// The variable that sets a key.
pub(crate) fn environment_variable(key: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", key.to_ascii_uppercase().replace('.', "_"))
}

fn is_kubernetes(rest: &str) -> bool {
    rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_")
}

/// The values of a table by dotted key, each with its key's position in the text.
fn flatten<'t>(prefix: &str, table: &'t DeTable<'_>, entries: &mut Vec<(String, usize, &'t DeValue<'t>)>) {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        match value.get_ref() {
            DeValue::Table(table) => flatten(&name, table, entries),
            value => entries.push((name, Spanned::span(key).start, value)),
        }
    }
}

fn text_of(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
        }
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Array(values) => {
            let texts: Option<Vec<String>> = values.iter().map(|value| text_of(value.get_ref())).collect();
            texts.map(|texts| texts.join(","))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
