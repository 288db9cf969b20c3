//! A broker that is nothing but answers: what the load generator is measured against, and what it must not be fooled by.
//!
//! One node, topics in memory, a thread a connection. It can answer at once and keep nothing (the null broker), keep what it is given, stall,
//! refuse, close connections, answer nonsense, or forget a topic. It has no groups.
//!
//! Invariant: a request is answered in order, on the connection's thread; what a [`Fault`] does begins with a produce request, so a
//! client always gets as far as producing.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use wire::api::ApiKey;
use wire::batch::{BatchHeader, set_base_offset};
use wire::codec::Reader;
use wire::header::{FRAME_LENGTH_BYTES, RequestHeader};

use super::answers;

/// The largest request that is read, in bytes.
const REQUEST_BYTES_MAX: usize = 256 << 20;

/// What goes wrong, counted from the first produce request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// From a moment on for a while nothing is answered; then all is.
    Stall {
        /// From the first produce request.
        after: Duration,
        /// How long.
        length: Duration,
    },
    /// From a moment on nothing is answered any more.
    Silence {
        /// From the first produce request.
        after: Duration,
    },
    /// From a moment on connections close and none is accepted.
    Death {
        /// From the first produce request.
        after: Duration,
    },
    /// From a moment on produce requests are answered with bytes that mean nothing.
    Nonsense {
        /// From the first produce request.
        after: Duration,
    },
    /// From a moment on batches are refused with a code.
    Refusal {
        /// From the first produce request.
        after: Duration,
        /// Kafka's error code.
        code: i16,
    },
    /// From a moment on the topics are gone.
    Forgetting {
        /// From the first produce request.
        after: Duration,
    },
}

impl Fault {
    fn after(self) -> Option<Duration> {
        match self {
            Fault::None => None,
            Fault::Stall { after, .. }
            | Fault::Silence { after }
            | Fault::Death { after }
            | Fault::Nonsense { after }
            | Fault::Refusal { after, .. }
            | Fault::Forgetting { after } => Some(after),
        }
    }
}

/// What the broker is to be.
#[derive(Debug, Clone, Copy)]
pub struct Behaviour {
    /// Whether it keeps what it is given, so that it can be read back.
    pub keeps: bool,
    /// What goes wrong.
    pub fault: Fault,
}

/// One partition's log.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Batches by their base offsets.
    pub(super) batches: BTreeMap<i64, Bytes>,
    pub(super) end: i64,
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) address: SocketAddr,
    pub(super) behaviour: Behaviour,
    /// By name.
    pub(super) topics: Mutex<BTreeMap<String, Vec<Log>>>,
    pub(super) producer_ids: AtomicU64,
    first_produced: Mutex<Option<Instant>>,
    is_over: AtomicBool,
    is_healed: AtomicBool,
}

/// A broker that listens.
#[derive(Debug)]
pub struct Broker {
    state: Arc<State>,
    listener: Option<thread::JoinHandle<()>>,
}

impl Broker {
    /// Listens on a free port of the loopback.
    ///
    /// # Errors
    /// When there is no port or thread to be had.
    pub fn start(behaviour: Behaviour) -> io::Result<Broker> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let state = Arc::new(State {
            address: listener.local_addr()?,
            behaviour,
            topics: Mutex::default(),
            producer_ids: AtomicU64::new(0),
            first_produced: Mutex::new(None),
            is_over: AtomicBool::new(false),
            is_healed: AtomicBool::new(false),
        });
        let shared = state.clone();
        let listener =
            thread::Builder::new().name("null-broker".into()).spawn(move || accept_all(&listener, &shared))?;
        Ok(Broker { state, listener: Some(listener) })
    }

    /// Where it listens, as a bootstrap list.
    pub fn bootstrap(&self) -> String {
        self.state.address.to_string()
    }

    /// A thread that heals it when it has gone wrong for so long.
    #[cfg(test)]
    pub(super) fn heal_after(&self, length: Duration) -> thread::JoinHandle<()> {
        const POLL: Duration = Duration::from_millis(5);
        let state = self.state.clone();
        thread::spawn(move || {
            while !state.is_failing() && !state.is_over.load(Ordering::Relaxed) {
                thread::sleep(POLL);
            }
            thread::sleep(length);
            state.is_healed.store(true, Ordering::Relaxed);
        })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(self.state.address);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

fn accept_all(listener: &TcpListener, state: &Arc<State>) {
    for stream in listener.incoming() {
        if state.is_over.load(Ordering::Relaxed) {
            return;
        }
        let is_dead = matches!(state.behaviour.fault, Fault::Death { .. }) && state.is_failing();
        if let (Ok(stream), false) = (stream, is_dead) {
            let shared = state.clone();
            // A connection that gets no thread is closed.
            let _ = thread::Builder::new().name("null-connection".into()).spawn(move || {
                // Whatever breaks a connection ends it.
                let _ = serve(stream, &shared);
            });
        }
    }
}

fn serve(mut stream: TcpStream, state: &State) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut frame = Vec::new();
    while !state.is_over.load(Ordering::Relaxed) {
        let mut length = [0; FRAME_LENGTH_BYTES];
        stream.read_exact(&mut length)?;
        let length = usize::try_from(i32::from_be_bytes(length)).map_err(io::Error::other)?;
        if length > REQUEST_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        frame.resize(length.max(frame.len()), 0);
        stream.read_exact(&mut frame[..length])?;
        if let Some(answer) = answer(&frame[..length], state)? {
            stream.write_all(&answer)?;
        }
    }
    Ok(())
}

