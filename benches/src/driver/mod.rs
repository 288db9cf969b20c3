//! The driver: one thread, epoll and plain sockets, that sends the same Produce requests to whatever broker listens.
//!
//! Closed loop: each connection keeps `depth` requests in flight. Open loop (with a rate): request `i` is due at `t0 + i / rate`
//! whatever the broker does, no request is dropped, and `response` latency counts from that time (BENCH.md).
//! Every answer's correlation id, partition and error code are checked; an error ends the run.
//!
//! Known limit: one thread. Near a full core it is the driver that is measured; the outcome's CPU tells.

mod client;
mod poll;

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;

use self::client::{Client, Sink};
pub(crate) use self::poll::Poll;
use crate::batch;
use loadgen::resources::procfs::{self, Machine, Process};

/// Largest latency that a histogram holds; above, it is counted as this.
pub(crate) const LATENCY_MAX: Duration = Duration::from_secs(60);
/// How long a new topic may take until each partition accepts a batch.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long the last answers may take; also the backlog at which an open loop gives up.
const DRAIN_WITHIN: Duration = Duration::from_secs(30);

/// What to send, and how.
#[derive(Clone, Debug)]
pub struct Load {
    /// The broker that leads all partitions.
    pub address: SocketAddr,
    /// An existing topic.
    pub topic: String,
    /// Partitions to send to, from 0.
    pub partitions: u32,
    /// Connections; connection `c` sends to partitions `c`, `c + connections`, … modulo `partitions`.
    pub connections: u32,
    /// Most requests in flight on one connection.
    pub depth: u32,
    /// Most bytes of a batch.
    pub batch_bytes: usize,
    /// Bytes of a record's value.
    pub record_bytes: usize,
    /// -1 or 1; without an answer there is nothing to measure.
    pub acks: i16,
    /// Sent and answered before the clock starts.
    pub warm_up: Duration,
    /// The measured window.
    pub window: Duration,
    /// Bytes of batches a second over all connections; without it, as fast as the depth allows.
    pub rate: Option<f64>,
    /// The broker's process, for its resources.
    pub server: Option<u32>,
}

/// Why a run has no result.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// A socket failed, the broker closed it, or `/proc` was not readable.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The broker answered an error.
    #[error("partition {partition}: the broker answered error code {code}")]
    Refused {
        /// Which partition.
        partition: i32,
        /// Kafka's error code.
        code: i16,
    },
    /// The broker's answer is not one to the request that is due.
    #[error("the broker's answer does not match: {0}")]
    Mismatch(String),
    /// The last answers did not come in time after the window: the broker stalls, or an open loop asks for too much.
    #[error("overloaded: answers are still owed {0:?} after the window")]
    Late(Duration),
}

/// What was measured in the window.
#[derive(Debug)]
pub struct Outcome {
    /// Length of the window as it was.
    pub window: Duration,
    /// Requests answered within the window.
    pub requests: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of their batches.
    pub bytes: u64,
    /// Requests that an open loop owed by the end of the window; 0 in a closed loop.
    pub offered: u64,
    /// Due (open loop) or sent (closed loop) → answered, in nanoseconds.
    pub response: Histogram<u64>,
    /// Sent → answered, in nanoseconds.
    pub service: Histogram<u64>,
    /// The driver's own CPU time.
    pub client_cpu: Duration,
    /// The broker's counters over the window.
    pub server: Option<Process>,
    /// The broker's largest resident set, in bytes, since it started.
    pub server_rss_peak_bytes: Option<u64>,
    /// The machine's counters over the window.
    pub machine: Machine,
    /// Answered bytes of each second of the window, the last one cut.
    pub bytes_per_second: Vec<u64>,
}

/// What is read before and after a window.
pub(crate) struct Counters {
    pub(crate) at: Instant,
    pub(crate) client_cpu: Duration,
    pub(crate) server: Option<Process>,
    pub(crate) machine: Machine,
}

impl Counters {
    pub(crate) fn read(server: Option<u32>) -> io::Result<Self> {
        Ok(Self {
            client_cpu: procfs::own_cpu(),
            server: server.map(Process::read).transpose()?,
            machine: Machine::read()?,
            at: Instant::now(),
        })
    }
}

