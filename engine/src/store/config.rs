//! Bounds of a store, and where it is.

use std::path::PathBuf;

use crate::disk::BLOCK;
use crate::journal::format::{ENTRY_HEADER_BYTES, GROUP_HEADER_BYTES};
use crate::journal::writer::JournalConfig;
use crate::scrub::ScrubConfig;

/// What one core's store is made with.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The data folder.
    pub data_dir: PathBuf,
    /// The folder of all cores' journals: `<data>/journal`, or one on another device.
    pub journal_dir: PathBuf,
    /// Random per start.
    pub salt: u64,
    /// The journal's bounds.
    pub journal: JournalConfig,
    /// Bytes of a batch at most.
    pub batch_bytes_max: usize,
    /// Bytes that the tails of all logs hold at most. Above half of it, tails are filed and let go of.
    pub memory_bytes_max: usize,
    /// Bytes of disk that are kept to delete in, for when the disk is full.
    pub reserve_bytes: u64,
    /// Filings in flight at most; and as many syncs.
    pub jobs_max: usize,
    /// How much is scrubbed.
    pub scrub: ScrubConfig,
}

impl StoreConfig {
    /// Kafka's usual sizes: batches up to 1 MiB with room to spare, journals up to 512 MiB, 256 MiB of tails.
    pub fn new(data_dir: PathBuf, salt: u64) -> StoreConfig {
        let journal = JournalConfig {
            first_file_bytes: 8 << 20,
            file_bytes_max: 64 << 20,
            total_bytes_max: 512 << 20,
            group_bytes: 2 << 20,
        };
        StoreConfig {
            journal_dir: data_dir.join("journal"),
            data_dir,
            salt,
            journal,
            batch_bytes_max: 32 << 20,
            memory_bytes_max: 256 << 20,
            reserve_bytes: 8 << 20,
            jobs_max: 8,
            scrub: ScrubConfig { bytes_per_second: 8 << 20, interval_ms: 7 * 24 * 60 * 60 * 1000 },
        }
    }

    pub(super) fn check(&self) {
        let overhead = GROUP_HEADER_BYTES + 2 * ENTRY_HEADER_BYTES + 2 * BLOCK;
        let largest = (self.batch_bytes_max + overhead) as u64;
        assert!(largest <= self.journal.file_bytes_max, "the largest batch fits into a journal file");
        // One is written while another is freed, whatever became of the smaller ones that came before.
        let needed = self.journal.first_file_bytes + 2 * self.journal.file_bytes_max;
        assert!(needed <= self.journal.total_bytes_max, "a journal has room for two files of full size");
        assert!(
            self.memory_bytes_max >= 2 * self.batch_bytes_max,
            "memory takes the largest batch while another is filed"
        );
        assert!(self.jobs_max > 0);
    }
}
