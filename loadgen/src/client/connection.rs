//! One TCP connection to one broker.
//!
//! Invariants: every request is of the highest version that both sides speak; responses come in the order of their requests,
//! as Kafka promises, and a correlation id that says otherwise is an error. After an error a connection is to be dropped.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wire::ErrorCode;
use wire::api::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};
use wire::codec::Reader;
use wire::header::{ResponseHeader, request_chunks};
use wire::message::{Api, Message};

use super::ClientError;

/// The largest response that is read, in bytes; more than any fetch here asks for.
const RESPONSE_BYTES_MAX: usize = 256 << 20;
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Name given in ApiVersions.
const SOFTWARE_NAME: &str = "partita-loadgen";

/// Where a broker listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Address {
    /// Reads `host:port`, several of them separated by commas; an IPv6 address stands in brackets.
    ///
    /// # Errors
    /// [`ClientError::Address`].
    pub fn parse_list(text: &str) -> Result<Vec<Address>, ClientError> {
        let invalid = |reason| ClientError::Address { text: text.to_owned(), reason };
        let mut addresses = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (host, port) = entry.rsplit_once(':').ok_or_else(|| invalid("no port"))?;
            let port = port.parse().map_err(|_| invalid("the port is a number from 1 to 65535"))?;
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            if host.is_empty() {
                return Err(invalid("no host"));
            }
            addresses.push(Address { host: host.to_owned(), port });
        }
        if addresses.is_empty() { Err(invalid("it is empty")) } else { Ok(addresses) }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A request whose answer is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlight {
    api: ApiKey,
    version: i16,
    correlation_id: i32,
}

/// What both halves know of the broker at the other end.
#[derive(Debug)]
struct Peer {
    address: String,
    client_id: String,
    /// Highest version that both sides speak, by API.
    versions: BTreeMap<ApiKey, i16>,
}

/// The half that sends.
#[derive(Debug)]
pub struct RequestSender {
    peer: Arc<Peer>,
    stream: TcpStream,
    next_correlation_id: i32,
}

impl RequestSender {
    /// The version in which an API is spoken on this connection.
    ///
    /// # Errors
    /// [`ClientError::Unsupported`].
    pub fn version<A: Api>(&self) -> Result<i16, ClientError> {
        let api = key_of::<A>();
        self.peer
            .versions
            .get(&api)
            .copied()
            .ok_or_else(|| ClientError::Unsupported { address: self.peer.address.clone(), api: api.name() })
    }

    /// Sends a request; its answer is to be received with what this returns, unless it is one that has none (acks=0).
    ///
    /// # Errors
    /// [`ClientError::Unsupported`], or [`ClientError::Io`] after which the connection is to be dropped.
    pub fn send<A: Api>(&mut self, request: &A) -> Result<InFlight, ClientError> {
        let version = self.version::<A>()?;
        self.send_as(request, version)
    }

    fn send_as<A: Api>(&mut self, request: &A, version: i16) -> Result<InFlight, ClientError> {
        let api = key_of::<A>();
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id = correlation_id.wrapping_add(1);
        for chunk in request_chunks(correlation_id, version, Some(&self.peer.client_id), request) {
            self.stream.write_all(&chunk).map_err(|error| broken(&self.peer, api, error))?;
        }
        Ok(InFlight { api, version, correlation_id })
    }
}

/// The half that receives.
#[derive(Debug)]
pub struct ResponseReceiver {
    peer: Arc<Peer>,
    stream: TcpStream,
    timeout: Duration,
}

impl ResponseReceiver {
    /// How long an answer may take from now on.
    ///
    /// # Errors
    /// [`ClientError::Io`].
    pub fn set_timeout(&mut self, timeout: Duration) -> Result<(), ClientError> {
        if self.timeout != timeout {
            self.stream
                .set_read_timeout(Some(timeout))
                .map_err(|error| broken(&self.peer, ApiKey::ApiVersions, error))?;
            self.timeout = timeout;
        }
        Ok(())
    }

