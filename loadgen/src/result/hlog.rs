//! `latency.hlog`: interval histograms that HdrHistogram's own tools read (V2, deflated), a tag a kind of latency.

use std::io;
use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::measure::Latencies;

/// What the maxima in the log are divided by: values are µs, maxima ms.
const MICROSECONDS_PER_MILLISECOND: f64 = 1e3;

/// Writes the log into memory, interval by interval. Starts are offsets from the start time.
#[derive(Debug)]
pub struct LatencyLog {
    bytes: Vec<u8>,
}

/// One interval of one kind.
pub struct Entry<'a> {
    /// `response`, `service`, `slip`, `e2e` or `request`.
    pub tag: &'a str,
    /// From the log's start.
    pub from: Duration,
    /// Its length.
    pub length: Duration,
    /// The latencies.
    pub latencies: &'a Latencies,
}

impl LatencyLog {
    /// A log that begins at `start`.
    ///
    /// # Errors
    /// Never for memory; what the serializer says.
    pub fn new(start: SystemTime) -> io::Result<LatencyLog> {
        Ok(LatencyLog { bytes: heading(Some(start))? })
    }

    /// Adds the intervals that are not empty.
    ///
    /// # Errors
    /// What the serializer says.
    pub fn write(&mut self, entries: &[Entry<'_>]) -> io::Result<()> {
        let mut appended = Vec::new();
        let heading_bytes = heading(None)?.len();
        let mut serializer = V2DeflateSerializer::new();
        let mut log = builder().begin_log_with(&mut appended, &mut serializer)?;
        for entry in entries.iter().filter(|entry| entry.latencies.samples() > 0) {
            log.write_histogram(entry.latencies.histogram(), entry.from, entry.length, Tag::new(entry.tag))
                .map_err(|error| io::Error::other(error.to_string()))?;
        }
        self.bytes.extend_from_slice(&appended[heading_bytes..]);
        Ok(())
    }

    /// The log as a file holds it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn builder() -> IntervalLogWriterBuilder {
    let mut builder = IntervalLogWriterBuilder::new();
    builder.with_max_value_divisor(MICROSECONDS_PER_MILLISECOND);
    builder
}

/// What precedes the intervals; without a start it is what each writer would write again.
fn heading(start: Option<SystemTime>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut builder = builder();
    if let Some(start) = start {
        builder
            .add_comment("values in microseconds, maxima in milliseconds")
            .with_start_time(start)
            .with_base_time(start);
    }
    builder.begin_log_with(&mut bytes, &mut V2DeflateSerializer::new())?;
    Ok(bytes)
}
