//! `/metrics` for Prometheus and `/healthz`, on a thread of their own.
//!
//! One request a connection, answered and closed: a scrape every few seconds needs no more. The thread asks the first core,
//! which asks the others, so nothing is shared with the cores' loops.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use shard::metrics::CoreMetrics;

use super::{exposition, group_exposition};
use crate::world::{Inbox, Incoming};

/// How long a client may take to send its request, and then to take its answer.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the cores may take to answer before the broker counts as unhealthy.
const CORES_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_BYTES_MAX: usize = 8 << 10;

/// Answers requests until the process ends.
pub(super) fn spawn(listener: TcpListener, inboxes: Arc<[Inbox]>, groups_max: usize) -> io::Result<()> {
    let serve = move || {
        for stream in listener.incoming().flatten() {
            if let Err(error) = answer(stream, &inboxes, groups_max) {
                tracing::debug!(%error, "a metrics client went away");
            }
        }
    };
    std::thread::Builder::new().name("metrics".into()).spawn(serve).map(drop)
}

fn answer(mut stream: TcpStream, inboxes: &[Inbox], groups_max: usize) -> io::Result<()> {
    stream.set_read_timeout(Some(CLIENT_TIMEOUT))?;
    stream.set_write_timeout(Some(CLIENT_TIMEOUT))?;
    let (status, content_type, body) = match path(&mut stream)?.as_str() {
        "/metrics" => match collect(inboxes).and_then(|cores| page(&cores, groups_max)) {
            Some(text) => ("200 OK", "application/openmetrics-text; version=1.0.0; charset=utf-8", text),
            None => unhealthy(),
        },
        "/healthz" => match collect(inboxes) {
            Some(_) => ("200 OK", "text/plain", "every core answers\n".into()),
            None => unhealthy(),
        },
        _ => ("404 Not Found", "text/plain", "there are /metrics and /healthz\n".into()),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn unhealthy() -> (&'static str, &'static str, String) {
    ("503 Service Unavailable", "text/plain", "a core has not answered within five seconds\n".into())
}

/// The path of a GET request; empty for anything else.
fn path(stream: &mut TcpStream) -> io::Result<String> {
    let begun = Instant::now();
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") && request.len() < REQUEST_BYTES_MAX {
        // Byte by byte it would otherwise keep everybody else waiting.
        if begun.elapsed() > CLIENT_TIMEOUT {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match stream.read(&mut piece)? {
            0 => break,
            count => request.extend_from_slice(&piece[..count]),
        }
    }
    let text = String::from_utf8_lossy(&request);
    let mut words = text.split_ascii_whitespace();
    let target = if words.next() == Some("GET") { words.next() } else { None };
    Ok(target.unwrap_or_default().split('?').next().unwrap_or_default().to_owned())
}

/// All cores' counts; `None` when they do not answer in time.
fn collect(inboxes: &[Inbox]) -> Option<Vec<CoreMetrics>> {
    let (sender, receiver) = mpsc::channel();
    inboxes.first()?.push(Incoming::Metrics(sender));
    receiver.recv_timeout(CORES_TIMEOUT).ok()
}

/// The counts as text.
fn page(cores: &[CoreMetrics], groups_max: usize) -> Option<String> {
    let mut registry = Registry::with_prefix("partita");
    exposition::register(&mut registry, cores);
    group_exposition::register(&mut registry, cores, groups_max);
    let mut text = String::new();
    encode(&mut text, &registry).ok()?;
    Some(text)
}
