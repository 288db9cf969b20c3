//! Goes through a segment that may be damaged: every whole batch, and every stretch that is none.
//!
//! A batch is whole when its header can be one, its CRC is right, and its offsets lie where they must: the CRC does not
//! cover the base offset. Behind a batch that is not, the next whole one is looked for: where the header says that it
//! begins, or else byte by byte. What cannot be read counts as damaged. Memory is bounded, whatever a length field says.

use std::ops::Range;
use std::path::PathBuf;

use bytes::Bytes;
use wire::batch::{ATTRIBUTES_AT, BatchHeader, HEADER_BYTES, MAGIC, MAGIC_AT};

use super::view::SegmentView;
use crate::disk::Disk;
use crate::error::EngineError;

/// Bytes that are read at a time.
const WINDOW_BYTES: u64 = 256 << 10;

/// A stretch of a segment that holds no whole batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotten {
    /// The base offset that names the segment.
    pub segment_base: i64,
    /// Where it begins, in bytes.
    pub position: u64,
    /// Its length: up to the next whole batch, or to the end of the segment.
    pub len: u64,
    /// The offsets that were in it, as far as what is around it tells: some of them may be gaps.
    pub offsets: Range<i64>,
    /// What is wrong with it.
    pub what: String,
}

/// What comes next in a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stretch {
    /// A whole batch.
    Whole {
        /// Where it begins, in bytes.
        position: u64,
        /// Its header.
        header: BatchHeader,
    },
    /// Something else.
    Rotten(Rotten),
}

/// See the module.
pub struct Survey<'a, D: Disk> {
    view: &'a SegmentView<D>,
    position: u64,
    next_offset: i64,
    window: Bytes,
    window_start: u64,
    /// Why some of the window is zeros.
    unreadable: Option<String>,
    /// How far a search for the next whole batch goes, in bytes.
    search_bytes_max: u64,
}

impl<'a, D: Disk> Survey<'a, D> {
    /// From a batch's start on, where no batch begins below `next_offset`.
    pub fn new(view: &'a SegmentView<D>, position: u64, next_offset: i64) -> Self {
        let (window, window_start) = (Bytes::new(), position);
        Self { view, position, next_offset, window, window_start, unreadable: None, search_bytes_max: u64::MAX }
    }

    /// Bounds how far the next whole batch is looked for where a header does not say where it begins. A stretch that
    /// ends with the bound ends the survey.
    #[must_use]
    pub fn searching_within(mut self, bytes: u64) -> Self {
        self.search_bytes_max = bytes;
        self
    }

    /// How far it has come, in bytes: where a batch begins, or the end.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// No batch behind [`Survey::position`] begins below this.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// What comes next; `None` at the end of the segment.
    ///
    /// # Errors
    /// The file is not there, or cannot be opened.
    pub async fn next(&mut self) -> Result<Option<Stretch>, EngineError> {
        if self.position >= self.view.size() {
            return Ok(None);
        }
        let (position, next_offset) = (self.position, self.next_offset);
        let (header, mut what) = match self.judge(position, next_offset).await? {
            Ok(header) if !self.leaps(position, &header).await? => {
                self.position += header.size() as u64;
                self.next_offset = header.last_offset() + 1;
                return Ok(Some(Stretch::Whole { position, header }));
            }
            Ok(header) => (Some(header), "its base offset is beyond that of the batch behind it".to_owned()),
            Err(bad) => bad,
        };
        if let Some(error) = &self.unreadable {
            what = format!("it cannot be read: {error}");
        }
        let (end, end_offset) = self.next_whole(position, header).await?;
        (self.position, self.next_offset) = (end, end_offset);
        let segment_base = self.view.base_offset();
        let rotten = Rotten { segment_base, position, len: end - position, offsets: next_offset..end_offset, what };
        Ok(Some(Stretch::Rotten(rotten)))
    }

    /// The path of the segment's file.
    pub fn path(&self) -> PathBuf {
        self.view.path()
    }

    /// The header of the batch at `position` if that is whole; else what is wrong, with the header if its length can be
    /// true.
    async fn judge(
        &mut self,
        position: u64,
        next_offset: i64,
    ) -> Result<Result<BatchHeader, (Option<BatchHeader>, String)>, EngineError> {
        let Some(bytes) = self.bytes(position, HEADER_BYTES).await? else {
            return Ok(Err((None, "the segment ends within a batch".to_owned())));
        };
        let header = match BatchHeader::parse(&bytes) {
            Ok(header) => header,
            Err(_) if bytes.iter().all(|byte| *byte == 0) => {
                return Ok(Err((None, "zeros are where a batch must begin".to_owned())));
            }
            Err(error) => return Ok(Err((None, error.to_string()))),
        };
        if position + header.size() as u64 > self.view.size() {
            let what = format!("its length is {}, and the segment ends before", header.size());
            return Ok(Err((None, what)));
        }
        if let Err(what) = self.check_offsets(&header, next_offset) {
            return Ok(Err((Some(header), what)));
        }
        let crc = self.crc(position + ATTRIBUTES_AT as u64, position + header.size() as u64).await?;
        if crc != header.crc {
            let what = format!("its checksum is {:#010x} but its bytes give {crc:#010x}", header.crc);
            return Ok(Err((Some(header), what)));
        }
        Ok(Ok(header))
    }

