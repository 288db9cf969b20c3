//! One producer, open-loop: what is due is appended whatever became of what was before, batches leave as soon as their leader's
//! connection has room, and what that costs shows in the latencies, which begin when a record was due.
//!
//! Driving contract: [`Producer::turn`] when time has passed, a socket is writable or an answer has been taken; [`Producer::ready`] when a
//! socket is readable or writable; [`Producer::deadline`] says when the next turn is due.
//!
//! Invariants: a record is appended once and is never dropped: it ends acknowledged (acks = 0: sent) or counted as failed. A batch whose
//! outcome is unknown is sent again only with idempotence. Batches of a partition are answered in order, and sent again in order.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use checkers::Deliveries;
use wire::ErrorCode;
use wire::api::ProduceRequest;
use wire::api::k00_produce::{PartitionProduceData, PartitionProduceResponse, TopicProduceData};
use wire::codec::Records;
use wire::compression::Compression;

use super::EngineError;
use super::board::add;
use super::clock::Nanos;
use super::connection::Answer;
use super::context::{Context, Link, Owner};
use super::error::{error_name, is_retriable};
use super::filler::{Filler, KeyChooser};
use super::queue::{Batch, Identity, Queue};
use super::recorder::Recorded;
use super::schedule::Schedule;
use crate::client::{Acks, partition_for_key};
use crate::measure::{Place, place};
use crate::payload::Stamp;
use crate::scenario::{Partitioner, Producers};

/// Before a refused batch is sent again, or a broken connection is opened again.
const RETRY_PAUSE: Nanos = 100_000_000;
/// Bytes appended before sockets are looked at again.
const APPENDED_BYTES_MAX: u64 = 1 << 20;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// What a producer is to be.
#[derive(Debug, Clone)]
pub struct ProducerPlan {
    /// Its number among all of the run; what records bear.
    pub number: u32,
    /// Its topic.
    pub topic: usize,
    /// The topic's partitions.
    pub partitions: usize,
    /// How it writes.
    pub settings: Arc<Producers>,
    /// What makes it idempotent.
    pub identity: Option<Identity>,
}

/// What became of a producer's records.
#[derive(Debug)]
pub struct Account {
    /// Its number.
    pub number: u32,
    /// Its topic.
    pub topic: usize,
    /// What was acknowledged and what was refused; without acknowledgements (acks = 0) what was sent counts as promised.
    pub deliveries: Deliveries<Place>,
    /// The number of these by partition.
    pub records: Vec<u64>,
}

impl Account {
    fn settled(&mut self, partition: usize, batch: &Batch, offset: Option<i64>) {
        self.records[partition] += batch.records();
        let place = place(self.topic, partition);
        self.deliveries.acknowledged(self.number, place, batch.sequences(), offset);
    }

    fn refused(&mut self, partition: usize, batch: &Batch) {
        self.deliveries.refused(self.number, place(self.topic, partition), batch.sequences());
    }
}

/// What a producer is told to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Nothing.
    Idle,
    /// As much as the brokers take, until so many records were appended.
    Fill {
        /// The number of records.
        records: u64,
    },
    /// As much as the brokers take, until a moment.
    Max {
        /// First moment at which nothing is appended.
        until: Nanos,
    },
    /// By a schedule, until a moment.
    Scheduled {
        /// When each record is due.
        schedule: Schedule,
        /// Records due at or after it are not of the run.
        until: Nanos,
    },
}

/// A request on its way.
#[derive(Debug)]
pub struct Sent {
    at: Nanos,
    parts: Vec<(usize, Batch)>,
}

/// The way to one leader.
#[derive(Debug)]
struct Leader {
    node: i32,
    link: Option<Link<Sent>>,
    /// Partitions that have something to send.
    listed: VecDeque<usize>,
    not_before: Nanos,
}

/// A producer.
#[derive(Debug)]
pub struct Producer {
    plan: ProducerPlan,
    place: usize,
    pace: Pace,
    /// Records appended under this pace.
    appended: u64,
    /// Records of the schedule that were counted as due.
    offered: u64,
    filler: Filler,
    keys: Option<KeyChooser>,
    queues: Vec<Queue>,
    leaders: Vec<Leader>,
    leader_of: Vec<Option<usize>>,
    /// Moments at which a partition is to be looked at: its batch has lingered, or may be sent again.
    waiting: BinaryHeap<Reverse<(Nanos, usize)>>,
    turn: usize,
    buffered_bytes: u64,
    /// Whether the last turn appended as much as a turn may.
    is_hungry: bool,
    account: Account,
}

