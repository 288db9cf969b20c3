//! Consumers: read some partitions from the beginning on, as far as they get until the run stops them.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use checkers::history::{Event, ProcessId};
use wire::api::k01_fetch::{FetchPartition, FetchTopic, PartitionData};
use wire::api::k02_list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use wire::api::{FetchRequest, ListOffsetsRequest};
use wire::{ErrorCode, TopicPartitionId};

use super::link::{Link, Lost};
use super::{RETRY, Shared, records};

/// By topic id, without sessions.
pub(super) const FETCH_VERSION: i16 = 13;
/// Between two fetches.
const PAUSE: Duration = Duration::from_millis(2);
/// Of 100 fetches of a consumer that still has to, how many are followed by going back to the beginning.
const REWIND_PERCENT: u64 = 5;
const LIST_OFFSETS_VERSION: i16 = 7;
/// ListOffsets' name for the high watermark.
pub(super) const LATEST: i64 = -1;
/// ListOffsets' name for the log start.
pub(super) const EARLIEST: i64 = -2;

/// What a consumer is to do.
#[derive(Clone, Debug)]
pub struct ConsumerPlan {
    /// Its name in traces.
    pub name: String,
    /// What it reads, with the topics' names.
    pub partitions: Vec<(TopicPartitionId, String)>,
    /// Bytes that it asks for at a time.
    pub fetch_bytes: i32,
    /// How long the broker may keep a fetch, in ms.
    pub wait_ms: i32,
    /// How often it goes back to the beginning.
    pub rewinds: u64,
}

struct Consumer {
    shared: Rc<Shared>,
    plan: ConsumerPlan,
    process: ProcessId,
    positions: BTreeMap<TopicPartitionId, i64>,
}

/// Reads until consumers are stopped.
pub async fn consume(shared: Rc<Shared>, plan: ConsumerPlan) {
    let process = shared.new_process();
    let positions = plan.partitions.iter().map(|(key, _)| (*key, 0)).collect();
    let mut consumer = Consumer { shared, plan, process, positions };
    while !consumer.shared.stopping.get() {
        let mut link = consumer.shared.link(&consumer.plan.name).await;
        if let Err(lost) = consumer.work(&mut link).await {
            consumer.shared.trace.event(format_args!("{}: {lost}", consumer.plan.name));
            if let Lost::Malformed(what) = lost {
                consumer.shared.violation(format!("{}: {what}", consumer.plan.name));
            }
        }
    }
}

impl Consumer {
    async fn work(&mut self, link: &mut Link) -> Result<(), Lost> {
        while !self.shared.stopping.get() && !self.positions.is_empty() {
            let fetch = fetch_request(&self.positions, self.plan.fetch_bytes, self.plan.wait_ms);
            let response = link.ask(FETCH_VERSION, &fetch).await?;
            for topic in response.responses {
                for data in topic.partitions {
                    let key = TopicPartitionId { topic: topic.topic_id, partition: data.partition_index };
                    self.take(link, key, data).await?;
                }
            }
            if self.plan.rewinds > 0 && self.shared.dice.chance(REWIND_PERCENT) {
                self.plan.rewinds -= 1;
                self.rewind();
            }
            self.shared.clock.sleep(PAUSE).await;
        }
        if self.positions.is_empty() {
            self.shared.clock.sleep(RETRY).await;
        }
        Ok(())
    }

    async fn take(&mut self, link: &mut Link, key: TopicPartitionId, data: PartitionData) -> Result<(), Lost> {
        let Some(&position) = self.positions.get(&key) else { return Ok(()) };
        match ErrorCode::from_code(data.error_code) {
            Some(ErrorCode::None) => self.polled(key, position, data),
            Some(ErrorCode::OffsetOutOfRange) => self.reset(link, key, position).await?,
            Some(ErrorCode::UnknownTopicId | ErrorCode::UnknownTopicOrPartition)
                if self.shared.may_be_gone(key.topic) =>
            {
                self.positions.remove(&key);
            }
            Some(error) if error.is_retriable() => self.shared.clock.sleep(RETRY).await,
            _ => {
                let (name, code) = (&self.plan.name, data.error_code);
                self.shared.violation(format!("{name}: {}-{} answers error {code}", key.topic, key.partition));
                self.positions.remove(&key);
            }
        }
        Ok(())
    }

