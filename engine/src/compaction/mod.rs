//! Compaction: of each key the newest record is kept, as Kafka's `Cleaner` does it.
//!
//! Cleaned are closed segments that lie wholly below the last checkpoint and below what readers may see; the log says
//! which (`log/cleaning.rs`). Two passes: the first takes the keys of the dirty segments into a map of bounded size
//! ([`offset_map`]); when it is full, the rest is left for the next cleaning. The second rewrites the segments up to there,
//! clean ones too, with what the [`filter`] keeps, as many into one as fit into `segment.bytes`. Each
//! replaces those that it was made of at once ([`swap`]).
//!
//! Invariants: offsets keep their records; where there were others are gaps, at the end of a segment too. No segment is
//! without a batch. A reader goes on with the files that it began with. A failure before a swap is decided changes nothing.
//!
//! It is written to be run in the background: after each window of a segment it waits for the disk, so that a core's other
//! tasks come to their turn.

pub mod checkpoint;
pub mod filter;
pub mod offset_map;
mod output;
pub mod swap;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;
use wire::TopicPartitionId;
use wire::batch::{BatchHeader, batches, retain_empty};

use crate::disk::Disk;
use crate::error::EngineError;
use crate::log::LogConfig;
use crate::segment::names::cleaned_file_name;
use crate::segment::{Indexes, SegmentFiles, SegmentView};
use filter::{Filter, MapError, map_batch};
use offset_map::OffsetMap;
use output::Output;
use swap::{Swap, remove_if_there};

/// Bytes of a segment that are read and filtered at a time, unless a batch is larger.
const WINDOW_BYTES: u64 = 256 << 10;

/// What a cleaning has to know besides the log.
#[derive(Debug, Clone)]
pub struct CleaningInput {
    /// The clock, in ms since the epoch.
    pub now_ms: i64,
    /// Nothing at this offset or beyond is cleaned: what readers of committed records cannot see yet.
    pub visible_end: i64,
    /// Producer id and last offset of the batches by which a producer that may go on writing is recognized: its last one, and
    /// those that it may send again.
    pub repeatable: BTreeSet<(i64, i64)>,
    /// Bytes of memory for the map of keys.
    pub map_bytes_max: usize,
    /// Random per start.
    pub secret: u64,
}

/// A closed segment to be cleaned.
pub(crate) struct Source<D: Disk> {
    pub(crate) files: Rc<SegmentFiles<D>>,
    pub(crate) end_offset: i64,
    pub(crate) size: u64,
}

/// A segment that has taken the place of others.
pub(crate) struct Replacement<D: Disk> {
    pub(crate) files: Rc<SegmentFiles<D>>,
    pub(crate) end_offset: i64,
    pub(crate) size: u64,
    pub(crate) indexes: Rc<Indexes>,
}

/// A cleaning of one log.
pub struct CleaningJob<D: Disk> {
    pub(crate) key: TopicPartitionId,
    pub(crate) disk: D,
    pub(crate) dir: Rc<Path>,
    pub(crate) config: LogConfig,
    /// All segments that may be cleaned, in order; those before `first_dirty` are clean.
    pub(crate) sources: Vec<Source<D>>,
    pub(crate) first_dirty: i64,
    /// The active segment.
    pub(crate) successor: Rc<SegmentFiles<D>>,
    pub(crate) input: CleaningInput,
    pub(crate) stopped: Rc<Cell<bool>>,
}

/// What a cleaning has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CleaningStats {
    /// Bytes of the segments that were rewritten.
    pub bytes_before: u64,
    /// Bytes of what has replaced them; more, if little went and tombstones got their horizon.
    pub bytes_after: u64,
    /// Whether the map was full before all dirty segments were in it.
    pub is_partial: bool,
}

/// The outcome of a [`CleaningJob`].
pub struct CleaningDone<D: Disk> {
    pub(crate) key: TopicPartitionId,
    pub(crate) replacements: Vec<Replacement<D>>,
    /// Where the log is dirty from now on.
    pub(crate) first_dirty: i64,
    /// What was done, in spite of a failure.
    pub stats: CleaningStats,
    /// Why no more was done.
    pub result: Result<(), CleaningError>,
}

/// Why a cleaning ended early.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CleaningError {
    /// It was stopped: the log is closed or deleted.
    #[error("the cleaning was stopped")]
    Stopped,
    /// Nothing of it is on disk, and the log is as it was. Unless the disk was full, another attempt would fail too.
    #[error(transparent)]
    Given(EngineError),
    /// The disk failed while segments were replaced. Readers go on with what they have; the next start completes it.
    #[error("segments are replaced only in part, and the next start completes it: {0}")]
    Halfway(EngineError),
}

impl<D: Disk> CleaningDone<D> {
    /// The log it belongs to.
    pub fn key(&self) -> TopicPartitionId {
        self.key
    }
}

impl<D: Disk> CleaningJob<D> {
    /// The log it belongs to.
    pub fn key(&self) -> TopicPartitionId {
        self.key
    }

