//! What a command can end with, and the exit status that says so.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use loadgen::client::ClientError;
use wire::ErrorCode;

use crate::settings::SettingsError;

/// It was understood and could not be done.
const EXIT_FAILED: u8 = 1;
/// The command or the configuration is wrong.
const EXIT_USAGE: u8 = 2;

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A broker, or the way to it.
    #[error("{error}{}", advice(.error))]
    Client {
        #[from]
        error: ClientError,
    },
    /// The broker's settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The broker does not run.
    #[error(transparent)]
    Serve(#[from] crate::serve::ServeError),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A file.
    #[error("{path}: {error}")]
    File { path: PathBuf, error: io::Error },
    /// A file is not what its name says.
    #[error("{path}: {reason}")]
    Damaged { path: PathBuf, reason: String },
    /// stdin.
    #[error("cannot read stdin: {0}")]
    Input(io::Error),
    /// stdout.
    #[error("cannot write to stdout: {0}")]
    Output(io::Error),
    /// A line of stdin is not a record.
    #[error("line {line} of stdin: {reason}. {produced} records before it were sent")]
    Line { line: u64, reason: &'static str, produced: u64 },
    /// Members are in the way.
    #[error(
        "{what}; group {group} has {members}: {who}. Stop them first (one that died is taken out when its session times \
         out) and try again. `partita group describe {group}` shows who is left"
    )]
    GroupActive { what: &'static str, group: String, members: usize, who: String },
    /// The broker is not Partita, or too old.
    #[error(
        "this broker does not explain groups; `partita group describe {group}` and `partita group lag {group}` show what it tells"
    )]
    NotExplained { group: String },
    /// The host is not fit; the findings were printed.
    #[error("this host is not fit for the broker: {0} of the checks failed")]
    Unfit(usize),
    /// A data folder is damaged; the findings were printed.
    #[error("the data folder is damaged: {0} findings")]
    DataDamaged(usize),
    /// The data folder is in use, or cannot be locked.
    #[error(transparent)]
    Lock(#[from] crate::serve::lock::LockError),
    /// A data folder.
    #[error(transparent)]
    Engine(#[from] engine::error::EngineError),
}

impl CliError {
    /// What to tell people, if anything: nothing when whoever read our output has gone, as after `| head`.
    pub(crate) fn message(&self) -> Option<String> {
        match self {
            CliError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
            other => Some(other.to_string()),
        }
    }

    /// The exit status.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            CliError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            CliError::Settings(_) | CliError::Usage(_) | CliError::Client { error: ClientError::Address { .. } } => {
                ExitCode::from(EXIT_USAGE)
            }
            _ => ExitCode::from(EXIT_FAILED),
        }
    }
}

/// What to do about a broker's refusal, where that is not plain from its words.
fn advice(error: &ClientError) -> &'static str {
    match error.code() {
        Some(ErrorCode::UnknownTopicOrPartition) => {
            " Create it with `partita topic create`; `partita topic list` shows what there is."
        }
        Some(ErrorCode::TopicAlreadyExists) => " Choose another name, or see it with `partita topic describe`.",
        Some(ErrorCode::MessageTooLarge) => {
            " Raise the topic's max.message.bytes with `partita topic alter`, or send smaller records."
        }
        Some(ErrorCode::KafkaStorageError) => " The broker's disk is full or failing: see its log.",
        Some(ErrorCode::NotEnoughReplicas) => " Too few replicas are in sync: see `partita topic describe`.",
        Some(ErrorCode::GroupIdNotFound) => " `partita group list` shows the groups.",
        _ => "",
    }
}
