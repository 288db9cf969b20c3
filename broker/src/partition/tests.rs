//! What a partition decides about appends, acknowledgements and watches.

use wire::Uuid;
use wire::batch::TimestampType;
use wire::compression::Compression;

use crate::config::{BrokerConfig, ConfigMap, Layers};

use super::*;

const KEY: TopicPartitionId = TopicPartitionId { topic: Uuid::from_u128(7), partition: 3 };
const NOW: i64 = 1_700_000_000_000;
const EXPIRATION_MS: i64 = 86_400_000;

fn config() -> TopicConfig {
    let unset = ConfigMap::new();
    let defaults = BrokerConfig::parse(std::iter::empty::<(&str, &str)>()).expect("the defaults are valid");
    TopicConfig::resolve(&Layers { own: &unset, node: &unset, cluster: &unset, start: &defaults })
}

fn start(log_end: i64) -> PartitionStart {
    let config = Arc::new(config());
    PartitionStart { leader_epoch: 4, log_start: 0, log_end, replication_factor: 1, config }
}

fn open(start: PartitionStart) -> Partitions {
    let mut partitions = Partitions::new(EXPIRATION_MS);
    partitions.open(KEY, start);
    partitions
}

fn batch(records: i32) -> BatchSummary {
    BatchSummary {
        size: 100,
        record_count: records,
        last_offset_delta: records - 1,
        base_timestamp: NOW - 5,
        max_timestamp: NOW - 1,
        max_timestamp_offset_delta: 0,
        max_timestamp_is_wrong: false,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        compression: Compression::None,
        transactional: false,
    }
}

fn idempotent(base_sequence: i32, records: i32) -> BatchSummary {
    BatchSummary { producer_id: 9, producer_epoch: 0, base_sequence, ..batch(records) }
}

fn append(partitions: &mut Partitions, batch: &BatchSummary) -> i64 {
    match partitions.produce(NOW, KEY, batch, 1) {
        Ok(ProduceDecision::Append { base_offset, leader_epoch: 4, .. }) => base_offset,
        other => panic!("not appended: {other:?}"),
    }
}

fn refusal(partitions: &mut Partitions, batch: &BatchSummary, acks: i16) -> ErrorCode {
    let before = partitions.status(KEY);
    let error = partitions.produce(NOW, KEY, batch, acks).expect_err("the batch is refused").error;
    assert_eq!(partitions.status(KEY), before, "a refused batch moves nothing");
    error
}

fn effects(partitions: &mut Partitions) -> Vec<PartitionEffect> {
    std::iter::from_fn(|| partitions.poll_effect()).collect()
}

#[test]
fn offsets_are_given_without_holes() {
    let mut partitions = open(start(10));
    assert_eq!(append(&mut partitions, &batch(3)), 10);
    assert_eq!(append(&mut partitions, &batch(1)), 13);
    let status = partitions.status(KEY).expect("open");
    assert_eq!((status.log_end, status.flushed_end, status.high_watermark, status.last_stable), (14, 10, 10, 10));
    partitions.flushed(KEY, 13);
    let status = partitions.status(KEY).expect("open");
    assert_eq!((status.log_end, status.flushed_end, status.high_watermark, status.last_stable), (14, 13, 13, 13));
}

#[test]
fn answers_leave_once_durable_and_in_order() {
    let mut partitions = open(start(0));
    append(&mut partitions, &batch(2));
    append(&mut partitions, &batch(2));
    assert_eq!(partitions.await_ack(1, KEY, 2, -1), Ack::Parked);
    assert_eq!(partitions.await_ack(2, KEY, 4, 1), Ack::Parked);
    assert_eq!(partitions.await_ack(3, KEY, 4, 0), Ack::Now);
    assert_eq!(partitions.await_ack(4, KEY, 4, -1), Ack::Parked);
    partitions.cancel_ack(4, KEY);
    partitions.flushed(KEY, 2);
    assert_eq!(effects(&mut partitions), [PartitionEffect::Acked { token: 1, key: KEY }]);
    partitions.flushed(KEY, 4);
    assert_eq!(effects(&mut partitions), [PartitionEffect::Acked { token: 2, key: KEY }]);
    assert_eq!(partitions.await_ack(5, KEY, 4, -1), Ack::Now);
}

