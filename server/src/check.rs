//! `partita check`: is this host fit for the broker? Looks, measures, and says what to do. With `--data` it looks through
//! a stopped broker's data folder instead.
//!
//! Leaves nothing behind: the one file that it writes to is removed before it is used, so that even a kill leaves none.

mod data;
mod device;
mod host;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::CliError;
use crate::cli::output::{Format, write_all, write_json};

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The folder that the broker is to use; it need not exist yet
    #[arg(long, value_name = "DIR", env = "PARTITA_DATA_DIR", default_value = "partita-data")]
    data_dir: PathBuf,
    /// Look through this folder of a stopped broker instead: every journal, segment and index, without changing anything
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the journals are, if journal.dir was set
    #[arg(long, value_name = "DIR", requires = "data")]
    journal_dir: Option<PathBuf>,
    /// How to list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// As it should be.
    Ok,
    /// The broker runs, but less well than it could.
    Warn,
    /// The broker does not run.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    name: &'static str,
    verdict: Verdict,
    /// What was found.
    found: String,
    /// What to do, unless all is well.
    advice: Option<String>,
}

impl Finding {
    fn ok(name: &'static str, found: String) -> Finding {
        Finding { name, verdict: Verdict::Ok, found, advice: None }
    }

    fn warn(name: &'static str, found: String, advice: &str) -> Finding {
        Finding { name, verdict: Verdict::Warn, found, advice: Some(advice.to_owned()) }
    }

    fn fail(name: &'static str, found: String, advice: &str) -> Finding {
        Finding { name, verdict: Verdict::Fail, found, advice: Some(advice.to_owned()) }
    }
}

/// Runs all checks, prints them, and fails if one of them does.
///
/// # Errors
/// [`CliError::Unfit`], [`CliError::DataDamaged`].
pub(crate) fn run(args: CheckArgs) -> Result<(), CliError> {
    if let Some(data_dir) = &args.data {
        return data::run(data_dir, args.journal_dir.as_deref(), args.format);
    }
    let mut findings = host::findings();
    findings.extend(device::findings(&args.data_dir));
    match args.format {
        Format::Json => write_json(&findings)?,
        Format::Text => write_all(text(&findings).as_bytes())?,
    }
    match findings.iter().filter(|finding| finding.verdict == Verdict::Fail).count() {
        0 => Ok(()),
        failed => Err(CliError::Unfit(failed)),
    }
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let mark = match finding.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        text.push_str(&format!("{mark}  {:12}  {}\n", finding.name, finding.found));
        if let Some(advice) = &finding.advice {
            text.push_str(&format!("{:20}{advice}\n", ""));
        }
    }
    text
}
