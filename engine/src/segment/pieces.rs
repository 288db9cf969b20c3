//! A stretch of a segment in one or more pieces of memory, and the whole batches in it.

use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use wire::batch::{BatchHeader, HEADER_BYTES};

use crate::error::EngineError;

/// Contiguous bytes of a segment, from position [`Pieces::start`] on.
#[derive(Debug, Clone, Default)]
pub struct Pieces {
    start: u64,
    end: u64,
    parts: Vec<Bytes>,
}

impl Pieces {
    /// The bytes of `parts`, the first of which is at position `start`.
    pub fn new(start: u64, parts: Vec<Bytes>) -> Self {
        let len: usize = parts.iter().map(Bytes::len).sum();
        Self { start, end: start + len as u64, parts }
    }

    /// Position of the first byte.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Position behind the last byte.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The bytes of a range of positions, without copying.
    ///
    /// # Panics
    /// If it is not all here.
    pub fn slice(&self, range: Range<u64>) -> Vec<Bytes> {
        assert!(range.start >= self.start && range.end <= self.end, "{range:?} of {}..{}", self.start, self.end);
        self.overlapping(range).map(|(part, range)| part.slice(range)).collect()
    }

    /// The bytes of a range in one piece: copied only when they lie in several.
    pub fn contiguous(&self, range: Range<u64>) -> Bytes {
        let mut parts = self.slice(range);
        match parts.len() {
            0 => Bytes::new(),
            1 => parts.swap_remove(0),
            _ => parts.concat().into(),
        }
    }

    /// The header of the batch at `position`; `None` when it is not all here.
    ///
    /// # Errors
    /// The bytes are no header.
    pub fn header(&self, position: u64, path: &Path) -> Result<Option<BatchHeader>, EngineError> {
        if position + HEADER_BYTES as u64 > self.end {
            return Ok(None);
        }
        let mut header = [0; HEADER_BYTES];
        let mut filled = 0;
        for (part, range) in self.overlapping(position..position + HEADER_BYTES as u64) {
            header[filled..filled + range.len()].copy_from_slice(&part[range.clone()]);
            filled += range.len();
        }
        let parsed = BatchHeader::parse(&header);
        parsed.map(Some).map_err(|error| EngineError::corrupted(path, position, error.to_string()))
    }

    /// The parts that a range of positions lies in, and where in them.
    fn overlapping(&self, range: Range<u64>) -> impl Iterator<Item = (&Bytes, Range<usize>)> {
        let mut at = self.start;
        self.parts.iter().filter_map(move |part| {
            let start = at;
            at += part.len() as u64;
            let (from, to) = (range.start.max(start), range.end.min(at));
            (from < to).then(|| (part, (from - start) as usize..(to - start) as usize))
        })
    }
}

/// What a reader wants: whole batches from the one that holds `offset` on.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// An offset in the first batch, or in a gap before it.
    pub offset: i64,
    /// Bytes of all batches together at most.
    pub max_bytes: usize,
    /// Batches that begin at this offset or beyond are not for this reader.
    pub end_offset: i64,
    /// The first batch is taken even when it is larger than `max_bytes`.
    pub at_least_one: bool,
}

/// What of a stretch a reader gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    /// These positions: whole batches, maybe none.
    Range(Range<u64>),
    /// The first wanted batch is not all here: read on from this position, this many bytes at least.
    Missing {
        /// A batch's start.
        position: u64,
        /// Bytes from there on.
        len: u64,
    },
}

/// Selects batches from `from` on, which is a batch's start at or before the wanted one. `known_start` may know the start
/// of a batch that begins at or below a position and below the end offset: what lies before it need not be walked over.
///
/// # Errors
/// A header is none.
pub fn select(
    pieces: &Pieces,
    from: u64,
    wanted: &Wanted,
    path: &Path,
    known_start: impl FnOnce(u64) -> Option<u64>,
) -> Result<Selected, EngineError> {
    let mut position = from;
    let first = loop {
        let Some(header) = pieces.header(position, path)? else {
            return Ok(Selected::Missing { position, len: HEADER_BYTES as u64 });
        };
        if header.last_offset() >= wanted.offset {
            break header;
        }
        position += header.size() as u64;
    };
    let start = position;
    if first.base_offset >= wanted.end_offset || (first.size() > wanted.max_bytes && !wanted.at_least_one) {
        return Ok(Selected::Range(start..start));
    }
    position += first.size() as u64;
    if position > pieces.end() {
        return Ok(Selected::Missing { position: start, len: first.size() as u64 });
    }
    let limit = start.saturating_add(wanted.max_bytes as u64).min(pieces.end());
    position = known_start(limit).map_or(position, |known| known.max(position));
    while let Some(header) = pieces.header(position, path)? {
        let end = position + header.size() as u64;
        if header.base_offset >= wanted.end_offset || end > pieces.end() || end - start > wanted.max_bytes as u64 {
            break;
        }
        position = end;
    }
    Ok(Selected::Range(start..position))
}
