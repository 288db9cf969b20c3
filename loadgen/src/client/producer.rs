//! An idempotent producer (KIP-98): what it sends again, not knowing whether it had arrived, is appended once.
//!
//! Invariant: one batch a partition is on its way, and its number goes up only when it is acknowledged; so the broker sees
//! numbers without gaps, and recognises a repetition by its number.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;
use wire::ErrorCode;
use wire::api::InitProducerIdRequest;
use wire::batch::{BatchBuilder, BatchOptions};
use wire::compression::Compression;

use super::{Acks, Client, ClientError, Produced, TopicPartition, check};

/// How long a batch is tried again, as in Kafka's producers (`delivery.timeout.ms`).
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(120);
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// See the module's page.
#[derive(Debug)]
pub struct Producer {
    producer_id: i64,
    producer_epoch: i16,
    next_sequences: BTreeMap<TopicPartition, i32>,
}

impl Producer {
    /// A producer with an id of its own.
    ///
    /// # Errors
    /// No broker gives one within the client's timeout.
    pub fn new(client: &mut Client) -> Result<Producer, ClientError> {
        let deadline = Instant::now() + client.timeout();
        loop {
            let request = InitProducerIdRequest { transaction_timeout_ms: i32::MAX, ..Default::default() };
            let asked = client.call_any(&request).and_then(|answer| {
                check(answer.error_code, None, || "asking for a producer id".into())?;
                Ok(Producer {
                    producer_id: answer.producer_id,
                    producer_epoch: answer.producer_epoch,
                    next_sequences: BTreeMap::new(),
                })
            });
            match asked {
                Err(error) if error.is_retriable() && Instant::now() < deadline => sleep(RETRY_PAUSE),
                asked => return asked,
            }
        }
    }

    /// Sends the builder's records as one batch, again and again until it is acknowledged by all replicas. It is appended once.
    ///
    /// # Errors
    /// What cannot be helped by sending again, or has not helped within two minutes: then the batch may be there or not.
    pub fn send(
        &mut self,
        client: &mut Client,
        to: &TopicPartition,
        builder: &mut BatchBuilder,
        compression: Compression,
    ) -> Result<Produced, ClientError> {
        let sequence = self.next_sequences.get(to).copied().unwrap_or(0);
        let records = builder.record_count();
        let options = BatchOptions {
            compression,
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: sequence,
            ..BatchOptions::default()
        };
        let mut batch = Vec::new();
        builder.build(&options, &mut batch)?;
        let produced = deliver(client, to, &Bytes::from(batch))?;
        self.next_sequences.insert(to.clone(), sequence_after(sequence, records));
        Ok(produced)
    }
}

fn deliver(client: &mut Client, to: &TopicPartition, batch: &Bytes) -> Result<Produced, ClientError> {
    let deadline = Instant::now() + DELIVERY_TIMEOUT;
    loop {
        let error = match client.produce(to, Acks::All, batch.clone()) {
            // It is one of those before the newest that the broker remembers: it has its place, which is not known any more.
            Err(error) if error.code() == Some(ErrorCode::DuplicateSequenceNumber) => {
                return Ok(Produced { base_offset: None });
            }
            Ok(produced) => return Ok(produced),
            Err(error) => error,
        };
        if !(error.is_retriable() || error.is_in_doubt()) || Instant::now() >= deadline {
            return Err(error);
        }
        // Whoever leads it now has to be found.
        client.forget(&to.topic);
        sleep(RETRY_PAUSE);
    }
}

/// The number after a batch; after the greatest one comes 0 (Kafka's `DefaultRecordBatch.incrementSequence`).
fn sequence_after(sequence: i32, records: i32) -> i32 {
    (i64::from(sequence) + i64::from(records)).rem_euclid(i64::from(i32::MAX) + 1) as i32
}

#[cfg(test)]
mod tests {
    use super::sequence_after;

    #[test]
    fn numbers_go_on_from_zero_after_the_greatest() {
        assert_eq!(sequence_after(0, 3), 3);
        assert_eq!(sequence_after(i32::MAX - 1, 1), i32::MAX);
        assert_eq!(sequence_after(i32::MAX, 1), 0);
        assert_eq!(sequence_after(i32::MAX - 2, 5), 2);
    }
}