#[test]
fn a_duplicate_waits_for_its_original_and_is_answered_alike() {
    let mut partitions = open(start(20));
    append(&mut partitions, &idempotent(0, 3));
    append(&mut partitions, &idempotent(3, 1));
    let again = partitions.produce(NOW + 50, KEY, &idempotent(0, 3), -1);
    assert_eq!(
        again,
        Ok(ProduceDecision::Duplicate { base_offset: 20, end_offset: 23, append_time: NOW - 1 }),
        "the first offset, and no new one"
    );
    assert_eq!(partitions.status(KEY).map(|status| status.log_end), Some(24));
    assert_eq!(partitions.await_ack(1, KEY, 23, -1), Ack::Parked);
    partitions.flushed(KEY, 23);
    assert_eq!(effects(&mut partitions), [PartitionEffect::Acked { token: 1, key: KEY }]);
}

#[test]
fn what_the_store_refused_may_come_again() {
    let mut partitions = open(start(0));
    append(&mut partitions, &idempotent(0, 2));
    let base_offset = append(&mut partitions, &idempotent(2, 2));
    partitions.append_failed(KEY, base_offset);
    assert_eq!(partitions.status(KEY).map(|status| status.log_end), Some(2));
    assert_eq!(append(&mut partitions, &idempotent(2, 2)), 2);
}

#[test]
fn sequence_errors_have_kafkas_codes() {
    let mut partitions = open(start(0));
    append(&mut partitions, &BatchSummary { producer_epoch: 5, ..idempotent(0, 2) });
    let old = BatchSummary { producer_epoch: 4, ..idempotent(2, 1) };
    assert_eq!(refusal(&mut partitions, &old, -1), ErrorCode::InvalidProducerEpoch);
    let gap = BatchSummary { producer_epoch: 5, ..idempotent(3, 1) };
    assert_eq!(refusal(&mut partitions, &gap, -1), ErrorCode::OutOfOrderSequenceNumber);
    let new = BatchSummary { producer_epoch: 6, ..idempotent(2, 1) };
    assert_eq!(refusal(&mut partitions, &new, -1), ErrorCode::OutOfOrderSequenceNumber);
    let negative = BatchSummary { producer_epoch: 5, ..idempotent(-1, 1) };
    assert_eq!(refusal(&mut partitions, &negative, -1), ErrorCode::InvalidRecord);
}

#[test]
fn refusals_name_their_reason() {
    let mut partitions = open(start(0));
    let transactional = BatchSummary { transactional: true, ..idempotent(0, 1) };
    assert_eq!(refusal(&mut partitions, &transactional, -1), ErrorCode::InvalidTxnState);
    let large = BatchSummary { size: (1 << 30) + 1, ..batch(1) };
    assert_eq!(refusal(&mut partitions, &large, -1), ErrorCode::RecordListTooLarge);
    partitions.close(KEY);
    assert_eq!(refusal(&mut partitions, &batch(1), -1), ErrorCode::NotLeaderOrFollower);
}

#[test]
fn min_insync_replicas_is_capped_by_the_replication_factor() {
    let config = Arc::new(TopicConfig { min_insync_replicas: 2, ..config() });
    let mut alone = open(PartitionStart { config: config.clone(), ..start(0) });
    assert!(alone.produce(NOW, KEY, &batch(1), -1).is_ok());
    let mut one_of_three = open(PartitionStart { config, replication_factor: 3, ..start(0) });
    assert_eq!(refusal(&mut one_of_three, &batch(1), -1), ErrorCode::NotEnoughReplicas);
    assert!(one_of_three.produce(NOW, KEY, &batch(1), 1).is_ok(), "acks=1 asks nobody else");
}

