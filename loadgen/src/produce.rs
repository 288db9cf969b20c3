//! `loadgen produce`: one open-loop producer.
//!
//! The schedule is fixed before the run: record `i` is due at `t0 + i / rate`. The sender sends what is due, in batches, and never
//! waits for an answer but when the bound of requests in flight is reached; the time that this costs shows in the latencies,
//! which begin at the intended time. One connection and one receiving thread for each leader.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use loadgen::client::{
    Acks, ClientError, InFlight, RequestSender, ResponseReceiver, TopicInfo, TopicPartition, produce_request,
    produce_result,
};
use loadgen::measure::{Latencies, LatencySummary};
use loadgen::payload::{HEADER_BYTES, Stamp};
use serde::Serialize;
use wire::api::ProduceRequest;
use wire::batch::{BatchBuilder, BatchOptions};

use super::{REQUEST_TIMEOUT, RunError, TargetArgs, wall_ns};

/// Records behind schedule from which a run counts as overloaded: this many seconds of the rate.
const BACKLOG_SECONDS: f64 = 10.0;

#[derive(Debug, Args)]
pub(super) struct ProduceArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Records a second, over all partitions
    #[arg(long, value_parser = positive)]
    rate: f64,
    /// How long, in seconds
    #[arg(long, value_parser = positive)]
    seconds: f64,
    /// Bytes of each record's value
    #[arg(long, default_value_t = 1000, value_parser = record_bytes)]
    record_bytes: usize,
    /// Bytes of records after which a batch is sent; what is due is sent at once in any case
    #[arg(long, default_value_t = 16 << 10, value_parser = clap::value_parser!(u32).range(1..=64 << 20))]
    batch_bytes: u32,
    /// Requests without an answer, for each leader
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    in_flight: u32,
    /// Acknowledge when every in-sync replica has a record, or only the leader
    #[arg(long, default_value = "all", value_parser = ["1", "all"])]
    acks: String,
    /// Names this producer in each record
    #[arg(long, default_value_t = 0)]
    producer: u32,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("expected a number above 0".into()),
    }
}

fn record_bytes(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(bytes) if (HEADER_BYTES..=64 << 20).contains(&bytes) => Ok(bytes),
        _ => Err(format!("expected a number from {HEADER_BYTES} (the stamp in each record) to {}", 64 << 20)),
    }
}

/// A request whose answer is due, and when its records were due and sent.
struct Sent {
    request: InFlight,
    to: TopicPartition,
    intended: Vec<Instant>,
    sent: Instant,
}

/// What one receiving thread has seen.
#[derive(Default)]
struct Received {
    response: Latencies,
    service: Latencies,
    requests: Latencies,
    acknowledged: BTreeMap<i32, u64>,
    last_ack: Option<Instant>,
}

#[derive(Debug, Serialize)]
struct Report {
    run: u32,
    producer: u32,
    offered_per_s: f64,
    sent: u64,
    acknowledged: u64,
    acknowledged_per_s: f64,
    acknowledged_mb_per_s: f64,
    /// Intended send time to acknowledgement, one sample a record.
    response: Option<LatencySummary>,
    /// Actual send to acknowledgement, one sample a record.
    service: Option<LatencySummary>,
    /// Actual send to acknowledgement, one sample a request.
    requests: Option<LatencySummary>,
    /// Intended to actual send, one sample a record.
    slip: Option<LatencySummary>,
    /// Acknowledged records by partition: what `consume --expect` takes.
    acknowledged_by_partition: BTreeMap<i32, u64>,
}

pub(super) fn run(args: &ProduceArgs) -> Result<(), RunError> {
    let mut client = args.target.connect()?;
    let topic = client.topic(&args.target.topic, false)?;
    let mut leaders = BTreeMap::new();
    for info in &topic.partitions {
        let leader = client.leader(&topic.name, info.index)?;
        if let Entry::Vacant(entry) = leaders.entry(leader) {
            let (sender, receiver) = client.open(leader)?.split();
            entry.insert(Leader::start(sender, receiver, args.in_flight as usize));
        }
    }
    let mut sender = Sender::new(args, topic, leaders);
    let start = Instant::now();
    let outcome = sender.send_all(start);
    let (sent, slip, received) = sender.finish();
    let received = received?;
    outcome?;
    let end = received.last_ack.unwrap_or(start);
    let seconds = end.duration_since(start).as_secs_f64().max(f64::MIN_POSITIVE);
    let acknowledged: u64 = received.acknowledged.values().sum();
    let report = Report {
        run: args.target.run,
        producer: args.producer,
        offered_per_s: args.rate,
        sent,
        acknowledged,
        acknowledged_per_s: acknowledged as f64 / seconds,
        acknowledged_mb_per_s: (acknowledged * args.record_bytes as u64) as f64 / seconds / 1e6,
        response: received.response.summary(),
        service: received.service.summary(),
        requests: received.requests.summary(),
        slip: slip.summary(),
        acknowledged_by_partition: received.acknowledged,
    };
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

/// The connection to one leader.
struct Leader {
    sender: RequestSender,
    due: SyncSender<Sent>,
    thread: JoinHandle<Result<Received, ClientError>>,
}

impl Leader {
    fn start(sender: RequestSender, receiver: ResponseReceiver, in_flight: usize) -> Leader {
        // The receiver holds one request while it waits for its answer.
        let (due, answers) = sync_channel(in_flight - 1);
        Leader { sender, due, thread: thread::spawn(move || receive_all(receiver, &answers)) }
    }
}

fn receive_all(mut receiver: ResponseReceiver, due: &Receiver<Sent>) -> Result<Received, ClientError> {
    let mut received = Received::default();
    while let Ok(sent) = due.recv() {
        let response = receiver.receive::<ProduceRequest>(sent.request)?;
        let now = Instant::now();
        produce_result(&sent.to, &response)?;
        let service = now - sent.sent;
        for intended in &sent.intended {
            received.response.record(now.saturating_duration_since(*intended), 1);
        }
        received.service.record(service, sent.intended.len() as u64);
        received.requests.record(service, 1);
        *received.acknowledged.entry(sent.to.partition).or_default() += sent.intended.len() as u64;
        received.last_ack = Some(now);
    }
    Ok(received)
}

struct Sender<'a> {
    args: &'a ProduceArgs,
    topic: TopicInfo,
    leaders: BTreeMap<i32, Leader>,
    /// Next sequence of each partition.
    sequences: Vec<u64>,
    builder: BatchBuilder,
    record: Vec<u8>,
    slip: Latencies,
    sent: u64,
}

