//! One connection that speaks Kafka's protocol, rightly or wrongly.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use wire::api::{ApiKey, ApiVersionsRequest};
use wire::codec::Reader;
use wire::header::{ResponseHeader, request_frame};
use wire::message::{Api, Message};

use super::PATIENCE;

/// The name that our clients give themselves.
const CLIENT_ID: Option<&str> = Some("server-tests");

/// A blocking connection; whatever takes longer than [`PATIENCE`] fails.
pub struct Client {
    stream: TcpStream,
    next_correlation_id: i32,
}

impl Client {
    pub fn connect(address: &str) -> io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Client { stream, next_correlation_id: 1 })
    }

    /// The socket, for what the rest cannot express.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the broker takes the bytes");
    }

    /// Sends a request; returns its correlation id.
    pub fn send<A: Api>(&mut self, version: i16, request: &A) -> i32 {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        self.send_raw(&request_frame(correlation_id, version, CLIENT_ID, request));
        correlation_id
    }

    /// The next response, which must be that to `correlation_id`.
    pub fn receive<A: Api>(&mut self, version: i16, correlation_id: i32) -> A::Response {
        let frame = self.receive_frame().expect("the broker answers").expect("the connection is still open");
        decode::<A>(&frame, version, correlation_id)
    }

    /// A request and its response.
    pub fn call<A: Api>(&mut self, version: i16, request: &A) -> A::Response {
        let correlation_id = self.send(version, request);
        self.receive::<A>(version, correlation_id)
    }

    /// The next frame without its length; `None` when the broker has closed the connection.
    pub fn receive_frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut length = [0; 4];
        match self.stream.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if is_closed(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut frame = vec![0; i32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(Some(frame))
    }

    /// Demands that the broker ends the connection without another answer.
    pub fn expect_closed(&mut self, why: &str) {
        let received = self.receive_frame().expect("the broker does not keep the connection waiting");
        assert!(received.is_none(), "{why}: the broker answered {received:?} instead of closing the connection");
    }

    /// Whether the broker answers at all.
    pub fn is_answered(&mut self) -> bool {
        let frame = request_frame(0, 0, CLIENT_ID, &ApiVersionsRequest::default());
        self.stream.write_all(&frame).is_ok() && self.receive_frame().is_ok_and(|frame| frame.is_some())
    }
}

/// Reads a response frame.
pub fn decode<A: Api>(frame: &[u8], version: i16, correlation_id: i32) -> A::Response {
    let mut reader = Reader::new(frame);
    let api = ApiKey::from_key(A::KEY).expect("every Api is in the table");
    let header = ResponseHeader::decode(&mut reader, api.response_header_version(version)).expect("a header");
    assert_eq!(header.correlation_id, correlation_id, "responses come in the order of the requests");
    let response = A::Response::decode(&mut reader, version).expect("a response that can be read");
    assert_eq!(reader.left(), 0, "nothing follows the response");
    response
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
