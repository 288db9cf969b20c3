//! Reading whole batches: from the tail's memory at once, else by a job that reads the file.
//!
//! What comes from a file is checked before it is handed on: a batch that the device has damaged is refused, those before
//! and behind it are read. What is in memory has been checked when it came in.

use std::ops::Range;
use std::task::Poll;

use bytes::Bytes;
use thiserror::Error;
use wire::batch::{BatchHeader, batches};

use super::Log;
use super::segment::{Segment, Stage};
use crate::disk::Disk;
use crate::error::EngineError;
use crate::segment::names::FileKind;
use crate::segment::{Pieces, SegmentView, Selected, Stretch, Survey, Wanted, select};

/// Bytes that a file read takes beyond those wanted, for the batches between an index entry and the wanted one.
const READ_SLACK_BYTES: u64 = 8 << 10;
/// Bytes that the first file read takes at most: a reader that asks for more gets the rest with its next read.
const READ_BYTES_MAX: u64 = 16 << 20;
/// Bytes that are checked in one turn of the core.
const YIELD_BYTES: usize = 1 << 20;
/// Bytes in which a reader looks for the next whole batch behind a damaged one. Offsets behind the next index entry are
/// found in any case.
const SEARCH_BYTES_MAX: u64 = 1 << 20;

/// Why there is nothing to read.
#[derive(Debug, Clone, Error)]
pub enum ReadError {
    /// The offset is below the log's start or beyond its end.
    #[error("offset {offset} is outside of the log, {start} to {end}")]
    OutOfRange {
        /// The offset asked for.
        offset: i64,
        /// The log's start.
        start: i64,
        /// The log's end.
        end: i64,
    },
    /// What is there is no batch.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The answer to a read.
pub enum Read<D: Disk> {
    /// Whole batches, in order; pieces of memory, not one a batch. Empty when there are none below the end offset.
    Ready(Vec<Bytes>),
    /// They have to be read first.
    Job(ReadJob<D>),
}

/// A read from a segment's file, or from the next one where compaction has left nothing there.
pub struct ReadJob<D: Disk> {
    view: SegmentView<D>,
    next: Option<SegmentView<D>>,
    wanted: Wanted,
    /// Whether compaction may have taken the wanted offset.
    may_have_gaps: bool,
}

impl<D: Disk> ReadJob<D> {
    /// Does it; the answer is that of [`Read::Ready`]. It ends before a damaged batch.
    ///
    /// # Errors
    /// The disk's; [`EngineError::Rotten`] where the wanted batch is damaged. A file that is not found was removed before
    /// the job began: the offset is below the log's start by now.
    pub async fn perform(self) -> Result<Vec<Bytes>, EngineError> {
        match (self.read(&self.view).await?, &self.next) {
            (Some(read), _) => Ok(read),
            (None, Some(next)) => Ok(self.read(next).await?.unwrap_or_default()),
            (None, None) => Ok(Vec::new()),
        }
    }

    /// `None` when the segment ends before the wanted offset.
    async fn read(&self, view: &SegmentView<D>) -> Result<Option<Vec<Bytes>>, EngineError> {
        match self.read_range(view).await {
            Err(error) if error.is_not_found() => Err(error),
            Ok(Some(read)) if self.is_whole(view, &read).await => Ok(Some(read)),
            Ok(None) => Ok(None),
            // Something is wrong with it, or an offset was asked for that compaction has taken.
            _ => self.read_around_damage(view).await,
        }
    }

    async fn read_range(&self, view: &SegmentView<D>) -> Result<Option<Vec<Bytes>>, EngineError> {
        let path = view.path();
        let mut from = view.start(|offsets, _| offsets.lookup(self.wanted.offset)).await?;
        let mut len = window_bytes(&self.wanted);
        loop {
            let pieces = view.read(from, len).await?;
            match select(&pieces, from, &self.wanted, &path, |_| None)? {
                Selected::Range(range) if is_cut_short(&range, from, &pieces, &self.wanted, view.size()) => {
                    from = range.start;
                }
                Selected::Range(range) => return Ok(Some(pieces.slice(range))),
                Selected::Missing { position, .. } if position >= view.size() => return Ok(None),
                Selected::Missing { position, len: missing } => {
                    if position + missing > view.size() {
                        return Err(EngineError::corrupted(&path, position, "the segment ends within a batch"));
                    }
                    from = position;
                    len = len.max(missing);
                }
            }
        }
    }

