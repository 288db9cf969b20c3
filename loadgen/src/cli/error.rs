//! Why a command failed, in words for people.

use std::io;
use std::path::PathBuf;

use loadgen::resources::affinity::CpuList;
use loadgen::scenario::ScenarioError;
use loadgen::systems::SystemError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error("cannot write the result to {folder}: {error}")]
    Output { folder: PathBuf, error: io::Error },
    #[error(transparent)]
    System(#[from] SystemError),
    #[error(
        "this thread cannot run on processors {cpus} ({error}): choose others with --server-cpus and --client-cpus"
    )]
    Pin { cpus: CpuList, error: io::Error },
    #[error("the folder for data, {folder}, cannot be used ({error}): choose another with --data")]
    Data { folder: PathBuf, error: io::Error },
    #[error("this machine or the broker's process cannot be watched: {0}")]
    Machine(io::Error),
    #[error("stopped before the end; the runs until then are kept")]
    Stopped,
    #[error(transparent)]
    Report(#[from] super::report::ReportError),
    #[error(transparent)]
    SelfTest(#[from] loadgen::selftest::SelfTestError),
    #[error(
        "records that were due while the broker stalled are missing: nothing that this build measures can be trusted"
    )]
    Blind,
    #[error(transparent)]
    Verify(#[from] loadgen::run::RunError),
    #[error("topic {topic} holds no record of a run. Was it written by `loadgen run --keep-topics`?")]
    NothingToVerify { topic: String },
    #[error("topic {topic} is not as it was written")]
    NotClean { topic: String },
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
    #[error("{invalid} of {runs} runs are not valid")]
    NotValid { invalid: usize, runs: usize },
}
