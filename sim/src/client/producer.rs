//! Producers: several requests in flight, sent again after a lost connection or a passing refusal until somebody answers
//! for good.
//!
//! What is to be sent again is sent in its old order, and only once nothing is in flight any more: the partition of an
//! idempotent producer then sees each sequence in turn. A batch that follows one which is refused for a while is refused
//! too, out of order; only the first one in line may never be.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use checkers::history::{Guarantee, ProcessId, Sent, Ticket, Value};
use wire::api::k00_produce::{PartitionProduceData, PartitionProduceResponse, TopicProduceData};
use wire::api::{InitProducerIdRequest, ProduceRequest};
use wire::batch::BatchOptions;
use wire::codec::Records;
use wire::compression::Compression;
use wire::{ErrorCode, TopicPartitionId};

use super::link::{Link, Lost};
use super::records::{self, Keyed};
use super::{RETRY, Shared};

const PRODUCE_VERSION: i16 = 13;
const INIT_PRODUCER_ID_VERSION: i16 = 5;
/// Where a batch's CRC ends: flipping a bit there makes the batch invalid.
const CRC_LAST_BYTE: usize = wire::batch::CRC_AT + 3;

/// Keys of a compacted partition.
const KEYS: u64 = 12;
/// Of 100 records there, how many say that their key is gone.
const TOMBSTONE_PERCENT: u64 = 15;

/// What a producer is to do.
#[derive(Clone, Debug)]
pub struct ProducerPlan {
    /// Its name in traces.
    pub name: String,
    /// Whether it asks for a producer id; then `acks` is −1.
    pub idempotent: bool,
    /// 0, 1 or −1.
    pub acks: i16,
    /// Where it writes.
    pub partitions: Vec<TopicPartitionId>,
    /// How many batches it sends.
    pub batches: u32,
    /// Records a batch at most.
    pub records_max: u64,
    /// Bytes of a record.
    pub record_bytes: usize,
    /// Requests in flight at most; 5 for idempotent producers, as in Kafka.
    pub in_flight_max: usize,
    /// How the records are compressed.
    pub compression: Compression,
    /// Between two requests, at most.
    pub pause: Duration,
    /// Of 100 batches of a producer that is not idempotent, how many are invalid.
    pub invalid_percent: u64,
}

struct Batch {
    key: TopicPartitionId,
    bytes: Bytes,
    /// Its place among all batches of this producer.
    order: u64,
    tickets: Vec<Ticket<TopicPartitionId>>,
    invalid: bool,
}

struct Producer {
    shared: Rc<Shared>,
    plan: ProducerPlan,
    process: ProcessId,
    /// Producer id and epoch.
    identity: Option<(i64, i16)>,
    sequences: BTreeMap<TopicPartitionId, i32>,
    /// Partitions that have acknowledged something: before that, one batch at a time.
    begun: BTreeSet<TopicPartitionId>,
    /// To be sent again, in order.
    again: VecDeque<Batch>,
    /// Sent and not answered, oldest first.
    flying: VecDeque<(i32, Vec<Batch>)>,
    left: u32,
    next_order: u64,
}

/// Sends everything; returns when all is answered for good.
pub async fn produce(shared: Rc<Shared>, plan: ProducerPlan) {
    let (process, left) = (shared.new_process(), plan.batches);
    let mut producer = Producer {
        shared,
        plan,
        process,
        identity: None,
        sequences: BTreeMap::new(),
        begun: BTreeSet::new(),
        again: VecDeque::new(),
        flying: VecDeque::new(),
        left,
        next_order: 0,
    };
    loop {
        let mut link = producer.shared.link(&producer.plan.name).await;
        match producer.work(&mut link).await {
            Ok(()) => return,
            Err(lost) => producer.lost(&lost),
        }
    }
}

