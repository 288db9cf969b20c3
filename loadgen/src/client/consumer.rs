//! Reading partitions on: offsets by time, fetches from every leader, records by position.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use wire::api::k01_fetch::{FetchPartition, FetchResponse, FetchTopic, PartitionData};
use wire::api::k02_list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use wire::api::{FetchRequest, ListOffsetsRequest};
use wire::batch::{batches, records};
use wire::records::consumer_protocol::ConsumerProtocolAssignment;
use wire::{ErrorCode, Uuid};

use super::{Client, ClientError, check};

/// Records of one batch take this many bytes at most once they are decompressed.
const BATCH_BYTES_MAX: usize = 256 << 20;
/// Bytes asked for in one fetch from one leader.
const FETCH_BYTES_MAX: i32 = 32 << 20;
/// Bytes asked for of one partition.
const PARTITION_BYTES_MAX: i32 = 1 << 20;

/// A partition by its topic's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// Topic.
    pub topic: String,
    /// Index.
    pub partition: i32,
}

impl TopicPartition {
    /// What an assignment names.
    pub(super) fn from_protocol(assignment: ConsumerProtocolAssignment) -> Vec<TopicPartition> {
        let topics = assignment.assigned_partitions.into_iter().map(|topic| (topic.topic, topic.partitions));
        TopicPartition::each(topics)
    }

    /// Each partition of some topics.
    pub(super) fn each(topics: impl Iterator<Item = (String, Vec<i32>)>) -> Vec<TopicPartition> {
        let each = topics.flat_map(|(topic, partitions)| {
            partitions.into_iter().map(move |partition| TopicPartition { topic: topic.clone(), partition })
        });
        each.collect()
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Which offset of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first that is there.
    Earliest,
    /// The one after the last.
    Latest,
    /// The first whose timestamp, in ms since the epoch, is this one or later; −1 when there is none.
    Timestamp(i64),
}

impl OffsetSpec {
    fn timestamp(self) -> i64 {
        match self {
            OffsetSpec::Latest => -1,
            OffsetSpec::Earliest => -2,
            OffsetSpec::Timestamp(timestamp) => timestamp,
        }
    }
}

/// A record that was fetched, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Fetched<'a> {
    /// Its partition.
    pub partition: &'a TopicPartition,
    /// Its offset.
    pub offset: i64,
    /// Its timestamp in ms since the epoch; −1 for none.
    pub timestamp: i64,
    /// Whether the broker set the timestamp.
    pub log_append_time: bool,
    /// Key, value, headers.
    pub record: wire::batch::Record<'a>,
}

impl Client {
    /// Asks each partition's leader for an offset.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for the first partition that has none.
    pub fn offsets(
        &mut self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<BTreeMap<TopicPartition, i64>, ClientError> {
        let mut by_leader: BTreeMap<i32, Vec<&TopicPartition>> = BTreeMap::new();
        for partition in partitions {
            by_leader.entry(self.leader(&partition.topic, partition.partition)?).or_default().push(partition);
        }
        let mut found = BTreeMap::new();
        for (leader, partitions) in by_leader {
            let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
            for partition in partitions {
                topics.entry(&partition.topic).or_default().push(ListOffsetsPartition {
                    partition_index: partition.partition,
                    current_leader_epoch: -1,
                    timestamp: spec.timestamp(),
                });
            }
            let topic = |(name, partitions): (&str, _)| ListOffsetsTopic { name: name.to_owned(), partitions };
            let request = ListOffsetsRequest {
                replica_id: -1,
                isolation_level: 0,
                topics: topics.into_iter().map(topic).collect(),
                timeout_ms: i32::try_from(self.timeout().as_millis()).unwrap_or(i32::MAX),
            };
            for topic in self.call_node(leader, &request)?.topics {
                for answer in topic.partitions {
                    let at = TopicPartition { topic: topic.name.clone(), partition: answer.partition_index };
                    check(answer.error_code, None, || format!("asking for offsets of {at}"))?;
                    found.insert(at, answer.offset);
                }
            }
        }
        Ok(found)
    }
}

/// Positions in some partitions, and what to do when one is out of range.
#[derive(Debug)]
pub struct Consumer {
    positions: BTreeMap<TopicPartition, i64>,
    reset: OffsetSpec,
    max_wait_ms: i32,
    /// Decompressed records; kept for its memory.
    scratch: Vec<u8>,
}

impl Consumer {
    /// Reads on from these offsets; each fetch waits `max_wait_ms` for news. A position that its partition no longer has
    /// is set to `reset`.
    pub fn new(positions: BTreeMap<TopicPartition, i64>, reset: OffsetSpec, max_wait_ms: i32) -> Consumer {
        Consumer { positions, reset, max_wait_ms, scratch: Vec::new() }
    }

    /// Offset of the next record of each partition.
    pub fn positions(&self) -> &BTreeMap<TopicPartition, i64> {
        &self.positions
    }

