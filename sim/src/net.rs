//! Connections between simulated clients and the broker: ordered bytes each way, late, in pieces, until they are cut.
//!
//! Each direction keeps its order and delays every write on its own, so that connections overtake each other. A read
//! returns any part of what has arrived. A cut loses what is under way in both directions.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use shard::world::Stream;

use crate::clock::Clock;
use crate::dice::Dice;
use crate::executor::Notify;

/// Bytes under way in one direction before a writer waits.
const WINDOW_BYTES: usize = 256 << 10;

/// How the network behaves.
#[derive(Clone, Debug)]
pub struct NetProfile {
    /// From a write to its arrival.
    pub delay: RangeInclusive<Duration>,
    /// Of 100 reads, how many return only a part of what is there.
    pub partial_percent: u64,
}

#[derive(Default)]
struct Pipe {
    /// What was written, with the time of its arrival.
    chunks: RefCell<VecDeque<(u64, Bytes)>>,
    bytes: Cell<usize>,
    arrival_ns: Cell<u64>,
    /// No more will be written.
    ended: Cell<bool>,
    changed: Notify,
}

struct Connection {
    clock: Clock,
    dice: Dice,
    profile: NetProfile,
    to_broker: Pipe,
    to_client: Pipe,
    /// The client's name.
    peer: String,
    /// Nothing arrives before this time, in ns.
    stalled_until_ns: Cell<u64>,
    cut: Cell<bool>,
}

impl Connection {
    fn cut(&self) {
        self.cut.set(true);
        for pipe in [&self.to_broker, &self.to_client] {
            pipe.chunks.borrow_mut().clear();
            pipe.changed.notify();
        }
    }

    fn check(&self) -> io::Result<()> {
        if self.cut.get() { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }

    async fn read(&self, pipe: &Pipe, space: usize) -> io::Result<Bytes> {
        loop {
            self.check()?;
            if self.clock.now_ns() < self.stalled_until_ns.get() {
                self.clock.sleep_until(self.stalled_until_ns.get()).await;
                continue;
            }
            let front = pipe.chunks.borrow().front().map(|(arrival_ns, _)| *arrival_ns);
            match front {
                Some(arrival_ns) if arrival_ns <= self.clock.now_ns() => return Ok(self.take(pipe, space)),
                Some(arrival_ns) => self.clock.sleep_until(arrival_ns).await,
                None if pipe.ended.get() => return Ok(Bytes::new()),
                None => pipe.changed.changed().await,
            }
        }
    }

    fn take(&self, pipe: &Pipe, space: usize) -> Bytes {
        let mut chunks = pipe.chunks.borrow_mut();
        let (_, front) = chunks.front_mut().expect("the caller has seen it");
        let mut count = front.len().min(space);
        if self.dice.chance(self.profile.partial_percent) {
            count = self.dice.within(1..=count as u64) as usize;
        }
        let taken = front.split_to(count);
        if !front.has_remaining() {
            chunks.pop_front();
        }
        pipe.bytes.set(pipe.bytes.get() - count);
        pipe.changed.notify();
        taken
    }

    async fn write(&self, pipe: &Pipe, chunks: Vec<Bytes>) -> io::Result<()> {
        for chunk in chunks.into_iter().filter(|chunk| !chunk.is_empty()) {
            while pipe.bytes.get() >= WINDOW_BYTES && !pipe.ended.get() {
                self.check()?;
                pipe.changed.changed().await;
            }
            self.check()?;
            if pipe.ended.get() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let delay_ns = self.dice.delay(&self.profile.delay).as_nanos() as u64;
            pipe.arrival_ns.set(pipe.arrival_ns.get().max(self.clock.now_ns() + delay_ns));
            pipe.bytes.set(pipe.bytes.get() + chunk.len());
            pipe.chunks.borrow_mut().push_back((pipe.arrival_ns.get(), chunk));
            pipe.changed.notify();
        }
        Ok(())
    }

    /// The broker ends both directions: what it has sent still arrives.
    fn shutdown(&self) {
        for pipe in [&self.to_broker, &self.to_client] {
            pipe.ended.set(true);
            pipe.changed.notify();
        }
        self.to_broker.chunks.borrow_mut().clear();
    }
}

/// The broker's end.
pub struct BrokerStream {
    connection: Rc<Connection>,
    peer: String,
}

impl Stream for BrokerStream {
    async fn read(&self, mut buffer: BytesMut) -> (io::Result<usize>, BytesMut) {
        let space = buffer.capacity() - buffer.len();
        assert!(space > 0, "a read needs room");
        match self.connection.read(&self.connection.to_broker, space).await {
            Ok(bytes) => {
                buffer.extend_from_slice(&bytes);
                (Ok(bytes.len()), buffer)
            }
            Err(error) => (Err(error), buffer),
        }
    }

    async fn write(&self, chunks: Vec<Bytes>) -> io::Result<()> {
        self.connection.write(&self.connection.to_client, chunks).await
    }

    fn shutdown(&self) {
        self.connection.shutdown();
    }

