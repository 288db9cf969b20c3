//! One non-blocking connection to one broker: frames, correlation ids, requests in flight.
//!
//! `T` is what the owner wants back with an answer. Driving contract: [`Connection::send`] queues, [`Connection::flush`] writes what the
//! socket takes (call it after sending and when the socket is writable); when the socket is readable call [`Connection::read`], then
//! [`Connection::next_answer`] until there is none. Readiness is edge-triggered, so both go on until the socket would block.
//!
//! Invariants: answers come in the order of their requests; a correlation id that says otherwise, a frame beyond
//! [`RESPONSE_BYTES_MAX`] and a body with bytes left are errors. After an error a connection is to be dropped. Record bytes are never
//! copied: on the way out they are written from the batch, on the way in they are read where the socket put them.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use wire::api::ApiKey;
use wire::codec::Reader;
use wire::header::{FRAME_LENGTH_BYTES, ResponseHeader, request_chunks};
use wire::message::{Api, Message};

use super::EngineError;

/// The largest response that is read, in bytes; more than any fetch asks for.
const RESPONSE_BYTES_MAX: usize = 256 << 20;
/// Bytes of the input buffer to begin with; it grows to the largest frame.
const INPUT_BYTES: usize = 64 << 10;
/// Frames up to this size are copied out of the input, because moving the buffer costs more.
const COPIED_BYTES_MAX: usize = 8 << 10;
/// Pieces in one write.
const SLICES_MAX: usize = 64;

/// The highest version of each API that both sides speak.
pub type Versions = BTreeMap<ApiKey, i16>;

/// A request without an answer.
#[derive(Debug)]
struct Pending<T> {
    correlation_id: i32,
    api: ApiKey,
    version: i16,
    token: T,
}

/// An answer, not decoded yet.
#[derive(Debug)]
pub struct Answer<T> {
    /// What the request was sent with.
    pub token: T,
    api: ApiKey,
    version: i16,
    frame: Bytes,
}

impl<T> Answer<T> {
    /// The API that was asked.
    pub fn api(&self) -> ApiKey {
        self.api
    }

    /// Decodes it; record bytes are slices of the input.
    ///
    /// # Errors
    /// [`EngineError::Nonsense`] when it is not what was asked for.
    ///
    /// # Panics
    /// If another API was asked.
    pub fn decode<A: Api>(&self) -> Result<A::Response, EngineError> {
        assert_eq!(self.api.key(), A::KEY, "an answer is read as what was asked for");
        let nonsense = |error: &dyn std::fmt::Display| EngineError::nonsense(self.api, error);
        let mut reader = Reader::shared(&self.frame);
        ResponseHeader::decode(&mut reader, self.api.response_header_version(self.version))
            .map_err(|error| nonsense(&error))?;
        let response = A::Response::decode(&mut reader, self.version).map_err(|error| nonsense(&error))?;
        if reader.left() > 0 {
            return Err(nonsense(&format_args!("{} bytes too many", reader.left())));
        }
        Ok(response)
    }
}

/// A connection.
#[derive(Debug)]
pub struct Connection<T> {
    socket: TcpStream,
    versions: Arc<Versions>,
    client_id: Arc<str>,
    next_correlation_id: i32,
    in_flight: VecDeque<Pending<T>>,
    output: VecDeque<Bytes>,
    input: Vec<u8>,
    filled: usize,
    /// Whole frames that are being handed out, and the buffer that they lie in.
    frames: Bytes,
    lent: Option<Bytes>,
    /// The buffer that takes the input's place while that is lent.
    spare: Vec<u8>,
    is_connected: bool,
}

