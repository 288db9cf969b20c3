//! Offsets by time: what ListOffsets asks.

use std::ops::ControlFlow;

use wire::batch::{Batch, BatchHeader, first_at_or_after, first_with_max_timestamp};

use super::Log;
use super::segment::Segment;
use crate::disk::Disk;
use crate::error::EngineError;
use crate::segment::SegmentView;

/// Bytes to which a compressed batch may open in a search by time.
const DECOMPRESSED_BYTES_MAX: usize = 256 << 20;

/// Segments that a search looks into: the first whose largest timestamp is late enough, and the one after it when all
/// such records of the first lie below the log's start. In a compacted log any number of segments may have lost them.
const LOOKUP_SEGMENTS_MAX: usize = 2;

/// A record found by its timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundTimestamp {
    /// Its timestamp, in ms since the epoch.
    pub timestamp: i64,
    /// Its offset.
    pub offset: i64,
    /// The leader epoch of its batch.
    pub leader_epoch: i32,
}

#[derive(Clone, Copy)]
enum Sought {
    /// The first record of that time or later.
    From(i64),
    /// The first record of this time, the largest, in the batch with this last offset.
    Largest { timestamp: i64, batch_end: i64 },
}

/// A search by time; it begins in memory and reads what it must.
pub struct Lookup<D: Disk> {
    views: Vec<SegmentView<D>>,
    sought: Sought,
    start_offset: i64,
    end_offset: i64,
}

impl<D: Disk> Lookup<D> {
    /// Does it; `None` when there is no such record between the log's start and the end offset.
    ///
    /// # Errors
    /// The disk's; [`EngineError::Corrupted`] where no batch is, or where a batch cannot be opened.
    pub async fn perform(self) -> Result<Option<FoundTimestamp>, EngineError> {
        for view in &self.views {
            if let Some(found) = self.search(view).await? {
                return Ok((found.offset < self.end_offset).then_some(found));
            }
        }
        Ok(None)
    }

    async fn search(&self, view: &SegmentView<D>) -> Result<Option<FoundTimestamp>, EngineError> {
        let mut from = view
            .start(|offsets, indexes| {
                let offset = match self.sought {
                    Sought::From(timestamp) => indexes.times.lookup(timestamp),
                    Sought::Largest { batch_end, .. } => batch_end,
                };
                offsets.lookup(offset.max(self.start_offset))
            })
            .await?;
        while let Some((position, header)) = self.next_candidate(view, from).await? {
            if let Some(found) = self.search_batch(view, position, &header).await? {
                return Ok(Some(found));
            }
            from = position + header.size() as u64;
        }
        Ok(None)
    }

    async fn next_candidate(
        &self,
        view: &SegmentView<D>,
        from: u64,
    ) -> Result<Option<(u64, BatchHeader)>, EngineError> {
        let mut candidate = None;
        view.walk(from, |position, header| {
            if header.base_offset >= self.end_offset {
                return ControlFlow::Break(());
            }
            let may_hold = match self.sought {
                Sought::From(timestamp) => header.max_timestamp >= timestamp,
                Sought::Largest { batch_end, .. } => header.last_offset() == batch_end,
            };
            if may_hold && header.last_offset() >= self.start_offset {
                candidate = Some((position, *header));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })
        .await?;
        Ok(candidate)
    }

    async fn search_batch(
        &self,
        view: &SegmentView<D>,
        position: u64,
        header: &BatchHeader,
    ) -> Result<Option<FoundTimestamp>, EngineError> {
        let size = header.size() as u64;
        let bytes = view.read(position, size).await?.contiguous(position..position + size);
        let found = Batch::parse(&bytes).and_then(|batch| match self.sought {
            Sought::From(timestamp) => first_at_or_after(&batch, timestamp, self.start_offset, DECOMPRESSED_BYTES_MAX),
            Sought::Largest { timestamp, .. } if header.max_timestamp == timestamp => {
                first_with_max_timestamp(&batch, DECOMPRESSED_BYTES_MAX)
            }
            Sought::Largest { .. } => Ok(None),
        });
        let found = found.map_err(|error| EngineError::corrupted(&view.path(), position, error.to_string()))?;
        Ok(found.map(|at| FoundTimestamp {
            timestamp: at.timestamp,
            offset: at.offset,
            leader_epoch: header.partition_leader_epoch,
        }))
    }
}

impl<D: Disk> Log<D> {
    /// Finds the first record below `end_offset` whose timestamp is `timestamp` or later.
    pub fn find_timestamp(&self, timestamp: i64, end_offset: i64) -> Lookup<D> {
        let late_enough = |segment: &&Segment<D>| {
            segment.end_offset > self.log_start
                && segment.base_offset < end_offset
                && segment.largest_timestamp().is_some_and(|largest| largest.timestamp >= timestamp)
        };
        let views_max = if self.config.compaction.is_some() { usize::MAX } else { LOOKUP_SEGMENTS_MAX };
        let views = self.segments.iter().filter(late_enough).take(views_max).map(|segment| {
            let offset = segment.indexes.as_ref().map(|indexes| indexes.times.lookup(timestamp));
            self.view_for(segment, offset.unwrap_or(segment.base_offset).max(self.log_start))
        });
        self.lookup(views.collect(), Sought::From(timestamp), end_offset)
    }

    /// Finds the record with the largest timestamp of all; the first of them, if there are several.
    pub fn find_max_timestamp(&self, end_offset: i64) -> Lookup<D> {
        let mut newest: Option<(&Segment<D>, crate::segment::TimeEntry)> = None;
        for segment in self.segments.iter().filter(|segment| segment.end_offset > self.log_start) {
            let Some(largest) = segment.largest_timestamp() else { continue };
            if newest.is_none_or(|(_, so_far)| so_far.timestamp < largest.timestamp) {
                newest = Some((segment, largest));
            }
        }
        let Some((segment, largest)) = newest else {
            return self.lookup(Vec::new(), Sought::From(0), end_offset);
        };
        let sought = Sought::Largest { timestamp: largest.timestamp, batch_end: largest.offset };
        self.lookup(vec![self.view_for(segment, largest.offset)], sought, end_offset)
    }

    fn lookup(&self, views: Vec<SegmentView<D>>, sought: Sought, end_offset: i64) -> Lookup<D> {
        Lookup { views, sought, start_offset: self.log_start, end_offset }
    }
}
