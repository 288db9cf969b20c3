//! Sending batches.

use wire::Uuid;
use wire::api::ProduceRequest;
use wire::api::k00_produce::{PartitionProduceData, PartitionProduceResponse, ProduceResponse, TopicProduceData};
use wire::codec::Records;

use super::{Client, ClientError, TopicPartition, check};

/// Which replicas must have a batch before it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// No answer at all.
    None,
    /// The leader.
    Leader,
    /// Every in-sync replica.
    All,
}

impl Acks {
    /// The number on the wire.
    pub fn code(self) -> i16 {
        match self {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        }
    }
}

/// Where a batch landed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Produced {
    /// Offset of its first record; none without acknowledgement.
    pub base_offset: Option<i64>,
}

/// A Produce request with one batch, for any version: it names the topic both ways.
pub fn produce_request(
    to: &TopicPartition,
    topic_id: Uuid,
    acks: Acks,
    timeout_ms: i32,
    batch: bytes::Bytes,
) -> ProduceRequest {
    let partition = PartitionProduceData { index: to.partition, records: Some(Records::from(batch)) };
    ProduceRequest {
        transactional_id: None,
        acks: acks.code(),
        timeout_ms,
        topic_data: vec![TopicProduceData { name: to.topic.clone(), topic_id, partition_data: vec![partition] }],
    }
}

/// The answer to [`produce_request`].
///
/// # Errors
/// [`ClientError::Refused`] with the broker's word on this batch.
pub fn produce_result(to: &TopicPartition, response: &ProduceResponse) -> Result<Produced, ClientError> {
    let what = || format!("producing to {to}");
    let answer: Option<&PartitionProduceResponse> =
        response.responses.iter().flat_map(|topic| &topic.partition_responses).find(|part| part.index == to.partition);
    let answer = answer.ok_or_else(|| ClientError::Refused {
        what: what(),
        code: wire::ErrorCode::UnknownServerError.code(),
        message: Some("the answer does not mention the partition".into()),
    })?;
    let detail = answer.record_errors.first().and_then(|record| record.batch_index_error_message.as_deref());
    check(answer.error_code, answer.error_message.as_deref().or(detail), what)?;
    Ok(Produced { base_offset: Some(answer.base_offset) })
}

impl Client {
    /// Sends one batch to its partition's leader and waits for the acknowledgement, if there is to be one.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the broker's word; if it [is retriable](ClientError::is_retriable), the batch was not
    /// appended, and the leader was forgotten so that a repetition finds the new one.
    pub fn produce(&mut self, to: &TopicPartition, acks: Acks, batch: bytes::Bytes) -> Result<Produced, ClientError> {
        let leader = self.leader(&to.topic, to.partition)?;
        let topic_id = self.cached_topic(&to.topic).map_or(Uuid::ZERO, |topic| topic.id);
        let timeout_ms = i32::try_from(self.timeout().as_millis()).unwrap_or(i32::MAX);
        let request = produce_request(to, topic_id, acks, timeout_ms, batch);
        if acks == Acks::None {
            self.send_node_unanswered(leader, &request)?;
            return Ok(Produced { base_offset: None });
        }
        let result = produce_result(to, &self.call_node(leader, &request)?);
        if result.as_ref().is_err_and(ClientError::is_retriable) {
            self.forget(&to.topic);
        }
        result
    }
}
