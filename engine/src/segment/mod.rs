//! Segments: the files of a partition's log, in Kafka's format byte for byte.
//!
//! A segment is named by its base offset: `<20 digits>.log` holds record batches of magic 2 verbatim, `.index` and
//! `.timeindex` are derived from it and written when it closes, `.snapshot` holds producer state as of that offset.

mod files;
mod indexes;
pub mod names;
mod offset_index;
mod pieces;
mod survey;
mod time_index;
mod view;

pub use files::{SegmentFiles, indexed_batch};
pub use indexes::{IndexedBatch, Indexes};
pub use offset_index::{OFFSET_ENTRY_BYTES, OffsetIndex};
pub use pieces::{Pieces, Selected, Wanted, select};
pub use survey::{Rotten, Stretch, Survey};
pub use time_index::{TIME_ENTRY_BYTES, TimeEntry, TimeIndex};
pub use view::SegmentView;
