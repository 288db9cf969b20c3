//! Why a scenario can't be run, naming the key and the reason.

/// What is wrong with a scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Not TOML, an unknown key, or a value of the wrong kind; the text says where.
    #[error("scenario {name}: {detail}")]
    Syntax {
        /// The file or the catalog's id.
        name: String,
        /// The parser's words.
        detail: String,
    },
    /// A value out of its range, or one that does not go with another.
    #[error("scenario {id}: {key} = {value} is impossible: {reason}")]
    Impossible {
        /// The scenario.
        id: String,
        /// The key, dotted.
        key: String,
        /// Its value.
        value: String,
        /// What it breaks.
        reason: String,
    },
    /// An axis that does not vary the scenario.
    #[error("scenario {name}: [[sweep]] over {key:?}: {reason}")]
    Axis {
        /// The file or the catalog's id.
        name: String,
        /// The axis.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A name that the catalog does not have.
    #[error(
        "no scenario {id:?}. There are: {known}. Or give a file, ./scenario.toml or an OpenMessaging ./workload.yaml, or a published workload"
    )]
    Unknown {
        /// What was asked for.
        id: String,
        /// What there is.
        known: String,
    },
    /// A file that can't be read.
    #[error("cannot read the scenario {path}: {error}")]
    File {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
}
