//! What stays of a batch: decided from the map of newest offsets, and written.
//!
//! As Kafka's `Cleaner.cleanInto` decides it: a record stays when no newer one of its key is known, and a tombstone only
//! until its batch's delete horizon, which the first cleaning that meets it sets (KIP-534). A batch without records stays,
//! empty, when a producer that may go on writing is recognized by its sequences. Records without a key go: they are from
//! before the topic was compacted.
//! Deviations: besides a producer's last batch, those before it that it may send again stay too. Batches of transactions and
//! control batches stay as they are, and supersede nothing.

use std::collections::BTreeSet;

use wire::batch::{Batch, BatchError, BuildError, Record, records, retain, retain_empty};

use super::offset_map::{Full, OffsetMap};

/// Bytes to which a compressed batch may open.
const OPENED_BYTES_MAX: usize = 256 << 20;

/// Why a batch cannot be cleaned.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// It is damaged.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// What stays of it cannot be written.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// What the map has not taken in.
#[derive(Debug)]
pub enum MapError {
    /// The batch is damaged.
    Batch(BatchError),
    /// The batch has more keys than there is room for.
    Full,
}

/// Takes the keys of a batch into the map. When it is full, some of the batch's keys may be in it: they count as the
/// newest, and rightly.
pub fn map_batch(batch: &Batch<'_>, map: &mut OffsetMap, scratch: &mut Vec<u8>) -> Result<(), MapError> {
    batch.check_crc().map_err(MapError::Batch)?;
    if is_kept_as_it_is(batch) {
        return Ok(());
    }
    for record in records(batch, OPENED_BYTES_MAX, scratch).map_err(MapError::Batch)? {
        let record = record.map_err(MapError::Batch)?;
        if let Some(key) = record.key {
            map.insert(key, offset_of(batch, &record)).map_err(|Full| MapError::Full)?;
        }
    }
    Ok(())
}

fn is_kept_as_it_is(batch: &Batch<'_>) -> bool {
    batch.header.is_control() || batch.header.is_transactional()
}

fn offset_of(batch: &Batch<'_>, record: &Record<'_>) -> i64 {
    batch.header.base_offset.wrapping_add(i64::from(record.offset_delta))
}

/// What decides.
pub struct Filter<'a> {
    /// The newest offsets of the keys of all records below `mapped_end`, and of some beyond.
    pub map: &'a OffsetMap,
    /// Records at this offset and beyond stay.
    pub mapped_end: i64,
    /// The clock, in ms since the epoch.
    pub now_ms: i64,
    /// How long a tombstone stays after a cleaning has met it (`delete.retention.ms`), in ms.
    pub delete_retention_ms: i64,
    /// Producer id and last offset of the batches by which producers are recognized.
    pub repeatable: &'a BTreeSet<(i64, i64)>,
    /// Memory to open batches in.
    pub scratch: Vec<u8>,
}

impl Filter<'_> {
    /// Appends what stays of a batch to `out`. Returns whether anything is different.
    ///
    /// # Errors
    /// A batch that is damaged. `out` is then of no use.
    pub fn filter(&mut self, batch: &Batch<'_>, out: &mut Vec<u8>) -> Result<bool, FilterError> {
        batch.check_crc()?;
        if is_kept_as_it_is(batch) {
            out.extend_from_slice(batch.bytes);
            return Ok(false);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let changed = self.filter_records(batch, &mut scratch, out);
        self.scratch = scratch;
        changed
    }

    fn filter_records(&self, batch: &Batch<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<bool, FilterError> {
        let header = &batch.header;
        let mut kept = Vec::new();
        let mut dropped = false;
        let mut has_tombstone = false;
        for record in records(batch, OPENED_BYTES_MAX, scratch)? {
            let record = record?;
            if self.keeps(batch, &record) {
                has_tombstone |= record.value.is_none();
                kept.push(record);
            } else {
                dropped = true;
            }
        }
        let new_horizon = has_tombstone && header.delete_horizon().is_none();
        let horizon = new_horizon.then(|| self.now_ms.saturating_add(self.delete_retention_ms));
        if kept.is_empty() {
            let stays = self.is_repeatable(batch);
            if stays {
                retain_empty(header, out);
            }
            Ok(!stays || dropped)
        } else if dropped || new_horizon {
            retain(header, &kept, horizon, out)?;
            Ok(true)
        } else {
            out.extend_from_slice(batch.bytes);
            Ok(false)
        }
    }

    fn keeps(&self, batch: &Batch<'_>, record: &Record<'_>) -> bool {
        let offset = offset_of(batch, record);
        if offset >= self.mapped_end {
            return true;
        }
        let Some(key) = record.key else { return false };
        let is_newest = self.map.latest(key).is_none_or(|latest| offset >= latest);
        let may_go = || batch.header.delete_horizon().is_some_and(|horizon| self.now_ms >= horizon);
        is_newest && (record.value.is_some() || !probe::mutated!(may_go(), TombstonesDropped => true))
    }

    fn is_repeatable(&self, batch: &Batch<'_>) -> bool {
        let header = &batch.header;
        header.has_producer_id() && self.repeatable.contains(&(header.producer_id, header.last_offset()))
    }
}
