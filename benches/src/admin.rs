//! CreateTopics v5 and DeleteTopics v5 over a blocking socket: what a measured round needs before and after itself.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::varint::{Reader, put_compact_string, put_unsigned};

const CREATE_TOPICS: i16 = 19;
const DELETE_TOPICS: i16 = 20;
/// Both APIs' first flexible version that still names topics.
const VERSION: i16 = 5;
const TIMEOUT: Duration = Duration::from_secs(60);
/// No answer to a one-topic request comes near this.
const RESPONSE_BYTES_MAX: usize = 16 << 20;

/// Why an administrative request failed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The connection failed.
    #[error("connection to the broker: {0}")]
    Io(#[from] io::Error),
    /// The broker refused.
    #[error("{request} of topic {topic}: the broker answered error code {code}")]
    Refused {
        /// Which request.
        request: &'static str,
        /// Which topic.
        topic: String,
        /// Kafka's error code.
        code: i16,
    },
    /// The answer could not be read.
    #[error("the broker's answer is malformed")]
    Malformed,
}

/// Creates `topic` with one replica a partition and the given topic settings.
///
/// # Errors
/// When the broker can't be reached or refuses.
pub fn create_topic(
    address: SocketAddr,
    topic: &str,
    partitions: i32,
    settings: &[(String, String)],
) -> Result<(), AdminError> {
    const REPLICAS: i16 = 1;
    let mut body = Vec::new();
    put_unsigned(&mut body, 2);
    put_compact_string(&mut body, topic);
    body.extend_from_slice(&partitions.to_be_bytes());
    body.extend_from_slice(&REPLICAS.to_be_bytes());
    put_unsigned(&mut body, 1);
    put_unsigned(&mut body, settings.len() as u64 + 1);
    for (name, value) in settings {
        put_compact_string(&mut body, name);
        put_compact_string(&mut body, value);
        body.push(0);
    }
    body.push(0);
    body.extend_from_slice(&(TIMEOUT.as_millis() as i32).to_be_bytes());
    // Not only validated; no tagged fields.
    body.extend_from_slice(&[0, 0]);
    let answer = exchange(address, CREATE_TOPICS, &body)?;
    check("creation", topic, &answer)
}

/// Deletes `topic`.
///
/// # Errors
/// When the broker can't be reached or refuses.
pub fn delete_topic(address: SocketAddr, topic: &str) -> Result<(), AdminError> {
    let mut body = Vec::new();
    put_unsigned(&mut body, 2);
    put_compact_string(&mut body, topic);
    body.extend_from_slice(&(TIMEOUT.as_millis() as i32).to_be_bytes());
    body.push(0);
    let answer = exchange(address, DELETE_TOPICS, &body)?;
    check("deletion", topic, &answer)
}

/// Both answers start alike: throttle time, then per topic its name and error code.
fn check(request: &'static str, topic: &str, answer: &[u8]) -> Result<(), AdminError> {
    let code = first_error_code(answer).ok_or(AdminError::Malformed)?;
    if code == 0 {
        return Ok(());
    }
    Err(AdminError::Refused { request, topic: topic.to_owned(), code })
}

fn first_error_code(answer: &[u8]) -> Option<i16> {
    let mut reader = Reader::new(answer);
    let _correlation = reader.i32()?;
    reader.skip_tags()?;
    let _throttle_ms = reader.i32()?;
    reader.compact_length()??;
    reader.compact_bytes()?;
    reader.i16()
}

fn exchange(address: SocketAddr, api_key: i16, body: &[u8]) -> Result<Vec<u8>, AdminError> {
    let mut frame = Vec::with_capacity(body.len() + 16);
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(&api_key.to_be_bytes());
    frame.extend_from_slice(&VERSION.to_be_bytes());
    // Correlation id 0, null client id, no tagged fields.
    frame.extend_from_slice(&[0, 0, 0, 0, 0xff, 0xff, 0]);
    frame.extend_from_slice(body);
    let length = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&length.to_be_bytes());

    let mut socket = TcpStream::connect_timeout(&address, TIMEOUT)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.write_all(&frame)?;
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > RESPONSE_BYTES_MAX {
        return Err(AdminError::Malformed);
    }
    let mut answer = vec![0; length];
    socket.read_exact(&mut answer)?;
    Ok(answer)
}
