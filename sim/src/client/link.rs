//! One connection of a client: requests out, answers in, in order.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;
use wire::api::ApiKey;
use wire::codec::Reader;
use wire::header::{FRAME_LENGTH_BYTES, ResponseHeader, request_chunks};
use wire::message::{Api, Message};

use crate::clock::Clock;
use crate::net::ClientStream;

/// How long a client waits for an answer before it gives the connection up.
const ANSWER: Duration = Duration::from_secs(5);

/// Why a connection is of no use any more.
#[derive(Debug, Error)]
pub enum Lost {
    /// It was cut, or the broker has closed it.
    #[error("the connection is gone")]
    Gone,
    /// No answer came.
    #[error("no answer within {ANSWER:?}")]
    TimedOut,
    /// The answer cannot be understood.
    #[error("the answer cannot be read: {0}")]
    Malformed(String),
}

/// The connection.
pub struct Link {
    stream: ClientStream,
    client: String,
    clock: Clock,
    received: BytesMut,
    next_correlation: i32,
}

impl Link {
    /// Around a stream.
    pub fn new(stream: ClientStream, client: &str, clock: Clock) -> Link {
        Link { stream, client: client.to_owned(), clock, received: BytesMut::new(), next_correlation: 0 }
    }

    /// Sends a request; returns the correlation id of its answer.
    ///
    /// # Errors
    /// [`Lost::Gone`], or [`Lost::TimedOut`] when the broker reads nothing.
    pub async fn send<A: Api>(&mut self, version: i16, request: &A) -> Result<i32, Lost> {
        let correlation = self.next_correlation;
        self.next_correlation += 1;
        let chunks = request_chunks(correlation, version, Some(&self.client), request);
        match self.clock.timeout(ANSWER, self.stream.write(chunks)).await {
            Some(Ok(())) => Ok(correlation),
            Some(Err(_)) => Err(Lost::Gone),
            None => Err(Lost::TimedOut),
        }
    }

    /// The next answer, which belongs to the oldest request without one.
    ///
    /// # Errors
    /// Any of [`Lost`].
    pub async fn receive<A: Api>(&mut self, version: i16, correlation: i32) -> Result<A::Response, Lost> {
        let clock = self.clock.clone();
        let frame = clock.timeout(ANSWER, self.frame()).await.ok_or(Lost::TimedOut)??;
        let malformed = |error: &dyn std::fmt::Display| Lost::Malformed(format!("{} v{version}: {error}", A::NAME));
        let api = ApiKey::from_key(A::KEY).expect("every Api is in the table");
        let mut reader = Reader::shared(&frame);
        let header = ResponseHeader::decode(&mut reader, api.response_header_version(version));
        let header = header.map_err(|error| malformed(&error))?;
        if header.correlation_id != correlation {
            return Err(malformed(&format_args!("answer {} where {correlation} is due", header.correlation_id)));
        }
        let response = A::Response::decode(&mut reader, version).map_err(|error| malformed(&error))?;
        match reader.left() {
            0 => Ok(response),
            left => Err(malformed(&format_args!("{left} bytes too many"))),
        }
    }

    /// Sends a request and awaits its answer.
    ///
    /// # Errors
    /// Any of [`Lost`].
    pub async fn ask<A: Api>(&mut self, version: i16, request: &A) -> Result<A::Response, Lost> {
        let correlation = self.send(version, request).await?;
        self.receive::<A>(version, correlation).await
    }

    async fn frame(&mut self) -> Result<Bytes, Lost> {
        loop {
            if let Some((length, body)) = self.received.split_first_chunk::<FRAME_LENGTH_BYTES>() {
                let length = i32::from_be_bytes(*length);
                let length = usize::try_from(length).map_err(|_| Lost::Malformed(format!("length {length}")))?;
                if body.len() >= length {
                    self.received.advance(FRAME_LENGTH_BYTES);
                    return Ok(self.received.split_to(length).freeze());
                }
            }
            let bytes = self.stream.read().await.map_err(|_| Lost::Gone)?;
            if bytes.is_empty() {
                return Err(Lost::Gone);
            }
            self.received.extend_from_slice(&bytes);
        }
    }
}
