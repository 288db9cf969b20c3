//! What can go wrong on a worker.

use std::fmt::Display;
use std::io;

use wire::api::ApiKey;

/// Why a connection or a client of it can't go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The broker's answer is not one.
    #[error("the broker answered {api} with nonsense: {detail}. It may speak another protocol, or be broken")]
    Nonsense {
        /// What was asked.
        api: &'static str,
        /// What is wrong with the answer.
        detail: String,
    },
    /// The broker lacks an API.
    #[error("the broker does not speak {api}, which this scenario needs")]
    Unsupported {
        /// What it lacks.
        api: &'static str,
    },
    /// The broker refuses what can't be helped by asking again.
    #[error("{what}: the broker answered {code}")]
    Refused {
        /// What was asked for.
        what: String,
        /// Kafka's name of the error.
        code: String,
    },
    /// Records can't be made into a batch.
    #[error("cannot build a batch: {0}")]
    Batch(#[from] wire::batch::BuildError),
}

impl EngineError {
    /// An answer that is not one.
    pub fn nonsense(api: ApiKey, detail: &dyn Display) -> EngineError {
        EngineError::Nonsense { api: api.name(), detail: detail.to_string() }
    }

    /// A refusal by its code.
    pub fn refused(what: impl Into<String>, code: i16) -> EngineError {
        EngineError::Refused { what: what.into(), code: error_name(code) }
    }

    /// How the records that it cost are counted.
    pub fn name(&self) -> String {
        match self {
            EngineError::Io(_) => "DISCONNECTED".into(),
            EngineError::Nonsense { .. } => "NONSENSE".into(),
            EngineError::Unsupported { .. } => "UNSUPPORTED".into(),
            EngineError::Refused { code, .. } => code.clone(),
            EngineError::Batch(_) => "BATCH".into(),
        }
    }
}

/// Kafka's name of an error code, or the number.
pub fn error_name(code: i16) -> String {
    wire::ErrorCode::from_code(code).map_or_else(|| format!("error {code}"), |error| error.name().to_owned())
}

/// Whether asking again may help.
pub fn is_retriable(code: i16) -> bool {
    wire::ErrorCode::from_code(code).is_some_and(wire::ErrorCode::is_retriable)
}