    /// Receives the answer to `request`, which must be the oldest that has none.
    ///
    /// # Errors
    /// [`ClientError::Io`], [`ClientError::Timeout`] or [`ClientError::Malformed`], after which the connection is to be dropped.
    ///
    /// # Panics
    /// If `request` is of another API than `A`.
    pub fn receive<A: Api>(&mut self, request: InFlight) -> Result<A::Response, ClientError> {
        assert_eq!(request.api, key_of::<A>(), "an answer is read as what was asked for");
        let frame = self.read_frame(request.api)?;
        self.decode::<A>(request, &frame)
    }

    fn read_frame(&mut self, api: ApiKey) -> Result<Bytes, ClientError> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).map_err(|error| self.failed(api, error))?;
        let length = i32::from_be_bytes(length);
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= RESPONSE_BYTES_MAX)
            .ok_or_else(|| malformed(&self.peer, api, format!("a frame of {length} bytes")))?;
        let mut frame = vec![0; length];
        self.stream.read_exact(&mut frame).map_err(|error| self.failed(api, error))?;
        Ok(Bytes::from(frame))
    }

    fn decode<A: Api>(&self, request: InFlight, frame: &Bytes) -> Result<A::Response, ClientError> {
        let mut reader = Reader::shared(frame);
        let header_version = request.api.response_header_version(request.version);
        let header = ResponseHeader::decode(&mut reader, header_version)
            .map_err(|error| malformed(&self.peer, request.api, error.to_string()))?;
        if header.correlation_id != request.correlation_id {
            let detail = format!("correlation id {} where {} is due", header.correlation_id, request.correlation_id);
            return Err(malformed(&self.peer, request.api, detail));
        }
        let response = A::Response::decode(&mut reader, request.version)
            .map_err(|error| malformed(&self.peer, request.api, error.to_string()))?;
        if reader.left() > 0 {
            return Err(malformed(&self.peer, request.api, format!("{} bytes too many", reader.left())));
        }
        Ok(response)
    }

    fn failed(&self, api: ApiKey, error: io::Error) -> ClientError {
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            let address = self.peer.address.clone();
            return ClientError::Timeout { address, api: api.name(), timeout_ms: self.timeout.as_millis() };
        }
        broken(&self.peer, api, error)
    }
}

/// A connection whose versions are agreed on.
#[derive(Debug)]
pub struct Connection {
    sender: RequestSender,
    receiver: ResponseReceiver,
    in_flight: VecDeque<InFlight>,
}

impl Connection {
    /// Connects and asks for the broker's versions. `timeout` holds for every answer.
    ///
    /// # Errors
    /// [`ClientError::Connect`], and what the first call may meet.
    pub fn open(address: &Address, client_id: &str, timeout: Duration) -> Result<Connection, ClientError> {
        let refused = |error| ClientError::Connect { address: address.to_string(), error };
        let stream = address.connect().map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        stream.set_read_timeout(Some(timeout)).map_err(refused)?;
        stream.set_write_timeout(Some(timeout)).map_err(refused)?;
        let peer = Peer { address: address.to_string(), client_id: client_id.to_owned(), versions: BTreeMap::new() };
        let peer = Arc::new(peer);
        let receiver = ResponseReceiver { peer: peer.clone(), stream: stream.try_clone().map_err(refused)?, timeout };
        let sender = RequestSender { peer, stream, next_correlation_id: 0 };
        let mut connection = Connection { sender, receiver, in_flight: VecDeque::new() };
        connection.agree_on_versions()?;
        Ok(connection)
    }