    /// Fetches once from every leader and hands out the records in order, partition by partition; `take` says whether it
    /// wants more. A record's position counts as passed when `take` was called with it. Returns how many it was given.
    ///
    /// # Errors
    /// What the calls meet, and what `take` does. A leader that moved is looked up anew and is no error.
    pub fn poll<E: From<ClientError>>(
        &mut self,
        client: &mut Client,
        mut take: impl FnMut(Fetched<'_>) -> Result<bool, E>,
    ) -> Result<u64, E> {
        let mut by_leader: BTreeMap<i32, Vec<(TopicPartition, i64)>> = BTreeMap::new();
        for (partition, offset) in &self.positions {
            let leader = client.leader(&partition.topic, partition.partition)?;
            by_leader.entry(leader).or_default().push((partition.clone(), *offset));
        }
        let mut taken = 0;
        for (leader, wanted) in by_leader {
            let request = fetch_request(client, &wanted, self.max_wait_ms);
            let response = client.call_node(leader, &request)?;
            check(response.error_code, None, || "fetching".into())?;
            for (partition, data) in by_partition(client, response) {
                let (count, more) = self.take_partition(client, &partition, data, &mut take)?;
                taken += count;
                if !more {
                    return Ok(taken);
                }
            }
        }
        Ok(taken)
    }

    fn take_partition<E: From<ClientError>>(
        &mut self,
        client: &mut Client,
        partition: &TopicPartition,
        data: PartitionData,
        take: &mut impl FnMut(Fetched<'_>) -> Result<bool, E>,
    ) -> Result<(u64, bool), E> {
        let Some(position) = self.positions.get_mut(partition) else { return Ok((0, true)) };
        if data.error_code == ErrorCode::OffsetOutOfRange.code() {
            let found = client.offsets(std::slice::from_ref(partition), self.reset)?;
            *position = found.get(partition).copied().unwrap_or(*position);
            return Ok((0, true));
        }
        match check(data.error_code, None, || format!("fetching from {partition}")) {
            Err(error) if error.is_retriable() => {
                client.forget(&partition.topic);
                return Ok((0, true));
            }
            other => other?,
        }
        let bytes: Bytes = data.records.unwrap_or_default().into_bytes();
        let bad = |error| ClientError::Batch { topic: partition.topic.clone(), partition: partition.partition, error };
        let mut taken = 0;
        for batch in batches(&bytes) {
            let batch = batch.map_err(bad)?;
            batch.check_crc().map_err(bad)?;
            let header = batch.header;
            if !header.is_control() {
                for record in records(&batch, BATCH_BYTES_MAX, &mut self.scratch).map_err(bad)? {
                    let record = record.map_err(bad)?;
                    let offset = header.base_offset + i64::from(record.offset_delta);
                    if offset < *position {
                        continue;
                    }
                    let fetched = Fetched::of(partition, offset, &header, record);
                    *position = offset + 1;
                    taken += 1;
                    if !take(fetched)? {
                        return Ok((taken, false));
                    }
                }
            }
            *position = (*position).max(header.last_offset() + 1);
        }
        Ok((taken, true))
    }
}

impl<'a> Fetched<'a> {
    fn of(
        partition: &'a TopicPartition,
        offset: i64,
        header: &wire::batch::BatchHeader,
        record: wire::batch::Record<'a>,
    ) -> Self {
        let log_append_time = header.timestamp_type() == wire::batch::TimestampType::LogAppendTime;
        let timestamp = if log_append_time {
            header.max_timestamp
        } else {
            header.base_timestamp.wrapping_add(record.timestamp_delta)
        };
        Fetched { partition, offset, timestamp, log_append_time, record }
    }
}

/// A Fetch request for any version: it names the topics both ways and has no session.
fn fetch_request(client: &Client, wanted: &[(TopicPartition, i64)], max_wait_ms: i32) -> FetchRequest {
    let mut topics: BTreeMap<&str, Vec<FetchPartition>> = BTreeMap::new();
    for (partition, offset) in wanted {
        topics.entry(&partition.topic).or_default().push(FetchPartition {
            partition: partition.partition,
            fetch_offset: *offset,
            partition_max_bytes: PARTITION_BYTES_MAX,
            ..FetchPartition::default()
        });
    }
    let topic = |(name, partitions): (&str, _)| FetchTopic {
        topic: name.to_owned(),
        topic_id: client.cached_topic(name).map_or(Uuid::ZERO, |topic| topic.id),
        partitions,
    };
    FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: FETCH_BYTES_MAX,
        topics: topics.into_iter().map(topic).collect(),
        ..FetchRequest::default()
    }
}

fn by_partition(client: &Client, response: FetchResponse) -> Vec<(TopicPartition, PartitionData)> {
    let mut answers = Vec::new();
    for topic in response.responses {
        let named = if topic.topic.is_empty() { client.cached_name(topic.topic_id) } else { Some(topic.topic.clone()) };
        let Some(name) = named else { continue };
        for data in topic.partitions {
            answers.push((TopicPartition { topic: name.clone(), partition: data.partition_index }, data));
        }
    }
    answers
}
