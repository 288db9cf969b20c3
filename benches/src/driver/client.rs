//! One connection of the driver: requests in flight, in order, and what their answers tell.
//!
//! Invariant: a broker answers a connection's requests in order, so the front of the queue is always the next to be answered.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, RawFd};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::{DriveError, LATENCY_MAX, Load, set_congestion_control};
use crate::produce::{self, LENGTH_BYTES, Response, SUFFIX};

/// An answer to one partition is some sixty bytes and its topic's name.
const RESPONSE_BYTES_MAX: usize = 64 << 10;

/// Where answers are counted.
pub(super) struct Sink {
    pub(super) response: Histogram<u64>,
    pub(super) service: Histogram<u64>,
    pub(super) answered: u64,
    /// Answers of each second since `from`.
    pub(super) per_second: Vec<u64>,
    /// Start of the measured window, when there is one.
    pub(super) from: Option<Instant>,
    counting: bool,
}

impl Sink {
    pub(super) fn new() -> io::Result<Self> {
        // One microsecond to a minute at three digits, kept in nanoseconds.
        let histogram =
            || Histogram::new_with_bounds(1_000, LATENCY_MAX.as_nanos() as u64, 3).map_err(io::Error::other);
        Ok(Self {
            response: histogram()?,
            service: histogram()?,
            answered: 0,
            per_second: Vec::new(),
            from: None,
            counting: true,
        })
    }

    /// From here on answers count for latency only, and only those of requests that were due in the window.
    pub(super) fn stop_counting(&mut self) {
        self.counting = false;
    }

    fn record(&mut self, request: &InFlight, now: Instant) {
        self.response.saturating_record((now - request.due).as_nanos() as u64);
        self.service.saturating_record((now - request.sent).as_nanos() as u64);
        if !self.counting {
            return;
        }
        self.answered += 1;
        if let Some(from) = self.from {
            let second = (now - from).as_secs() as usize;
            if self.per_second.len() <= second {
                self.per_second.resize(second + 1, 0);
            }
            self.per_second[second] += 1;
        }
    }
}

struct InFlight {
    correlation: i32,
    partition: i32,
    due: Instant,
    sent: Instant,
}

pub(super) struct Client {
    socket: TcpStream,
    /// Request prefixes of this connection's partitions, used in turn.
    prefixes: Vec<(i32, Vec<u8>)>,
    turn: usize,
    depth: usize,
    in_flight: VecDeque<InFlight>,
    /// The prefix of the request being written.
    prefix: Vec<u8>,
    /// Bytes of that request already written; `None` between requests.
    written: Option<usize>,
    correlation: i32,
    /// Time between two requests of this connection in an open loop.
    interval: Option<Duration>,
    next_due: Instant,
    input: Vec<u8>,
    input_end: usize,
}

impl Client {
    /// Connects; the first request of an open loop is due at its share of the first interval.
    pub(super) fn connect(
        load: &Load,
        batch: &[u8],
        index: u32,
        start: Instant,
        interval: Option<Duration>,
    ) -> io::Result<Self> {
        let socket = connect(load)?;
        socket.set_nonblocking(true)?;
        let phase = interval.map_or(Duration::ZERO, |interval| interval * index / load.connections);
        Ok(Self {
            socket,
            prefixes: partitions_of(load, index)
                .map(|partition| (partition, produce::request_prefix(&load.topic, partition, batch.len(), load.acks)))
                .collect(),
            turn: 0,
            depth: load.depth as usize,
            in_flight: VecDeque::new(),
            prefix: Vec::new(),
            written: None,
            correlation: 0,
            interval,
            next_due: start + phase,
            input: vec![0; RESPONSE_BYTES_MAX],
            input_end: 0,
        })
    }

    /// Sends while there is depth, something due before `due_before`, and room in the socket. Returns when the next request
    /// is due, if that is the only thing that it waits for.
    pub(super) fn send_due(
        &mut self,
        batch: &[u8],
        now: Instant,
        due_before: Instant,
    ) -> Result<Option<Instant>, DriveError> {
        loop {
            if self.written.is_none() {
                if self.in_flight.len() >= self.depth {
                    return Ok(None);
                }
                let due = if self.interval.is_some() { self.next_due } else { now };
                if due >= due_before {
                    return Ok(None);
                }
                if due > now {
                    return Ok(Some(due));
                }
                self.begin(due);
            }
            if !self.write_on(batch)? {
                return Ok(None);
            }
        }
    }

    fn begin(&mut self, due: Instant) {
        let (partition, prefix) = &self.prefixes[self.turn];
        self.turn = (self.turn + 1) % self.prefixes.len();
        self.correlation = self.correlation.wrapping_add(1);
        self.prefix.clone_from(prefix);
        produce::set_correlation(&mut self.prefix, self.correlation);
        self.written = Some(0);
        let (correlation, partition) = (self.correlation, *partition);
        let sent = Instant::now();
        // A closed loop owes nothing before it sends.
        let due = if self.interval.is_some() { due } else { sent };
        self.in_flight.push_back(InFlight { correlation, partition, due, sent });
        if let Some(interval) = self.interval {
            self.next_due += interval;
        }
    }