    /// Does it.
    pub async fn perform(self) -> CleaningDone<D> {
        let mut done = CleaningDone {
            key: self.key,
            replacements: Vec::new(),
            first_dirty: self.first_dirty,
            stats: CleaningStats::default(),
            result: Ok(()),
        };
        done.result = self.run(&mut done).await;
        done
    }

    async fn run(&self, done: &mut CleaningDone<D>) -> Result<(), CleaningError> {
        let (map, mapped_end) = self.map_keys().await?;
        let end_offset = self.sources.last().map_or(self.first_dirty, |source| source.end_offset);
        done.stats.is_partial = mapped_end < end_offset;
        let concerned = self.sources.partition_point(|source| source.files.base_offset() < mapped_end);
        let filter = Filter {
            map: &map,
            mapped_end,
            now_ms: self.input.now_ms,
            delete_retention_ms: self.config.compaction.map_or(0, |compaction| compaction.delete_retention_ms),
            repeatable: &self.input.repeatable,
            scratch: Vec::new(),
        };
        let mut cleaner = Cleaner { job: self, filter };
        let mut rest = &self.sources[..concerned];
        if !rest.is_empty() {
            // After a restart the last file is the active one: it must not be one that has lost its last offsets.
            self.successor.writer().await.map_err(CleaningError::Given)?;
        }
        while !rest.is_empty() {
            let count = cleaner.clean(rest, done).await?;
            rest = &rest[count..];
        }
        done.first_dirty = mapped_end;
        checkpoint::store(&self.disk, &self.dir, mapped_end).await.map_err(CleaningError::Given)
    }

    /// The newest offset of each key in the dirty segments, and up to where all of them are in the map.
    async fn map_keys(&self) -> Result<(OffsetMap, i64), CleaningError> {
        let dirty = self.sources.iter().filter(|source| source.end_offset > self.first_dirty);
        let end_offset = self.sources.last().map_or(self.first_dirty, |source| source.end_offset);
        let records = usize::try_from(end_offset - self.first_dirty).unwrap_or(0);
        let mut map = OffsetMap::new(records, self.input.map_bytes_max, self.input.secret);
        let mut scratch = Vec::new();
        for source in dirty {
            let view = source.view();
            let mut position = 0;
            let mut next_offset = view.base_offset();
            while position < source.size {
                self.go_on()?;
                let window = read_batches(&view, position).await.map_err(CleaningError::Given)?;
                let mut walk = batches(&window);
                for batch in walk.by_ref() {
                    let failed =
                        |error: String| CleaningError::Given(EngineError::corrupted(&view.path(), position, error));
                    let batch = batch.map_err(|error| failed(error.to_string()))?;
                    next_offset = follow(&batch.header, next_offset, source.end_offset).map_err(failed)?;
                    if batch.header.last_offset() < self.first_dirty {
                        continue;
                    }
                    match map_batch(&batch, &mut map, &mut scratch) {
                        Ok(()) => {}
                        Err(MapError::Full) if batch.header.base_offset > self.first_dirty => {
                            return Ok((map, batch.header.base_offset));
                        }
                        Err(MapError::Full) => {
                            let what = "one batch has more keys than a cleaning can hold".to_owned();
                            return Err(failed(what));
                        }
                        Err(MapError::Batch(error)) => return Err(failed(error.to_string())),
                    }
                }
                position += walk.position() as u64;
            }
        }
        Ok((map, end_offset))
    }

    fn go_on(&self) -> Result<(), CleaningError> {
        if self.stopped.get() { Err(CleaningError::Stopped) } else { Ok(()) }
    }
}

impl<D: Disk> Source<D> {
    /// What the file holds: all of a closed segment.
    fn view(&self) -> SegmentView<D> {
        SegmentView::new(&self.files, self.end_offset, self.size, (self.size, Vec::new()), Some(0))
    }
}

/// The second pass.
struct Cleaner<'a, D: Disk> {
    job: &'a CleaningJob<D>,
    filter: Filter<'a>,
}