    fn peer_host(&self) -> String {
        self.peer.clone()
    }
}

/// The client's end. Dropping it closes the connection.
pub struct ClientStream(Rc<Connection>);

impl ClientStream {
    /// Some of what has arrived; empty when the broker has closed.
    ///
    /// # Errors
    /// The connection was cut.
    pub async fn read(&self) -> io::Result<Bytes> {
        self.0.read(&self.0.to_client, usize::MAX).await
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The connection was cut or the broker has closed it.
    pub async fn write(&self, chunks: Vec<Bytes>) -> io::Result<()> {
        self.0.write(&self.0.to_broker, chunks).await
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        self.0.cut();
    }
}

struct Inner {
    clock: Clock,
    dice: Dice,
    profile: RefCell<NetProfile>,
    connections: RefCell<Vec<std::rc::Weak<Connection>>>,
}

/// The network; a clone is the same one.
#[derive(Clone)]
pub struct Net(Rc<Inner>);

impl Net {
    /// A network without connections.
    pub fn new(clock: Clock, dice: Dice, profile: NetProfile) -> Net {
        Net(Rc::new(Inner { clock, dice, profile: RefCell::new(profile), connections: RefCell::default() }))
    }

    /// How connections made from now on behave.
    pub fn set_profile(&self, profile: NetProfile) {
        *self.0.profile.borrow_mut() = profile;
    }

    /// A new connection's two ends.
    pub fn connect(&self, peer: &str) -> (ClientStream, BrokerStream) {
        let inner = &self.0;
        let connection = Rc::new(Connection {
            clock: inner.clock.clone(),
            dice: inner.dice.clone(),
            profile: inner.profile.borrow().clone(),
            to_broker: Pipe::default(),
            to_client: Pipe::default(),
            peer: peer.to_owned(),
            stalled_until_ns: Cell::new(0),
            cut: Cell::new(false),
        });
        let mut connections = inner.connections.borrow_mut();
        connections.retain(|known| known.strong_count() > 0);
        connections.push(Rc::downgrade(&connection));
        (ClientStream(connection.clone()), BrokerStream { connection, peer: peer.to_owned() })
    }

    fn alive(&self) -> Vec<Rc<Connection>> {
        let known = self.0.connections.borrow();
        known.iter().filter_map(std::rc::Weak::upgrade).filter(|connection| !connection.cut.get()).collect()
    }

    /// Cuts one connection, if there is any; says whether.
    pub fn cut_one(&self) -> bool {
        let alive = self.alive();
        if alive.is_empty() {
            return false;
        }
        self.0.dice.pick(&alive).cut();
        true
    }

    /// Lets nothing arrive on a client's connections before a time, in ns; says how many connections that are.
    pub fn stall(&self, peer: &str, until_ns: u64) -> usize {
        let alive = self.alive();
        let own = alive.iter().filter(|connection| connection.peer == peer);
        own.inspect(|connection| connection.stalled_until_ns.set(until_ns)).count()
    }

    /// Cuts them all, as the end of the broker's process does.
    pub fn cut_all(&self) {
        self.alive().iter().for_each(|connection| connection.cut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;

    fn network(seed: u64) -> (Executor, Net) {
        let executor = Executor::new(Clock::default(), Dice::new(seed));
        let profile = NetProfile { delay: Duration::from_micros(10)..=Duration::from_millis(5), partial_percent: 50 };
        let net = Net::new(executor.clock().clone(), Dice::new(seed), profile);
        (executor, net)
    }

    #[test]
    fn bytes_arrive_in_order_in_pieces_and_then_the_end() {
        let (executor, net) = network(3);
        let (client, broker) = net.connect("c");
        let received = executor.run(async move {
            let numbers: Vec<Bytes> = (0..50u8).map(|byte| Bytes::from(vec![byte; 3])).collect();
            broker.write(numbers).await.unwrap();
            broker.shutdown();
            let mut received = Vec::new();
            loop {
                let bytes = client.read().await.unwrap();
                if bytes.is_empty() {
                    return received;
                }
                received.extend_from_slice(&bytes);
            }
        });
        let expected: Vec<u8> = (0..50).flat_map(|byte| [byte; 3]).collect();
        assert_eq!(received.unwrap(), expected);
    }

    #[test]
    fn a_cut_ends_both_sides_at_once() {
        let (executor, net) = network(4);
        let (client, broker) = net.connect("c");
        let ended = executor.run(async move {
            client.write(vec![Bytes::from_static(b"lost")]).await.unwrap();
            assert!(net.cut_one() && !net.cut_one());
            let (read, _) = broker.read(BytesMut::with_capacity(16)).await;
            (read.map_err(|error| error.kind()), client.read().await.is_err())
        });
        assert_eq!(ended.unwrap(), (Err(io::ErrorKind::ConnectionReset), true));
    }

    #[test]
    fn a_writer_waits_for_a_reader_that_falls_behind() {
        let (executor, net) = network(5);
        let clock = executor.clock().clone();
        let (client, broker) = net.connect("c");
        let ended = executor.run(async move {
            let chunks: Vec<Bytes> = (0..20).map(|_| Bytes::from(vec![0; WINDOW_BYTES / 4])).collect();
            let full = clock.timeout(Duration::from_secs(1), broker.write(chunks)).await.is_none();
            (full, !client.read().await.unwrap().is_empty())
        });
        assert_eq!(ended.unwrap(), (true, true));
    }
}
