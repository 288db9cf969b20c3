//! `partita produce`: stdin's lines become records.
//!
//! Whatever has been typed by the time the last batch was acknowledged becomes the next batch: a single line is sent at once,
//! a large file in large batches. With acks=all, the default, batches are numbered (an idempotent producer, as Kafka's console
//! producer is by default), so that one whose answer got lost is sent again and appended once. With less, a batch is repeated only
//! after an answer that says that it was not appended.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use loadgen::client::{Acks, Client, ClientError, Producer, TopicPartition, partition_for_key};
use wire::batch::{BatchBuilder, BatchOptions, Header};
use wire::compression::Compression;

use super::CliError;
use super::connect::{ConnectArgs, key_value};
use super::now_ms;

/// Bytes of records after which a batch is sent though more lines wait.
const BATCH_BYTES: usize = 64 << 10;
/// Lines read ahead.
const LINES_AHEAD: usize = 4096;
const RETRY_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct ProduceArgs {
    /// The topic
    #[arg(value_name = "TOPIC", required_unless_present = "topic")]
    name: Option<String>,
    /// The topic, as Kafka's tools take it
    #[arg(long, value_name = "TOPIC", conflicts_with = "name")]
    topic: Option<String>,
    /// A line is a key, this text and a value; without it, there are no keys
    #[arg(long, value_name = "TEXT")]
    key_separator: Option<String>,
    /// A header of every record; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    header: Vec<(String, String)>,
    /// Send everything to this partition [default: by the key's hash as Java does; without keys, batch by batch in turn]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// Who must have a record before it counts as sent
    #[arg(long, value_enum, default_value_t = AcksArg::All)]
    acks: AcksArg,
    /// How to compress batches
    #[arg(long, value_enum, default_value_t = CompressionArg::None)]
    compression: CompressionArg,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AcksArg {
    /// Nobody: lost records go unnoticed
    #[value(name = "0")]
    None,
    /// The leader
    #[value(name = "1")]
    Leader,
    /// Every in-sync replica
    #[value(name = "all", alias = "-1")]
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CompressionArg {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl From<AcksArg> for Acks {
    fn from(acks: AcksArg) -> Acks {
        match acks {
            AcksArg::None => Acks::None,
            AcksArg::Leader => Acks::Leader,
            AcksArg::All => Acks::All,
        }
    }
}

impl From<CompressionArg> for Compression {
    fn from(compression: CompressionArg) -> Compression {
        match compression {
            CompressionArg::None => Compression::None,
            CompressionArg::Gzip => Compression::Gzip,
            CompressionArg::Snappy => Compression::Snappy,
            CompressionArg::Lz4 => Compression::Lz4,
            CompressionArg::Zstd => Compression::Zstd,
        }
    }
}

pub(super) fn run(args: ProduceArgs) -> Result<(), CliError> {
    let mut client = args.connect.connect()?;
    let topic = args.name.as_deref().or(args.topic.as_deref()).unwrap_or_default();
    let partitions = partition_count(&mut client, topic)?;
    if args.partition.is_some_and(|wanted| wanted >= partitions) {
        let last = partitions - 1;
        return Err(CliError::Usage(format!("--partition: {topic} has only the partitions 0 to {last}")));
    }
    let idempotent = if args.acks == AcksArg::All { Some(Producer::new(&mut client)?) } else { None };
    let mut producer = Session {
        client,
        topic,
        args: &args,
        idempotent,
        partitions,
        next_partition: 0,
        open: BTreeMap::new(),
        produced: 0,
    };
    let lines = read_lines();
    let mut number = 0;
    while let Ok(first) = lines.recv() {
        let mut next = Some(first);
        while let Some(line) = next.take() {
            number += 1;
            producer.add(&line.map_err(CliError::Input)?, number)?;
            next = lines.try_recv().ok();
        }
        producer.send_all()?;
        producer.next_partition = (producer.next_partition + 1) % partitions;
    }
    eprintln!("Sent {} record(s) to {topic}.", producer.produced);
    Ok(())
}

/// Waits for the topic to exist and to have leaders: the first question may create it.
fn partition_count(client: &mut Client, topic: &str) -> Result<i32, CliError> {
    let deadline = Instant::now() + client.timeout();
    loop {
        let found = client.topic(topic, true);
        match found {
            Ok(info) if info.partitions.iter().all(|partition| partition.leader.is_some()) => {
                return Ok(i32::try_from(info.partitions.len()).unwrap_or(i32::MAX));
            }
            Err(error) if !error.is_retriable() || Instant::now() >= deadline => return Err(error.into()),
            Ok(info) if Instant::now() >= deadline => {
                let led = |info: &loadgen::client::PartitionInfo| info.leader.is_some();
                let partition = info.partitions.iter().position(|info| !led(info)).unwrap_or(0) as i32;
                return Err(ClientError::NoLeader { topic: topic.to_owned(), partition }.into());
            }
            _ => thread::sleep(RETRY_PAUSE),
        }
    }
}

/// stdin's lines without their ends, read on a thread of its own. Bytes, not text: records need not be UTF-8.
fn read_lines() -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = sync_channel(LINES_AHEAD);
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            let mut line = Vec::new();
            let read = stdin.read_until(b'\n', &mut line);
            if matches!(read, Ok(0)) {
                return;
            }
            let failed = read.is_err();
            if line.ends_with(b"\n") {
                line.pop();
            }
            if sender.send(read.map(|_| line)).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

struct Session<'a> {
    client: Client,
    topic: &'a str,
    args: &'a ProduceArgs,
    /// Who numbers the batches; none with less than acks=all.
    idempotent: Option<Producer>,
    partitions: i32,
    /// Where records without a key go until their batch is sent.
    next_partition: i32,
    open: BTreeMap<i32, BatchBuilder>,
    produced: u64,
}

impl Session<'_> {
    fn add(&mut self, line: &[u8], number: u64) -> Result<(), CliError> {
        let (key, value) = match &self.args.key_separator {
            None => (None, line),
            Some(separator) => {
                let found = line.windows(separator.len().max(1)).position(|part| part == separator.as_bytes());
                let at = found.ok_or(CliError::Line {
                    line: number,
                    reason: "there is no key separator in it",
                    produced: self.produced,
                })?;
                (Some(&line[..at]), &line[at + separator.len()..])
            }
        };
        let partition = self.args.partition.unwrap_or_else(|| match key {
            Some(key) => partition_for_key(key, self.partitions as usize) as i32,
            None => self.next_partition,
        });
        let headers: Vec<Header<'_>> =
            self.args.header.iter().map(|(key, value)| (key.as_bytes(), Some(value.as_bytes()))).collect();
        let builder = self.open.entry(partition).or_default();
        builder.append(now_ms(), key, Some(value), &headers).map_err(ClientError::from)?;
        if builder.size() >= BATCH_BYTES {
            self.send(partition)?;
        }
        Ok(())
    }

    fn send_all(&mut self) -> Result<(), CliError> {
        let waiting: Vec<i32> =
            self.open.iter().filter(|(_, batch)| batch.record_count() > 0).map(|(partition, _)| *partition).collect();
        waiting.into_iter().try_for_each(|partition| self.send(partition))
    }

    fn send(&mut self, partition: i32) -> Result<(), CliError> {
        let Some(builder) = self.open.get_mut(&partition) else { return Ok(()) };
        let records = builder.record_count();
        let to = TopicPartition { topic: self.topic.to_owned(), partition };
        let compression = self.args.compression.into();
        let sent = match &mut self.idempotent {
            Some(producer) => producer.send(&mut self.client, &to, builder, compression).map(drop),
            None => send_unnumbered(&mut self.client, &to, builder, self.args.acks.into(), compression),
        };
        if let Err(error) = sent {
            eprintln!("{} record(s) were sent before the error.", self.produced);
            return Err(error.into());
        }
        self.produced += records.unsigned_abs() as u64;
        Ok(())
    }
}

/// Sends a batch, and again after an answer that says that it was not appended.
fn send_unnumbered(
    client: &mut Client,
    to: &TopicPartition,
    builder: &mut BatchBuilder,
    acks: Acks,
    compression: Compression,
) -> Result<(), ClientError> {
    let mut batch = Vec::new();
    builder.build(&BatchOptions { compression, ..BatchOptions::default() }, &mut batch)?;
    let batch = bytes::Bytes::from(batch);
    let deadline = Instant::now() + client.timeout();
    loop {
        match client.produce(to, acks, batch.clone()) {
            Err(error) if error.is_retriable() && Instant::now() < deadline => thread::sleep(RETRY_PAUSE),
            sent => return sent.map(drop),
        }
    }
}
