//! Collects a turn's entries into one group and writes it as one durable write, one group in flight.
//!
//! Driving: `admit` then `push` for each entry; `poll` whenever the core has collected what it has; perform the job and
//! hand the outcome to `handle`, which says up to which group everything is durable. Growth runs beside it.
//! Buffers are reused: in a steady state an append allocates nothing.

use std::path::PathBuf;

use super::format::{ENTRY_HEADER_BYTES, Entry, GROUP_HEADER_BYTES, GroupHeader};
use super::growth::{self, GrowthDone, GrowthJob};
use super::ring::{Head, Ring};
use crate::disk::{Disk, DiskError, Durability, File, block_ceil, block_floor};
use crate::error::EngineError;
use crate::memory::{Chunk, ChunkSlice};

/// Buffers kept for reuse: one that is filled while another is written.
const SPARE_BUFFERS_MAX: usize = 2;

/// Bounds of a journal, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct JournalConfig {
    /// Of the first file; each further one is twice as long as the longest, up to `file_bytes_max`.
    pub first_file_bytes: u64,
    /// Of one file; bounds the largest group.
    pub file_bytes_max: u64,
    /// Of all files together.
    pub total_bytes_max: u64,
    /// That a group holds before the next one is begun; a single larger batch gets a group of its own.
    pub group_bytes: usize,
}

/// Who writes: what recovery tells this start's groups from older ones by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The core.
    pub core: u16,
    /// Greater than that of every earlier start.
    pub boot_epoch: u64,
    /// Random per start.
    pub salt: u64,
}

/// There is no room now: wait until a group is written or the journal is freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

struct InFlight {
    sequence: u64,
    buffer: Chunk,
}

/// One core's journal.
pub struct Journal<D: Disk> {
    disk: D,
    dir: PathBuf,
    config: JournalConfig,
    identity: Identity,
    files: Vec<D::File>,
    ring: Ring,
    open: Chunk,
    entries: u32,
    /// CRC-32C of the open group's entries so far.
    entries_crc: u32,
    sequence: u64,
    previous_crc: u32,
    in_flight: Option<InFlight>,
    spare: Vec<Chunk>,
    growing: bool,
    /// The longest group that found no room, until one of its length does; 0 without any.
    longest_refused: u64,
}

impl<D: Disk> Journal<D> {
    /// Opens the journal in `dir` to be written afresh. Whatever it holds must be void: recovery has seen to it.
    pub async fn open(disk: D, dir: PathBuf, config: JournalConfig, identity: Identity) -> Result<Self, EngineError> {
        assert!(config.first_file_bytes <= config.file_bytes_max && config.group_bytes > GROUP_HEADER_BYTES);
        let mut opened = growth::open_files(&disk, &dir).await?;
        if opened.is_empty() {
            let job = GrowthJob::new(disk.clone(), &dir, 0, block_ceil(config.first_file_bytes));
            let length = job.length();
            opened.push((job.perform().await.into_result()?, length));
        }
        let ring = Ring::new(opened.iter().map(|(_, length)| *length).collect());
        let files = opened.into_iter().map(|(file, _)| file).collect();
        let open = new_buffer(config.group_bytes);
        let (sequence, previous_crc, growing, longest_refused) = (1, 0, false, 0);
        let (in_flight, spare, entries, entries_crc) = (None, Vec::with_capacity(SPARE_BUFFERS_MAX), 0, 0);
        Ok(Journal {
            disk,
            dir,
            config,
            identity,
            files,
            ring,
            open,
            entries,
            entries_crc,
            sequence,
            previous_crc,
            in_flight,
            spare,
            growing,
            longest_refused,
        })
    }

    /// Who writes.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The group that the next entry joins.
    pub fn open_sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether entries wait to be written or are being written.
    pub fn is_idle(&self) -> bool {
        self.entries == 0 && self.in_flight.is_none()
    }

