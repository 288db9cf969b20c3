//! Kafka's primitive types, bounded on the way in and written in one pass on the way out.
//!
//! Invariants: nothing is allocated for a length that the bytes left do not cover; no input makes a decoder panic.

mod error;
mod field;
mod reader;
mod records;
mod writer;

pub use crate::ids::Uuid;
pub use error::DecodeError;
pub use field::{Field, Form, Nullable, decode_required, encode_required};
pub use reader::Reader;
pub use records::Records;
pub use writer::{TaggedSection, Writer};

/// Most elements of one array, as in Kafka 4.4.
pub const ELEMENTS_MAX: usize = 1_000_000;
/// Most elements that are allocated before they are read.
pub const ELEMENTS_AHEAD_MAX: usize = 1_000;
/// Most bytes of a string, compact or not, as in Kafka.
pub const STRING_BYTES_MAX: usize = i16::MAX as usize;
/// Most tagged fields of one struct.
pub const TAGS_MAX: usize = 10_000;

const _: () = assert!(ELEMENTS_AHEAD_MAX <= ELEMENTS_MAX);

#[cfg(test)]
mod tests;
