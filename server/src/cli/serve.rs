//! `partita serve`, and plain `partita`: settings and logging are set up, then the broker runs.

use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use super::CliError;
use crate::settings::{SettingFlags, Settings};

/// The log level without any word on it.
const LEVEL_DEFAULT: &str = "info";

#[derive(Debug, Default, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    settings: SettingFlags,
    /// How log lines look on stderr
    #[arg(long, value_enum, env = "PARTITA_LOG_FORMAT", default_value_t)]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug, trace, or a filter like shard=debug,info [default: RUST_LOG, else info]
    #[arg(long, value_name = "LEVEL", env = "PARTITA_LOG_LEVEL")]
    log_level: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum LogFormat {
    /// For people
    #[default]
    Text,
    /// For programs: one object a line
    Json,
}

pub(super) fn run(args: ServeArgs) -> Result<(), CliError> {
    let settings = Settings::gather(&args.settings, std::env::vars())?;
    let config = settings.broker_config()?;
    start_logging(&args)?;
    Ok(crate::serve::serve(config)?)
}

fn start_logging(args: &ServeArgs) -> Result<(), CliError> {
    let filter = filter(args.log_level.as_deref(), std::env::var("RUST_LOG").ok().as_deref())
        .map_err(|error| CliError::Usage(format!("--log-level: {error}; see `partita serve --help`")))?;
    let colours = io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colours);
    match args.log_format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
    Ok(())
}

fn filter(level: Option<&str>, rust_log: Option<&str>) -> Result<EnvFilter, ParseError> {
    let directives = level.or(rust_log).filter(|text| !text.trim().is_empty()).unwrap_or(LEVEL_DEFAULT);
    EnvFilter::try_new(directives)
}

#[cfg(test)]
mod tests {
    use super::filter;

    #[test]
    fn the_flag_outweighs_rust_log_which_outweighs_info() {
        let text = |level, rust_log| filter(level, rust_log).expect("valid").to_string();
        assert_eq!(text(Some("debug"), Some("trace")), "debug");
        assert_eq!(text(None, Some("shard=trace,warn")), "shard=trace,warn");
        assert_eq!(text(None, Some("")), "info");
        assert!(filter(Some("shard=loud"), None).is_err());
    }
}