impl Producer {
    /// A producer at a place on its worker.
    pub fn new(plan: ProducerPlan, place: usize) -> Producer {
        let settings = &plan.settings;
        let seed = u64::from(plan.number);
        let is_compressed = settings.compression != Compression::None;
        Producer {
            filler: Filler::new(seed, settings.record_bytes as usize, settings.random_share, is_compressed),
            keys: settings.keys.as_ref().map(|keys| KeyChooser::new(seed, keys)),
            queues: (0..plan.partitions).map(|_| Queue::default()).collect(),
            leaders: Vec::new(),
            leader_of: vec![None; plan.partitions],
            waiting: BinaryHeap::new(),
            turn: plan.number as usize % plan.partitions,
            buffered_bytes: 0,
            is_hungry: false,
            account: Account {
                number: plan.number,
                topic: plan.topic,
                deliveries: Deliveries::default(),
                records: vec![0; plan.partitions],
            },
            pace: Pace::Idle,
            appended: 0,
            offered: 0,
            place,
            plan,
        }
    }

    /// Its number among all of the run.
    pub fn number(&self) -> u32 {
        self.plan.number
    }

    /// From now on by another pace.
    pub fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
        self.appended = 0;
        self.offered = 0;
    }

    /// Nothing is appended from `now` on.
    pub fn stop(&mut self, now: Nanos) {
        match &mut self.pace {
            Pace::Scheduled { until, .. } | Pace::Max { until } => *until = (*until).min(now),
            Pace::Fill { .. } => self.pace = Pace::Idle,
            Pace::Idle => {}
        }
    }

    /// What became of its records.
    pub fn into_account(self) -> Account {
        self.account
    }

    /// Goes by a newer topology.
    pub fn adopt_topology(&mut self, context: &mut Context<'_>) {
        for leader in &mut self.leaders {
            leader.listed.clear();
        }
        for partition in 0..self.queues.len() {
            let node = context.topology.leader(self.plan.topic, partition);
            self.leader_of[partition] = node.map(|node| self.leader_place(node));
            self.queues[partition].is_listed = false;
            self.list(partition);
        }
    }

    fn leader_place(&mut self, node: i32) -> usize {
        self.leaders.iter().position(|leader| leader.node == node).unwrap_or_else(|| {
            self.leaders.push(Leader { node, link: None, listed: VecDeque::new(), not_before: 0 });
            self.leaders.len() - 1
        })
    }

    fn list(&mut self, partition: usize) {
        let Some(leader) = self.leader_of[partition] else { return };
        if !std::mem::replace(&mut self.queues[partition].is_listed, true) {
            self.leaders[leader].listed.push_back(partition);
        }
    }

    fn linger(&self) -> Nanos {
        (self.plan.settings.linger_ms * 1e6) as Nanos
    }

    /// Appends what is due and sends what can be sent.
    ///
    /// # Errors
    /// What the producer can't go on from.
    pub fn turn(&mut self, context: &mut Context<'_>) -> Result<(), EngineError> {
        while let Some(Reverse((at, partition))) = self.waiting.peek().copied() {
            if at > context.now {
                break;
            }
            self.waiting.pop();
            self.list(partition);
        }
        let mut left = (APPENDED_BYTES_MAX / u64::from(self.plan.settings.record_bytes)).max(1);
        loop {
            let appended = self.append_due(left, context)?;
            for leader in 0..self.leaders.len() {
                self.send_to(leader, context)?;
            }
            left -= appended;
            self.is_hungry = left == 0;
            if appended == 0 || left == 0 {
                return Ok(());
            }
        }
    }

    /// Appends at most so many records; returns how many.
    fn append_due(&mut self, most: u64, context: &mut Context<'_>) -> Result<u64, EngineError> {
        let record_bytes = u64::from(self.plan.settings.record_bytes);
        let room = u64::from(self.plan.settings.buffer_bytes).saturating_sub(self.buffered_bytes) / record_bytes;
        // A record that is larger than the buffer goes alone.
        let most = most.min(if self.buffered_bytes == 0 { room.max(1) } else { room });
        match self.pace {
            Pace::Idle => Ok(0),
            Pace::Scheduled { schedule, until } => {
                let due = schedule.count_before(until.min(context.now + 1));
                note_offered(due.saturating_sub(self.offered), context);
                self.offered = self.offered.max(due);
                let records = due.saturating_sub(self.appended).min(most);
                for _ in 0..records {
                    self.append(schedule.due(self.appended), context)?;
                }
                Ok(records)
            }
            Pace::Fill { records } => {
                let left = records.saturating_sub(self.appended);
                self.append_at_once(left.min(most), context)
            }
            Pace::Max { until } if context.now < until => self.append_at_once(most, context),
            Pace::Max { .. } => Ok(0),
        }
    }

    /// Appends as if there were no schedule: enough that each leader's requests are full, no more.
    fn append_at_once(&mut self, most: u64, context: &mut Context<'_>) -> Result<u64, EngineError> {
        let settings = &self.plan.settings;
        let batch_bytes = u64::from(settings.batch_bytes.max(settings.record_bytes));
        let batches = match (settings.partitioner, &settings.keys) {
            (Partitioner::Sticky, None) => u64::from(settings.in_flight) + 1,
            _ => self.queues.len() as u64 * 2,
        };
        let wanted = (batch_bytes * batches).saturating_sub(self.buffered_bytes) / u64::from(settings.record_bytes);
        let records = wanted.min(most);
        for _ in 0..records {
            self.append(context.now, context)?;
        }
        note_offered(records, context);
        Ok(records)
    }

    #[inline]
    fn append(&mut self, intended: Nanos, context: &mut Context<'_>) -> Result<(), EngineError> {
        let settings = &self.plan.settings;
        let key = self.keys.as_mut().map(KeyChooser::next);
        let is_sticky = key.is_none() && settings.partitioner == Partitioner::Sticky;
        let (record_bytes, batch_bytes) = (settings.record_bytes as usize, settings.batch_bytes as usize);
        let partition = loop {
            let partition = match &key {
                Some(key) => partition_for_key(key, self.queues.len()),
                None => self.turn,
            };
            let queue = &mut self.queues[partition];
            if !queue.would_overflow(record_bytes, batch_bytes) {
                break partition;
            }
            queue.seal(self.plan.settings.compression, self.plan.identity)?;
            self.list(partition);
            if is_sticky {
                self.go_on();
            }
        };
        let queue = &mut self.queues[partition];
        let intended_ns = context.clock.wall(intended);
        let stamp =
            Stamp { run: context.run, producer: self.plan.number, sequence: queue.next_sequence(), intended_ns };
        let value = self.filler.stamped(&stamp);
        let key = key.as_ref().map(<[u8; 8]>::as_slice);
        let opens = queue.append(intended_ns / NANOS_PER_MILLI, key, value, intended, context.now)?;
        self.appended += 1;
        self.buffered_bytes += record_bytes as u64;
        if key.is_none() && !is_sticky {
            self.go_on();
        }
        if opens {
            match self.linger() {
                0 => self.list(partition),
                linger => self.waiting.push(Reverse((context.now + linger, partition))),
            }
        }
        Ok(())
    }

    /// The next record without a key is for the next partition.
    fn go_on(&mut self) {
        self.turn = if self.turn + 1 < self.queues.len() { self.turn + 1 } else { 0 };
    }

    /// Sends requests to a leader while it takes them.
    fn send_to(&mut self, leader: usize, context: &mut Context<'_>) -> Result<(), EngineError> {
        while !self.leaders[leader].listed.is_empty() && self.has_slot(leader, context) {
            let parts = self.gather(leader, context)?;
            if parts.is_empty() {
                break;
            }
            self.send(leader, parts, context)?;
        }
        Ok(())
    }

    /// Whether a request may be sent; opens the connection where there is none.
    fn has_slot(&mut self, leader: usize, context: &mut Context<'_>) -> bool {
        let to = &mut self.leaders[leader];
        if to.link.is_none() && context.now >= to.not_before {
            match context.open(to.node, Owner::Producer(self.place, leader)) {
                Ok(link) => to.link = Some(link),
                Err(error) => self.lost(leader, &error.into(), context),
            }
        }
        let settings = &self.plan.settings;
        self.leaders[leader].link.as_ref().is_some_and(|link| match settings.acks {
            // Without answers the socket is all that says how much the broker takes.
            Acks::None => link.connection.is_flushed(),
            _ => link.connection.in_flight() < settings.in_flight as usize,
        })
    }

    /// Takes a batch of each listed partition, as many as fit one request.
    fn gather(&mut self, leader: usize, context: &Context<'_>) -> Result<Vec<(usize, Batch)>, EngineError> {
        let settings = self.plan.settings.clone();
        let linger = self.linger();
        let now = context.now;
        let (mut parts, mut bytes) = (Vec::new(), 0);
        for _ in 0..self.leaders[leader].listed.len() {
            if bytes >= settings.request_bytes as usize {
                break;
            }
            let Some(partition) = self.leaders[leader].listed.pop_front() else { break };
            let queue = &mut self.queues[partition];
            queue.is_listed = false;
            if !queue.has_due(now, linger) {
                continue;
            }
            if !queue.may_send(now) {
                if queue.not_before > now {
                    self.waiting.push(Reverse((queue.not_before, partition)));
                }
                continue;
            }
            let Some((batch, was_open)) = queue.take(settings.compression, self.plan.identity)? else { continue };
            if bytes > 0 && bytes + batch.bytes.len() > settings.request_bytes as usize {
                queue.put_back(batch);
                queue.is_listed = true;
                self.leaders[leader].listed.push_front(partition);
                break;
            }
            // A sticky producer goes on to the next partition with each batch that leaves.
            if was_open && partition == self.turn && self.is_sticky() {
                self.go_on();
            }
            bytes += batch.bytes.len();
            let has_more = self.queues[partition].has_due(now, linger);
            parts.push((partition, batch));
            if has_more {
                self.list(partition);
            }
        }
        Ok(parts)
    }

    fn send(
        &mut self,
        leader: usize,
        parts: Vec<(usize, Batch)>,
        context: &mut Context<'_>,
    ) -> Result<(), EngineError> {
        let settings = self.plan.settings.clone();
        let topic = &context.topology.topics[self.plan.topic];
        let data = |(partition, batch): &(usize, Batch)| PartitionProduceData {
            index: *partition as i32,
            records: Some(Records::from(batch.bytes.clone())),
        };
        let request = ProduceRequest {
            transactional_id: None,
            acks: settings.acks.code(),
            timeout_ms: i32::try_from(settings.delivery_timeout_ms).unwrap_or(i32::MAX),
            topic_data: vec![TopicProduceData {
                name: topic.name.clone(),
                topic_id: topic.id,
                partition_data: parts.iter().map(data).collect(),
            }],
        };
        let now = context.clock.now();
        let mut sent = Sent { at: now, parts };
        for (partition, batch) in &mut sent.parts {
            let queue = &mut self.queues[*partition];
            self.buffered_bytes =
                self.buffered_bytes.saturating_sub(batch.records() * u64::from(settings.record_bytes));
            if batch.first_sent.is_some() {
                context.recorded.retried += 1;
            } else {
                batch.first_sent = Some(now);
                note_sent(batch, now, settings.record_bytes, context);
            }
            if settings.acks == Acks::None {
                self.account.settled(*partition, batch, None);
            } else {
                queue.in_flight += 1;
            }
        }
        context.recorded.requests += 1;
        context.recorded.batches += sent.parts.len() as u64;
        let link = self.leaders[leader].link.as_mut().expect("a slot was found on it");
        if settings.acks == Acks::None {
            link.connection.send_unanswered(&request)?;
        } else {
            link.connection.send(&request, sent)?;
        }
        drop(request);
        if let Err(error) = link.connection.flush() {
            self.lost(leader, &error.into(), context);
        }
        Ok(())
    }

    /// A socket is readable or writable.
    ///
    /// # Errors
    /// What the producer can't go on from.
    pub fn ready(&mut self, leader: usize, context: &mut Context<'_>) -> Result<(), EngineError> {
        match self.exchange(leader, context) {
            Ok(()) => Ok(()),
            Err(error @ (EngineError::Io(_) | EngineError::Nonsense { .. })) => {
                let is_fatal = matches!(error, EngineError::Nonsense { .. });
                self.lost(leader, &error, context);
                if is_fatal { Err(error) } else { Ok(()) }
            }
            Err(error) => Err(error),
        }
    }

    fn exchange(&mut self, leader: usize, context: &mut Context<'_>) -> Result<(), EngineError> {
        loop {
            let Some(link) = &mut self.leaders[leader].link else { return Ok(()) };
            link.connection.flush()?;
            let is_full = link.connection.read()?;
            loop {
                let Some(link) = &mut self.leaders[leader].link else { return Ok(()) };
                let Some(answer) = link.connection.next_answer()? else { break };
                self.take_answer(answer, context)?;
            }
            if !is_full {
                return Ok(());
            }
        }
    }

    fn take_answer(&mut self, answer: Answer<Sent>, context: &mut Context<'_>) -> Result<(), EngineError> {
        let response = answer.decode::<ProduceRequest>()?;
        let now = context.clock.now();
        context.counters.last_answer.store(now, std::sync::atomic::Ordering::Relaxed);
        let Sent { at, parts } = answer.token;
        if parts.iter().any(|(_, batch)| batch.intended.iter().any(|due| context.window.takes(*due, now))) {
            context.recorded.request.record_us((now - at) / 1000, 1);
        }
        let answers = response.responses.first().map_or(&[][..], |topic| &topic.partition_responses);
        for (place, (partition, batch)) in parts.into_iter().enumerate() {
            // Answers come in the order of the request with every broker that is known; nothing says that they must.
            let is_it = |answer: &&PartitionProduceResponse| answer.index == partition as i32;
            let found = answers.get(place).filter(is_it).or_else(|| answers.iter().find(is_it));
            let Some(found) = found else {
                let detail = format!("no word of partition {partition}");
                return Err(EngineError::nonsense(wire::api::ApiKey::Produce, &detail));
            };
            self.settle(partition, batch, at, found, now, context);
        }
        Ok(())
    }

    /// A batch was answered.
    fn settle(
        &mut self,
        partition: usize,
        batch: Batch,
        at: Nanos,
        found: &PartitionProduceResponse,
        now: Nanos,
        context: &mut Context<'_>,
    ) {
        let queue = &mut self.queues[partition];
        queue.in_flight -= 1;
        let is_duplicate = found.error_code == ErrorCode::DuplicateSequenceNumber.code();
        if found.error_code == 0 || is_duplicate {
            let records = batch.records();
            let offset = (found.base_offset >= 0).then_some(found.base_offset);
            self.account.settled(partition, &batch, offset);
            if found.base_offset >= 0 {
                context.board.heard_end(self.plan.topic, partition, found.base_offset + records as i64);
            }
            note_acked(&batch, at, now, self.plan.settings.record_bytes, context);
        } else {
            self.refused(partition, batch, found.error_code, now, context);
        }
        let queue = &mut self.queues[partition];
        if queue.is_retrying && queue.in_flight == 0 {
            queue.is_retrying = false;
            self.waiting.push(Reverse((queue.not_before, partition)));
        }
    }

    fn refused(&mut self, partition: usize, batch: Batch, code: i16, now: Nanos, context: &mut Context<'_>) {
        let queue = &mut self.queues[partition];
        // What comes behind a refused batch of an idempotent producer is out of order until that has been taken.
        let follows = queue.is_retrying && code == ErrorCode::OutOfOrderSequenceNumber.code();
        let limit = self.plan.settings.delivery_timeout_ms.saturating_mul(1_000_000);
        let is_late = batch.first_sent.is_some_and(|first| now.saturating_sub(first) > limit);
        let may_go_again = was_surely_refused(code) || (self.plan.identity.is_some() && is_retriable(code)) || follows;
        if may_go_again && !is_late {
            queue.is_retrying = true;
            queue.not_before = now + RETRY_PAUSE;
            self.buffered_bytes += batch.records() * u64::from(self.plan.settings.record_bytes);
            queue.put_back(batch);
            context.shared_topology.ask();
            return;
        }
        if is_surely_absent(code) {
            self.account.refused(partition, &batch);
        }
        let name = error_name(code);
        context.trouble(false, format!("partition {partition}: {} records were refused: {name}", batch.records()));
        note_failed(context, &name, batch.records());
    }

    /// A connection is gone.
    fn lost(&mut self, leader: usize, error: &EngineError, context: &mut Context<'_>) {
        let node = self.leaders[leader].node;
        self.leaders[leader].not_before = context.now + RETRY_PAUSE;
        context.shared_topology.ask();
        let mut unknown = 0;
        if let Some(link) = self.leaders[leader].link.take() {
            for sent in context.close(link) {
                for (partition, batch) in sent.parts {
                    unknown += batch.records();
                    self.orphaned(partition, batch, error, context);
                }
            }
        }
        let producer = self.plan.number;
        let consequence = match (unknown, self.plan.identity) {
            (0, _) => String::new(),
            (records, Some(_)) => format!("; {records} records are sent again"),
            (records, None) => format!("; it is unknown whether {records} records were appended"),
        };
        context.trouble(false, format!("producer {producer}, broker {node}: {error}{consequence}"));
        let again = context.now + RETRY_PAUSE;
        self.waiting.extend((0..self.queues.len()).map(|partition| Reverse((again, partition))));
    }

    /// A batch whose answer will not come.
    fn orphaned(&mut self, partition: usize, batch: Batch, error: &EngineError, context: &mut Context<'_>) {
        let queue = &mut self.queues[partition];
        queue.in_flight -= 1;
        if self.plan.identity.is_some() {
            queue.is_retrying = true;
            queue.not_before = context.now + RETRY_PAUSE;
            self.buffered_bytes += batch.records() * u64::from(self.plan.settings.record_bytes);
            queue.put_back(batch);
        } else {
            note_failed(context, &error.name(), batch.records());
        }
    }

    /// Closes all connections and counts what was never settled as failed.
    pub fn give_up(&mut self, context: &mut Context<'_>) {
        let mut left = 0;
        for leader in &mut self.leaders {
            if let Some(link) = leader.link.take() {
                left += context.close(link).flat_map(|sent| sent.parts).map(|(_, batch)| batch.records()).sum::<u64>();
            }
        }
        left += self.queues.iter_mut().map(Queue::give_up).sum::<u64>();
        if left > 0 {
            note_failed(context, "TIMED_OUT", left);
        }
    }

    /// When the next turn is due, if nothing else happens.
    pub fn deadline(&self, now: Nanos) -> Option<Nanos> {
        let has_room = self.buffered_bytes < u64::from(self.plan.settings.buffer_bytes);
        let due = match self.pace {
            Pace::Scheduled { schedule, until } if has_room => {
                Some(schedule.due(self.appended)).filter(|due| *due < until)
            }
            // Else sockets say when there is room for more.
            Pace::Max { .. } | Pace::Fill { .. } if self.is_hungry => Some(now),
            _ => None,
        };
        let reconnect = self.leaders.iter().filter(|leader| leader.link.is_none() && !leader.listed.is_empty());
        let reconnect = reconnect.map(|leader| leader.not_before.max(now + 1)).min();
        [due, self.waiting.peek().map(|Reverse((at, _))| *at), reconnect].into_iter().flatten().min()
    }

    fn is_sticky(&self) -> bool {
        self.plan.settings.keys.is_none() && self.plan.settings.partitioner == Partitioner::Sticky
    }
}