    /// Whether what was read is whole batches with the offsets that were asked for.
    async fn is_whole(&self, view: &SegmentView<D>, read: &[Bytes]) -> bool {
        let joined = match read {
            [] => return true,
            [one] => one.clone(),
            several => several.concat().into(),
        };
        let (mut next_offset, mut unyielded) = (None, 0);
        for batch in batches(&joined) {
            let Ok(batch) = batch else { return false };
            let BatchHeader { base_offset, last_offset_delta, .. } = batch.header;
            let follows = match next_offset {
                None => self.may_have_gaps || base_offset <= self.wanted.offset,
                Some(next_offset) => base_offset >= next_offset,
            };
            let last_offset = batch.header.last_offset();
            let fits = follows && last_offset_delta >= 0 && (base_offset..view.end_offset()).contains(&last_offset);
            if !fits || batch.check_crc().is_err() {
                return false;
            }
            next_offset = Some(last_offset + 1);
            unyielded += batch.bytes.len();
            if unyielded >= YIELD_BYTES {
                unyielded = 0;
                yield_now().await;
            }
        }
        true
    }

    /// As [`ReadJob::read`], batch by batch.
    async fn read_around_damage(&self, view: &SegmentView<D>) -> Result<Option<Vec<Bytes>>, EngineError> {
        let Wanted { offset, max_bytes, end_offset, at_least_one } = self.wanted;
        let from = view.start(|offsets, _| offsets.lookup(offset)).await?;
        let mut survey = Survey::new(view, from, view.base_offset()).searching_within(SEARCH_BYTES_MAX);
        let mut range: Option<Range<u64>> = None;
        while let Some(stretch) = survey.next().await? {
            match stretch {
                Stretch::Whole { header, .. } if header.last_offset() < offset => {}
                Stretch::Whole { position, header } => {
                    let size = header.size() as u64;
                    let start = range.as_ref().map_or(position, |range| range.start);
                    let fits = position + size - start <= (max_bytes as u64).min(READ_BYTES_MAX);
                    let is_first = range.is_none();
                    let range = range.get_or_insert(position..position);
                    if header.base_offset >= end_offset || !(fits || is_first && at_least_one) {
                        break;
                    }
                    range.end = position + size;
                }
                Stretch::Rotten(_) if range.is_some() => break,
                Stretch::Rotten(rotten) if rotten.offsets.end <= offset => {}
                Stretch::Rotten(rotten) => {
                    return Err(EngineError::Rotten { path: view.path(), rotten: Box::new(rotten) });
                }
            }
        }
        let Some(range) = range else { return Ok(None) };
        let pieces = view.read(range.start, range.end - range.start).await?;
        Ok(Some(pieces.slice(range)))
    }
}

/// Lets the core's other tasks have their turn.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Bytes to take from a batch start on that is near the wanted one.
fn window_bytes(wanted: &Wanted) -> u64 {
    (wanted.max_bytes as u64).min(READ_BYTES_MAX) + READ_SLACK_BYTES
}

/// Whether the batches before the wanted ones, starting at `from`, took up so much of the window that it ended too
/// early.
fn is_cut_short(range: &Range<u64>, from: u64, pieces: &Pieces, wanted: &Wanted, size: u64) -> bool {
    let wanted_end = range.start.saturating_add(wanted.max_bytes as u64);
    !range.is_empty() && range.start > from + READ_SLACK_BYTES && pieces.end() < wanted_end.min(size)
}

impl<D: Disk> Log<D> {
    /// Reads whole batches from the one that holds `offset` on, `max_bytes` at most, all of one segment. Batches that
    /// begin at `end_offset` (the reader's high watermark, a batch boundary) or beyond are not read. With
    /// `at_least_one` the first batch is read even when it is larger than `max_bytes`.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`]; the log's end itself is in range, and has nothing.
    pub fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        end_offset: i64,
        at_least_one: bool,
    ) -> Result<Read<D>, ReadError> {
        self.read_from(self.log_start, offset, max_bytes, end_offset, at_least_one)
    }