    /// Writes the current request on; false when the socket is full.
    fn write_on(&mut self, batch: &[u8]) -> Result<bool, DriveError> {
        let parts = [&self.prefix[..], batch, &SUFFIX];
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let mut written = self.written.expect("only a begun request is written on");
        while written < total {
            let mut slices = parts.map(IoSlice::new);
            let mut rest = &mut slices[..];
            IoSlice::advance_slices(&mut rest, written);
            match self.socket.write_vectored(rest) {
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.written = Some(written);
                    return Ok(false);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.written = None;
        Ok(true)
    }

    /// Reads and checks all answers that are there.
    pub(super) fn take_answers(&mut self, sink: &mut Sink) -> Result<(), DriveError> {
        loop {
            let room = RESPONSE_BYTES_MAX - self.input_end;
            let bytes = match self.socket.read(&mut self.input[self.input_end..]) {
                Ok(0) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            self.input_end += bytes;
            self.take_frames(sink)?;
            // A short read has emptied the socket (epoll(7)): what comes later is a new event.
            if bytes < room {
                return Ok(());
            }
        }
    }

    fn take_frames(&mut self, sink: &mut Sink) -> Result<(), DriveError> {
        let now = Instant::now();
        let mut start = 0;
        while let Some(length) = self.input[start..self.input_end].first_chunk::<LENGTH_BYTES>() {
            let length = u32::from_be_bytes(*length) as usize;
            if length > RESPONSE_BYTES_MAX - LENGTH_BYTES {
                return Err(DriveError::Mismatch(format!("{length} bytes long")));
            }
            let end = start + LENGTH_BYTES + length;
            if end > self.input_end {
                break;
            }
            let response = parse(&self.input[start + LENGTH_BYTES..end])?;
            let request =
                self.in_flight.pop_front().ok_or_else(|| DriveError::Mismatch("an answer to no request".to_owned()))?;
            check(&response, &request)?;
            sink.record(&request, now);
            start = end;
        }
        self.input.copy_within(start..self.input_end, 0);
        self.input_end -= start;
        Ok(())
    }

    /// Whether answers are owed to requests due before `end`, or such requests are still unsent.
    pub(super) fn owes(&self, end: Instant) -> bool {
        !self.in_flight.is_empty() || (self.interval.is_some() && self.next_due < end)
    }
}

impl AsRawFd for Client {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

fn parse(body: &[u8]) -> Result<Response, DriveError> {
    produce::read_response(body)
        .ok_or_else(|| DriveError::Mismatch("not a Produce v9 answer for one partition".to_owned()))
}

fn check(response: &Response, request: &InFlight) -> Result<(), DriveError> {
    if (response.correlation, response.partition) != (request.correlation, request.partition) {
        let expected = (request.correlation, request.partition);
        return Err(DriveError::Mismatch(format!("{response:?}, expected correlation and partition {expected:?}")));
    }
    if response.error_code != 0 || response.base_offset < 0 {
        return Err(DriveError::Refused { partition: response.partition, code: response.error_code });
    }
    Ok(())
}

fn connect(load: &Load) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(load.address)?;
    socket.set_nodelay(true)?;
    set_congestion_control(&socket, "cubic")?;
    Ok(socket)
}

/// The partitions that a connection sends to, in its order.
fn partitions_of(load: &Load, connection: u32) -> impl Iterator<Item = i32> + use<> {
    let (partitions, connections) = (load.partitions, load.connections);
    let first = connection % partitions;
    let step = connections % partitions;
    let mut next = Some(first);
    std::iter::from_fn(move || {
        let current = next?;
        let following = (current + step) % partitions;
        next = (following != first).then_some(following);
        Some(current as i32)
    })
}

/// Sends one batch to each partition until all have accepted one: a new topic's leaders take their time.
pub(super) fn wait_until_ready(load: &Load, batch: &[u8], within: Duration) -> Result<(), DriveError> {
    const PAUSE: Duration = Duration::from_millis(100);
    let deadline = Instant::now() + within;
    let mut socket = connect(load)?;
    socket.set_read_timeout(Some(within))?;
    for partition in 0..load.partitions as i32 {
        loop {
            let response = exchange(&mut socket, load, batch, partition)?;
            match response.error_code {
                0 => break,
                code if is_transient(code) && Instant::now() < deadline => thread::sleep(PAUSE),
                code => return Err(DriveError::Refused { partition, code }),
            }
        }
    }
    Ok(())
}

fn is_transient(code: i16) -> bool {
    const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    const LEADER_NOT_AVAILABLE: i16 = 5;
    const NOT_LEADER_OR_FOLLOWER: i16 = 6;
    [UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER].contains(&code)
}

fn exchange(socket: &mut TcpStream, load: &Load, batch: &[u8], partition: i32) -> Result<Response, DriveError> {
    let mut request = produce::request_prefix(&load.topic, partition, batch.len(), load.acks);
    request.extend_from_slice(batch);
    request.extend_from_slice(&SUFFIX);
    socket.write_all(&request)?;
    let mut length = [0; LENGTH_BYTES];
    socket.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > RESPONSE_BYTES_MAX {
        return Err(DriveError::Mismatch(format!("{length} bytes long")));
    }
    let mut body = vec![0; length];
    socket.read_exact(&mut body)?;
    parse(&body)
}

#[cfg(test)]
mod tests;
