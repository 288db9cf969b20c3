//! Why a command failed, in words for people.

use std::io;
use std::path::PathBuf;

use loadgen::scenario::ScenarioError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error("cannot write the result to {folder}: {error}")]
    Output { folder: PathBuf, error: io::Error },
    #[error(transparent)]
    Report(#[from] super::report::ReportError),
    #[error(transparent)]
    SelfTest(#[from] loadgen::selftest::SelfTestError),
    #[error(
        "records that were due while the broker stalled are missing: nothing that this build measures can be trusted"
    )]
    Blind,
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
    #[error("{invalid} of {runs} runs are not valid")]
    NotValid { invalid: usize, runs: usize },
}
