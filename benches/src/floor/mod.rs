//! The floor: what one core and this disk can do for durable produce when nothing else is asked of them.
//!
//! Raw io_uring, no executor: accept, receive, check the batch's CRC, copy it into the journal's group, write the group with
//! O_DIRECT and RWF_DSYNC, acknowledge on completion. What arrives while a group is in flight joins the next. With filing, the
//! batch is also copied into its partition's chunk, and full chunks go to that partition's file unsynced.
//!
//! Deviations from a broker: one topic, no catalog, no validation beyond the CRC, no recovery; offsets count batches, not
//! records; files are rings that are overwritten. The wire is Kafka's, so that one client loads the floor and any broker.

mod connection;
mod filing;
mod journal;

use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;

use io_uring::{IoUring, cqueue, opcode, squeue, types};

use self::connection::{Connection, Step};
use self::filing::Filing;
use self::journal::Journal;
use crate::produce::{self, Request};

/// Submission queue entries; more are submitted in several calls.
const RING_ENTRIES: u32 = 4096;
/// Largest accepted frame.
pub const FRAME_BYTES_MAX: usize = 8 << 20;
/// Largest partition index.
pub const PARTITIONS_MAX: usize = 100_000;

/// How the floor is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder of the journal and the partitions' files; must exist, on a file system with O_DIRECT.
    pub data_dir: PathBuf,
    /// Number of journal files.
    pub journal_files: usize,
    /// Bytes of each journal file.
    pub journal_file_bytes: u64,
    /// Most bytes of one group.
    pub group_bytes: usize,
    /// Whether to write with RWF_DSYNC.
    pub sync: bool,
    /// Whether to file behind the journal.
    pub filing: bool,
    /// Most partitions that filing has memory for.
    pub partitions: usize,
}

/// What a completion belongs to, packed into its user data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Accept,
    Receive(u32),
    Send(u32),
    Journal,
    File(u32),
}

impl Token {
    fn pack(self) -> u64 {
        let (kind, index) = match self {
            Token::Accept => (0, 0),
            Token::Receive(index) => (1, index),
            Token::Send(index) => (2, index),
            Token::Journal => (3, 0),
            Token::File(index) => (4, index),
        };
        kind << 32 | u64::from(index)
    }

    fn unpack(data: u64) -> Self {
        let index = data as u32;
        match data >> 32 {
            0 => Token::Accept,
            1 => Token::Receive(index),
            2 => Token::Send(index),
            3 => Token::Journal,
            4 => Token::File(index),
            kind => unreachable!("no token of kind {kind} is ever packed"),
        }
    }
}

/// The server: one ring, one thread.
pub struct Floor {
    ring: IoUring,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    /// Connections with a whole frame that had no room in the group or in filing.
    stalled: VecDeque<u32>,
    journal: Journal,
    filing: Option<Filing>,
    next_offset: i64,
}

