//! One client of the floor: received bytes until they are whole frames, answers until they are sent.
//!
//! Invariants: at most one receive and one send are in flight; the memory of each stays in place meanwhile. A frame larger
//! than one receive starts at the buffer's front, so large frames are never moved.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use io_uring::{opcode, squeue, types};

use super::FRAME_BYTES_MAX;
use crate::produce::LENGTH_BYTES;

/// What is asked of the socket when no frame's length is known; small frames come many at a time.
const RECEIVE_BYTES: usize = 64 << 10;

static GENERATIONS: AtomicU64 = AtomicU64::new(0);

/// What the received bytes hold next.
pub(super) enum Step<'a> {
    /// A whole frame's body, to be given back by [`Connection::consume_frame`].
    Frame(&'a [u8]),
    /// More bytes are needed.
    Incomplete,
    /// The length is beyond reason.
    Broken,
}

pub(super) struct Connection {
    socket: OwnedFd,
    /// Tells a reused slot from the one that an answer belongs to.
    pub(super) generation: u64,
    input: Vec<u8>,
    /// First byte not consumed.
    start: usize,
    /// End of the received bytes.
    end: usize,
    /// Size of the newest frame: the best guess for the next.
    frame_bytes_expected: usize,
    /// False from the moment when the client's end was seen or the client was rejected.
    open: bool,
    output: Vec<u8>,
    sending: Vec<u8>,
    send_done: usize,
    send_in_flight: bool,
}

impl Connection {
    /// Takes over an accepted socket.
    pub(super) fn new(socket: RawFd) -> io::Result<Self> {
        // SAFETY: the descriptor comes from accept, and nobody else knows it.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        set_no_delay(&socket)?;
        Ok(Self {
            socket,
            generation: GENERATIONS.fetch_add(1, Ordering::Relaxed),
            input: vec![0; RECEIVE_BYTES],
            start: 0,
            end: 0,
            frame_bytes_expected: 0,
            open: true,
            output: Vec::new(),
            sending: Vec::new(),
            send_done: 0,
            send_in_flight: false,
        })
    }

    /// The next receive: the rest of a large frame, or whatever there is.
    pub(super) fn receive_entry(&mut self) -> squeue::Entry {
        let wanted = self.frame_bytes().unwrap_or(self.frame_bytes_expected).max(RECEIVE_BYTES);
        self.input.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.input.len() < wanted {
            self.input.resize(wanted, 0);
        }
        let room = &mut self.input[self.end..wanted];
        assert!(!room.is_empty(), "a frame that is whole is consumed before more is received");
        let entry = opcode::Recv::new(types::Fd(self.socket.as_raw_fd()), room.as_mut_ptr(), room.len() as u32);
        entry.build()
    }

    pub(super) fn received(&mut self, bytes: usize) {
        self.end += bytes;
    }

    pub(super) fn receive_ended(&mut self) {
        self.open = false;
    }

    pub(super) fn receiving(&self) -> bool {
        self.open
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.open && !self.send_in_flight
    }

    /// Bytes of the frame at the front, its length included, once the length is there.
    fn frame_bytes(&self) -> Option<usize> {
        let length = self.input[self.start..self.end].first_chunk::<LENGTH_BYTES>()?;
        Some((u32::from_be_bytes(*length) as usize).saturating_add(LENGTH_BYTES))
    }

    pub(super) fn next_frame(&self) -> Step<'_> {
        match self.frame_bytes() {
            Some(frame) if frame > FRAME_BYTES_MAX => Step::Broken,
            Some(frame) if frame <= self.end - self.start => {
                Step::Frame(&self.input[self.start + LENGTH_BYTES..self.start + frame])
            }
            _ => Step::Incomplete,
        }
    }

    pub(super) fn consume_frame(&mut self) {
        self.frame_bytes_expected = self.frame_bytes().expect("a frame was seen before it is consumed");
        self.start += self.frame_bytes_expected;
        assert!(self.start <= self.end, "a frame was whole before it is consumed");
    }

    pub(super) fn queue(&mut self, answer: &[u8]) {
        self.output.extend_from_slice(answer);
    }

    /// The next send, unless one is in flight or there is nothing to say.
    pub(super) fn send_entry(&mut self) -> Option<squeue::Entry> {
        if self.send_in_flight {
            return None;
        }
        if self.send_done == self.sending.len() {
            self.sending.clear();
            self.send_done = 0;
            std::mem::swap(&mut self.sending, &mut self.output);
        }
        let rest = &self.sending[self.send_done..];
        if rest.is_empty() {
            return None;
        }
        self.send_in_flight = true;
        let entry = opcode::Send::new(types::Fd(self.socket.as_raw_fd()), rest.as_ptr(), rest.len() as u32);
        Some(entry.flags(libc::MSG_NOSIGNAL).build())
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.send_in_flight = false;
        self.send_done += bytes;
    }

    /// The client is gone; the receive in flight will say so too.
    pub(super) fn send_failed(&mut self) {
        self.send_in_flight = false;
        self.sending.clear();
        self.output.clear();
        self.send_done = 0;
    }
}

fn set_no_delay(socket: &OwnedFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the pointer and the length describe `on`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_NODELAY,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