    /// ApiVersions in the highest version of ours; a broker that does not know it answers in the form of v0 and lists those
    /// that it does.
    fn agree_on_versions(&mut self) -> Result<(), ClientError> {
        let api = ApiKey::ApiVersions;
        let request = ApiVersionsRequest {
            client_software_name: SOFTWARE_NAME.into(),
            client_software_version: env!("CARGO_PKG_VERSION").into(),
        };
        let mut version = *ApiVersionsRequest::VERSIONS.end();
        let answer = loop {
            let sent = self.sender.send_as(&request, version)?;
            let frame = self.receiver.read_frame(api)?;
            let code = frame.get(4..6).map(|code| i16::from_be_bytes([code[0], code[1]]));
            if code == Some(ErrorCode::UnsupportedVersion.code()) && version > 0 {
                let offered: ApiVersionsResponse =
                    self.receiver.decode::<ApiVersionsRequest>(InFlight { version: 0, ..sent }, &frame)?;
                let own = offered.api_keys.iter().find(|offer| offer.api_key == api.key());
                version = own.map_or(0, |offer| offer.max_version.clamp(0, version - 1));
                continue;
            }
            break self.receiver.decode::<ApiVersionsRequest>(sent, &frame)?;
        };
        super::check(answer.error_code, None, || "asking the broker for its versions".into())?;
        let mut versions = BTreeMap::new();
        for offer in &answer.api_keys {
            if let Some(key) = ApiKey::from_key(offer.api_key) {
                let highest = offer.max_version.min(*key.versions().end());
                if highest >= offer.min_version.max(*key.versions().start()) {
                    versions.insert(key, highest);
                }
            }
        }
        let old = &self.sender.peer;
        let peer = Arc::new(Peer { address: old.address.clone(), client_id: old.client_id.clone(), versions });
        self.receiver.peer = peer.clone();
        self.sender.peer = peer;
        Ok(())
    }

    /// host:port of the broker.
    pub fn address(&self) -> &str {
        &self.sender.peer.address
    }

    /// The highest version of each API that both sides speak.
    pub fn versions(&self) -> &BTreeMap<ApiKey, i16> {
        &self.sender.peer.versions
    }

    /// See [`RequestSender::version`].
    ///
    /// # Errors
    /// [`ClientError::Unsupported`].
    pub fn version<A: Api>(&self) -> Result<i16, ClientError> {
        self.sender.version::<A>()
    }

    /// Sends a request and leaves its answer to a later [`Connection::receive`].
    ///
    /// # Errors
    /// Those of [`RequestSender::send`].
    pub fn send<A: Api>(&mut self, request: &A) -> Result<(), ClientError> {
        let sent = self.sender.send(request)?;
        self.in_flight.push_back(sent);
        Ok(())
    }

    /// Sends a request that the broker does not answer: Produce with acks=0.
    ///
    /// # Errors
    /// Those of [`RequestSender::send`].
    pub fn send_unanswered<A: Api>(&mut self, request: &A) -> Result<(), ClientError> {
        self.sender.send(request).map(|_| ())
    }

    /// Receives the oldest answer that is due.
    ///
    /// # Errors
    /// Those of [`ResponseReceiver::receive`].
    ///
    /// # Panics
    /// If none is due, or that of another API.
    pub fn receive<A: Api>(&mut self) -> Result<A::Response, ClientError> {
        let oldest = self.in_flight.pop_front().expect("an answer is due");
        self.receiver.receive::<A>(oldest)
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// Those of [`Connection::send`] and [`Connection::receive`].
    ///
    /// # Panics
    /// If another answer is due.
    pub fn call<A: Api>(&mut self, request: &A) -> Result<A::Response, ClientError> {
        assert!(self.in_flight.is_empty(), "a call finds no other answer due");
        self.send(request)?;
        self.receive::<A>()
    }

    /// As [`Connection::call`], for an answer that may take longer or is needed sooner.
    ///
    /// # Errors
    /// Those of [`Connection::call`].
    pub fn call_within<A: Api>(&mut self, request: &A, timeout: Duration) -> Result<A::Response, ClientError> {
        let before = self.receiver.timeout;
        self.receiver.set_timeout(timeout)?;
        let response = self.call(request)?;
        self.receiver.set_timeout(before)?;
        Ok(response)
    }

    /// The two halves, for a thread each.
    ///
    /// # Panics
    /// If an answer is due.
    pub fn split(self) -> (RequestSender, ResponseReceiver) {
        assert!(self.in_flight.is_empty(), "no answer is due when a connection is split");
        (self.sender, self.receiver)
    }
}

fn key_of<A: Api>() -> ApiKey {
    ApiKey::from_key(A::KEY).expect("every Api is in the table")
}

fn broken(peer: &Peer, api: ApiKey, error: io::Error) -> ClientError {
    ClientError::Io { address: peer.address.clone(), api: api.name(), error }
}

fn malformed(peer: &Peer, api: ApiKey, detail: String) -> ClientError {
    ClientError::Malformed { address: peer.address.clone(), api: api.name(), detail }
}
