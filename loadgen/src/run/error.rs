//! Why a run could not go on, in words for its verdict.

use crate::client::ClientError;

/// Why a run ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The cluster did not do what was asked while the run was set up.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Setting up took too long.
    #[error("{what} within {seconds:.0} s. {advice}")]
    NotReady {
        /// What did not happen.
        what: String,
        /// How long it was waited for.
        seconds: f64,
        /// What to do.
        advice: &'static str,
    },
    /// This machine has no thread or socket to give.
    #[error("this machine refuses what a worker needs: {0}")]
    Machine(#[from] std::io::Error),
    /// The broker's name has no address.
    #[error("broker {node} says that it is at {address}, which leads nowhere: {error}")]
    Unreachable {
        /// Node id.
        node: i32,
        /// What it says.
        address: String,
        /// Why not.
        error: std::io::Error,
    },
    /// More was due than could be sent.
    #[error(
        "overloaded: {behind} records are due and unsent, more than {limit_s} s of the rate. Offer less, or measure what is sustainable with find-max"
    )]
    Overloaded {
        /// Records due and unsent.
        behind: u64,
        /// The scenario's limit, in seconds.
        limit_s: f64,
    },
    /// No answer.
    #[error("the broker has not answered for {seconds:.0} s while {owed} records wait for an answer")]
    Silent {
        /// How long.
        seconds: f64,
        /// Records without an answer.
        owed: u64,
    },
    /// Records failed, or a client gave up.
    #[error("{0}")]
    Failed(String),
}
