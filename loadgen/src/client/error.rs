//! What can go wrong between a client and its brokers, in words that say what it means and what to do.

use std::io;

use wire::ErrorCode;
use wire::codec::DecodeError;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The bootstrap list is not one.
    #[error(
        "{text:?} is not a list of host:port addresses ({reason}). Give --bootstrap-server as, for example, localhost:9092"
    )]
    Address {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nobody answers at an address.
    #[error("cannot connect to {address}: {error}. Is the broker running, and is this the address it listens on?")]
    Connect {
        /// host:port.
        address: String,
        /// The system's word.
        error: io::Error,
    },
    /// A broker took too long.
    #[error("{address} did not answer {api} within {timeout_ms} ms. It may be overloaded or stuck: see its log")]
    Timeout {
        /// host:port.
        address: String,
        /// The request's name.
        api: &'static str,
        /// How long was waited.
        timeout_ms: u128,
    },
    /// The connection broke.
    #[error(
        "the connection to {address} broke while {api} was under way: {error}. What was asked may or may not have happened"
    )]
    Io {
        /// host:port.
        address: String,
        /// The request's name.
        api: &'static str,
        /// The system's word.
        error: io::Error,
    },
    /// The broker has none of the versions of an API that this client speaks.
    #[error(
        "{address} does not serve {api} in any version that this client speaks. Is it a Kafka broker of version 2.1 or newer?"
    )]
    Unsupported {
        /// host:port.
        address: String,
        /// The API's name.
        api: &'static str,
    },
    /// Bytes that are no answer.
    #[error(
        "{address} answered {api} with something else ({detail}). Is this the port of a Kafka broker, without TLS?"
    )]
    Malformed {
        /// host:port.
        address: String,
        /// The request's name.
        api: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// The broker refused.
    #[error("{what}: {}", describe(*.code, .message.as_deref()))]
    Refused {
        /// What was asked for.
        what: String,
        /// Kafka's error code.
        code: i16,
        /// The broker's own words, if any.
        message: Option<String>,
    },
    /// A partition that no broker leads or that does not exist.
    #[error(
        "{topic}-{partition} has no leader. Either the topic has fewer partitions (see `topic describe`) or the broker that leads it is down"
    )]
    NoLeader {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
    },
    /// Records that cannot be written as a batch.
    #[error(transparent)]
    Build(#[from] wire::batch::BuildError),
    /// Records that cannot be read.
    #[error("{topic}-{partition} holds a batch that cannot be read: {error}")]
    Batch {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// What is wrong.
        error: wire::batch::BatchError,
    },
    /// What the other members of a group say makes no sense.
    #[error(
        "the group's members sent each other something unreadable: {0}. Do they all speak the protocol type \"consumer\"?"
    )]
    Protocol(DecodeError),
}

impl ClientError {
    /// Whether trying again, perhaps after fresh metadata, can succeed without doing something twice.
    pub fn is_retriable(&self) -> bool {
        match self {
            ClientError::Refused { code, .. } => ErrorCode::from_code(*code).is_some_and(ErrorCode::is_retriable),
            ClientError::NoLeader { .. } | ClientError::Connect { .. } => true,
            _ => false,
        }
    }

    /// Whether what was asked may have happened: only somebody whose repetitions are recognised may ask again.
    pub fn is_in_doubt(&self) -> bool {
        matches!(self, ClientError::Timeout { .. } | ClientError::Io { .. })
    }

    /// Whether the group has gone on without the member, which has to join again.
    pub fn is_overtaken(&self) -> bool {
        use ErrorCode::{FencedMemberEpoch, IllegalGeneration, RebalanceInProgress, StaleMemberEpoch, UnknownMemberId};
        matches!(
            self.code(),
            Some(FencedMemberEpoch | IllegalGeneration | RebalanceInProgress | StaleMemberEpoch | UnknownMemberId)
        )
    }

    /// The broker's error code, if it is a broker that refused.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            ClientError::Refused { code, .. } => ErrorCode::from_code(*code),
            _ => None,
        }
    }

    /// Whether the connection is of no more use.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self, ClientError::Timeout { .. } | ClientError::Io { .. } | ClientError::Malformed { .. })
    }
}

/// Turns an error code in an answer into an error.
///
/// # Errors
/// [`ClientError::Refused`] unless the code is 0.
pub fn check(code: i16, message: Option<&str>, what: impl FnOnce() -> String) -> Result<(), ClientError> {
    if code == ErrorCode::None.code() {
        return Ok(());
    }
    Err(ClientError::Refused { what: what(), code, message: message.map(str::to_owned) })
}

fn describe(code: i16, message: Option<&str>) -> String {
    match (ErrorCode::from_code(code), message) {
        (Some(known), Some(message)) => format!("{known}: {message}"),
        (Some(known), None) => format!("{known}: {}", known.message()),
        (None, Some(message)) => format!("error {code}: {message}"),
        (None, None) => format!("error {code}, which this client does not know"),
    }
}
