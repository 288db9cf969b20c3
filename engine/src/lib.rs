//! The storage engine: what one core keeps on disk, and how it comes back after a crash.
//!
//! Transitions are synchronous and know no I/O; what has to be done on the disk comes out as jobs that own what they
//! need. Only `recovery`, the whole-file helpers and the jobs themselves wait, generic over [`disk::Disk`].

pub mod append;
pub mod checkpoint;
pub mod compaction;
pub mod disk;
pub mod error;
pub mod files;
pub mod inspect;
pub mod journal;
pub mod leader_epochs;
pub mod log;
pub mod memory;
pub mod memory_disk;
pub mod overlay_disk;
pub mod partition_metadata;
pub mod producer_snapshot;
pub mod recovery;
pub mod repair;
pub mod retention;
pub mod scrub;
pub mod segment;
pub mod store;
pub mod tail;
#[cfg(test)]
mod testing;