/// The answer to one request, if it gets one; an error closes the connection.
fn answer(frame: &[u8], state: &State) -> io::Result<Option<Vec<u8>>> {
    let mut reader = Reader::new(frame);
    let header = RequestHeader::decode(&mut reader).map_err(io::Error::other)?;
    let is_produce = header.api_key == ApiKey::Produce.key();
    if is_produce {
        state.first_produced.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
    }
    let is_failing = state.is_failing();
    match state.behaviour.fault {
        Fault::Stall { after, length } if is_failing => state.sleep_until(after + length),
        Fault::Silence { .. } if is_failing => return Ok(None),
        Fault::Death { .. } if is_failing => return Err(io::ErrorKind::ConnectionReset.into()),
        Fault::Nonsense { .. } if is_failing && is_produce => {
            let mut nonsense = vec![0, 0, 0, 9];
            nonsense.extend(header.correlation_id.to_be_bytes());
            nonsense.extend([0, 0xff, 0xff, 0xff, 0x7f]);
            return Ok(Some(nonsense));
        }
        Fault::Forgetting { .. } if is_failing => state.topics().clear(),
        _ => {}
    }
    let refusal = match state.behaviour.fault {
        Fault::Refusal { code, .. } if is_failing => code,
        _ => 0,
    };
    answers::answer(header, reader, state, refusal).map_err(io::Error::other)
}

impl State {
    /// The topics, for a moment.
    pub(super) fn topics(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Log>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn since_first_produced(&self) -> Option<Duration> {
        self.first_produced.lock().unwrap_or_else(PoisonError::into_inner).map(|first| first.elapsed())
    }

    fn is_failing(&self) -> bool {
        !self.is_healed.load(Ordering::Relaxed)
            && self
                .behaviour
                .fault
                .after()
                .zip(self.since_first_produced())
                .is_some_and(|(after, since)| since >= after)
    }

    /// Waits until so long after the first produce request.
    fn sleep_until(&self, moment: Duration) {
        if let Some(since) = self.since_first_produced() {
            thread::sleep(moment.saturating_sub(since));
        }
    }
}

impl Log {
    /// Appends a batch; returns its base offset. A null broker only counts.
    pub(super) fn append(&mut self, batch: &[u8], keeps: bool) -> Option<i64> {
        let header = BatchHeader::parse(batch).ok()?;
        let base = self.end;
        self.end += i64::from(header.record_count);
        if keeps {
            let mut kept = batch.to_vec();
            set_base_offset(&mut kept, base);
            self.batches.insert(base, Bytes::from(kept));
        }
        Some(base)
    }

    /// Batches from the one that holds `offset` on, up to about `bytes_max`.
    pub(super) fn read(&self, offset: i64, bytes_max: usize) -> Vec<Bytes> {
        if offset >= self.end {
            return Vec::new();
        }
        let start = self.batches.range(..=offset).next_back().map_or(offset, |(base, _)| *base);
        let mut bytes = 0;
        let fits = |batch: &&Bytes| {
            let is_room = bytes < bytes_max;
            bytes += batch.len();
            is_room
        };
        self.batches.range(start..).map(|(_, batch)| batch).take_while(fits).cloned().collect()
    }
}