    fn polled(&mut self, key: TopicPartitionId, position: i64, data: PartitionData) {
        let high_watermark = data.high_watermark;
        match records::read(data.records.unwrap_or_default(), position) {
            Ok(records::Taken { records, next }) => {
                self.positions.insert(key, next);
                let Some(&(last, _)) = records.last() else { return };
                let (name, count) = (&self.plan.name, records.len());
                self.shared.trace.event(format_args!(
                    "{name} polls {count} of {}-{} from {position} to {last}",
                    key.topic, key.partition
                ));
                if last >= high_watermark {
                    self.shared.violation(format!("{name}: offset {last} at high watermark {high_watermark}"));
                }
                self.shared.history.borrow_mut().record(key, Event::Poll { process: self.process, records });
            }
            Err(what) => {
                self.shared
                    .violation(format!("{}: {}-{} from {position}: {what}", self.plan.name, key.topic, key.partition));
                self.positions.remove(&key);
            }
        }
    }

    /// The log no longer has the position, or, which the end will show, never had it.
    async fn reset(&mut self, link: &mut Link, key: TopicPartitionId, position: i64) -> Result<(), Lost> {
        let name = self.plan.partitions.iter().find(|(known, _)| *known == key).map(|(_, name)| name.clone());
        let name = name.unwrap_or_default();
        let Some(start) = list_offset(link, &name, key.partition, EARLIEST).await? else { return Ok(()) };
        let Some(end) = list_offset(link, &name, key.partition, LATEST).await? else { return Ok(()) };
        self.shared.trace.event(format_args!("{} is at {position} of {start}..{end}", self.plan.name));
        self.positions.insert(key, position.clamp(start, end.max(start)));
        self.shared.history.borrow_mut().record(key, Event::Assign { process: self.process });
        Ok(())
    }

    fn rewind(&mut self) {
        let mut history = self.shared.history.borrow_mut();
        for (key, position) in &mut self.positions {
            *position = 0;
            history.record(*key, Event::Assign { process: self.process });
        }
    }
}

/// A fetch of these partitions from these positions on.
pub(super) fn fetch_request(positions: &BTreeMap<TopicPartitionId, i64>, bytes: i32, wait_ms: i32) -> FetchRequest {
    let mut topics: Vec<FetchTopic> = Vec::new();
    for (key, &fetch_offset) in positions {
        let (partition, partition_max_bytes) = (key.partition, bytes);
        let partition = FetchPartition { partition, fetch_offset, partition_max_bytes, ..Default::default() };
        match topics.last_mut().filter(|topic| topic.topic_id == key.topic) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(FetchTopic { topic_id: key.topic, partitions: vec![partition], ..Default::default() }),
        }
    }
    FetchRequest { max_wait_ms: wait_ms, min_bytes: 1, max_bytes: bytes, topics, ..Default::default() }
}

/// An offset by one of its names; `None` when the broker does not say now.
pub(super) async fn list_offset(
    link: &mut Link,
    topic: &str,
    partition: i32,
    timestamp: i64,
) -> Result<Option<i64>, Lost> {
    let partitions = vec![ListOffsetsPartition { partition_index: partition, timestamp, ..Default::default() }];
    let topics = vec![ListOffsetsTopic { name: topic.to_owned(), partitions }];
    let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
    let response = link.ask(LIST_OFFSETS_VERSION, &request).await?;
    let answer = response.topics.into_iter().flat_map(|topic| topic.partitions).next();
    Ok(answer.filter(|answer| answer.error_code == 0).map(|answer| answer.offset))
}