impl Floor {
    /// Writes the journal's files and touches all memory; the listener is served from [`Floor::run`] on.
    ///
    /// # Errors
    /// When the folder, O_DIRECT, io_uring or locked memory is not to be had.
    pub fn new(listener: TcpListener, settings: &Settings) -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(4 * RING_ENTRIES)
            .build(RING_ENTRIES)?;
        let journal = Journal::create(settings)?;
        // SAFETY: the groups' memory is owned by `journal`, which lives in the same value as the ring and is never unmapped
        // before it.
        unsafe { ring.submitter().register_buffers(&journal.memory())? };
        let filing = settings.filing.then(|| Filing::create(settings)).transpose()?;
        let connections = Vec::new();
        Ok(Self { ring, listener, connections, stalled: VecDeque::new(), journal, filing, next_offset: 0 })
    }

    /// Serves until an error that no connection is to blame for.
    ///
    /// # Errors
    /// When the ring, the journal or filing fails.
    pub fn run(mut self) -> io::Result<()> {
        self.accept()?;
        let mut completions: Vec<(u64, i32, u32)> = Vec::with_capacity(RING_ENTRIES as usize);
        loop {
            self.write_group()?;
            self.ring.submit_and_wait(1)?;
            completions.extend(self.ring.completion().map(|c| (c.user_data(), c.result(), c.flags())));
            for (data, result, flags) in completions.drain(..) {
                match Token::unpack(data) {
                    Token::Accept => self.accepted(result, flags)?,
                    Token::Receive(index) => self.received(index, result)?,
                    Token::Send(index) => self.sent(index, result)?,
                    Token::Journal => self.group_written(result)?,
                    Token::File(chunk) => self.chunk_written(chunk, result)?,
                }
            }
        }
    }

    fn push(&mut self, entry: squeue::Entry, token: Token) -> io::Result<()> {
        let entry = entry.user_data(token.pack());
        loop {
            // SAFETY: every entry's memory is owned by this value and stays in place until its completion: connections are
            // dropped only when idle, groups and chunks never.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                return Ok(());
            }
            self.ring.submit()?;
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        let entry = opcode::AcceptMulti::new(types::Fd(self.listener.as_raw_fd())).build();
        self.push(entry, Token::Accept)
    }

    fn accepted(&mut self, result: i32, flags: u32) -> io::Result<()> {
        let socket: RawFd = check(result)? as RawFd;
        let slot = match self.connections.iter().position(Option::is_none) {
            Some(slot) => slot,
            None => {
                self.connections.push(None);
                self.connections.len() - 1
            }
        };
        self.connections[slot] = Some(Connection::new(socket)?);
        self.receive(slot as u32)?;
        if cqueue::more(flags) { Ok(()) } else { self.accept() }
    }

    fn connection(&mut self, index: u32) -> &mut Connection {
        self.connections[index as usize].as_mut().expect("a connection lives until its last operation has completed")
    }

    fn receive(&mut self, index: u32) -> io::Result<()> {
        let entry = self.connection(index).receive_entry();
        self.push(entry, Token::Receive(index))
    }

    fn received(&mut self, index: u32, result: i32) -> io::Result<()> {
        let connection = self.connection(index);
        if result <= 0 {
            connection.receive_ended();
            return self.close_when_idle(index);
        }
        connection.received(result as usize);
        self.consume(index)
    }

    /// Takes whole frames off a connection until it has none left or there is no room; then reads on, or waits for room.
    fn consume(&mut self, index: u32) -> io::Result<()> {
        loop {
            let Self { connections, journal, filing, next_offset, .. } = self;
            let connection = connections[index as usize].as_mut().expect("only living connections are consumed");
            let body = match connection.next_frame() {
                Step::Frame(body) => body,
                Step::Incomplete => break,
                Step::Broken => return self.reject(index),
            };
            let Some(request) = produce::read_request(body) else {
                return self.reject(index);
            };
            let partition = usize::try_from(request.partition).unwrap_or(usize::MAX);
            let bytes = &body[request.batch.clone()];
            if partition >= PARTITIONS_MAX || !journal.fits(bytes.len()) {
                return self.reject(index);
            }
            if !journal.has_room(bytes.len()) || filing.as_ref().is_some_and(|filing| !filing.has_room(bytes.len())) {
                self.stalled.push_back(index);
                return Ok(());
            }
            if !append(journal, index, connection.generation, &request, bytes, *next_offset) {
                return self.reject(index);
            }
            *next_offset += 1;
            let full = match filing {
                Some(filing) => filing.append(partition, bytes)?,
                None => Vec::new(),
            };
            connection.consume_frame();
            for (entry, chunk) in full {
                self.push(entry, Token::File(chunk))?;
            }
        }
        self.receive(index)
    }

    /// Drops a client that speaks anything else than the driver's Produce.
    fn reject(&mut self, index: u32) -> io::Result<()> {
        eprintln!("floor: a connection sent something else than a valid Produce v9 of one batch; closed");
        self.connection(index).receive_ended();
        self.close_when_idle(index)
    }

    fn close_when_idle(&mut self, index: u32) -> io::Result<()> {
        if self.connection(index).is_idle() {
            self.connections[index as usize] = None;
        }
        Ok(())
    }

    fn write_group(&mut self) -> io::Result<()> {
        match self.journal.start_write() {
            Some(entry) => self.push(entry, Token::Journal),
            None => Ok(()),
        }
    }

    /// The group is durable: its answers leave, and who waited for room goes on.
    fn group_written(&mut self, result: i32) -> io::Result<()> {
        let written = check(result)?;
        let acks = self.journal.finish_write(written)?;
        for ack in &acks.entries {
            let connection = self.connections.get_mut(ack.connection as usize).and_then(Option::as_mut);
            if let Some(connection) = connection.filter(|connection| connection.generation == ack.generation) {
                connection.queue(&acks.bytes[ack.range.clone()]);
            }
        }
        for ack in &acks.entries {
            self.send(ack.connection)?;
        }
        self.journal.recycle(acks);
        self.resume()
    }

    fn chunk_written(&mut self, chunk: u32, result: i32) -> io::Result<()> {
        let written = check(result)?;
        self.filing.as_mut().expect("only filing writes chunks").finish_write(chunk, written)?;
        self.resume()
    }

    fn resume(&mut self) -> io::Result<()> {
        for _ in 0..self.stalled.len() {
            let Some(index) = self.stalled.pop_front() else {
                break;
            };
            self.consume(index)?;
        }
        Ok(())
    }

    fn send(&mut self, index: u32) -> io::Result<()> {
        let connection = self.connections.get_mut(index as usize).and_then(Option::as_mut);
        match connection.and_then(Connection::send_entry) {
            Some(entry) => self.push(entry, Token::Send(index)),
            None => Ok(()),
        }
    }

    fn sent(&mut self, index: u32, result: i32) -> io::Result<()> {
        let connection = self.connection(index);
        if result > 0 {
            connection.sent(result as usize);
            self.send(index)
        } else {
            connection.send_failed();
            Ok(())
        }?;
        if self.connection(index).receiving() { Ok(()) } else { self.close_when_idle(index) }
    }
}

/// Copies a batch into the group and encodes the answer that leaves with it; false when the batch's CRC is wrong.
fn append(
    journal: &mut Journal,
    connection: u32,
    generation: u64,
    request: &Request<'_>,
    bytes: &[u8],
    offset: i64,
) -> bool {
    journal.append(connection, generation, request.partition, offset, bytes, |out| {
        produce::put_response(out, request, 0, offset);
    })
}

/// A completion's result as the system call would have returned it.
fn check(result: i32) -> io::Result<u32> {
    u32::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}

#[cfg(test)]
mod tests;