    fn check_offsets(&self, header: &BatchHeader, next_offset: i64) -> Result<(), String> {
        let (first, delta) = (header.base_offset, header.last_offset_delta);
        let end = first.checked_add(i64::from(delta)).filter(|_| delta >= 0);
        if first < next_offset || end.is_none_or(|end| end >= self.view.end_offset()) {
            return Err(format!(
                "its offsets are {first} and {delta} more, where {next_offset} to {} may be",
                self.view.end_offset() - 1
            ));
        }
        Ok(())
    }

    /// Whether a batch leaves offsets out that batches behind it have: then its own base offset is wrong.
    async fn leaps(&mut self, position: u64, header: &BatchHeader) -> Result<bool, EngineError> {
        if header.base_offset == self.next_offset {
            return Ok(false);
        }
        let Some(bytes) = self.bytes(position + header.size() as u64, HEADER_BYTES).await? else { return Ok(false) };
        let Ok(next) = BatchHeader::parse(&bytes) else { return Ok(false) };
        Ok((self.next_offset..=header.last_offset()).contains(&next.base_offset))
    }

    /// Where the next whole batch begins behind what is wrong at `position`, and its base offset.
    async fn next_whole(&mut self, position: u64, header: Option<BatchHeader>) -> Result<(u64, i64), EngineError> {
        if let Some(header) = header {
            let end = position + header.size() as u64;
            if end == self.view.size() {
                return Ok((end, self.view.end_offset()));
            }
            if let Ok(next) = self.judge(end, self.next_offset).await? {
                return Ok((end, next.base_offset));
            }
            // Two in a row, or the length is wrong. Offsets that follow each other tell.
            if let Some(bytes) = self.bytes(end, HEADER_BYTES).await?
                && let Ok(next) = BatchHeader::parse(&bytes)
                && next.base_offset == header.last_offset().wrapping_add(1)
                && self.check_offsets(&next, self.next_offset).is_ok()
            {
                return Ok((end, next.base_offset));
            }
        }
        self.search(position + 1).await
    }

    /// Looks for a whole batch from `from` on.
    async fn search(&mut self, from: u64) -> Result<(u64, i64), EngineError> {
        let end = self.view.size().min(from.saturating_add(self.search_bytes_max));
        let mut from = from;
        while from < end && self.bytes(from, HEADER_BYTES).await?.is_some() {
            let window = self.window.slice((from - self.window_start) as usize..);
            let starts = window.windows(HEADER_BYTES).enumerate();
            let starts = starts.filter(|(_, bytes)| bytes[MAGIC_AT] as i8 == MAGIC && self.may_begin(bytes));
            for position in starts.map(|(at, _)| from + at as u64).collect::<Vec<u64>>() {
                if let Ok(header) = self.judge(position, self.next_offset).await? {
                    return Ok((position, header.base_offset));
                }
            }
            from += (window.len() - HEADER_BYTES + 1) as u64;
        }
        Ok((self.view.size(), self.view.end_offset()))
    }

    /// Whether a batch can begin with these bytes, by its offsets.
    fn may_begin(&self, bytes: &[u8]) -> bool {
        BatchHeader::parse(bytes).is_ok_and(|header| self.check_offsets(&header, self.next_offset).is_ok())
    }

    /// The CRC-32C of a range, window by window.
    async fn crc(&mut self, from: u64, to: u64) -> Result<u32, EngineError> {
        let (mut crc, mut position) = (0, from);
        while position < to {
            let len = (to - position).min(WINDOW_BYTES) as usize;
            let bytes = self.bytes(position, len).await?.unwrap_or_default();
            if bytes.is_empty() {
                break;
            }
            crc = crc32c::crc32c_append(crc, &bytes);
            position += bytes.len() as u64;
        }
        Ok(crc)
    }

    /// `len` bytes, at most a window; `None` when the segment ends before.
    async fn bytes(&mut self, position: u64, len: usize) -> Result<Option<Bytes>, EngineError> {
        if position + len as u64 > self.view.size() {
            return Ok(None);
        }
        let window_end = self.window_start + self.window.len() as u64;
        if position < self.window_start || position + len as u64 > window_end {
            (self.window, self.unreadable) = self.view.read_what_there_is(position, WINDOW_BYTES).await?;
            self.window_start = position;
        }
        let start = (position - self.window_start) as usize;
        Ok(Some(self.window.slice(start..start + len)))
    }
}

#[cfg(test)]
mod tests;