/// Runs the load once.
///
/// # Errors
/// When the broker refuses, misanswers, closes or is too late.
pub fn run(load: &Load) -> Result<Outcome, DriveError> {
    assert!(load.partitions > 0 && load.connections > 0 && load.depth > 0, "a load has at least one of each");
    assert!(load.acks == -1 || load.acks == 1, "only what is answered can be measured");
    let records = batch::records_that_fit(load.batch_bytes, load.record_bytes);
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as i64);
    let batch = batch::build(records, load.record_bytes, now_ms, 1);
    client::wait_until_ready(load, &batch, READY_WITHIN)?;

    let poll = Poll::new()?;
    let interval =
        load.rate.map(|rate| Duration::from_secs_f64(batch.len() as f64 * f64::from(load.connections) / rate));
    let start = Instant::now();
    let mut clients = (0..load.connections)
        .map(|index| {
            let client = Client::connect(load, &batch, index, start, interval)?;
            poll.add(client.as_raw_fd(), index)?;
            Ok(client)
        })
        .collect::<io::Result<Vec<_>>>()?;
    measure(load, records, &batch, &poll, &mut clients, start)
}

fn measure(
    load: &Load,
    records: usize,
    batch: &[u8],
    poll: &Poll,
    clients: &mut [Client],
    start: Instant,
) -> Result<Outcome, DriveError> {
    let mut sink = Sink::new()?;
    let warm = start + load.warm_up;
    turn_until(poll, clients, batch, &mut sink, warm, warm)?;
    let before = Counters::read(load.server)?;
    sink = Sink::new()?;
    sink.from = Some(before.at);
    let end = before.at + load.window;
    turn_until(poll, clients, batch, &mut sink, end, end)?;
    let after = Counters::read(load.server)?;
    let requests = sink.answered;
    sink.stop_counting();
    drain(poll, clients, batch, &mut sink, end)?;

    let window = after.at - before.at;
    let offered = load.rate.map_or(0, |rate| (rate * window.as_secs_f64() / batch.len() as f64) as u64);
    Ok(Outcome {
        window,
        requests,
        records: requests * records as u64,
        bytes: requests * batch.len() as u64,
        offered,
        response: sink.response,
        service: sink.service,
        client_cpu: after.client_cpu - before.client_cpu,
        server: after.server.zip(before.server).map(|(after, before)| after - before),
        server_rss_peak_bytes: load.server.map(procfs::rss_peak_bytes).transpose()?,
        machine: after.machine - before.machine,
        bytes_per_second: sink.per_second.iter().map(|requests| requests * batch.len() as u64).collect(),
    })
}

/// Sends what is due before `due_before` and takes answers until `until`.
fn turn_until(
    poll: &Poll,
    clients: &mut [Client],
    batch: &[u8],
    sink: &mut Sink,
    until: Instant,
    due_before: Instant,
) -> Result<(), DriveError> {
    let mut ready = Vec::new();
    loop {
        let now = Instant::now();
        if now >= until {
            return Ok(());
        }
        let mut wake = until;
        for client in clients.iter_mut() {
            if let Some(due) = client.send_due(batch, now, due_before)? {
                wake = wake.min(due);
            }
        }
        poll.wait(wake.saturating_duration_since(Instant::now()), &mut ready)?;
        for &index in &ready {
            clients[index as usize].take_answers(sink)?;
        }
    }
}

/// Takes the answers that are still owed; in an open loop, first sends what was due before the end.
fn drain(poll: &Poll, clients: &mut [Client], batch: &[u8], sink: &mut Sink, end: Instant) -> Result<(), DriveError> {
    const STEP: Duration = Duration::from_millis(20);
    let deadline = Instant::now() + DRAIN_WITHIN;
    while clients.iter().any(|client| client.owes(end)) {
        if Instant::now() > deadline {
            return Err(DriveError::Late(DRAIN_WITHIN));
        }
        turn_until(poll, clients, batch, sink, Instant::now() + STEP, end)?;
    }
    Ok(())
}

/// Chooses the TCP congestion control of a socket (and of those that a listener accepts): a machine's default may be one
/// that halves the loopback.
///
/// # Errors
/// When the kernel does not have it.
pub fn set_congestion_control(socket: &impl AsRawFd, name: &str) -> io::Result<()> {
    // SAFETY: the pointer and the length describe `name`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_CONGESTION,
            name.as_ptr().cast(),
            name.len() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
