//! A proxy before one broker that lies about what it acknowledges: it drops a produce request, appends it twice, or lets the next overtake
//! it, and acknowledges all the same. It proves that [`checkers::Deliveries`] sees what it is there to see.
//!
//! A thread a connection, one request at a time, in order: a broker may be that slow, so clients notice nothing. Where a broker says where
//! brokers are (Metadata, FindCoordinator), the proxy says that it is there itself.
//!
//! Invariant: [`LossyProxy::faults`] counts what has taken effect. A test in which none has is not valid.

mod frames;
#[cfg(test)]
mod tests;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wire::header::FRAME_LENGTH_BYTES;

use frames::{Request, acknowledge, redirect};

/// How long the proxy waits for the request that is to overtake another; then nothing is reordered.
const OVERTAKING_WITHIN: Duration = Duration::from_secs(10);
/// Largest frame that is passed on, in bytes: Kafka's `socket.request.max.bytes`.
const FRAME_BYTES_MAX: usize = 100 << 20;
/// How often a thread that waits looks whether the proxy is to end.
const LOOK: Duration = Duration::from_millis(50);

/// What is done to an acknowledged produce request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The broker never sees it.
    Drop,
    /// The broker sees it twice.
    Duplicate,
    /// The broker sees it after the one that follows on the same connection.
    Reorder,
}

/// What is done, and to which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// What.
    pub fault: Fault,
    /// To which produce request, counted from 1 over all connections.
    pub request: u64,
}

/// A proxy that runs until it is dropped.
#[derive(Debug)]
pub struct LossyProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    broker: SocketAddr,
    own: SocketAddr,
    plan: Option<Plan>,
    requests: AtomicU64,
    faults: AtomicU64,
    ends: AtomicBool,
}

impl LossyProxy {
    /// Listens on a free port of loopback, before `broker`; without a plan it changes nothing.
    ///
    /// # Errors
    /// When there is no port or no thread.
    pub fn start(broker: SocketAddr, plan: Option<Plan>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let own = listener.local_addr()?;
        let shared = Arc::new(Shared {
            broker,
            own,
            plan,
            requests: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            ends: AtomicBool::new(false),
        });
        let accepting = shared.clone();
        let acceptor =
            thread::Builder::new().name("lossy-proxy".into()).spawn(move || accept(&listener, &accepting))?;
        Ok(Self { address: own, shared, acceptor: Some(acceptor) })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Faults that have taken effect.
    pub fn faults(&self) -> u64 {
        self.shared.faults.load(Ordering::Relaxed)
    }
}

impl Drop for LossyProxy {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        if let Some(acceptor) = self.acceptor.take() {
            // A thread that has panicked is known by its message.
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut connections = Vec::new();
    while !shared.ends.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((client, _)) => {
                let shared = shared.clone();
                connections.push(thread::spawn(move || {
                    // Both ends see a broken connection by themselves.
                    let _ = Link::new(client, &shared).and_then(|mut link| link.serve());
                }));
            }
            Err(_) => thread::sleep(LOOK),
        }
    }
    for connection in connections {
        let _ = connection.join();
    }
}

/// One client's connection and its own to the broker.
struct Link<'a> {
    client: TcpStream,
    broker: TcpStream,
    shared: &'a Shared,
}

impl<'a> Link<'a> {
    fn new(client: TcpStream, shared: &'a Shared) -> io::Result<Self> {
        client.set_nonblocking(false)?;
        let broker = TcpStream::connect(shared.broker)?;
        for stream in [&client, &broker] {
            stream.set_nodelay(true)?;
        }
        Ok(Self { client, broker, shared })
    }

    fn serve(&mut self) -> io::Result<()> {
        while let Some(frame) = self.next_request(None)? {
            self.handle(frame)?;
        }
        Ok(())
    }

    /// The client's next frame; none when it has gone, or said nothing for `within`.
    fn next_request(&mut self, within: Option<Duration>) -> io::Result<Option<Vec<u8>>> {
        self.client.set_read_timeout(Some(LOOK))?;
        let mut waited = Duration::ZERO;
        loop {
            match self.client.peek(&mut [0]) {
                Ok(0) => return Ok(None),
                Ok(_) => break,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
            waited += LOOK;
            if self.shared.ends.load(Ordering::Relaxed) || within.is_some_and(|within| waited >= within) {
                return Ok(None);
            }
        }
        self.client.set_read_timeout(None)?;
        read_frame(&mut self.client).map(Some)
    }

    fn handle(&mut self, frame: Vec<u8>) -> io::Result<()> {
        let request = Request::read(&frame);
        let Some(fault) = request.as_ref().filter(|request| request.is_produce()).and_then(|_| self.due()) else {
            let answer = self.ask(&frame)?;
            return self.answer(answer);
        };
        match (fault, request.as_ref().and_then(acknowledge)) {
            (Fault::Drop, Some(acknowledgement)) => {
                self.took_effect();
                self.client.write_all(&acknowledgement)
            }
            (Fault::Duplicate, _) => {
                let first = self.ask(&frame)?;
                self.ask(&frame)?;
                self.took_effect();
                self.answer(first)
            }
            (Fault::Reorder, Some(_)) => self.reorder(frame),
            // Without an acknowledgement nothing was promised that could be broken.
            (_, None) => {
                let answer = self.ask(&frame)?;
                self.answer(answer)
            }
        }
    }

    fn reorder(&mut self, first: Vec<u8>) -> io::Result<()> {
        let Some(second) = self.next_request(Some(OVERTAKING_WITHIN))? else {
            let answer = self.ask(&first)?;
            return self.answer(answer);
        };
        if !Request::read(&second).is_some_and(|request| request.is_produce()) {
            let answer = self.ask(&first)?;
            self.answer(answer)?;
            return self.handle(second);
        }
        let second_answer = self.ask(&second)?;
        let first_answer = self.ask(&first)?;
        self.took_effect();
        self.answer(first_answer)?;
        self.answer(second_answer)
    }

    /// The fault that this produce request is due for.
    fn due(&self) -> Option<Fault> {
        let number = self.shared.requests.fetch_add(1, Ordering::Relaxed) + 1;
        self.shared.plan.filter(|plan| plan.request == number).map(|plan| plan.fault)
    }

    fn took_effect(&self) {
        self.shared.faults.fetch_add(1, Ordering::Relaxed);
    }

    /// Passes a request on and returns the answer, with this proxy in the broker's place; none when it has none.
    fn ask(&mut self, frame: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.broker.write_all(frame)?;
        let request = Request::read(frame);
        if request.as_ref().is_some_and(|request| !request.is_answered()) {
            return Ok(None);
        }
        let answer = read_frame(&mut self.broker)?;
        Ok(Some(request.and_then(|request| redirect(&request, &answer, self.shared.own)).unwrap_or(answer)))
    }

    fn answer(&mut self, answer: Option<Vec<u8>>) -> io::Result<()> {
        answer.map_or(Ok(()), |answer| self.client.write_all(&answer))
    }
}

/// A frame with its length.
fn read_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; FRAME_LENGTH_BYTES];
    stream.read_exact(&mut length)?;
    let body = usize::try_from(i32::from_be_bytes(length))
        .ok()
        .filter(|bytes| *bytes <= FRAME_BYTES_MAX)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a frame of an impossible length"))?;
    let mut frame = vec![0; FRAME_LENGTH_BYTES + body];
    frame[..FRAME_LENGTH_BYTES].copy_from_slice(&length);
    stream.read_exact(&mut frame[FRAME_LENGTH_BYTES..])?;
    Ok(frame)
}
