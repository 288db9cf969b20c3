//! What becomes of one partition: decided purely, from the files that are there, what the last checkpoint says, and what
//! the journal holds.

use std::collections::BTreeMap;

use crate::append::Mark;
use crate::checkpoint::PartitionState;
use crate::disk::block_floor;
use crate::journal::format::{EntryKind, Place};

/// What the verdict needs to know of a journal entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryInfo {
    /// What it asks for.
    pub kind: EntryKind,
    /// A batch's base offset, or the new log start.
    pub base_offset: i64,
    /// Where its bytes go.
    pub place: Place,
    /// How many they are.
    pub len: u64,
}

impl EntryInfo {
    fn end(&self) -> u64 {
        self.place.position.saturating_add(self.len)
    }
}

/// What to do for a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The first offset that may be read, unless the log ends before it.
    pub log_start: i64,
    /// Where the scan begins; all before it is trusted.
    pub from: Mark,
    /// Exact lengths of the segments from `from` on, by base offset; `None` for those that hold whatever a scan finds
    /// whole in them, because nothing vouches for them.
    pub ends: Option<BTreeMap<i64, u64>>,
    /// Segments whose files go: never acknowledged. Those below the log start stay, for what they tell of producers.
    pub remove: Vec<i64>,
}

impl Plan {
    /// Whether an entry has to be carried out. What lies below the mark is left alone: it is trusted, and may have been
    /// cleaned since. Only the mark's block may have been rewritten and torn; then the journal has what it begins with, as an
    /// entry of its own. A batch below the mark would come before that one, and find the block's beginning missing.
    pub fn needs(&self, entry: &EntryInfo) -> bool {
        let Place { segment_base, .. } = entry.place;
        let trusted_end = match entry.kind {
            EntryKind::Block => block_floor(self.from.position),
            _ => self.from.position,
        };
        entry.kind != EntryKind::LogStart
            && !self.remove.contains(&segment_base)
            && (segment_base > self.from.segment_base
                || segment_base == self.from.segment_base && entry.end() > trusted_end)
    }
}

/// Why a partition's log cannot be put together. All are losses of acknowledged bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// F: a batch in the journal does not go where the log ends, or the beginning of a block is not of the log.
    #[error("the journal continues at byte {} of segment {}, but the log ends elsewhere", found.position, found.segment_base)]
    Gap {
        /// Where it goes.
        found: Place,
    },
    /// G: a segment that the checkpoint vouches for is missing.
    #[error("segment {segment_base} is missing, of which the checkpoint vouches for {position} bytes")]
    SegmentMissing {
        /// Its name.
        segment_base: i64,
        /// What it had to hold.
        position: u64,
    },
    /// H: a segment is shorter than the checkpoint vouches for.
    #[error("segment {segment_base} has {len} bytes, but the checkpoint vouches for {position}")]
    SegmentShort {
        /// Its name.
        segment_base: i64,
        /// What it had to hold.
        position: u64,
        /// What it holds.
        len: u64,
    },
}

impl Refusal {
    /// The segment that it is about.
    pub fn segment_base(&self) -> i64 {
        match self {
            Refusal::Gap { found } => found.segment_base,
            Refusal::SegmentMissing { segment_base, .. } | Refusal::SegmentShort { segment_base, .. } => *segment_base,
        }
    }
}

/// Decides for one partition. `segments` are base offsets and lengths of its files; `entries` are in the journal's order.
pub fn judge(
    segments: &BTreeMap<i64, u64>,
    state: Option<&PartitionState>,
    entries: &[EntryInfo],
) -> Result<Plan, Refusal> {
    let writes = || entries.iter().filter(|entry| entry.kind != EntryKind::LogStart);
    let starts = entries.iter().filter(|entry| entry.kind == EntryKind::LogStart).map(|entry| entry.base_offset);
    let log_start = starts.chain(state.map(|state| state.log_start)).max().unwrap_or(0);
    let first_known = segments.keys().copied().chain(writes().map(|entry| entry.place.segment_base)).min();
    let from = match (state, first_known) {
        (Some(state), _) => state.mark,
        (None, Some(base)) => Mark { segment_base: base, position: 0, offset: base },
        (None, None) => Mark { segment_base: 0, position: 0, offset: 0 },
    };
    let mut plan = Plan { log_start, from, ends: None, remove: Vec::new() };
    if state.is_none() && writes().next().is_none() {
        return Ok(plan);
    }
    let mut ends = BTreeMap::from([(from.segment_base, from.position)]);
    let (mut segment_base, mut position) = (from.segment_base, from.position);
    for entry in writes() {
        let end = (entry.place.segment_base, entry.end());
        // Bytes that a block begins with were in the log already; a batch goes behind all that was.
        let known = match entry.kind {
            EntryKind::Block => (segment_base, position),
            _ => (from.segment_base, from.position),
        };
        if end <= known {
            continue;
        }
        let appends = entry.kind == EntryKind::Append;
        let follows = appends && entry.place == Place { segment_base, position };
        let rolls = appends
            && entry.place.segment_base > segment_base
            && entry.place.position == 0
            && entry.base_offset == entry.place.segment_base;
        if !(follows || rolls) {
            return Err(Refusal::Gap { found: entry.place });
        }
        (segment_base, position) = (entry.place.segment_base, entry.end());
        ends.insert(segment_base, position);
    }
    plan.remove =
        segments.keys().copied().filter(|base| *base > from.segment_base && !ends.contains_key(base)).collect();
    check_trusted(&plan, segments)?;
    plan.ends = Some(ends);
    Ok(plan)
}

fn check_trusted(plan: &Plan, segments: &BTreeMap<i64, u64>) -> Result<(), Refusal> {
    let Mark { segment_base, position, .. } = plan.from;
    match segments.get(&segment_base) {
        Some(len) if *len < position => Err(Refusal::SegmentShort { segment_base, position, len: *len }),
        None if position > 0 => Err(Refusal::SegmentMissing { segment_base, position }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