    /// Makes sure that `entries` entries with `bytes` bytes in all can be pushed.
    pub fn admit(&mut self, entries: usize, bytes: usize) -> Result<(), NoRoom> {
        let needed = entries * ENTRY_HEADER_BYTES + bytes;
        if needed > self.open.remaining() && self.entries > 0 {
            return Err(NoRoom);
        }
        let length = block_ceil((self.open.len() + needed) as u64);
        if !self.ring.fits(length) {
            probe::reached!(JournalFull);
            self.longest_refused = self.longest_refused.max(length);
            self.make_room();
            return Err(NoRoom);
        }
        if length >= self.longest_refused {
            self.longest_refused = 0;
        }
        if needed > self.open.remaining() {
            let larger = new_buffer(self.open.len() + needed);
            let usual = std::mem::replace(&mut self.open, larger);
            self.keep(usual);
        }
        Ok(())
    }

    /// A group waits for room. Files that are full are freed as checkpoints come; where the current one is the only one that
    /// is long enough, and another cannot be made, it has to be left early.
    fn make_room(&mut self) {
        let is_idle = self.entries == 0 && self.in_flight.is_none();
        if is_idle && !self.growing && !self.ring.has_older() && self.growth_length().is_none() {
            self.ring.move_on(self.sequence, self.previous_crc);
        }
    }

    /// Adds an admitted entry, whose bytes are `parts` one after the other (`entry.bytes` is not looked at).
    pub fn push(&mut self, entry: &Entry<'_>, parts: [&[u8]; 2]) {
        probe::mutation!(DropJournalEntry => if self.entries > 0 && !parts[1].is_empty() { return });
        let len = parts.iter().map(|part| part.len()).sum();
        self.entries_crc = self.open.append_with_crc(&entry.encode_header(len), self.entries_crc);
        for part in parts {
            self.entries_crc = self.open.append_with_crc(part, self.entries_crc);
        }
        self.entries += 1;
    }

    /// The write of what has been collected; `None` while one is in flight or nothing waits.
    pub fn poll(&mut self) -> Option<JournalJob<D>> {
        if self.in_flight.is_some() || self.entries == 0 {
            return None;
        }
        let next = self.take_spare();
        let mut buffer = std::mem::replace(&mut self.open, next);
        let header = GroupHeader {
            core: self.identity.core,
            crc: 0,
            boot_epoch: self.identity.boot_epoch,
            salt: self.identity.salt,
            sequence: self.sequence,
            previous_crc: self.previous_crc,
            entries: self.entries,
            length: buffer.len() as u64,
        };
        let group = buffer.written_mut().expect("nobody holds a slice of a group that is not written yet");
        let crc = header.seal(group, std::mem::take(&mut self.entries_crc));
        buffer.append_zeros((header.padded_length() - header.length) as usize);
        let slot = self.ring.place(header.padded_length(), self.sequence, self.previous_crc);
        let job = JournalJob {
            file: self.files[slot.file as usize].clone(),
            position: slot.position,
            bytes: buffer.slice(0..buffer.len()),
            sequence: self.sequence,
        };
        self.in_flight = Some(InFlight { sequence: self.sequence, buffer });
        self.previous_crc = crc;
        self.sequence += 1;
        self.entries = 0;
        Some(job)
    }

    /// Takes a write's outcome: the group up to which everything is durable now, or what the disk said. After an error
    /// nothing may be acknowledged any more.
    pub fn handle(&mut self, done: JournalDone) -> Result<u64, DiskError> {
        let in_flight = self.in_flight.take().expect("a group is reported back once");
        assert_eq!(in_flight.sequence, done.sequence, "groups are reported back in order");
        done.result?;
        self.keep(in_flight.buffer);
        Ok(done.sequence)
    }

    /// The making of another file, when the journal runs short and its bound allows one.
    pub fn poll_growth(&mut self) -> Option<GrowthJob<D>> {
        if self.growing || !(self.ring.runs_short() || self.is_refused()) {
            return None;
        }
        let length = self.growth_length()?;
        self.growing = true;
        Some(GrowthJob::new(self.disk.clone(), &self.dir, self.files.len() as u32, length))
    }

