//! Requests that many tests send, and what they want to know of the answers.

use std::time::Duration;

use bytes::Bytes;
use wire::api::k00_produce::{PartitionProduceData, PartitionProduceResponse, TopicProduceData};
use wire::api::k01_fetch::{FetchPartition, FetchTopic, PartitionData};
use wire::api::k02_list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use wire::api::k08_offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::api::k09_offset_fetch::OffsetFetchRequestTopic;
use wire::api::k19_create_topics::{CreatableTopic, CreatableTopicConfig};
use wire::api::*;
use wire::batch::{BatchBuilder, BatchOptions, batches};
use wire::codec::Records;

use super::Client;

/// The newest versions that name topics.
pub const PRODUCE: i16 = 12;
pub const FETCH: i16 = 12;
pub const ACKS_ALL: i16 = -1;
pub const EARLIEST: i64 = -2;
pub const LATEST: i64 = -1;
/// The most that a compressed batch of a test opens to.
const OPENED_BYTES_MAX: usize = 64 << 20;

/// A batch with these values.
pub fn batch(values: &[&[u8]]) -> Vec<u8> {
    batch_with(values, &BatchOptions::default())
}

/// A batch with these values and this header.
pub fn batch_with(values: &[&[u8]], options: &BatchOptions) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for value in values {
        builder.append(now_ms(), None, Some(value), &[]).expect("a small record");
    }
    let mut bytes = Vec::new();
    builder.build(options, &mut bytes).expect("records that compress");
    bytes
}

/// An idempotent producer's batch.
pub fn sequenced(values: &[&[u8]], (producer_id, producer_epoch): (i64, i16), base_sequence: i32) -> Vec<u8> {
    batch_with(values, &BatchOptions { producer_id, producer_epoch, base_sequence, ..Default::default() })
}

pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    since.as_millis() as i64
}

/// A produce request of one batch for each (topic, partition).
pub fn produce_request(acks: i16, parts: &[(&str, i32, &[u8])]) -> ProduceRequest {
    let topic = |&(topic, index, records): &(&str, i32, &[u8])| TopicProduceData {
        name: topic.into(),
        partition_data: vec![PartitionProduceData {
            index,
            records: Some(Records::from(Bytes::copy_from_slice(records))),
        }],
        ..Default::default()
    };
    let topic_data = parts.iter().map(topic).collect();
    ProduceRequest { acks, timeout_ms: 30_000, topic_data, ..Default::default() }
}