impl<T> Connection<T> {
    /// Begins to connect; what is sent before that has succeeded waits.
    ///
    /// # Errors
    /// When no socket is to be had.
    pub fn open(
        address: SocketAddr,
        versions: Arc<Versions>,
        client_id: Arc<str>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Connection {
            socket,
            versions,
            client_id,
            next_correlation_id: 0,
            in_flight: VecDeque::new(),
            output: VecDeque::new(),
            input: vec![0; INPUT_BYTES],
            filled: 0,
            frames: Bytes::new(),
            lent: None,
            spare: Vec::new(),
            is_connected: false,
        })
    }

    /// Requests without an answer.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether everything sent has been written to the socket.
    pub fn is_flushed(&self) -> bool {
        self.output.is_empty()
    }

    /// The version in which an API is spoken, if the broker has it.
    pub fn version(&self, api: ApiKey) -> Option<i16> {
        self.versions.get(&api).copied()
    }

    /// Queues a request that will be answered.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`].
    pub fn send<A: Api>(&mut self, request: &A, token: T) -> Result<(), EngineError> {
        let (api, version, correlation_id) = self.queue(request)?;
        self.in_flight.push_back(Pending { correlation_id, api, version, token });
        Ok(())
    }

    /// Queues a request that is never answered: Produce with acks = 0.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`].
    pub fn send_unanswered<A: Api>(&mut self, request: &A) -> Result<(), EngineError> {
        self.queue(request).map(|_| ())
    }

    fn queue<A: Api>(&mut self, request: &A) -> Result<(ApiKey, i16, i32), EngineError> {
        let api = ApiKey::from_key(A::KEY).expect("every Api is in the table");
        let version = self.version(api).ok_or(EngineError::Unsupported { api: api.name() })?;
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id = correlation_id.wrapping_add(1);
        self.output.extend(request_chunks(correlation_id, version, Some(&self.client_id), request));
        Ok((api, version, correlation_id))
    }

    /// Writes until all is written or the socket is full.
    ///
    /// # Errors
    /// Those of the socket; connecting may have failed.
    pub fn flush(&mut self) -> io::Result<()> {
        if !self.is_connected {
            if let Some(error) = self.socket.take_error()? {
                return Err(error);
            }
            match self.socket.peer_addr() {
                Ok(_) => self.socket.set_nodelay(true)?,
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(()),
                Err(error) => return Err(error),
            }
            self.is_connected = true;
        }
        while !self.output.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut used = 0;
            for (slice, chunk) in slices.iter_mut().zip(&self.output) {
                *slice = IoSlice::new(chunk);
                used += 1;
            }
            match self.socket.write_vectored(&slices[..used]) {
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(front) = self.output.front_mut() {
            if written < front.len() {
                bytes::Buf::advance(front, written);
                return;
            }
            written -= front.len();
            self.output.pop_front();
        }
    }

    /// Reads what the socket has. True when its buffer filled up: take the answers and call again.
    ///
    /// # Errors
    /// Those of the socket, UnexpectedEof when the broker has closed it.
    pub fn read(&mut self) -> io::Result<bool> {
        loop {
            if self.filled == self.input.len() {
                return Ok(true);
            }
            match self.socket.read(&mut self.input[self.filled..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(bytes) => self.filled += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Connecting is not over yet.
                Err(error) if error.kind() == ErrorKind::NotConnected && !self.is_connected => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// The oldest answer that has come. Drop it before asking for the next: the input buffer is then used again.
    ///
    /// # Errors
    /// [`EngineError::Nonsense`].
    pub fn next_answer(&mut self) -> Result<Option<Answer<T>>, EngineError> {
        if self.frames.is_empty() {
            self.reclaim();
            if !self.take_frames()? {
                return Ok(None);
            }
        }
        let length = frame_length(&self.frames).unwrap_or(0);
        let mut frame = self.frames.split_to(FRAME_LENGTH_BYTES + length);
        bytes::Buf::advance(&mut frame, FRAME_LENGTH_BYTES);
        let Some(pending) = self.in_flight.pop_front() else {
            return Err(EngineError::nonsense(ApiKey::ApiVersions, &"an answer to no request"));
        };
        let correlation_id = frame.first_chunk().map(|bytes| i32::from_be_bytes(*bytes));
        if correlation_id != Some(pending.correlation_id) {
            let detail = format!("correlation id {correlation_id:?} where {} is due", pending.correlation_id);
            return Err(EngineError::nonsense(pending.api, &detail));
        }
        Ok(Some(Answer { token: pending.token, api: pending.api, version: pending.version, frame }))
    }

    /// Takes the whole frames of the input into [`Self::frames`]; false when there is none. Makes room for a frame that is longer than
    /// the input.
    fn take_frames(&mut self) -> Result<bool, EngineError> {
        let mut end = 0;
        let mut needed = 0;
        while let Some(length) = frame_length(&self.input[end..self.filled]) {
            let whole = FRAME_LENGTH_BYTES.saturating_add(length);
            if whole > RESPONSE_BYTES_MAX {
                let api = self.in_flight.front().map_or(ApiKey::ApiVersions, |pending| pending.api);
                return Err(EngineError::nonsense(api, &format_args!("a frame of {length} bytes")));
            }
            if whole > self.filled - end {
                needed = whole;
                break;
            }
            end += whole;
        }
        if end == 0 {
            if needed > self.input.len() {
                self.input.resize(needed.next_power_of_two(), 0);
            }
            return Ok(false);
        }
        let rest = end..self.filled;
        if end <= COPIED_BYTES_MAX {
            self.frames = Bytes::copy_from_slice(&self.input[..end]);
            self.input.copy_within(rest.clone(), 0);
        } else {
            let mut fresh = std::mem::take(&mut self.spare);
            fresh.resize(fresh.len().max(self.input.len()).max(needed), 0);
            fresh[..rest.len()].copy_from_slice(&self.input[rest.clone()]);
            let lent = Bytes::from(std::mem::replace(&mut self.input, fresh));
            self.frames = lent.slice(..end);
            self.lent = Some(lent);
        }
        self.filled = rest.len();
        Ok(true)
    }

    /// Takes the lent buffer back when nobody holds a frame of it any more.
    fn reclaim(&mut self) {
        self.frames = Bytes::new();
        if let Some(Ok(buffer)) = self.lent.take().map(Bytes::try_into_mut) {
            self.spare = Vec::from(buffer);
        }
    }

    /// Closes it and hands back what was sent and not answered, oldest first.
    pub fn close(mut self, registry: &Registry) -> impl Iterator<Item = T> + use<T> {
        // An error means that it was closed already.
        let _ = registry.deregister(&mut self.socket);
        self.in_flight.into_iter().map(|pending| pending.token)
    }
}

/// The length that a frame begins with; a negative one is beyond every bound.
fn frame_length(bytes: &[u8]) -> Option<usize> {
    let length = i32::from_be_bytes(*bytes.first_chunk::<FRAME_LENGTH_BYTES>()?);
    Some(usize::try_from(length).unwrap_or(usize::MAX))
}