fn note_offered(records: u64, context: &mut Context<'_>) {
    context.recorded.offered += records;
    add(&context.counters.offered, records);
}

/// Whether a refused batch was surely not appended, so that sending it again doubles nothing.
fn was_surely_refused(code: i16) -> bool {
    let is_unclear = [
        ErrorCode::RequestTimedOut,
        ErrorCode::NotEnoughReplicasAfterAppend,
        ErrorCode::NetworkException,
        ErrorCode::UnknownServerError,
    ];
    is_retriable(code) && !is_unclear.iter().any(|error| error.code() == code)
}

/// Whether a batch that was refused for good is surely not in the log.
fn is_surely_absent(code: i16) -> bool {
    let sure = [ErrorCode::MessageTooLarge, ErrorCode::RecordListTooLarge, ErrorCode::InvalidRecord];
    sure.iter().any(|error| error.code() == code)
}

fn note_sent(batch: &Batch, now: Nanos, record_bytes: u32, context: &mut Context<'_>) {
    let records = batch.records();
    let window = context.window;
    for intended in batch.intended.iter().filter(|intended| window.takes(**intended, now)) {
        context.recorded.slip.record_us(now.saturating_sub(*intended) / 1000, 1);
    }
    context.recorded.sent += records;
    context.recorded.sent_bytes += records * u64::from(record_bytes);
    add(&context.counters.sent, records);
}

fn note_acked(batch: &Batch, at: Nanos, now: Nanos, record_bytes: u32, context: &mut Context<'_>) {
    let records = batch.records();
    let window = context.window;
    let Recorded { response, service, .. } = context.recorded;
    let mut counted = 0;
    for intended in batch.intended.iter().filter(|intended| window.takes(**intended, now)) {
        response.record_us(now.saturating_sub(*intended) / 1000, 1);
        counted += 1;
    }
    if counted > 0 {
        service.record_us((now - at) / 1000, counted);
    }
    context.recorded.acked += records;
    context.recorded.acked_bytes += records * u64::from(record_bytes);
    add(&context.counters.acked, records);
}

fn note_failed(context: &mut Context<'_>, name: &str, records: u64) {
    context.recorded.failed(name, records);
    add(&context.counters.failed, records);
}
