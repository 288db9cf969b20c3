//! Checkpoints: how far each partition's files are trustworthy, and where a core's journal is needed from.
//!
//! `<data>/checkpoint/core-N` is written by a running core, `<data>/checkpoint/recovered` by recovery. The latter voids
//! every journal and every core's checkpoint of its boot epoch or an earlier one. Format version 1, little-endian:
//!
//! ```text
//!  0  magic           8   "PARTITAC"
//!  8  crc             4   CRC-32C of everything behind it
//! 12  format version  2
//! 14  core            2   0xffff for `recovered`
//! 16  boot epoch      8
//! 24  salt            8
//! 32  clean           1   1: everything is in the files, the journal is not needed
//! 33  reserved        3   zero
//! 36  head file       4   the journal file that the first group needed begins
//! 40  head sequence   8
//! 48  head previous   4   the CRC of the group before it
//! 52  partitions      4   how many follow:
//!       topic id 16, partition 4, log start 8, segment base 8, position 8, offset 8
//! ```

use std::path::{Path, PathBuf};

use wire::{TopicPartitionId, Uuid};

use crate::append::Mark;
use crate::disk::Disk;
use crate::error::EngineError;
use crate::files::{read_file, write_file};
use crate::journal::ring::Head;
use crate::journal::writer::Identity;

/// The newest format version that this release reads, and the one that it writes.
pub const FORMAT_VERSION: u16 = 1;
/// The core that `recovered` names.
pub const RECOVERED_CORE: u16 = u16::MAX;
/// Partitions in one checkpoint at most.
pub const PARTITIONS_MAX: usize = 1 << 20;

/// The largest boot epoch: starts are counted, and nobody starts a broker that often.
const BOOT_EPOCH_MAX: u64 = 1 << 62;
const MAGIC: [u8; 8] = *b"PARTITAC";
const CRC_START: usize = 12;
const HEADER_BYTES: usize = 56;
const PARTITION_BYTES: usize = 52;
const FILE_BYTES_MAX: usize = HEADER_BYTES + PARTITIONS_MAX * PARTITION_BYTES;
const DIR: &str = "checkpoint";
const CORE_PREFIX: &str = "core-";
const RECOVERED_NAME: &str = "recovered";

/// What is certain about one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionState {
    /// Which.
    pub key: TopicPartitionId,
    /// The first offset that may be read.
    pub log_start: i64,
    /// Everything before it is in the segments' files, on stable storage.
    pub mark: Mark,
}

/// One checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Who wrote it.
    pub identity: Identity,
    /// Whether the journal is not needed: a clean stop, or recovery.
    pub clean: bool,
    /// The first group that is needed.
    pub head: Head,
    /// What is certain, partition by partition.
    pub partitions: Vec<PartitionState>,
}

/// The folder of the checkpoints.
pub fn dir(data_dir: &Path) -> PathBuf {
    data_dir.join(DIR)
}

/// The path of the checkpoint that `core` writes.
pub fn path(data_dir: &Path, core: u16) -> PathBuf {
    let name = if core == RECOVERED_CORE { RECOVERED_NAME.to_owned() } else { format!("{CORE_PREFIX}{core}") };
    dir(data_dir).join(name)
}

/// The core whose checkpoint has that name.
pub fn core_of_name(name: &str) -> Option<u16> {
    name.strip_prefix(CORE_PREFIX)?.parse().ok().filter(|core| *core != RECOVERED_CORE)
}