    /// As [`Log::read`] with `at_least_one`, but also below the log's start, where something is left there: for what has to
    /// be known of records that are deleted.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub fn read_left(&self, offset: i64, max_bytes: usize) -> Result<Read<D>, ReadError> {
        self.read_from(self.segments[0].base_offset, offset, max_bytes, self.log_end(), true)
    }

    fn read_from(
        &self,
        start: i64,
        offset: i64,
        max_bytes: usize,
        end_offset: i64,
        at_least_one: bool,
    ) -> Result<Read<D>, ReadError> {
        let end = self.log_end();
        if offset < start || offset > end {
            return Err(ReadError::OutOfRange { offset, start, end });
        }
        let end_offset = end_offset.min(end);
        if offset >= end_offset || (max_bytes == 0 && !at_least_one) {
            return Ok(Read::Ready(Vec::new()));
        }
        let offset = probe::mutated!(offset, FetchSkipsBatch => (offset + 1).min(end_offset - 1));
        let wanted = Wanted { offset, max_bytes, end_offset, at_least_one };
        let segment = self.segment_of(offset);
        if let Some(start) = segment.tail.start_at_or_below(offset) {
            return Ok(Read::Ready(segment.read_tail(start.position, &wanted)?));
        }
        probe::reached!(ReadFromFile);
        let next = self.segments.iter().find(|next| next.base_offset > segment.base_offset);
        let next = next.filter(|_| segment.stage == Stage::Closed).map(|next| self.view_for(next, next.base_offset));
        let may_have_gaps = self.config.compaction.is_some();
        Ok(Read::Job(ReadJob { view: self.view_for(segment, offset), next, wanted, may_have_gaps }))
    }

    /// The segment that holds `offset`, or the first batch behind the gap in which it lies.
    pub(super) fn segment_of(&self, offset: i64) -> &Segment<D> {
        let after = self.segments.partition_point(|segment| segment.base_offset <= offset);
        let index = after.saturating_sub(1);
        let beyond = self.segments[index].end_offset <= offset && index + 1 < self.segments.len();
        &self.segments[index + usize::from(beyond)]
    }

    /// A view that begins to look for `offset` where the indexes say, once they are known.
    pub(super) fn view_for(&self, segment: &Segment<D>, offset: i64) -> SegmentView<D> {
        if segment.stage == Stage::Closed {
            self.touch(&segment.files);
        }
        segment.view(segment.indexes.as_ref().map(|indexes| indexes.offsets.lookup(offset)))
    }
}

impl<D: Disk> Segment<D> {
    fn read_tail(&self, mut from: u64, wanted: &Wanted) -> Result<Vec<Bytes>, EngineError> {
        let path = self.files.path(FileKind::Log);
        let mut len = window_bytes(wanted);
        loop {
            let end = from.saturating_add(len).min(self.size());
            let pieces = Pieces::new(from, self.tail.slices(from..end).into_iter().map(Bytes::from).collect());
            match select(&pieces, from, wanted, &path, |limit| self.known_start(limit, wanted))? {
                Selected::Range(range) if is_cut_short(&range, from, &pieces, wanted, self.size()) => {
                    from = range.start;
                }
                Selected::Range(range) => return Ok(pieces.slice(range)),
                Selected::Missing { .. } if end == self.size() => return Ok(Vec::new()),
                Selected::Missing { position, len: missing } => {
                    from = position;
                    len = len.max(missing);
                }
            }
        }
    }

    /// The last batch start in memory that begins at or below `limit` and below the reader's end offset.
    fn known_start(&self, limit: u64, wanted: &Wanted) -> Option<u64> {
        let by_position = self.tail.start_before(limit)?;
        let by_offset = self.tail.start_at_or_below(wanted.end_offset - 1)?;
        Some(by_position.position.min(by_offset.position))
    }
}
