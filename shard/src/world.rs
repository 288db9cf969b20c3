//! The world a core lives in: disk, network, clock and the other cores, as the server (glommio, io_uring) and the
//! simulator (a seeded executor) provide them.
//!
//! Static dispatch and futures that stay on their core: nothing here is `Send` but what crosses between cores. A
//! buffer that an operation needs is handed over for as long as it lasts, which is the shape of io_uring.

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use engine::disk::Disk;

use crate::mesh::Message;

/// One core of one broker; 0 is the one that runs the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoreId(pub u16);

impl CoreId {
    /// The core of the controller, the catalog's log and the acceptor.
    pub const FIRST: CoreId = CoreId(0);
}

/// What a core's loop needs from outside. A clone is another handle on the same core's world.
#[allow(async_fn_in_trait)]
pub trait World: Clone + 'static {
    /// Where logs and journals live.
    type Disk: Disk;
    /// An accepted connection.
    type Stream: Stream;

    /// The disk, as this core reaches it.
    fn disk(&self) -> &Self::Disk;
    /// Wall clock, milliseconds since the epoch: record timestamps, retention, and deadlines.
    fn now_ms(&self) -> i64;
    /// Nanoseconds of a clock that never goes back: latencies in metrics.
    fn monotonic_ns(&self) -> u64;
    /// Returns after at least `duration`.
    async fn sleep(&self, duration: Duration);
    /// Runs a task that clients wait for, on this core.
    fn spawn(&self, task: impl Future<Output = ()> + 'static);
    /// Runs a task that may never delay an append, on this core, with a smaller share of it.
    fn spawn_background(&self, task: impl Future<Output = ()> + 'static);
    /// Fresh random bits: topic ids, member ids.
    fn random(&self) -> u128;
    /// Puts a message into another core's inbox. Messages between two cores arrive in the order they were sent.
    fn send(&self, to: CoreId, message: Message);
    /// Ends the process: what is on disk can no longer be known, and a restart recovers it. Does not return in the
    /// server; in the simulator the core stops being polled.
    fn fail(&self, reason: &str);
}

/// A byte stream to a client. Reading and writing go on at the same time, each in order.
#[allow(async_fn_in_trait)]
pub trait Stream: 'static {
    /// Appends what has arrived to `buffer`'s spare capacity, which is not empty; at least one byte, or `Ok(0)` when
    /// the client has closed its side.
    async fn read(&self, buffer: BytesMut) -> (io::Result<usize>, BytesMut);
    /// Sends every chunk, in order.
    async fn write(&self, chunks: Vec<Bytes>) -> io::Result<()>;
    /// Ends both directions: a pending read returns `Ok(0)` or an error.
    fn shutdown(&self);
    /// The client's address, as groups and logs show it, without the port.
    fn peer_host(&self) -> String;
}
