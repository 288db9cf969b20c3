//! One non-blocking connection that carries the requests of many.
//!
//! Invariant: a broker answers a connection's requests in order, so an answer belongs to the oldest request that has none. A broker may
//! hold an answer back (JoinGroup, Fetch) and everything behind it: who shares a connection must not wait for each other.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Instant;

use wire::api::ApiKey;
use wire::codec::Reader;
use wire::header::{FRAME_LENGTH_BYTES, ResponseHeader, request_frame};
use wire::message::{Api, Message};

use super::GroupsError;
use crate::driver::set_congestion_control;

/// No answer that is asked for here comes near this.
const ANSWER_BYTES_MAX: usize = 16 << 20;
const READ_BYTES: usize = 64 << 10;
const CLIENT_ID: &str = "groups";

/// A request and what its answer is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent<T> {
    correlation_id: i32,
    /// Whom the answer concerns.
    pub(super) token: T,
    /// When it should have been sent.
    pub(super) due: Instant,
    /// When it was.
    pub(super) at: Instant,
}

/// An answer, without its length.
pub(super) struct Answer<T> {
    pub(super) sent: Sent<T>,
    pub(super) received: Instant,
    frame: Vec<u8>,
}

impl<T> Answer<T> {
    /// Reads it as one to a request of `A` in `version`.
    ///
    /// # Errors
    /// When it is no such answer.
    pub(super) fn decode<A: Api>(&self, version: i16) -> Result<A::Response, GroupsError> {
        let malformed = || GroupsError::Malformed(ApiKey::from_key(A::KEY).map_or("?", ApiKey::name));
        let api = ApiKey::from_key(A::KEY).ok_or_else(malformed)?;
        let mut reader = Reader::new(&self.frame);
        let header =
            ResponseHeader::decode(&mut reader, api.response_header_version(version)).map_err(|_| malformed())?;
        if header.correlation_id != self.sent.correlation_id {
            return Err(malformed());
        }
        A::Response::decode(&mut reader, version).map_err(|_| malformed())
    }
}

pub(super) struct Connection<T> {
    socket: TcpStream,
    output: Vec<u8>,
    /// Bytes of `output` that the socket has taken.
    written: usize,
    input: Vec<u8>,
    unanswered: VecDeque<Sent<T>>,
    correlation_id: i32,
}

impl<T> Connection<T> {
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        set_congestion_control(&socket, "cubic")?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            output: Vec::new(),
            written: 0,
            input: Vec::new(),
            unanswered: VecDeque::new(),
            correlation_id: 0,
        })
    }

    /// Sends a request, as far as the socket takes it; the rest goes with the next [`Self::flush`].
    pub(super) fn send<A: Api>(&mut self, request: &A, version: i16, token: T, due: Instant) -> io::Result<()> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        self.output.extend_from_slice(&request_frame(self.correlation_id, version, Some(CLIENT_ID), request));
        self.unanswered.push_back(Sent { correlation_id: self.correlation_id, token, due, at: Instant::now() });
        self.flush()
    }

    /// Requests that have no answer yet.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.written < self.output.len() {
            match self.socket.write(&self.output[self.written..]) {
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(())
    }

    /// Appends every answer that is there to `answers`.
    ///
    /// # Errors
    /// When the broker has closed the connection, or sends what nobody asked for.
    pub(super) fn read(&mut self, answers: &mut Vec<Answer<T>>) -> Result<(), GroupsError> {
        let mut scratch = [0; READ_BYTES];
        loop {
            match self.socket.read(&mut scratch) {
                Ok(0) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
                Ok(bytes) => {
                    self.input.extend_from_slice(&scratch[..bytes]);
                    self.cut(answers)?;
                    // A short read has emptied the socket (epoll(7)): what comes later is a new event.
                    if bytes < READ_BYTES {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn cut(&mut self, answers: &mut Vec<Answer<T>>) -> Result<(), GroupsError> {
        let received = Instant::now();
        let mut start = 0;
        while let Some(length) = self.input[start..].first_chunk::<FRAME_LENGTH_BYTES>() {
            let length = u32::from_be_bytes(*length) as usize;
            if length > ANSWER_BYTES_MAX {
                return Err(GroupsError::Malformed("a frame"));
            }
            let (from, end) = (start + FRAME_LENGTH_BYTES, start + FRAME_LENGTH_BYTES + length);
            let Some(frame) = self.input.get(from..end) else { break };
            let sent = self.unanswered.pop_front().ok_or(GroupsError::Malformed("an answer to no request"))?;
            answers.push(Answer { sent, received, frame: frame.to_vec() });
            start = end;
        }
        self.input.drain(..start);
        Ok(())
    }
}

impl<T> AsRawFd for Connection<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
