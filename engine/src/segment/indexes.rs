//! A segment's two indexes together, and the rule by which they grow.
//!
//! As in Kafka's `LogSegment.append`: a batch gets an entry when more than `index.interval.bytes` have been appended
//! since the last entry's batch began; the time index gets the largest timestamp so far along with it.

use wire::batch::BatchHeader;

use super::{OFFSET_ENTRY_BYTES, OffsetIndex, TIME_ENTRY_BYTES, TimeEntry, TimeIndex};

/// What the indexes need to know of a batch.
#[derive(Debug, Clone, Copy)]
pub struct IndexedBatch {
    /// Offset of its last record.
    pub last_offset: i64,
    /// Its largest timestamp, in ms since the epoch; -1 for none.
    pub max_timestamp: i64,
    /// Its position in the segment.
    pub position: u64,
    /// Its size in bytes.
    pub size: u64,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Indexes {
    /// Offset → position.
    pub offsets: OffsetIndex,
    /// Timestamp → offset.
    pub times: TimeIndex,
    largest: Option<TimeEntry>,
    bytes_since_entry: u64,
}

impl Indexes {
    /// Those of an empty segment.
    pub fn new(base_offset: i64) -> Self {
        Self::from_parts(OffsetIndex::new(base_offset), TimeIndex::new(base_offset))
    }

    /// Those that cover a segment, or its beginning up to the last offset entry.
    pub fn from_parts(offsets: OffsetIndex, times: TimeIndex) -> Self {
        let largest = times.last();
        Self { offsets, times, largest, bytes_since_entry: 0 }
    }

    /// What they say up to the last offset entry, whose batch has this header; `None` when that cannot be true. What the
    /// time index says of later batches is left out, as it may be wrong too.
    pub fn up_to_last_entry(mut self, header: &BatchHeader) -> Option<Self> {
        let (last_offset, _) = self.offsets.last().filter(|(last_offset, _)| *last_offset == header.last_offset())?;
        let had_times = !self.times.is_empty();
        self.times.truncate(last_offset + 1);
        let fits = match self.times.last() {
            Some(time) => time.offset < last_offset || time.timestamp == header.max_timestamp,
            None => !had_times,
        };
        fits.then(|| Self::from_parts(self.offsets, self.times))
    }

    /// The largest timestamp of all batches, with the last offset of the first batch that has it.
    pub fn largest_timestamp(&self) -> Option<TimeEntry> {
        self.largest
    }

    /// Notes a batch, the next one in the segment.
    pub fn push(&mut self, batch: IndexedBatch, interval_bytes: u64) {
        let largest = TimeEntry { timestamp: batch.max_timestamp, offset: batch.last_offset };
        if largest.timestamp >= 0 && self.largest.is_none_or(|so_far| so_far.timestamp < largest.timestamp) {
            self.largest = Some(largest);
        }
        if self.bytes_since_entry > interval_bytes {
            self.offsets.push(batch.last_offset, batch.position);
            self.push_largest();
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += batch.size;
    }

    /// Ends the time index with the largest timestamp, as a closed segment's does.
    pub fn finish(&mut self) {
        self.push_largest();
    }

    /// Whether one of them has no room in a file of `index_bytes_max` bytes. The time index keeps a place for its end.
    pub fn is_full(&self, index_bytes_max: u64) -> bool {
        self.offsets.len() as u64 >= index_bytes_max / OFFSET_ENTRY_BYTES as u64
            || self.times.len() as u64 + 1 >= index_bytes_max / TIME_ENTRY_BYTES as u64
    }

    fn push_largest(&mut self) {
        if let Some(largest) = self.largest {
            self.times.push(largest);
        }
    }
}
