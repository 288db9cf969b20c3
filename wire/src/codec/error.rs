//! Why bytes could not be read as the value they were said to be.

use thiserror::Error;

/// A malformed message. Kafka answers such a request by closing the connection, since nothing after the fault can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// A value needs more bytes than the message has left.
    #[error("{needed} bytes needed, {left} left")]
    Truncated {
        /// Bytes that the value needs at least.
        needed: usize,
        /// Bytes left in the message.
        left: usize,
    },
    /// A length or count below −1, or one whose unsigned form does not fit.
    #[error("invalid length {0}")]
    InvalidLength(i64),
    /// Null where the schema of this version does not allow it.
    #[error("null where a value is required")]
    UnexpectedNull,
    /// More elements than [`super::ELEMENTS_MAX`].
    #[error("array of {0} elements is over the limit")]
    TooManyElements(usize),
    /// More tagged fields than [`super::TAGS_MAX`].
    #[error("{0} tagged fields are over the limit")]
    TooManyTags(usize),
    /// A tagged field's value is shorter or longer than its declared size.
    #[error("tagged field {tag}: {left} bytes left over")]
    TagSize {
        /// The field's tag.
        tag: u32,
        /// Bytes of the declared size that the value did not use.
        left: usize,
    },
    /// Bytes after the end of a message that must fill its space.
    #[error("{0} bytes left over")]
    Trailing(usize),
    /// A variable-length integer that does not end, or does not fit its type.
    #[error("variable-length integer out of range")]
    InvalidVarint,
    /// A string that is not UTF-8.
    #[error("string is not UTF-8")]
    InvalidUtf8,
    /// A persisted record of a type or version that this build does not know.
    #[error("unknown {what} {value}")]
    Unknown {
        /// What was to be recognised.
        what: &'static str,
        /// The value found.
        value: i64,
    },
}