    /// Whether a group waits that no free file will take as things are.
    fn is_refused(&self) -> bool {
        let waits_for_older = self.ring.has_older() && self.longest_refused <= self.ring.longest();
        !waits_for_older && self.longest_refused > 0 && !self.ring.fits(self.longest_refused)
    }

    /// How long another file would be; `None` when there may be none that is of use.
    fn growth_length(&self) -> Option<u64> {
        let wanted = (self.ring.longest() * 2).max(self.longest_refused).min(self.config.file_bytes_max);
        let length = block_floor(wanted.min(self.config.total_bytes_max.saturating_sub(self.ring.total())));
        let least = if self.is_refused() { self.longest_refused } else { 0 };
        (length >= self.config.first_file_bytes.max(least)).then_some(length)
    }

    /// Takes a new file into use. After an error the journal stays as it was, and polling tries again.
    pub fn handle_growth(&mut self, done: GrowthDone<D>) -> Result<(), EngineError> {
        self.growing = false;
        let length = done.length();
        let file = done.into_result()?;
        probe::reached!(JournalGrown);
        self.files.push(file);
        self.ring.add(length);
        if length >= self.longest_refused {
            self.longest_refused = 0;
        }
        Ok(())
    }

    /// Bytes in use of the bytes there may be, in percent.
    pub fn used_percent(&self) -> u64 {
        self.ring.used() * 100 / self.config.total_bytes_max.max(self.ring.total())
    }

    /// Whether older files wait to be freed.
    pub fn has_older_files(&self) -> bool {
        self.ring.has_older()
    }

    /// The first group in the file being written: groups before it lie in older files.
    pub fn current_file_start(&self) -> u64 {
        self.ring.current().sequence
    }

    /// Where recovery would begin now.
    pub fn head(&self) -> Head {
        self.ring.oldest()
    }

    /// Where recovery begins once groups below `needed` are of no more use.
    pub fn head_for(&self, needed: u64) -> Head {
        probe::mutation!(FreeJournalEarly => return self.ring.current());
        self.ring.head_for(needed)
    }

    /// Frees the files before `head`, which a durable checkpoint now names.
    pub fn free_before(&mut self, head: Head) {
        self.ring.free_before(head);
    }

    fn take_spare(&mut self) -> Chunk {
        self.spare.pop().unwrap_or_else(|| new_buffer(self.config.group_bytes))
    }

    /// Keeps a buffer for reuse, unless it is of unusual size or somebody still holds it.
    fn keep(&mut self, mut buffer: Chunk) {
        let usual = buffer.capacity() == buffer_bytes(self.config.group_bytes);
        if usual && self.spare.len() < SPARE_BUFFERS_MAX && buffer.try_clear() {
            buffer.append_zeros(GROUP_HEADER_BYTES);
            self.spare.push(buffer);
        }
    }
}

fn buffer_bytes(bytes: usize) -> usize {
    block_ceil(bytes as u64) as usize
}

fn new_buffer(bytes: usize) -> Chunk {
    let mut buffer = Chunk::new(buffer_bytes(bytes));
    buffer.append_zeros(GROUP_HEADER_BYTES);
    buffer
}

/// A group on its way to the disk.
pub struct JournalJob<D: Disk> {
    file: D::File,
    position: u64,
    bytes: ChunkSlice,
    sequence: u64,
}

impl<D: Disk> JournalJob<D> {
    /// Writes the group; it is on stable storage when this returns well.
    pub async fn perform(self) -> JournalDone {
        let durability = probe::mutated!(Durability::Durable, SkipFlush => Durability::Volatile);
        let result = self.file.write(self.position, vec![self.bytes], durability).await;
        JournalDone { sequence: self.sequence, result }
    }

    /// Bytes that are written, padding included.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// How a [`JournalJob`] ended.
#[derive(Debug)]
pub struct JournalDone {
    sequence: u64,
    result: Result<(), DiskError>,
}

#[cfg(test)]
mod tests;
