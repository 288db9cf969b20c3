//! What a worker lends to the clients that it drives: the clock, sockets, counters, and a way to tell the control thread.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use mio::{Registry, Token};

use super::board::{Board, Counters};
use super::clock::{Clock, Nanos};
use super::connection::{Connection, Versions};
use super::recorder::{Recorded, Window};
use super::topology::{SharedTopology, Topology};

/// Whose connection a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A producer's, by its place on the worker, and which of its links.
    Producer(usize, usize),
    /// A reader's, by its place on the worker, and which of its links.
    Reader(usize, usize),
    /// A reader's to its group's coordinator.
    Coordinator(usize),
}

/// Tokens and their owners.
#[derive(Debug, Default)]
pub struct Tokens {
    owners: Vec<Option<Owner>>,
    free: Vec<usize>,
}

impl Tokens {
    /// A token that nobody has.
    pub fn allocate(&mut self, owner: Owner) -> Token {
        let place = self.free.pop().unwrap_or_else(|| {
            self.owners.push(None);
            self.owners.len() - 1
        });
        self.owners[place] = Some(owner);
        Token(place)
    }

    /// Gives a token back.
    pub fn release(&mut self, token: Token) {
        if self.owners.get_mut(token.0).and_then(Option::take).is_some() {
            self.free.push(token.0);
        }
    }

    /// Whose it is; none when the event is about a connection that is gone.
    pub fn owner(&self, token: Token) -> Option<Owner> {
        self.owners.get(token.0).copied().flatten()
    }
}

/// What the control thread hears from a worker, besides counters.
#[derive(Debug)]
pub enum Notice {
    /// An interval is over.
    Interval {
        /// Which worker.
        worker: usize,
        /// When it began.
        from: Nanos,
        /// When it ended.
        to: Nanos,
        /// What was recorded.
        recorded: Box<Recorded>,
    },
    /// A member's partitions are others.
    Assigned {
        /// The group.
        group: usize,
        /// The member.
        member: usize,
        /// All that it holds now.
        partitions: Vec<i32>,
        /// When.
        at: Nanos,
    },
    /// A member has had its first record of a partition that it was given.
    FirstRecord {
        /// The group.
        group: usize,
        /// The member.
        member: usize,
        /// The partition.
        partition: i32,
        /// When.
        at: Nanos,
    },
    /// Something went wrong that the client goes on from, or has to give up at.
    Trouble {
        /// Whether it has given up.
        is_fatal: bool,
        /// What happened.
        text: String,
        /// When.
        at: Nanos,
    },
}

/// What is lent.
pub struct Context<'a> {
    /// Now, as of the loop's turn.
    pub now: Nanos,
    /// The run's clock.
    pub clock: Clock,
    /// Which records' latencies count.
    pub window: Window,
    /// Names the run in each record.
    pub run: u32,
    /// Where sockets are registered.
    pub registry: &'a Registry,
    /// Whose sockets are whose.
    pub tokens: &'a mut Tokens,
    /// What is recorded.
    pub recorded: &'a mut Recorded,
    /// The worker's counters.
    pub counters: &'a Counters,
    /// What all see.
    pub board: &'a Board,
    /// Where everything is.
    pub topology: &'a Arc<Topology>,
    /// Where a newer one is asked for.
    pub shared_topology: &'a SharedTopology,
    /// What the brokers speak.
    pub versions: &'a Arc<Versions>,
    /// The client's name.
    pub client_id: &'a Arc<str>,
    /// To the control thread.
    pub notices: &'a Sender<Notice>,
}

impl Context<'_> {
    /// Begins to connect to a broker.
    ///
    /// # Errors
    /// NotConnected when its address is unknown, and what the socket says.
    pub fn open<T>(&mut self, node: i32, owner: Owner) -> io::Result<Link<T>> {
        let address: SocketAddr = *self.topology.brokers.get(&node).ok_or(io::ErrorKind::NotConnected)?;
        let token = self.tokens.allocate(owner);
        match Connection::open(address, self.versions.clone(), self.client_id.clone(), self.registry, token) {
            Ok(connection) => Ok(Link { connection, token }),
            Err(error) => {
                self.tokens.release(token);
                Err(error)
            }
        }
    }

    /// Closes a connection; what was sent on it and not answered comes back, oldest first.
    pub fn close<T>(&mut self, link: Link<T>) -> impl Iterator<Item = T> + use<T> {
        self.tokens.release(link.token);
        link.connection.close(self.registry)
    }

    /// Tells the control thread. It is gone only when the run is over.
    pub fn tell(&self, notice: Notice) {
        let _ = self.notices.send(notice);
    }

    /// Tells of trouble.
    pub fn trouble(&self, is_fatal: bool, text: String) {
        self.tell(Notice::Trouble { is_fatal, text, at: self.now });
    }
}

/// A connection and its token.
#[derive(Debug)]
pub struct Link<T> {
    /// The connection.
    pub connection: Connection<T>,
    /// Its token.
    pub token: Token,
}
