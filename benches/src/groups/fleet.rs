//! Many members and other requesters on few connections, in one thread.
//!
//! The owner calls [`Fleet::turn`] again and again; each call sends what members have due, waits for the sockets, and tells what came.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Instant;

use wire::message::Api;

use super::GroupsError;
use super::connection::{Answer, Connection, Sent};
use super::member::{Member, News};
use crate::driver::Poll;

/// Whom an answer concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Member(usize),
    /// Somebody whom the owner knows by this number.
    Guest(u64),
    /// Nobody: the answer is not read.
    Nobody,
}

/// What a turn has brought.
pub(super) enum Event {
    Member { member: usize, news: News, sent: Sent<Token>, received: Instant },
    Guest { number: u64, answer: Answer<Token> },
}

struct Seat {
    member: Member,
    connection: usize,
    /// Neither sends nor listens any more.
    silent: bool,
}

pub(super) struct Fleet {
    poll: Poll,
    connections: Vec<Option<Connection<Token>>>,
    seats: Vec<Seat>,
    /// When members have something due; entries that are out of date are passed over.
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
}

impl Fleet {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { poll: Poll::new()?, connections: Vec::new(), seats: Vec::new(), timers: BinaryHeap::new() })
    }

    /// Opens a connection and returns its number.
    pub(super) fn open(&mut self, address: SocketAddr) -> io::Result<usize> {
        let number = self.connections.len();
        let connection = Connection::open(address)?;
        self.poll.add(connection.as_raw_fd(), number as u32)?;
        self.connections.push(Some(connection));
        Ok(number)
    }

    /// Closes a connection; what it still owed is not awaited.
    pub(super) fn close(&mut self, connection: usize) {
        self.connections[connection] = None;
    }

    /// Gives a member its connection, and returns its number.
    pub(super) fn seat(&mut self, member: Member, connection: usize) -> usize {
        self.seats.push(Seat { member, connection, silent: false });
        let number = self.seats.len() - 1;
        self.schedule(number);
        number
    }

    pub(super) fn member(&self, member: usize) -> &Member {
        &self.seats[member].member
    }

    /// See [`Member::pace`].
    pub(super) fn pace(&mut self, member: usize, interval: std::time::Duration, due: Instant) {
        self.seats[member].member.pace(interval, due);
        self.schedule(member);
    }

    /// From now on the member neither sends nor listens; its connection stays open.
    pub(super) fn silence(&mut self, member: usize) {
        self.seats[member].silent = true;
    }

    /// The member says goodbye and is silent afterwards.
    pub(super) fn leave(&mut self, member: usize) -> io::Result<()> {
        let seat = &mut self.seats[member];
        seat.silent = true;
        match &mut self.connections[seat.connection] {
            Some(connection) => seat.member.leave(connection, Token::Nobody),
            None => Ok(()),
        }
    }

    /// Sends a request of somebody else's.
    pub(super) fn send<A: Api>(
        &mut self,
        connection: usize,
        request: &A,
        version: i16,
        token: Token,
        due: Instant,
    ) -> io::Result<()> {
        match &mut self.connections[connection] {
            Some(connection) => connection.send(request, version, token, due),
            None => Ok(()),
        }
    }

    /// Requests that have no answer, on all connections.
    pub(super) fn unanswered(&self) -> usize {
        self.connections.iter().flatten().map(Connection::unanswered).sum()
    }

    fn schedule(&mut self, member: usize) {
        if let Some(due) = self.seats[member].member.due() {
            self.timers.push(Reverse((due, member)));
        }
    }

    /// Sends what members have due, waits until `until` at the latest, and appends what has come.
    pub(super) fn turn(&mut self, until: Instant, events: &mut Vec<Event>) -> Result<(), GroupsError> {
        let next = self.send_due(Instant::now())?;
        let wake = next.map_or(until, |next| next.min(until));
        let mut ready = Vec::new();
        self.poll.wait(wake.saturating_duration_since(Instant::now()), &mut ready)?;
        let mut answers = Vec::new();
        for number in ready {
            if let Some(connection) = &mut self.connections[number as usize] {
                connection.flush()?;
                connection.read(&mut answers)?;
            }
        }
        for answer in answers {
            self.take(answer, events)?;
        }
        Ok(())
    }

    /// Returns when the next member has something due.
    fn send_due(&mut self, now: Instant) -> Result<Option<Instant>, GroupsError> {
        while let Some(&Reverse((due, number))) = self.timers.peek() {
            if due > now {
                return Ok(Some(due));
            }
            self.timers.pop();
            let seat = &mut self.seats[number];
            if seat.silent || seat.member.due() != Some(due) {
                continue;
            }
            if let Some(connection) = &mut self.connections[seat.connection] {
                seat.member.ask(connection, Token::Member(number))?;
            }
        }
        Ok(None)
    }

    fn take(&mut self, answer: Answer<Token>, events: &mut Vec<Event>) -> Result<(), GroupsError> {
        match answer.sent.token {
            Token::Nobody => {}
            Token::Guest(number) => events.push(Event::Guest { number, answer }),
            Token::Member(member) => {
                let seat = &mut self.seats[member];
                if !seat.silent {
                    let news = seat.member.take(&answer)?;
                    events.push(Event::Member { member, news, sent: answer.sent, received: answer.received });
                    self.schedule(member);
                }
            }
        }
        Ok(())
    }
}