#[test]
fn log_append_time_is_the_brokers_clock() {
    let config = Arc::new(TopicConfig { message_timestamp_type: TimestampType::LogAppendTime, ..config() });
    let mut partitions = open(PartitionStart { config, ..start(0) });
    assert_eq!(
        partitions.produce(NOW, KEY, &idempotent(0, 1), -1),
        Ok(ProduceDecision::Append { base_offset: 0, leader_epoch: 4, log_append_time: Some(NOW) })
    );
    assert_eq!(
        partitions.produce(NOW + 9, KEY, &idempotent(0, 1), -1),
        Ok(ProduceDecision::Duplicate { base_offset: 0, end_offset: 1, append_time: NOW })
    );
}

#[test]
fn a_watch_wakes_when_records_become_readable_and_not_when_they_are_written() {
    let mut partitions = open(start(0));
    partitions.watch(7, KEY, 0);
    append(&mut partitions, &batch(1));
    assert_eq!(effects(&mut partitions), []);
    partitions.flushed(KEY, 1);
    partitions.flushed(KEY, 1);
    assert_eq!(effects(&mut partitions), [PartitionEffect::Wake { token: 7 }]);
    partitions.watch(7, KEY, 0);
    assert_eq!(effects(&mut partitions), [PartitionEffect::Wake { token: 7 }], "it has moved already");
    partitions.watch(8, KEY, 1);
    partitions.unwatch(8);
    append(&mut partitions, &batch(1));
    partitions.flushed(KEY, 2);
    assert_eq!(effects(&mut partitions), []);
}

#[test]
fn closing_tells_all_who_wait() {
    let mut partitions = open(start(0));
    append(&mut partitions, &batch(1));
    partitions.await_ack(1, KEY, 1, 1);
    partitions.await_ack(2, KEY, 1, -1);
    partitions.watch(3, KEY, 0);
    partitions.close(KEY);
    let closed = |token| PartitionEffect::Closed { token, key: KEY };
    assert_eq!(effects(&mut partitions), [closed(1), closed(2), PartitionEffect::Wake { token: 3 }]);
    partitions.watch(3, KEY, 0);
    assert_eq!(effects(&mut partitions), [PartitionEffect::Wake { token: 3 }]);
    assert_eq!(partitions.await_ack(4, KEY, 1, 1), Ack::Parked);
    assert_eq!(effects(&mut partitions), [closed(4)]);
}

#[test]
fn leader_epochs_are_compared_where_given() {
    let partitions = open(start(0));
    assert_eq!(partitions.check_leader_epoch(KEY, -1), Ok(()));
    assert_eq!(partitions.check_leader_epoch(KEY, 4), Ok(()));
    assert_eq!(partitions.check_leader_epoch(KEY, 3), Err(ErrorCode::FencedLeaderEpoch));
    assert_eq!(partitions.check_leader_epoch(KEY, 5), Err(ErrorCode::UnknownLeaderEpoch));
    let other = TopicPartitionId { partition: 4, ..KEY };
    assert_eq!(partitions.check_leader_epoch(other, -1), Err(ErrorCode::NotLeaderOrFollower));
}

#[test]
fn a_restart_remembers_producers_and_leaves_out_the_expired() {
    let mut partitions = open(start(0));
    append(&mut partitions, &idempotent(0, 2));
    assert_eq!(partitions.producer_snapshot(KEY), (0, Vec::new()), "what is not flushed may not survive");
    partitions.flushed(KEY, 2);
    let (offset, mut entries) = partitions.producer_snapshot(KEY);
    assert_eq!(offset, 2, "the flushed end");
    entries.push(ProducerEntry { producer_id: 10, timestamp: NOW - EXPIRATION_MS, ..entries[0] });

    let mut restarted = open(start(2));
    restarted.load_producers(NOW, KEY, &entries);
    restarted.flushed(KEY, 2);
    let snapshot = |partitions: &Partitions| partitions.producer_snapshot(KEY).1;
    assert_eq!(snapshot(&restarted).iter().map(|entry| entry.producer_id).collect::<Vec<_>>(), [9]);
    assert_eq!(
        restarted.produce(NOW, KEY, &idempotent(0, 2), -1),
        Ok(ProduceDecision::Duplicate { base_offset: 0, end_offset: 2, append_time: NOW })
    );
    restarted.expire_producers(NOW + EXPIRATION_MS);
    assert!(snapshot(&restarted).is_empty());
}
