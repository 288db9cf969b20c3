//! The sparse offset index of a segment: from an offset to a position at or before its batch.
//!
//! Kept in memory as we append, and written in Kafka's format (`OffsetIndex`): entries of {offset relative to the
//! segment's base, u32; position, u32}, big-endian. An entry's offset is the *last* of the batch at its position, so
//! that the batch of an offset is never before the entry found for it.
//! Invariant: offsets and positions both rise strictly.

/// Bytes of an entry in the file.
pub const OFFSET_ENTRY_BYTES: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    relative_offset: u32,
    position: u32,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetIndex {
    base_offset: i64,
    entries: Vec<Entry>,
}

impl OffsetIndex {
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

    /// The entry at an index: an offset and the position of the batch whose last record has it.
    pub fn get(&self, index: usize) -> Option<(i64, u64)> {
        self.entries
            .get(index)
            .map(|entry| (self.base_offset + i64::from(entry.relative_offset), u64::from(entry.position)))
    }

    /// The last entry.
    pub fn last(&self) -> Option<(i64, u64)> {
        self.get(self.entries.len().checked_sub(1)?)
    }

    /// Adds the batch at `position` whose last record has `last_offset`.
    ///
    /// # Panics
    /// If either does not rise, or is beyond what the format holds: a roll comes before that.
    pub fn push(&mut self, last_offset: i64, position: u64) {
        let entry = Entry {
            relative_offset: u32::try_from(last_offset - self.base_offset)
                .expect("a roll keeps relative offsets small"),
            position: u32::try_from(position).expect("a roll keeps positions small"),
        };
        if let Some(last) = self.entries.last() {
            assert!(entry.relative_offset > last.relative_offset && entry.position > last.position);
        }
        self.entries.push(entry);
    }

    /// Where to look for the batch that holds `offset`: a batch's start, at or before it.
    pub fn lookup(&self, offset: i64) -> u64 {
        let relative = offset - self.base_offset;
        let after = self.entries.partition_point(|entry| i64::from(entry.relative_offset) <= relative);
        let after = probe::mutated!(after, IndexOffByOne => (after + 1).min(self.entries.len()));
        after.checked_sub(1).map_or(0, |index| u64::from(self.entries[index].position))
    }

    /// The last batch start that is known at or before `position`.
    pub fn batch_start_before(&self, position: u64) -> u64 {
        let after = self.entries.partition_point(|entry| u64::from(entry.position) <= position);
        after.checked_sub(1).map_or(0, |index| u64::from(self.entries[index].position))
    }

    /// Drops the entries of batches that reach `offset` or beyond, or that begin at `position` or beyond.
    pub fn truncate(&mut self, offset: i64, position: u64) {
        let relative = offset - self.base_offset;
        let keep = self.entries.partition_point(|entry| {
            i64::from(entry.relative_offset) < relative && u64::from(entry.position) < position
        });
        self.entries.truncate(keep);
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len() * OFFSET_ENTRY_BYTES);
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.relative_offset.to_be_bytes());
            bytes.extend_from_slice(&entry.position.to_be_bytes());
        }
        bytes
    }

    /// The index in a file's bytes; `None` when it cannot be that of a segment of `segment_bytes` bytes whose offsets
    /// are below `end_offset`: it is derived data, to be rebuilt.
    pub fn decode(base_offset: i64, bytes: &[u8], segment_bytes: u64, end_offset: i64) -> Option<Self> {
        let (chunks, rest) = bytes.as_chunks::<OFFSET_ENTRY_BYTES>();
        if !rest.is_empty() {
            return None;
        }
        let entries: Vec<Entry> = chunks
            .iter()
            .map(|[a, b, c, d, e, f, g, h]| Entry {
                relative_offset: u32::from_be_bytes([*a, *b, *c, *d]),
                position: u32::from_be_bytes([*e, *f, *g, *h]),
            })
            .collect();
        let rising = entries
            .windows(2)
            .all(|pair| pair[0].relative_offset < pair[1].relative_offset && pair[0].position < pair[1].position);
        let within = entries.last().is_none_or(|last| {
            u64::from(last.position) < segment_bytes
                && base_offset.saturating_add(i64::from(last.relative_offset)) < end_offset
        });
        (rising && within).then_some(Self { base_offset, entries })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(count: u32) -> OffsetIndex {
        let mut index = OffsetIndex::new(1000);
        for step in 1..=count {
            index.push(1000 + i64::from(step * step), u64::from(step) * 4100);
        }
        index
    }

    #[test]
    fn binary_search_finds_what_a_linear_one_finds() {
        let index = sample(40);
        let entries: Vec<_> = (0..index.len()).map(|i| index.get(i).expect("in range")).collect();
        for offset in 990..2700 {
            let linear = entries.iter().rev().find(|(at, _)| *at <= offset).map_or(0, |(_, position)| *position);
            assert_eq!(index.lookup(offset), linear, "offset {offset}");
        }
        for position in (0..180_000).step_by(37) {
            let linear = entries.iter().rev().find(|(_, at)| *at <= position).map_or(0, |(_, at)| *at);
            assert_eq!(index.batch_start_before(position), linear, "position {position}");
        }
    }

    #[test]
    fn the_file_is_kafkas_and_reads_back() {
        let index = sample(2);
        assert_eq!(index.encode(), [0, 0, 0, 1, 0, 0, 16, 4, 0, 0, 0, 4, 0, 0, 32, 8]);
        assert_eq!(OffsetIndex::decode(1000, &index.encode(), 8201, 1005), Some(index.clone()));
        let bytes = index.encode();
        assert_eq!(OffsetIndex::decode(1000, &bytes[..15], 8201, 1005), None, "cut");
        assert_eq!(OffsetIndex::decode(1000, &bytes, 8200, 1005), None, "beyond the segment");
        assert_eq!(OffsetIndex::decode(1000, &bytes, 8201, 1004), None, "beyond the end offset");
        assert_eq!(OffsetIndex::decode(1000, &[0; 16], 8201, 1005), None, "zeros");
        assert_eq!(OffsetIndex::decode(i64::MAX - 3, &bytes, 8201, i64::MAX), None, "beyond all offsets");
    }

    #[test]
    fn truncation_drops_what_reaches_beyond() {
        let mut index = sample(10);
        index.truncate(1000 + 25, u64::MAX);
        assert_eq!(index.last(), Some((1016, 4 * 4100)));
        index.truncate(i64::MAX, 2 * 4100);
        assert_eq!(index.last(), Some((1001, 4100)));
        index.truncate(0, 0);
        assert!(index.is_empty());
    }
}
