//! The sparse time index of a segment: from a timestamp to an offset that has all later ones at or after it.
//!
//! Kept in memory as we append, and written in Kafka's format (`TimeIndex`): entries of {timestamp, i64; offset
//! relative to the segment's base, u32}, big-endian. An entry says: up to and with the batch that ends at this offset,
//! no record is younger than this timestamp. The last entry of a closed segment is its largest timestamp.
//! Invariant: timestamps rise strictly, offsets too.

/// Bytes of an entry in the file.
pub const TIME_ENTRY_BYTES: usize = 12;

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeEntry {
    /// The largest timestamp so far, in ms since the epoch.
    pub timestamp: i64,
    /// The last offset of the first batch that has it.
    pub offset: i64,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeIndex {
    base_offset: i64,
    entries: Vec<TimeEntry>,
}

impl TimeIndex {
    /// An empty index of the segment with that base offset.
    pub fn new(base_offset: i64) -> Self {
        Self { base_offset, entries: Vec::new() }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The last entry.
    pub fn last(&self) -> Option<TimeEntry> {
        self.entries.last().copied()
    }

    /// Adds the largest timestamp so far, unless the index holds it already.
    ///
    /// # Panics
    /// If a larger timestamp has a smaller offset than the entry before, or one that the format does not hold.
    pub fn push(&mut self, entry: TimeEntry) {
        assert!(u32::try_from(entry.offset - self.base_offset).is_ok(), "a roll keeps relative offsets small");
        if let Some(last) = self.entries.last() {
            if entry.timestamp <= last.timestamp {
                return;
            }
            assert!(entry.offset > last.offset);
        }
        if entry.timestamp >= 0 {
            self.entries.push(entry);
        }
    }

    /// The offset from where to look for the first record with that timestamp or a later one.
    pub fn lookup(&self, timestamp: i64) -> i64 {
        let after = self.entries.partition_point(|entry| entry.timestamp < timestamp);
        after.checked_sub(1).map_or(self.base_offset, |index| self.entries[index].offset)
    }

    /// Drops the entries of `offset` and beyond.
    pub fn truncate(&mut self, offset: i64) {
        let keep = self.entries.partition_point(|entry| entry.offset < offset);
        self.entries.truncate(keep);
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len() * TIME_ENTRY_BYTES);
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.timestamp.to_be_bytes());
            let relative = (entry.offset - self.base_offset) as u32;
            bytes.extend_from_slice(&relative.to_be_bytes());
        }
        bytes
    }

    /// The index in a file's bytes; `None` when it cannot be that of a segment whose offsets are below `end_offset`:
    /// it is derived data, to be rebuilt.
    pub fn decode(base_offset: i64, bytes: &[u8], end_offset: i64) -> Option<Self> {
        let (chunks, rest) = bytes.as_chunks::<TIME_ENTRY_BYTES>();
        let entries: Vec<TimeEntry> = chunks.iter().map(|chunk| decode_entry(base_offset, chunk)).collect();
        let rising =
            entries.windows(2).all(|pair| pair[0].timestamp < pair[1].timestamp && pair[0].offset < pair[1].offset);
        let within = entries.last().is_none_or(|last| last.offset < end_offset)
            && entries.first().is_none_or(|first| first.timestamp >= 0);
        (rest.is_empty() && rising && within).then_some(Self { base_offset, entries })
    }
}

fn decode_entry(base_offset: i64, bytes: &[u8; TIME_ENTRY_BYTES]) -> TimeEntry {
    let [a, b, c, d, e, f, g, h, relative @ ..] = *bytes;
    TimeEntry {
        timestamp: i64::from_be_bytes([a, b, c, d, e, f, g, h]),
        // One beyond all offsets is beyond the segment's end too.
        offset: base_offset.saturating_add(i64::from(u32::from_be_bytes(relative))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> TimeIndex {
        let mut index = TimeIndex::new(500);
        for step in 0..30 {
            index.push(TimeEntry { timestamp: 10_000 + step * 7, offset: 503 + step * 5 });
        }
        index
    }

    #[test]
    fn binary_search_finds_what_a_linear_one_finds() {
        let index = sample();
        for timestamp in 9_990..10_300 {
            let linear = index.entries.iter().rev().find(|entry| entry.timestamp < timestamp).map_or(500, |e| e.offset);
            assert_eq!(index.lookup(timestamp), linear, "timestamp {timestamp}");
        }
    }

    #[test]
    fn only_larger_timestamps_become_entries() {
        let mut index = TimeIndex::new(0);
        index.push(TimeEntry { timestamp: -1, offset: 0 });
        assert!(index.is_empty());
        index.push(TimeEntry { timestamp: 5, offset: 3 });
        index.push(TimeEntry { timestamp: 5, offset: 3 });
        index.push(TimeEntry { timestamp: 5, offset: 9 });
        assert_eq!(index.len(), 1);
        index.push(TimeEntry { timestamp: 6, offset: 9 });
        assert_eq!(index.last(), Some(TimeEntry { timestamp: 6, offset: 9 }));
    }

    #[test]
    fn the_file_is_kafkas_and_reads_back() {
        let index = sample();
        let bytes = index.encode();
        assert_eq!(bytes[..TIME_ENTRY_BYTES], [0, 0, 0, 0, 0, 0, 0x27, 0x10, 0, 0, 0, 3]);
        let end = 503 + 29 * 5 + 1;
        assert_eq!(TimeIndex::decode(500, &bytes, end), Some(index));
        assert_eq!(TimeIndex::decode(500, &bytes, end - 1), None, "beyond the end offset");
        assert_eq!(TimeIndex::decode(500, &bytes[1..], end), None, "cut");
        assert_eq!(TimeIndex::decode(500, &[0; 24], end), None, "zeros");
        assert_eq!(TimeIndex::decode(500, &[0xff; 12], i64::MAX), None, "before the epoch");
        assert_eq!(TimeIndex::decode(i64::MAX - 2, &bytes[..12], i64::MAX), None, "beyond all offsets");
    }
}