impl Checkpoint {
    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        assert!(self.partitions.len() <= PARTITIONS_MAX, "{} partitions", self.partitions.len());
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.partitions.len() * PARTITION_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.identity.core.to_le_bytes());
        bytes.extend_from_slice(&self.identity.boot_epoch.to_le_bytes());
        bytes.extend_from_slice(&self.identity.salt.to_le_bytes());
        bytes.extend_from_slice(&[u8::from(self.clean), 0, 0, 0]);
        bytes.extend_from_slice(&self.head.file.to_le_bytes());
        bytes.extend_from_slice(&self.head.sequence.to_le_bytes());
        bytes.extend_from_slice(&self.head.previous_crc.to_le_bytes());
        bytes.extend_from_slice(&(self.partitions.len() as u32).to_le_bytes());
        for partition in &self.partitions {
            bytes.extend_from_slice(&partition.key.topic.0);
            bytes.extend_from_slice(&partition.key.partition.to_le_bytes());
            bytes.extend_from_slice(&partition.log_start.to_le_bytes());
            bytes.extend_from_slice(&partition.mark.segment_base.to_le_bytes());
            bytes.extend_from_slice(&partition.mark.position.to_le_bytes());
            bytes.extend_from_slice(&partition.mark.offset.to_le_bytes());
        }
        let crc = crc32c::crc32c(&bytes[CRC_START..]);
        bytes[8..CRC_START].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a file's bytes; `path` is for the errors.
    pub fn decode(bytes: &[u8], path: &Path) -> Result<Checkpoint, EngineError> {
        let damaged = || EngineError::corrupted(path, 0, "it is no checkpoint, or it is damaged");
        let crc = bytes.get(CRC_START..).map(crc32c::crc32c).ok_or_else(damaged)?;
        let mut fields = Fields { bytes };
        if fields.array() != Some(MAGIC) || fields.array().map(u32::from_le_bytes) != Some(crc) {
            return Err(damaged());
        }
        let version = fields.array().map(u16::from_le_bytes).ok_or_else(damaged)?;
        if version > FORMAT_VERSION {
            let (found, supported) = (u32::from(version), u32::from(FORMAT_VERSION));
            return Err(EngineError::TooNew { path: path.to_path_buf(), found, supported });
        }
        Checkpoint::decode_body(&mut fields).filter(|_| fields.bytes.is_empty()).ok_or_else(damaged)
    }

    fn decode_body(fields: &mut Fields<'_>) -> Option<Checkpoint> {
        let core = u16::from_le_bytes(fields.array()?);
        let boot_epoch = u64::from_le_bytes(fields.array()?);
        if boot_epoch > BOOT_EPOCH_MAX {
            return None;
        }
        let salt = u64::from_le_bytes(fields.array()?);
        let [clean, _, _, _] = fields.array()?;
        let file = u32::from_le_bytes(fields.array()?);
        let sequence = u64::from_le_bytes(fields.array()?);
        let previous_crc = u32::from_le_bytes(fields.array()?);
        let count = u32::from_le_bytes(fields.array()?) as usize;
        if count * PARTITION_BYTES != fields.bytes.len() {
            return None;
        }
        let mut partitions = Vec::with_capacity(count);
        for _ in 0..count {
            let topic = Uuid(fields.array()?);
            let partition = i32::from_le_bytes(fields.array()?);
            let log_start = i64::from_le_bytes(fields.array()?);
            let segment_base = i64::from_le_bytes(fields.array()?);
            let position = u64::from_le_bytes(fields.array()?);
            let offset = i64::from_le_bytes(fields.array()?);
            if log_start < 0 || segment_base < 0 || offset < segment_base {
                return None;
            }
            let key = TopicPartitionId { topic, partition };
            partitions.push(PartitionState { key, log_start, mark: Mark { segment_base, position, offset } });
        }
        let identity = Identity { core, boot_epoch, salt };
        Some(Checkpoint { identity, clean: clean == 1, head: Head { file, sequence, previous_crc }, partitions })
    }

    /// Replaces the core's checkpoint by this one, durably. The folder must exist.
    pub async fn store<D: Disk>(&self, disk: &D, data_dir: &Path) -> Result<(), EngineError> {
        write_file(disk, &path(data_dir, self.identity.core), &self.encode()).await
    }

    /// The core's checkpoint; `None` when it has none.
    pub async fn load<D: Disk>(disk: &D, data_dir: &Path, core: u16) -> Result<Option<Checkpoint>, EngineError> {
        let path = path(data_dir, core);
        match read_file(disk, &path, FILE_BYTES_MAX).await {
            Ok(bytes) => Checkpoint::decode(&bytes, &path).map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

struct Fields<'a> {
    bytes: &'a [u8],
}

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let mark = Mark { segment_base: 10, position: 4097, offset: 20 };
        let key = TopicPartitionId { topic: Uuid([3; 16]), partition: 4 };
        Checkpoint {
            identity: Identity { core: 2, boot_epoch: 7, salt: 8 },
            clean: true,
            head: Head { file: 3, sequence: 9, previous_crc: 11 },
            partitions: vec![PartitionState { key, log_start: 5, mark }; 3],
        }
    }

    #[test]
    fn a_checkpoint_is_read_as_it_was_written_and_refused_when_damaged() {
        let path = Path::new("checkpoint/core-2");
        let bytes = checkpoint().encode();
        assert_eq!(Checkpoint::decode(&bytes, path).expect("it is whole"), checkpoint());
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 0x10;
            assert!(Checkpoint::decode(&damaged, path).is_err(), "byte {position}");
            assert!(Checkpoint::decode(&bytes[..position], path).is_err(), "cut at {position}");
        }
    }

    #[test]
    fn numbers_that_no_store_writes_are_refused_whatever_the_checksum() {
        type Change = fn(&mut Checkpoint);
        let changes: [Change; 4] = [
            |checkpoint| checkpoint.identity.boot_epoch = u64::MAX,
            |checkpoint| checkpoint.partitions[2].log_start = -1,
            |checkpoint| checkpoint.partitions[2].mark.segment_base = -1,
            |checkpoint| checkpoint.partitions[2].mark.offset = 9,
        ];
        for change in changes {
            let mut changed = checkpoint();
            change(&mut changed);
            assert!(Checkpoint::decode(&changed.encode(), Path::new("x")).is_err(), "{changed:?}");
        }
    }

    #[test]
    fn a_newer_checkpoint_is_told_from_a_damaged_one() {
        let mut bytes = checkpoint().encode();
        bytes[12] = 2;
        let crc = crc32c::crc32c(&bytes[CRC_START..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        let error = Checkpoint::decode(&bytes, Path::new("x")).expect_err("it is newer");
        assert!(matches!(error, EngineError::TooNew { found: 2, supported: 1, .. }));
    }
}