impl Producer {
    async fn work(&mut self, link: &mut Link) -> Result<(), Lost> {
        if self.plan.idempotent && self.identity.is_none() {
            self.identify(link).await?;
        }
        loop {
            if self.flying.is_empty() && !self.again.is_empty() {
                self.shared.clock.sleep(RETRY).await;
            }
            while self.may_send() {
                let request = self.next_request();
                if request.is_empty() {
                    // Every partition that was drawn waits for its first acknowledgement.
                    break;
                }
                self.send(link, request).await?;
                let pause = self.shared.dice.delay(&(Duration::ZERO..=self.plan.pause));
                self.shared.clock.sleep(pause).await;
            }
            match self.flying.front() {
                Some(&(correlation, _)) => {
                    let response = link.receive::<ProduceRequest>(PRODUCE_VERSION, correlation).await?;
                    let (_, batches) = self.flying.pop_front().expect("it was there before");
                    let answers = response.responses.into_iter().flat_map(|topic| {
                        let parts = topic.partition_responses.into_iter();
                        parts.map(move |part| (TopicPartitionId { topic: topic.topic_id, partition: part.index }, part))
                    });
                    self.answered(batches, &answers.collect());
                }
                None => {
                    // What was sent without asking for an answer is given time to arrive.
                    self.shared.clock.sleep(RETRY).await;
                    return Ok(());
                }
            }
        }
    }

