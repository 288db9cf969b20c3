//! CreateTopics and DeleteTopics over a blocking socket: what a measured round needs before and after itself.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use wire::api::k19_create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::api::k20_delete_topics::DeleteTopicsRequest;
use wire::codec::Reader;
use wire::header::{ResponseHeader, request_frame};
use wire::message::{Api, Message};

/// Both APIs' newest version that names topics.
const VERSION: i16 = 5;
/// Of a response, as flexible versions have it.
const HEADER_VERSION: i16 = 1;
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
    let configs = settings
        .iter()
        .map(|(name, value)| CreatableTopicConfig { name: name.clone(), value: Some(value.clone()) })
        .collect();
    let request = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: topic.to_owned(),
            num_partitions: partitions,
            replication_factor: 1,
            assignments: Vec::new(),
            configs,
        }],
        timeout_ms: TIMEOUT.as_millis() as i32,
        validate_only: false,
    };
    let response = exchange(address, &request)?;
    check("creation", topic, response.topics.first().map(|result| result.error_code))
}

/// Deletes `topic`.
///
/// # Errors
/// When the broker can't be reached or refuses.
pub fn delete_topic(address: SocketAddr, topic: &str) -> Result<(), AdminError> {
    let request = DeleteTopicsRequest {
        topics: Vec::new(),
        topic_names: vec![topic.to_owned()],
        timeout_ms: TIMEOUT.as_millis() as i32,
    };
    let response = exchange(address, &request)?;
    check("deletion", topic, response.responses.first().map(|result| result.error_code))
}

fn check(request: &'static str, topic: &str, code: Option<i16>) -> Result<(), AdminError> {
    match code.ok_or(AdminError::Malformed)? {
        0 => Ok(()),
        code => Err(AdminError::Refused { request, topic: topic.to_owned(), code }),
    }
}

fn exchange<A: Api>(address: SocketAddr, request: &A) -> Result<A::Response, AdminError> {
    const CORRELATION_ID: i32 = 1;
    let mut socket = TcpStream::connect_timeout(&address, TIMEOUT)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.write_all(&request_frame(CORRELATION_ID, VERSION, Some("drive"), request))?;
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > RESPONSE_BYTES_MAX {
        return Err(AdminError::Malformed);
    }
    let mut answer = vec![0; length];
    socket.read_exact(&mut answer)?;
    let mut reader = Reader::new(&answer);
    let header = ResponseHeader::decode(&mut reader, HEADER_VERSION).map_err(|_| AdminError::Malformed)?;
    if header.correlation_id != CORRELATION_ID {
        return Err(AdminError::Malformed);
    }
    A::Response::decode(&mut reader, VERSION).map_err(|_| AdminError::Malformed)
}
