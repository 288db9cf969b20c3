//! Kafka's five compression codecs over whole byte strings: what stands behind a batch's 61-byte header.
//!
//! Invariant: decompression never yields, and never allocates for, more than the caller's limit, whatever
//! the input announces. Reading is liberal (raw snappy and Java's framing, several gzip members or zstd
//! frames); writing takes the form that Kafka's Java client writes.
//! Deviations: none.

use std::io::Read;

mod gzip;
mod lz4;
mod snappy;
#[cfg(test)]
mod tests;
mod zstd;

/// How the records of a batch are compressed: the low three bits of its attributes (Kafka's `CompressionType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// Records stand as they are.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Snappy blocks in the framing of Java's `SnappyOutputStream`, or one bare block.
    Snappy,
    /// An LZ4 frame.
    Lz4,
    /// Zstandard frames; clients need Produce ≥ 7 and Fetch ≥ 10 (KIP-110).
    Zstd,
}

impl Compression {
    /// Every codec, by id.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec of an id in batch attributes; `None` for the ids 5–7, which nobody has defined.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The id in batch attributes, 0–4.
    pub const fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The name in Kafka's configurations (`compression.type`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The codec of a configuration's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }
}

/// Why bytes could not be compressed or decompressed.
#[derive(Debug, thiserror::Error)]
pub enum CompressionError {
    /// The bytes are not what the codec writes.
    #[error("malformed {} data: {reason}", codec.name())]
    Malformed {
        /// The codec that the bytes claim to be of.
        codec: Compression,
        /// What the decoder said.
        reason: String,
    },
    /// The bytes would decompress to more than the caller allows.
    #[error("{} data decompresses to more than {limit} bytes", codec.name())]
    TooLarge {
        /// The codec of the bytes.
        codec: Compression,
        /// The caller's limit, in bytes.
        limit: usize,
    },
    /// The compressor gave up: out of memory, or input beyond what the codec can hold.
    #[error("{} compression failed: {reason}", codec.name())]
    Failed {
        /// The codec asked for.
        codec: Compression,
        /// What the encoder said.
        reason: String,
    },
}

impl CompressionError {
    fn malformed(codec: Compression, reason: impl ToString) -> Self {
        let reason = reason.to_string();
        Self::Malformed { codec, reason }
    }

    fn failed(codec: Compression, reason: impl ToString) -> Self {
        let reason = reason.to_string();
        Self::Failed { codec, reason }
    }
}

/// Appends `source`, compressed at the codec's default level, to `out`.
pub fn compress(codec: Compression, source: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
    match codec {
        Compression::None => {
            out.extend_from_slice(source);
            Ok(())
        }
        Compression::Gzip => gzip::compress(source, out),
        Compression::Snappy => snappy::compress(source, out),
        Compression::Lz4 => lz4::compress(source, out),
        Compression::Zstd => zstd::compress(source, out),
    }
}

/// Appends what `source` decompresses to to `out`: at most `limit` bytes, else [`CompressionError::TooLarge`].
/// After an error `out` holds an unspecified part of the output, within the limit.
pub fn decompress(codec: Compression, source: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    match codec {
        Compression::None if source.len() > limit => Err(CompressionError::TooLarge { codec, limit }),
        Compression::None => {
            out.extend_from_slice(source);
            Ok(())
        }
        Compression::Gzip => gzip::decompress(source, limit, out),
        Compression::Snappy => snappy::decompress(source, limit, out),
        Compression::Lz4 => lz4::decompress(source, limit, out),
        Compression::Zstd => zstd::decompress(source, limit, out),
    }
}

/// Reads a streaming decoder to its end, growing `out` only as bytes come.
fn read_bounded(
    codec: Compression,
    decoder: impl Read,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    let before = out.len();
    // One byte more than allowed tells "exactly the limit" from "more".
    let mut bounded = decoder.take(limit as u64 + 1);
    bounded.read_to_end(out).map_err(|error| CompressionError::malformed(codec, error))?;
    if out.len() - before > limit {
        out.truncate(before + limit);
        return Err(CompressionError::TooLarge { codec, limit });
    }
    Ok(())
}