impl<'a> Sender<'a> {
    fn new(args: &'a ProduceArgs, topic: TopicInfo, leaders: BTreeMap<i32, Leader>) -> Sender<'a> {
        Sender {
            args,
            sequences: vec![0; topic.partitions.len()],
            topic,
            leaders,
            builder: BatchBuilder::new(),
            // Filler that does not compress to nothing and needs no generator.
            record: (0..args.record_bytes).map(|at| (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect(),
            slip: Latencies::default(),
            sent: 0,
        }
    }

    /// Sends every record of the schedule, each batch to the next partition.
    fn send_all(&mut self, start: Instant) -> Result<(), RunError> {
        let total = (self.args.rate * self.args.seconds).round() as u64;
        let due_at = |index: u64| start + Duration::from_secs_f64(index as f64 / self.args.rate);
        let wall_start = wall_ns();
        let per_batch = (self.args.batch_bytes as usize / self.args.record_bytes).max(1) as u64;
        let mut batches = 0usize;
        while self.sent < total {
            let now = Instant::now();
            let wait = due_at(self.sent).saturating_duration_since(now);
            if !wait.is_zero() {
                thread::sleep(wait);
                continue;
            }
            let elapsed = now.duration_since(start).as_secs_f64();
            let due = ((elapsed * self.args.rate) as u64 + 1).min(total);
            let backlog = due.saturating_sub(self.sent);
            if backlog as f64 > BACKLOG_SECONDS * self.args.rate {
                let (sent, behind) = (self.sent, BACKLOG_SECONDS);
                return Err(RunError::Overloaded(format!(
                    "after {sent} records the producer is {behind} s behind its schedule; offer less"
                )));
            }
            let intended: Vec<Instant> = (self.sent..self.sent + backlog.clamp(1, per_batch)).map(due_at).collect();
            let partition = batches % self.sequences.len();
            batches += 1;
            self.send_batch(partition, intended, |at| {
                wall_start + i64::try_from((at - start).as_nanos()).unwrap_or(i64::MAX)
            })?;
        }
        Ok(())
    }

    fn send_batch(
        &mut self,
        partition: usize,
        intended: Vec<Instant>,
        wall: impl Fn(Instant) -> i64,
    ) -> Result<(), RunError> {
        let info = &self.topic.partitions[partition];
        for at in &intended {
            let sequence = self.sequences[partition];
            self.sequences[partition] += 1;
            let intended_ns = wall(*at);
            Stamp { run: self.args.target.run, producer: self.args.producer, sequence, intended_ns }
                .write(&mut self.record);
            self.builder.append(intended_ns / 1_000_000, None, Some(&self.record), &[]).map_err(ClientError::from)?;
        }
        let mut batch = Vec::new();
        self.builder.build(&BatchOptions::default(), &mut batch).map_err(ClientError::from)?;
        let to = TopicPartition { topic: self.topic.name.clone(), partition: info.index };
        let acks = if self.args.acks == "1" { Acks::Leader } else { Acks::All };
        let timeout_ms = REQUEST_TIMEOUT.as_millis() as i32;
        let request = produce_request(&to, self.topic.id, acks, timeout_ms, Bytes::from(batch));
        let leader = info.leader.and_then(|leader| self.leaders.get_mut(&leader));
        let leader =
            leader.ok_or_else(|| ClientError::NoLeader { topic: to.topic.clone(), partition: to.partition })?;
        let sent = Instant::now();
        let in_flight = leader.sender.send(&request)?;
        for at in &intended {
            self.slip.record(sent.saturating_duration_since(*at), 1);
        }
        self.sent += intended.len() as u64;
        let due = Sent { request: in_flight, to, intended, sent };
        // A full channel is the bound of requests in flight: what is waited for here shows as slip of the next batch.
        leader.due.send(due).map_err(|_| RunError::NotClean("a batch was not acknowledged".into()))
    }

    /// Waits for all answers that are due.
    fn finish(self) -> (u64, Latencies, Result<Received, RunError>) {
        let mut all = Received::default();
        let mut failed = None;
        for leader in self.leaders.into_values() {
            drop((leader.sender, leader.due));
            match leader.thread.join().expect("a receiving thread does not panic") {
                Ok(received) => {
                    all.response.merge(&received.response);
                    all.service.merge(&received.service);
                    all.requests.merge(&received.requests);
                    all.acknowledged.extend(received.acknowledged);
                    all.last_ack = all.last_ack.max(received.last_ack);
                }
                Err(error) => failed = Some(error),
            }
        }
        (self.sent, self.slip, failed.map_or(Ok(all), |error| Err(error.into())))
    }
}
