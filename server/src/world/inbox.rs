//! What reaches a core from outside: other cores' messages, connections, and the process's wishes.
//!
//! Anybody may push; only the core takes. The eventfd that wakes the core is also the one that announces its ring's
//! completions, so a core waits in one place.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use crossbeam_queue::SegQueue;
use shard::mesh::Message;
use shard::metrics::CoreMetrics;

/// What a core finds in its inbox.
pub(crate) enum Incoming {
    /// Of another core.
    Message(Message),
    /// An accepted connection for this core.
    Connection {
        /// Its socket.
        socket: OwnedFd,
        /// The name of the listener that accepted it.
        listener: Arc<str>,
    },
    /// Begin to accept: every core is up. To [`shard::world::CoreId::FIRST`] only.
    Accept,
    /// All cores' counts are wanted. To the first core only.
    Metrics(mpsc::Sender<Vec<CoreMetrics>>),
    /// Drain and close all cores. To the first core only.
    Stop,
    /// This core is closed: its executor ends.
    Exit,
}

/// One core's inbox.
pub(crate) struct Inbox {
    queue: SegQueue<Incoming>,
    /// The core has been told that there is something, and has not looked yet.
    told: AtomicBool,
    event: OwnedFd,
    /// Connections that the acceptor has given to this core and that are still open.
    connections: AtomicU64,
}

impl Inbox {
    pub(crate) fn new() -> io::Result<Inbox> {
        // SAFETY: eventfd has no memory arguments.
        let event = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if event < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Inbox {
            queue: SegQueue::new(),
            told: AtomicBool::new(false),
            // SAFETY: the descriptor was just made and belongs to nobody else.
            event: unsafe { OwnedFd::from_raw_fd(event) },
            connections: AtomicU64::new(0),
        })
    }

    /// The eventfd that wakes the core.
    pub(crate) fn event_fd(&self) -> RawFd {
        self.event.as_raw_fd()
    }

    /// Connections that this core has, or is about to get.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// The acceptor has chosen this core for a connection.
    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection of this core has gone.
    pub(crate) fn disconnected(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn push(&self, incoming: Incoming) {
        self.queue.push(incoming);
        if !self.told.swap(true, Ordering::AcqRel) {
            let one = 1u64.to_ne_bytes();
            // SAFETY: the buffer is eight bytes, as an eventfd wants. It can only fail when the counter is near 2^64.
            let _ = unsafe { libc::write(self.event_fd(), one.as_ptr().cast(), one.len()) };
        }
    }

    /// What is there, oldest first. Ends when the inbox is empty; a later push wakes the core again.
    pub(crate) fn drain(&self) -> impl Iterator<Item = Incoming> + '_ {
        self.told.store(false, Ordering::Release);
        std::iter::from_fn(|| self.queue.pop())
    }
}