/// A fetch of one partition with these bounds.
pub fn fetch_request(topic: &str, partition: i32, offset: i64, max_wait: Duration, max_bytes: i32) -> FetchRequest {
    FetchRequest {
        max_wait_ms: max_wait.as_millis() as i32,
        min_bytes: 1,
        max_bytes,
        topics: vec![FetchTopic {
            topic: topic.into(),
            partitions: vec![FetchPartition {
                partition,
                fetch_offset: offset,
                partition_max_bytes: max_bytes,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Commits an offset of partition 0 without being a member.
pub fn commit(client: &mut Client, group: &str, topic: &str, committed_offset: i64) {
    let find = FindCoordinatorRequest { coordinator_keys: vec![group.into()], ..Default::default() };
    client.call(4, &find);
    let partition = OffsetCommitRequestPartition { committed_offset, ..Default::default() };
    let topic = OffsetCommitRequestTopic { name: topic.into(), partitions: vec![partition], ..Default::default() };
    let request = OffsetCommitRequest { group_id: group.into(), topics: vec![topic], ..Default::default() };
    let response = client.call(7, &request);
    assert_eq!(response.topics[0].partitions[0].error_code, 0);
}

/// What is committed of partition 0.
pub fn committed(client: &mut Client, group: &str, topic: &str) -> i64 {
    let topic = OffsetFetchRequestTopic { name: topic.into(), partition_indexes: vec![0] };
    let request = OffsetFetchRequest { group_id: group.into(), topics: Some(vec![topic]), ..Default::default() };
    let response = client.call(5, &request);
    assert_eq!(response.error_code, 0);
    response.topics[0].partitions[0].committed_offset
}

impl Client {
    /// Creates a topic and demands that it works.
    pub fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let error = self.try_create_topic(name, partitions, configs);
        assert_eq!(error, 0, "{name} is created");
    }

    /// Creates a topic; returns the error code.
    pub fn try_create_topic(&mut self, name: &str, num_partitions: i32, configs: &[(&str, &str)]) -> i16 {
        let config =
            |&(name, value): &(&str, &str)| CreatableTopicConfig { name: name.into(), value: Some(value.into()) };
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        let response = self.call(5, &CreateTopicsRequest { topics: vec![topic], ..Default::default() });
        response.topics[0].error_code
    }

    /// Deletes a topic; returns the error code.
    pub fn delete_topic(&mut self, name: &str) -> i16 {
        let request = DeleteTopicsRequest { topic_names: vec![name.into()], timeout_ms: 30_000, ..Default::default() };
        self.call(5, &request).responses[0].error_code
    }

    /// Produces one batch; returns what the partition answered.
    pub fn produce(&mut self, topic: &str, partition: i32, records: &[u8], acks: i16) -> PartitionProduceResponse {
        let mut response = self.call(PRODUCE, &produce_request(acks, &[(topic, partition, records)]));
        response.responses.remove(0).partition_responses.remove(0)
    }

    /// Produces one batch that must be taken; returns its offset.
    pub fn append(&mut self, topic: &str, partition: i32, records: &[u8]) -> i64 {
        let answer = self.produce(topic, partition, records, ACKS_ALL);
        assert_eq!(answer.error_code, 0, "{topic}-{partition}: {:?}", answer.error_message);
        answer.base_offset
    }

    /// Fetches one partition.
    pub fn fetch(&mut self, topic: &str, partition: i32, offset: i64, max_wait: Duration) -> PartitionData {
        let mut response = self.call(FETCH, &fetch_request(topic, partition, offset, max_wait, 1 << 20));
        assert_eq!(response.error_code, 0, "the fetch as a whole");
        response.responses.remove(0).partitions.remove(0)
    }

    /// All values of a partition from an offset to its end, each with its offset.
    pub fn read_all(&mut self, topic: &str, partition: i32, from: i64) -> Vec<(i64, Vec<u8>)> {
        let mut offset = from;
        let mut records = Vec::new();
        loop {
            let data = self.fetch(topic, partition, offset, Duration::ZERO);
            assert_eq!(data.error_code, 0, "{topic}-{partition} at {offset}");
            let high_watermark = data.high_watermark;
            for (found, value) in values(data) {
                if found >= offset {
                    records.push((found, value));
                }
            }
            offset = records.last().map_or(offset, |(offset, _)| offset + 1);
            if offset >= high_watermark {
                return records;
            }
        }
    }

    /// What ListOffsets says of a partition: the offset, or the error code.
    pub fn list_offset(&mut self, topic: &str, partition: i32, timestamp: i64) -> Result<i64, i16> {
        let partition = ListOffsetsPartition { partition_index: partition, timestamp, ..Default::default() };
        let topic = ListOffsetsTopic { name: topic.into(), partitions: vec![partition] };
        let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        let answer = self.call(7, &request).topics.remove(0).partitions.remove(0);
        if answer.error_code == 0 { Ok(answer.offset) } else { Err(answer.error_code) }
    }

    /// A producer id and epoch.
    pub fn producer_id(&mut self) -> (i64, i16) {
        let response = self.call(4, &InitProducerIdRequest { transaction_timeout_ms: 60_000, ..Default::default() });
        assert_eq!(response.error_code, 0);
        (response.producer_id, response.producer_epoch)
    }
}

/// The records of a fetched partition: offset and value.
pub fn values(data: PartitionData) -> Vec<(i64, Vec<u8>)> {
    let bytes = data.records.unwrap_or_default().into_bytes();
    let mut all = Vec::new();
    for batch in batches(&bytes) {
        let batch = batch.expect("whole batches are returned");
        let mut scratch = Vec::new();
        for record in wire::batch::records(&batch, OPENED_BYTES_MAX, &mut scratch).expect("records that open") {
            let record = record.expect("the record can be read");
            let value = record.value.unwrap_or_default().to_vec();
            all.push((batch.header.base_offset + i64::from(record.offset_delta), value));
        }
    }
    all
}