impl<D: Disk> Cleaner<'_, D> {
    /// Makes one segment of as many at the front as fit into one when cleaned. Returns how many those are.
    async fn clean(&mut self, sources: &[Source<D>], done: &mut CleaningDone<D>) -> Result<usize, CleaningError> {
        let mut taken = 0;
        let written = self.write(sources, &mut taken).await;
        let group = &sources[..taken];
        let output = match written {
            Ok(Some(output)) => output,
            unwritten => {
                for source in group {
                    source.files.unpin();
                }
                let path = self.job.dir.join(cleaned_file_name(sources[0].files.base_offset()));
                // What is left goes at the next start.
                let removed = remove_if_there(&self.job.disk, &path).await;
                return unwritten.and(removed.map_err(CleaningError::Given)).map(|()| taken);
            }
        };
        let replacement = self.replace(group, output).await.map_err(CleaningError::Halfway)?;
        done.stats.bytes_before += group.iter().map(|source| source.size).sum::<u64>();
        done.stats.bytes_after += replacement.size;
        done.replacements.push(replacement);
        Ok(taken)
    }

    /// Writes what stays of the segments at the front, and pins those: `taken` says how many. `None` when nothing would be
    /// different.
    async fn write(&mut self, sources: &[Source<D>], taken: &mut usize) -> Result<Option<Output<D>>, CleaningError> {
        let job = self.job;
        let base_offset = sources[0].files.base_offset();
        let output = Output::create(&job.disk, &job.dir, base_offset, job.config.index_interval_bytes).await;
        let mut output = output.map_err(CleaningError::Given)?;
        let mut changed = false;
        let mut last = None;
        for source in sources {
            let fits = output.size() + source.size <= job.config.segment_bytes
                && source.end_offset - base_offset <= i64::from(i32::MAX);
            // What has left nothing so far joins whatever follows: no segment is empty.
            if *taken > 0 && output.size() > 0 && !fits {
                break;
            }
            *taken += 1;
            changed |= self.write_source(source, &mut output, &mut last).await? || *taken > 1;
        }
        if !changed {
            return Ok(None);
        }
        if let Some(header) = last.filter(|_| output.size() == 0) {
            let mut kept = Vec::new();
            retain_empty(&header, &mut kept);
            output.append(&kept).await.map_err(CleaningError::Given)?;
        }
        output.finish().await.map_err(CleaningError::Given)?;
        for source in &sources[..*taken] {
            source.files.pin(&source.view()).await.map_err(CleaningError::Given)?;
        }
        Ok(Some(output))
    }

    async fn write_source(
        &mut self,
        source: &Source<D>,
        output: &mut Output<D>,
        last: &mut Option<BatchHeader>,
    ) -> Result<bool, CleaningError> {
        let view = source.view();
        let mut changed = false;
        let mut position = 0;
        let mut next_offset = view.base_offset();
        while position < source.size {
            self.job.go_on()?;
            let window = read_batches(&view, position).await.map_err(CleaningError::Given)?;
            let mut kept = Vec::with_capacity(window.len());
            let mut walk = batches(&window);
            for batch in walk.by_ref() {
                let failed =
                    |error: String| CleaningError::Given(EngineError::corrupted(&view.path(), position, error));
                let batch = batch.map_err(|error| failed(error.to_string()))?;
                next_offset = follow(&batch.header, next_offset, source.end_offset).map_err(failed)?;
                *last = Some(batch.header);
                changed |= self.filter.filter(&batch, &mut kept).map_err(|error| failed(error.to_string()))?;
            }
            position += walk.position() as u64;
            output.append(&kept).await.map_err(CleaningError::Given)?;
        }
        Ok(changed)
    }

    async fn replace(&self, group: &[Source<D>], output: Output<D>) -> Result<Replacement<D>, EngineError> {
        let (disk, dir) = (&self.job.disk, &self.job.dir);
        let base_offset = group[0].files.base_offset();
        let end_offset = group.last().expect("a group has a segment").end_offset;
        let swap = Swap { base_offset, end_offset };
        swap.decide(disk, dir).await?;
        swap.complete(disk, dir, group.iter().map(|source| source.files.base_offset())).await?;
        let files = SegmentFiles::new(disk, dir, base_offset);
        let (size, indexes) = (output.size(), output.into_indexes());
        files.write_indexes(&indexes).await?;
        Ok(Replacement { files, end_offset, size, indexes: Rc::new(indexes) })
    }
}

/// The offset behind a batch that begins at `next_offset` or beyond and ends below `end_offset`. A batch's checksum does
/// not cover its base offset: records with wrong offsets would pass for newer ones than those that replace them.
fn follow(header: &BatchHeader, next_offset: i64, end_offset: i64) -> Result<i64, String> {
    let BatchHeader { base_offset, last_offset_delta, .. } = *header;
    let end = base_offset.checked_add(i64::from(last_offset_delta)).filter(|_| last_offset_delta >= 0);
    match end.filter(|last_offset| base_offset >= next_offset && *last_offset < end_offset) {
        Some(last_offset) => Ok(last_offset + 1),
        None => {
            Err(format!("offsets {base_offset} and {last_offset_delta} more do not lie in {next_offset}..{end_offset}"))
        }
    }
}

/// Whole batches from the batch start `position` on: a window of them, or one that is larger.
async fn read_batches<D: Disk>(view: &SegmentView<D>, position: u64) -> Result<Bytes, EngineError> {
    let cut = || EngineError::corrupted(&view.path(), position, "the segment ends within a batch");
    let mut len = WINDOW_BYTES;
    loop {
        let window = view.read(position, len).await?;
        let header = window.header(position, &view.path())?.ok_or_else(cut)?;
        let size = header.size() as u64;
        if position + size > view.size() {
            return Err(cut());
        }
        if position + size <= window.end() {
            return Ok(window.contiguous(position..window.end()));
        }
        len = size;
    }
}
