//! Group commit: one group fills while the other is written.
//!
//! On disk a group is a block-aligned run of bytes: a header, then entries of header and batch, zero padded to a block. It
//! never crosses a file's end. Files are written in advance, so that a synced write commits no metadata.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use io_uring::{opcode, squeue, types};

use super::Settings;
use crate::batch;
use crate::memory::{AlignedBuffer, BLOCK_BYTES};

const MAGIC: u32 = 0x464c_4f52;
/// Magic, length, sequence, count of entries, CRC of these.
const HEADER_BYTES: usize = 32;
/// Partition, length, base offset.
const ENTRY_HEADER_BYTES: usize = 16;

/// An answer that waits for its group.
pub(super) struct Ack {
    pub(super) connection: u32,
    pub(super) generation: u64,
    /// Where its bytes lie in [`Acks::bytes`].
    pub(super) range: Range<usize>,
}

/// All answers of a group.
#[derive(Default)]
pub(super) struct Acks {
    pub(super) entries: Vec<Ack>,
    pub(super) bytes: Vec<u8>,
}

struct Group {
    memory: AlignedBuffer,
    used: usize,
    acks: Acks,
}

pub(super) struct Journal {
    files: Vec<File>,
    file_bytes: u64,
    file: usize,
    position: u64,
    groups: [Group; 2],
    filling: usize,
    /// Bytes of the write in flight; 0 when there is none.
    in_flight: usize,
    sequence: u64,
    sync: bool,
}

impl Journal {
    /// Creates and zero-fills the files under `journal/`.
    pub(super) fn create(settings: &Settings) -> io::Result<Self> {
        let group_bytes = settings.group_bytes.next_multiple_of(BLOCK_BYTES);
        assert!(settings.journal_file_bytes >= group_bytes as u64, "a group fits a journal file");
        let folder = settings.data_dir.join("journal");
        fs::create_dir_all(&folder)?;
        let files = (0..settings.journal_files)
            .map(|index| zeroed_file(&folder.join(format!("{index:04}")), settings.journal_file_bytes))
            .collect::<io::Result<Vec<_>>>()?;
        let group = || -> io::Result<Group> {
            Ok(Group { memory: AlignedBuffer::new(group_bytes)?, used: HEADER_BYTES, acks: Acks::default() })
        };
        Ok(Self {
            files,
            file_bytes: settings.journal_file_bytes,
            file: 0,
            position: 0,
            groups: [group()?, group()?],
            filling: 0,
            in_flight: 0,
            sequence: 0,
            sync: settings.sync,
        })
    }

    /// The groups' memory, to be registered in this order.
    pub(super) fn memory(&self) -> [libc::iovec; 2] {
        let piece = |group: &Group| libc::iovec {
            iov_base: group.memory.as_ptr().cast_mut().cast(),
            iov_len: group.memory.len(),
        };
        [piece(&self.groups[0]), piece(&self.groups[1])]
    }

    /// Whether an empty group could hold a batch of this size.
    pub(super) fn fits(&self, batch_bytes: usize) -> bool {
        HEADER_BYTES + ENTRY_HEADER_BYTES + batch_bytes <= self.groups[0].memory.len()
    }

    pub(super) fn has_room(&self, batch_bytes: usize) -> bool {
        let group = &self.groups[self.filling];
        group.used + ENTRY_HEADER_BYTES + batch_bytes <= group.memory.len()
    }

    /// Checks and copies a batch in one go; `answer` appends the bytes that will acknowledge it. False, and nothing is
    /// kept, when its CRC is wrong.
    pub(super) fn append(
        &mut self,
        connection: u32,
        generation: u64,
        partition: i32,
        base_offset: i64,
        batch: &[u8],
        answer: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        assert!(self.has_room(batch.len()), "room is checked before an append");
        let group = &mut self.groups[self.filling];
        let entry = &mut group.memory[group.used..group.used + ENTRY_HEADER_BYTES + batch.len()];
        entry[..4].copy_from_slice(&partition.to_le_bytes());
        entry[4..8].copy_from_slice(&(batch.len() as u32).to_le_bytes());
        entry[8..16].copy_from_slice(&base_offset.to_le_bytes());
        if !batch::copy_checked(batch, &mut entry[ENTRY_HEADER_BYTES..]) {
            return false;
        }
        group.used += entry.len();
        let start = group.acks.bytes.len();
        answer(&mut group.acks.bytes);
        group.acks.entries.push(Ack { connection, generation, range: start..group.acks.bytes.len() });
        true
    }

    /// Seals the filling group and turns to the other, unless a write is in flight or nothing waits.
    pub(super) fn start_write(&mut self) -> Option<squeue::Entry> {
        let index = self.filling;
        if self.in_flight > 0 || self.groups[index].acks.entries.is_empty() {
            return None;
        }
        let length = self.seal(index);
        if self.position + length as u64 > self.file_bytes {
            self.file = (self.file + 1) % self.files.len();
            self.position = 0;
        }
        let flags = if self.sync { libc::RWF_DSYNC } else { 0 };
        let file = types::Fd(self.files[self.file].as_raw_fd());
        let entry = opcode::WriteFixed::new(file, self.groups[index].memory.as_ptr(), length as u32, index as u16)
            .offset(self.position)
            .rw_flags(flags)
            .build();
        self.position += length as u64;
        self.in_flight = length;
        self.filling = 1 - index;
        Some(entry)
    }

    fn seal(&mut self, index: usize) -> usize {
        let group = &mut self.groups[index];
        let length = group.used.next_multiple_of(BLOCK_BYTES);
        group.memory[group.used..length].fill(0);
        let header = &mut group.memory[..HEADER_BYTES];
        header[..4].copy_from_slice(&MAGIC.to_le_bytes());
        header[4..8].copy_from_slice(&(length as u32).to_le_bytes());
        header[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        header[16..20].copy_from_slice(&(group.acks.entries.len() as u32).to_le_bytes());
        let crc = crc32c::crc32c(&header[..20]);
        header[20..24].copy_from_slice(&crc.to_le_bytes());
        self.sequence += 1;
        length
    }

    /// Takes the answers of the group that is now durable.
    ///
    /// # Errors
    /// When less was written than asked for: like a failed flush, that is never retried.
    pub(super) fn finish_write(&mut self, written: u32) -> io::Result<Acks> {
        if written as usize != self.in_flight {
            return Err(io::Error::new(io::ErrorKind::WriteZero, "the journal write was cut short"));
        }
        self.in_flight = 0;
        let group = &mut self.groups[1 - self.filling];
        group.used = HEADER_BYTES;
        Ok(std::mem::take(&mut group.acks))
    }

    /// Gives the answers' memory back.
    pub(super) fn recycle(&mut self, mut acks: Acks) {
        acks.entries.clear();
        acks.bytes.clear();
        self.groups[1 - self.filling].acks = acks;
    }
}

/// A new file of zeroes that are on disk, open for O_DIRECT.
fn zeroed_file(path: &Path, bytes: u64) -> io::Result<File> {
    const PIECE_BYTES: u64 = 4 << 20;
    let zeroes = AlignedBuffer::new(PIECE_BYTES as usize)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(libc::O_DIRECT)
        .open(path)?;
    let mut position = 0;
    while position < bytes {
        let piece = PIECE_BYTES.min(bytes - position);
        file.write_all_at(&zeroes[..piece as usize], position)?;
        position += piece;
    }
    file.sync_all()?;
    Ok(file)
}
