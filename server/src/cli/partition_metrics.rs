//! Core and size of partitions, which Kafka's protocol cannot tell: read from the brokers' `/metrics`.
//!
//! A broker says by its `metrics.listen` setting where its page is. Without one, or with a broker that is not Partita, there is
//! nothing to show; that is no error.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use loadgen::client::{Broker, Client, TopicPartition};

/// The gauge that names core and size: `partita_partition_size_bytes{core="0",topic="t",partition="0"} 4096`.
const SIZE_METRIC: &str = "partita_partition_size_bytes";
/// The setting that says where the page is.
const METRICS_KEY: &str = "metrics.listen";
/// The largest page that is read, in bytes.
const PAGE_BYTES_MAX: u64 = 64 << 20;
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where a partition lives on its broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The core.
    pub(super) core: u16,
    /// Bytes of its segments.
    pub(super) size_bytes: u64,
}

/// The places of all partitions that this broker leads, as far as it shows them.
pub(super) fn places(client: &mut Client, broker: &Broker) -> BTreeMap<TopicPartition, Place> {
    let Ok(Some(listen)) = client.broker_setting(broker.id, METRICS_KEY) else { return BTreeMap::new() };
    fetch(&reachable(&listen, &broker.address.host)).map(|page| parse(&page)).unwrap_or_default()
}

/// Where to connect to: the host that clients are told, when the page is on all interfaces.
fn reachable(listen: &str, broker_host: &str) -> String {
    match listen.rsplit_once(':') {
        Some(("" | "0.0.0.0" | "[::]", port)) if broker_host.contains(':') => format!("[{broker_host}]:{port}"),
        Some(("" | "0.0.0.0" | "[::]", port)) => format!("{broker_host}:{port}"),
        _ => listen.to_owned(),
    }
}

fn fetch(address: &str) -> io::Result<String> {
    let resolved = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&resolved, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(PAGE_BYTES_MAX).read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, page)) if head.split(' ').nth(1) == Some("200") => Ok(page.to_owned()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn parse(page: &str) -> BTreeMap<TopicPartition, Place> {
    page.lines().filter_map(parse_line).collect()
}

/// One sample. Topic names need no unescaping: Kafka allows letters, digits, `.`, `_` and `-`.
fn parse_line(line: &str) -> Option<(TopicPartition, Place)> {
    let (labels, value) = line.strip_prefix(SIZE_METRIC)?.strip_prefix('{')?.split_once("} ")?;
    let label = |wanted: &str| {
        labels.split(',').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            (name == wanted).then(|| value.trim_matches('"'))
        })
    };
    let partition = TopicPartition { topic: label("topic")?.to_owned(), partition: label("partition")?.parse().ok()? };
    let size_bytes = value.split(' ').next()?.parse().ok()?;
    Some((partition, Place { core: label("core")?.parse().ok()?, size_bytes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_from_a_page_among_other_metrics() {
        let page = "# TYPE partita_partition_size_bytes gauge\n\
                    partita_partition_size_bytes{core=\"1\",topic=\"a.b\",partition=\"3\"} 4096\n\
                    partita_partition_size_bytes{core=\"x\",topic=\"bad\",partition=\"3\"} 1\n\
                    partita_connections{core=\"1\"} 2\n# EOF\n";
        let places = parse(page);
        let partition = TopicPartition { topic: "a.b".into(), partition: 3 };
        assert_eq!(places.len(), 1);
        assert_eq!(places.get(&partition), Some(&Place { core: 1, size_bytes: 4096 }));
    }

    #[test]
    fn a_page_on_all_interfaces_is_where_clients_find_the_broker() {
        assert_eq!(reachable("0.0.0.0:9644", "h"), "h:9644");
        assert_eq!(reachable("[::]:9644", "::1"), "[::1]:9644");
        assert_eq!(reachable("10.0.0.1:9644", "h"), "10.0.0.1:9644");
    }
}