    async fn identify(&mut self, link: &mut Link) -> Result<(), Lost> {
        let request =
            InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: 60_000, ..Default::default() };
        loop {
            let response = link.ask(INIT_PRODUCER_ID_VERSION, &request).await?;
            match ErrorCode::from_code(response.error_code) {
                Some(ErrorCode::None) => {
                    self.identity = Some((response.producer_id, response.producer_epoch));
                    return Ok(());
                }
                Some(error) if error.is_retriable() => self.shared.clock.sleep(RETRY).await,
                _ => {
                    self.shared.violation(format!("InitProducerId: error {}", response.error_code));
                    self.shared.clock.sleep(RETRY * 20).await;
                }
            }
        }
    }

    /// What is due again goes first, behind nothing that is younger.
    fn may_send(&self) -> bool {
        let in_turn = match self.again.front() {
            Some(next) => self.flying.iter().flat_map(|(_, batches)| batches).all(|flying| flying.order < next.order),
            None => self.left > 0,
        };
        in_turn && self.flying.len() < self.plan.in_flight_max
    }

    fn next_request(&mut self) -> Vec<Batch> {
        if let Some(batch) = self.again.pop_front() {
            return vec![batch];
        }
        let dice = self.shared.dice.clone();
        let count = dice.within(1..=self.plan.partitions.len().min(3) as u64);
        let mut keys = BTreeSet::new();
        for _ in 0..count {
            let key = *dice.pick(&self.plan.partitions);
            let waits = !self.begun.contains(&key)
                && self.flying.iter().any(|(_, batches)| batches.iter().any(|batch| batch.key == key));
            if !(self.plan.idempotent && waits) {
                keys.insert(key);
            }
        }
        keys.into_iter().filter_map(|key| self.new_batch(key)).collect()
    }

    fn new_batch(&mut self, key: TopicPartitionId) -> Option<Batch> {
        self.left = self.left.checked_sub(1)?;
        let shared = &self.shared;
        let count = shared.dice.within(1..=self.plan.records_max);
        let values: Vec<_> = (0..count).map(|_| shared.new_value()).collect();
        let guarantee = if self.plan.idempotent { Guarantee::Once } else { Guarantee::AtLeastOnce };
        let mut history = shared.history.borrow_mut();
        let mut keyed = |value: &Value| {
            let keys = history.partition(key).keys.as_mut()?;
            let keyed = Keyed { key: shared.dice.below(KEYS), is_tombstone: shared.dice.chance(TOMBSTONE_PERCENT) };
            keys.insert(*value, keyed.key);
            Some(keyed)
        };
        let values: Vec<_> = values.iter().map(|value| (*value, keyed(value))).collect();
        let tickets = values.iter().map(|(value, _)| history.send(key, self.process, *value, guarantee)).collect();
        let mut options = BatchOptions { compression: self.plan.compression, ..Default::default() };
        if let Some((producer_id, producer_epoch)) = self.identity {
            let next = self.sequences.entry(key).or_insert(0);
            (options.producer_id, options.producer_epoch, options.base_sequence) = (producer_id, producer_epoch, *next);
            *next += count as i32;
        }
        let mut bytes = records::batch(&values, self.plan.record_bytes, shared.clock.now_ms(), &options);
        let invalid = !self.plan.idempotent && shared.dice.chance(self.plan.invalid_percent);
        if invalid {
            bytes[CRC_LAST_BYTE] ^= 1;
        }
        self.next_order += 1;
        Some(Batch { key, bytes: Bytes::from(bytes), order: self.next_order, tickets, invalid })
    }

    async fn send(&mut self, link: &mut Link, batches: Vec<Batch>) -> Result<(), Lost> {
        let mut topics: BTreeMap<wire::Uuid, Vec<PartitionProduceData>> = BTreeMap::new();
        for batch in &batches {
            let records = Some(Records::new(vec![batch.bytes.clone()]));
            topics
                .entry(batch.key.topic)
                .or_default()
                .push(PartitionProduceData { index: batch.key.partition, records });
        }
        let topic_data = topics
            .into_iter()
            .map(|(topic_id, partition_data)| TopicProduceData { topic_id, partition_data, ..Default::default() })
            .collect();
        let (acks, timeout_ms) = (self.plan.acks, 5_000);
        let request = ProduceRequest { transactional_id: None, acks, timeout_ms, topic_data };
        let orders = (batches.first().map(|batch| batch.order), batches.len());
        self.shared.trace.event(format_args!("{} sends {orders:?}", self.plan.name));
        if acks == 0 {
            // Nobody will answer: what is sent is settled, as unknown.
            return link.send(PRODUCE_VERSION, &request).await.map(drop);
        }
        // Before the send, so that a connection that is lost within it brings them back.
        self.flying.push_back((-1, batches));
        let correlation = link.send(PRODUCE_VERSION, &request).await?;
        self.flying.back_mut().expect("it was pushed just now").0 = correlation;
        Ok(())
    }

    fn answered(&mut self, batches: Vec<Batch>, answers: &BTreeMap<TopicPartitionId, PartitionProduceResponse>) {
        for batch in batches {
            let key = batch.key;
            let Some(answer) = answers.get(&key) else {
                self.shared.violation(format!("no answer for {}-{}", key.topic, key.partition));
                continue;
            };
            self.shared.trace.event(format_args!(
                "{} batch {} to {}-{}: error {} offset {}",
                self.plan.name, batch.order, key.topic, key.partition, answer.error_code, answer.base_offset
            ));
            match ErrorCode::from_code(answer.error_code) {
                Some(ErrorCode::None) if batch.invalid => {
                    self.shared.violation(format!("an invalid batch was acknowledged at {}", answer.base_offset));
                }
                Some(ErrorCode::None) => {
                    self.begun.insert(key);
                    self.settle(&batch, |index| Sent::Acked(answer.base_offset + index));
                }
                Some(ErrorCode::CorruptMessage) if batch.invalid => self.settle(&batch, |_| Sent::Failed),
                Some(ErrorCode::UnknownTopicId) if self.shared.may_be_gone(key.topic) => {}
                Some(ErrorCode::OutOfOrderSequenceNumber) if self.follows_another(&batch) => self.send_again(batch),
                Some(error) if error.is_retriable() => self.send_again(batch),
                _ => self.shared.violation(format!(
                    "{}: batch {} to {}-{} was refused with error {}",
                    self.plan.name, batch.order, key.topic, key.partition, answer.error_code
                )),
            }
        }
    }

    fn settle(&self, batch: &Batch, outcome: impl Fn(i64) -> Sent) {
        let mut history = self.shared.history.borrow_mut();
        for (index, ticket) in batch.tickets.iter().enumerate() {
            history.settle(*ticket, outcome(index as i64));
        }
    }

    /// Whether an older batch for the same partition has not been acknowledged either.
    fn follows_another(&self, batch: &Batch) -> bool {
        self.again.iter().any(|other| other.key == batch.key && other.order < batch.order)
    }

    fn send_again(&mut self, batch: Batch) {
        let place = self.again.partition_point(|other| other.order < batch.order);
        self.again.insert(place, batch);
    }

    fn lost(&mut self, lost: &Lost) {
        self.shared.trace.event(format_args!("{}: {lost}", self.plan.name));
        if let Lost::Malformed(what) = lost {
            self.shared.violation(format!("{}: {what}", self.plan.name));
        }
        for (_, batches) in std::mem::take(&mut self.flying) {
            batches.into_iter().for_each(|batch| self.send_again(batch));
        }
    }
}
