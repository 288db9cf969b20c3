//! Topics, settings and coordinators over a blocking socket: what a measured round needs before and after itself.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use wire::api::FindCoordinatorRequest;
use wire::api::k19_create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::api::k20_delete_topics::DeleteTopicsRequest;
use wire::api::k44_incremental_alter_configs::{AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest};
use wire::codec::Reader;
use wire::header::{ResponseHeader, request_frame};
use wire::message::{Api, Message};

/// CreateTopics' and DeleteTopics' newest version that names topics.
const TOPICS_VERSION: i16 = 5;
const CONFIGS_VERSION: i16 = 1;
const COORDINATOR_VERSION: i16 = 4;
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
    #[error("{request} of {subject}: the broker answered error code {code}")]
    Refused {
        /// Which request.
        request: &'static str,
        /// Of what.
        subject: String,
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
    let response = exchange(address, TOPICS_VERSION, &request)?;
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
    let response = exchange(address, TOPICS_VERSION, &request)?;
    check("deletion", topic, response.responses.first().map(|result| result.error_code))
}

/// What has settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Resource {
    /// A topic.
    Topic = 2,
    /// A consumer group.
    Group = 32,
}

/// Changes one setting; `None` gives it back its default.
///
/// # Errors
/// When the broker can't be reached or refuses.
pub fn alter_config(
    address: SocketAddr,
    (resource, name): (Resource, &str),
    key: &str,
    value: Option<&str>,
) -> Result<(), AdminError> {
    const SET: i8 = 0;
    const DELETE: i8 = 1;
    let config = AlterableConfig {
        name: key.to_owned(),
        config_operation: if value.is_some() { SET } else { DELETE },
        value: value.map(str::to_owned),
    };
    let resource =
        AlterConfigsResource { resource_type: resource as i8, resource_name: name.to_owned(), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    let response = exchange(address, CONFIGS_VERSION, &request)?;
    check("alteration", name, response.responses.first().map(|result| result.error_code))
}

/// Waits until a group has a coordinator: the first question creates the topic of offsets.
///
/// # Errors
/// When the broker can't be reached, or has none within a minute.
pub fn await_coordinator(address: SocketAddr, group: &str) -> Result<(), AdminError> {
    const PAUSE: Duration = Duration::from_millis(100);
    let deadline = Instant::now() + TIMEOUT;
    let request = FindCoordinatorRequest { coordinator_keys: vec![group.to_owned()], ..Default::default() };
    loop {
        let response = exchange(address, COORDINATOR_VERSION, &request)?;
        let told = check("coordinator", group, response.coordinators.first().map(|told| told.error_code));
        match told {
            Err(AdminError::Refused { .. }) if Instant::now() < deadline => thread::sleep(PAUSE),
            told => return told,
        }
    }
}

fn check(request: &'static str, subject: &str, code: Option<i16>) -> Result<(), AdminError> {
    match code.ok_or(AdminError::Malformed)? {
        0 => Ok(()),
        code => Err(AdminError::Refused { request, subject: subject.to_owned(), code }),
    }
}

fn exchange<A: Api>(address: SocketAddr, version: i16, request: &A) -> Result<A::Response, AdminError> {
    const CORRELATION_ID: i32 = 1;
    let mut socket = TcpStream::connect_timeout(&address, TIMEOUT)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.write_all(&request_frame(CORRELATION_ID, version, Some("drive"), request))?;
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
    A::Response::decode(&mut reader, version).map_err(|_| AdminError::Malformed)
}
