//! `loadgen consume`: reads a run's records from the beginning and judges them.
//!
//! End-to-end latency is told only with `--live`, because a record that was read long after it was written measures nothing;
//! it compares the wall clocks of producer and consumer, which is why it means something on one host only.

use std::time::{Duration, Instant};

use checkers::Deliveries;
use clap::Args;
use loadgen::client::{Client, ClientError, Consumer, OffsetSpec, TopicPartition};
use loadgen::measure::{DeliverySummary, Latencies, LatencySummary};
use loadgen::payload::Stamp;
use serde::Serialize;

use super::{RunError, TargetArgs, wall_ns};

/// How long a fetch waits for news, in ms.
const MAX_WAIT_MS: i32 = 100;
/// The only one of this process.
const READER: u32 = 0;

#[derive(Debug, Args)]
pub(super) struct ConsumeArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Begin with the records to come, and measure from intended send time to receipt
    #[arg(long)]
    live: bool,
    /// Records acknowledged, as PRODUCER:PARTITION=COUNT, several separated by commas; so that losses at the end show too
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = expectation)]
    expect: Vec<((u32, i32), u64)>,
    /// End after so many seconds without a record
    #[arg(long, default_value_t = 3.0, value_parser = positive)]
    idle_seconds: f64,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("expected a number above 0".into()),
    }
}

fn expectation(text: &str) -> Result<((u32, i32), u64), String> {
    let parse = || {
        let (key, count) = text.split_once('=')?;
        let (producer, partition) = key.split_once(':')?;
        Some(((producer.parse().ok()?, partition.parse().ok()?), count.parse().ok()?))
    };
    parse().ok_or_else(|| "expected PRODUCER:PARTITION=COUNT".into())
}

#[derive(Debug, Serialize)]
struct Report {
    run: u32,
    seconds: f64,
    deliveries: DeliverySummary,
    /// Absent when all came at once, which is no rate.
    received_per_s: Option<f64>,
    received_mb_per_s: Option<f64>,
    /// Intended send time to receipt, with --live.
    end_to_end: Option<LatencySummary>,
}

pub(super) fn run(args: &ConsumeArgs) -> Result<(), RunError> {
    let mut client = args.target.connect()?;
    let mut consumer = start(&mut client, args)?;
    let mut deliveries = Deliveries::default();
    let mut latencies = Latencies::default();
    let (mut bytes, begun) = (0u64, Instant::now());
    let (mut first, mut last) = (None, begun);
    while last.elapsed() < Duration::from_secs_f64(args.idle_seconds) {
        let now_ns = wall_ns();
        let taken = consumer.poll(&mut client, |fetched| {
            let value = fetched.record.value.unwrap_or_default();
            let partition = fetched.partition.partition;
            match Stamp::read(value).filter(|stamp| stamp.run == args.target.run) {
                None => deliveries.foreign(READER, partition, fetched.offset),
                Some(stamp) => {
                    let identity = (stamp.producer, stamp.sequence..stamp.sequence + 1);
                    deliveries.received(READER, partition, fetched.offset, identity);
                    bytes += value.len() as u64;
                    if args.live {
                        let age = u64::try_from(wall_ns().max(now_ns) - stamp.intended_ns).unwrap_or(0);
                        latencies.record(Duration::from_nanos(age), 1);
                    }
                }
            }
            Ok::<bool, ClientError>(true)
        })?;
        if taken > 0 {
            last = Instant::now();
            first = first.or(Some(last));
        }
    }
    let seconds = last.duration_since(first.unwrap_or(begun)).as_secs_f64();
    for &((producer, partition), count) in &args.expect {
        deliveries.acknowledged(producer, partition, 0..count, None);
    }
    let summary = DeliverySummary::from(deliveries.verdict());
    let per_second = |count: u64| (seconds > 0.0).then(|| count as f64 / seconds);
    let report = Report {
        run: args.target.run,
        seconds,
        received_per_s: per_second(summary.received),
        received_mb_per_s: per_second(bytes).map(|bytes| bytes / 1e6),
        deliveries: summary.clone(),
        end_to_end: latencies.summary(),
    };
    println!("{}", serde_json::to_string_pretty(&report)?);
    if summary.lost + summary.doubled + summary.reordered > 0 {
        let DeliverySummary { lost, doubled, reordered, .. } = summary;
        return Err(RunError::NotClean(format!("{lost} records lost, {doubled} doubled, {reordered} reordered")));
    }
    Ok(())
}

fn start(client: &mut Client, args: &ConsumeArgs) -> Result<Consumer, ClientError> {
    let topic = client.topic(&args.target.topic, false)?;
    let partitions: Vec<TopicPartition> = topic
        .partitions
        .iter()
        .map(|info| TopicPartition { topic: topic.name.clone(), partition: info.index })
        .collect();
    let spec = if args.live { OffsetSpec::Latest } else { OffsetSpec::Earliest };
    Ok(Consumer::new(client.offsets(&partitions, spec)?, spec, MAX_WAIT_MS))
}
