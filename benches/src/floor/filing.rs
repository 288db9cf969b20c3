//! Filing behind: each partition's batches, gathered into chunks and written to its own file without a sync.
//!
//! Deviations: a chunk is written as soon as it is full, whether or not its last batch is durable yet; a file is a ring of
//! fixed size, so a long run overwrites extents where a broker would allocate new ones.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use io_uring::{opcode, squeue, types};

use super::{FRAME_BYTES_MAX, Settings};
use crate::memory::AlignedBuffer;

/// From here on a write costs the device's bandwidth and little else.
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks beyond one for each partition: those in flight.
const CHUNKS_IN_FLIGHT: usize = 64;
/// A file's size: many chunks, and few gigabytes at a thousand partitions.
const FILE_BYTES: u64 = 16 << 20;
const _: () = assert!(CHUNKS_IN_FLIGHT * CHUNK_BYTES >= 2 * FRAME_BYTES_MAX, "the largest frame always fits in time");
const _: () = assert!(FILE_BYTES.is_multiple_of(CHUNK_BYTES as u64), "chunks never cross a file's end");

struct Stream {
    file: File,
    position: u64,
    chunk: u32,
    used: usize,
}

pub(super) struct Filing {
    folder: PathBuf,
    memory: AlignedBuffer,
    free: Vec<u32>,
    streams: Vec<Option<Stream>>,
}

impl Filing {
    /// Maps and touches the chunks; files come with the first batch of their partition.
    pub(super) fn create(settings: &Settings) -> io::Result<Self> {
        let chunks = settings.partitions + CHUNKS_IN_FLIGHT;
        let folder = settings.data_dir.join("partitions");
        fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            memory: AlignedBuffer::new(chunks * CHUNK_BYTES)?,
            free: (0..chunks as u32).rev().collect(),
            streams: (0..settings.partitions).map(|_| None).collect(),
        })
    }

    /// Whether a batch of this size finds memory, wherever its chunk stands.
    pub(super) fn has_room(&self, batch_bytes: usize) -> bool {
        self.free.len() >= batch_bytes / CHUNK_BYTES + 2
    }

    /// Copies a batch and returns the writes of the chunks that it filled, each with its chunk's number.
    ///
    /// # Errors
    /// When the partition's file can't be made, or there are more partitions than configured.
    pub(super) fn append(&mut self, partition: usize, batch: &[u8]) -> io::Result<Vec<(squeue::Entry, u32)>> {
        assert!(self.has_room(batch.len()), "room is checked before an append");
        let mut full = Vec::new();
        self.open(partition)?;
        let Self { memory, free, streams, .. } = self;
        let stream = streams[partition].as_mut().expect("the stream was just opened");
        let mut rest = batch;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(CHUNK_BYTES - stream.used));
            let start = stream.chunk as usize * CHUNK_BYTES;
            memory[start + stream.used..][..now.len()].copy_from_slice(now);
            stream.used += now.len();
            rest = later;
            if stream.used == CHUNK_BYTES {
                let chunk = &memory[start..start + CHUNK_BYTES];
                let file = types::Fd(stream.file.as_raw_fd());
                let entry = opcode::Write::new(file, chunk.as_ptr(), CHUNK_BYTES as u32).offset(stream.position);
                full.push((entry.build(), stream.chunk));
                stream.position = (stream.position + CHUNK_BYTES as u64) % FILE_BYTES;
                stream.chunk = free.pop().expect("room was checked");
                stream.used = 0;
            }
        }
        Ok(full)
    }

    fn open(&mut self, partition: usize) -> io::Result<()> {
        let slot = self
            .streams
            .get_mut(partition)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "more partitions than --partitions"))?;
        if slot.is_some() {
            return Ok(());
        }
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .custom_flags(libc::O_DIRECT)
            .open(self.folder.join(format!("{partition:06}")))?;
        // SAFETY: the descriptor is open, and the call touches no memory.
        let result = unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, FILE_BYTES as i64) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        let chunk = self.free.pop().expect("room was checked");
        *slot = Some(Stream { file, position: 0, chunk, used: 0 });
        Ok(())
    }

    /// The chunk's memory is free again.
    ///
    /// # Errors
    /// When less was written than asked for.
    pub(super) fn finish_write(&mut self, chunk: u32, written: u32) -> io::Result<()> {
        if written as usize != CHUNK_BYTES {
            return Err(io::Error::new(io::ErrorKind::WriteZero, "a filing write was cut short"));
        }
        self.free.push(chunk);
        Ok(())
    }
}
