//! The bytes of record batches within a message: carried along, never looked into or copied here.

use bytes::Bytes;

/// One partition's record bytes, in as many pieces as its log had them in.
#[derive(Debug, Clone, Default)]
pub struct Records {
    chunks: Vec<Bytes>,
}

impl Records {
    /// Records in several pieces, in order.
    pub fn new(chunks: Vec<Bytes>) -> Self {
        Records { chunks }
    }

    /// Bytes in all pieces.
    pub fn len(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }

    /// True when no piece has a byte.
    pub fn is_empty(&self) -> bool {
        self.chunks.iter().all(Bytes::is_empty)
    }

    /// The pieces.
    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// The records in one piece: a copy only when there are several.
    pub fn into_bytes(self) -> Bytes {
        match <[Bytes; 1]>::try_from(self.chunks) {
            Ok([only]) => only,
            Err(chunks) => Bytes::from(chunks.concat()),
        }
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Records { chunks: vec![bytes] }
    }
}

impl PartialEq for Records {
    /// Equal bytes are equal records, however they are cut.
    fn eq(&self, other: &Self) -> bool {
        let bytes = |records: &'_ Records| records.chunks.concat();
        self.len() == other.len() && bytes(self) == bytes(other)
    }
}
