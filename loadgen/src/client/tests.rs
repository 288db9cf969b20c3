//! The client against a scripted peer: what it sends first, and what it makes of a broker that is none.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use wire::ErrorCode;
use wire::api::k18_api_versions::{ApiVersion, ApiVersionsResponse};
use wire::api::{ApiKey, ApiVersionsRequest, MetadataRequest, ProduceRequest};
use wire::codec::Reader;
use wire::header::{RequestHeader, response_frame};

use super::{Address, ClientError, Connection};

const TIMEOUT: Duration = Duration::from_secs(60);

fn read_request(stream: &mut TcpStream) -> (i16, i16, i32) {
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("a frame's length");
    let mut frame = vec![0; i32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame).expect("a frame");
    let header = RequestHeader::decode(&mut Reader::new(&frame)).expect("a header");
    (header.api_key, header.api_version, header.correlation_id)
}

/// A peer that handles one connection; the closure is given it.
fn peer(script: impl FnOnce(TcpStream) + Send + 'static) -> (Address, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let thread = thread::spawn(move || script(listener.accept().expect("a connection").0));
    (Address { host: "127.0.0.1".into(), port }, thread)
}

fn versions(error_code: i16, keys: &[(ApiKey, i16, i16)]) -> ApiVersionsResponse {
    let offer = |&(key, min_version, max_version): &(ApiKey, i16, i16)| ApiVersion {
        api_key: key.key(),
        min_version,
        max_version,
    };
    ApiVersionsResponse { error_code, api_keys: keys.iter().map(offer).collect(), ..Default::default() }
}

#[test]
fn an_older_brokers_versions_are_found_in_two_steps() {
    let (address, peer) = peer(|mut stream| {
        let (key, version, id) = read_request(&mut stream);
        assert_eq!((key, version), (18, 4));
        let refusal = versions(ErrorCode::UnsupportedVersion.code(), &[(ApiKey::ApiVersions, 0, 2)]);
        stream.write_all(&response_frame::<ApiVersionsRequest>(id, 0, &refusal)).expect("sent");
        let (_, version, id) = read_request(&mut stream);
        assert_eq!(version, 2);
        let keys = [(ApiKey::ApiVersions, 0, 2), (ApiKey::Metadata, 1, 5), (ApiKey::Produce, 0, 2)];
        stream.write_all(&response_frame::<ApiVersionsRequest>(id, 2, &versions(0, &keys))).expect("sent");
    });
    let connection = Connection::open(&address, "test", TIMEOUT).expect("agreed");
    assert_eq!(connection.version::<MetadataRequest>().expect("common"), 5);
    let refused = connection.version::<ProduceRequest>().expect_err("v0–v2 are below ours");
    assert!(matches!(refused, ClientError::Unsupported { api: "Produce", .. }), "{refused}");
    peer.join().expect("the script ran to its end");
}

#[test]
fn an_answer_to_another_request_is_refused() {
    let (address, peer) = peer(|mut stream| {
        let (_, version, id) = read_request(&mut stream);
        stream.write_all(&response_frame::<ApiVersionsRequest>(id + 1, version, &versions(0, &[]))).expect("sent");
    });
    let error = Connection::open(&address, "test", TIMEOUT).expect_err("another correlation id");
    assert!(matches!(&error, ClientError::Malformed { detail, .. } if detail.contains("correlation id 1")), "{error}");
    peer.join().expect("the script ran to its end");
}

#[test]
fn a_frame_too_large_is_refused_before_it_is_read() {
    let (address, peer) = peer(|mut stream| {
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 400 Bad Request").expect("sent");
    });
    let error = Connection::open(&address, "test", TIMEOUT).expect_err("no Kafka broker");
    assert!(error.to_string().contains("Is this the port of a Kafka broker"), "{error}");
    peer.join().expect("the script ran to its end");
}

#[test]
fn bootstrap_lists_are_read_as_kafka_writes_them() {
    let list = Address::parse_list("a:1, [::1]:9092").expect("two addresses");
    let texts: Vec<String> = list.iter().map(Address::to_string).collect();
    assert_eq!(texts, ["a:1", "[::1]:9092"]);
    for bad in ["", "localhost", "localhost:x", ":9092"] {
        assert!(matches!(Address::parse_list(bad), Err(ClientError::Address { .. })), "{bad:?}");
    }
}
