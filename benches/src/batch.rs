//! One record batch (magic 2, uncompressed, no producer id) of a given size, made once and sent many times.
//!
//! Invariant: the batch is valid for any partition and any offset, so one copy serves a whole run. Hand-made, so that an
//! error of `wire`'s builder can't hide behind `wire`'s reader.

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use wire::batch::{ATTRIBUTES_AT, CRC_AT, HEADER_BYTES, crc_copy};

use crate::varint::put_signed;

/// A batch of `records` records with random values (seeded: equal arguments give equal bytes), `value_bytes` each.
///
/// # Panics
/// When there is no record, or when the batch would not fit Kafka's 31-bit length.
pub fn build(records: usize, value_bytes: usize, timestamp_ms: i64, seed: u64) -> Vec<u8> {
    assert!(records > 0, "a batch holds at least one record");
    let mut random = SmallRng::seed_from_u64(seed);
    let mut batch = vec![0; HEADER_BYTES];
    let mut value = vec![0; value_bytes];
    for index in 0..records {
        random.fill(&mut value[..]);
        put_record(&mut batch, index as i64, &value);
    }
    seal(&mut batch, records, timestamp_ms);
    batch
}

/// How many records of `value_bytes` fit a batch of at most `batch_bytes`, at least one.
pub fn records_that_fit(batch_bytes: usize, value_bytes: usize) -> usize {
    // Length, attributes, timestamp, offset, key, value length and header count: 3 + 1 + 1 + 3 + 1 + 3 + 1 at most.
    const RECORD_OVERHEAD: usize = 13;
    (batch_bytes.saturating_sub(HEADER_BYTES) / (value_bytes + RECORD_OVERHEAD)).max(1)
}

fn put_record(batch: &mut Vec<u8>, offset_delta: i64, value: &[u8]) {
    let mut head = vec![0];
    put_signed(&mut head, 0);
    put_signed(&mut head, offset_delta);
    put_signed(&mut head, -1);
    put_signed(&mut head, value.len() as i64);
    const NO_HEADERS: u8 = 0;
    put_signed(batch, (head.len() + value.len() + 1) as i64);
    batch.extend_from_slice(&head);
    batch.extend_from_slice(value);
    batch.push(NO_HEADERS);
}

fn seal(batch: &mut [u8], records: usize, timestamp_ms: i64) {
    let length = i32::try_from(batch.len() - 12).expect("a batch's length fits 31 bits");
    let count = i32::try_from(records).expect("fewer records than bytes");
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[12..16].copy_from_slice(&(-1i32).to_be_bytes());
    batch[16] = 2;
    batch[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    batch[27..35].copy_from_slice(&timestamp_ms.to_be_bytes());
    batch[35..43].copy_from_slice(&timestamp_ms.to_be_bytes());
    // No producer id, epoch or sequence: each is -1.
    batch[43..57].fill(0xff);
    batch[57..61].copy_from_slice(&count.to_be_bytes());
    let crc = crc32c::crc32c(&batch[ATTRIBUTES_AT..]);
    batch[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
}

/// Copies a batch and tells whether its own CRC is right; `false` for bytes too short to be a batch.
///
/// # Panics
/// If the lengths differ.
pub fn copy_checked(batch: &[u8], target: &mut [u8]) -> bool {
    if batch.len() < HEADER_BYTES {
        return false;
    }
    let (outside, covered) = batch.split_at(ATTRIBUTES_AT);
    let (target_outside, target_covered) = target.split_at_mut(ATTRIBUTES_AT);
    target_outside.copy_from_slice(outside);
    crc_copy(0, covered, target_covered).to_be_bytes() == outside[CRC_AT..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_fills_its_size_and_no_more() {
        for (batch_bytes, value_bytes) in [(16 << 10, 1000), (64 << 10, 100), (1 << 20, 1000)] {
            let batch = build(records_that_fit(batch_bytes, value_bytes), value_bytes, 0, 1);
            assert!(batch.len() <= batch_bytes, "{} > {batch_bytes}", batch.len());
            assert!(batch.len() * 100 > batch_bytes * 90, "{} of {batch_bytes}", batch.len());
        }
    }

    #[test]
    fn a_flipped_bit_breaks_the_crc() {
        let mut batch = build(3, 50, 7, 1);
        let mut copy = vec![0; batch.len()];
        assert!(copy_checked(&batch, &mut copy));
        assert_eq!(copy, batch);
        batch[100] ^= 1;
        assert!(!copy_checked(&batch, &mut copy));
        assert!(!copy_checked(&batch[..20], &mut copy[..20]));
    }

    #[test]
    fn wire_finds_a_valid_batch() {
        let bytes = build(7, 100, 12, 3);
        let batch = wire::batch::Batch::parse(&bytes).unwrap();
        batch.check_crc().unwrap();
        let mut scratch = Vec::new();
        let records = wire::batch::records(&batch, bytes.len(), &mut scratch).unwrap();
        assert_eq!(records.filter(|record| record.is_ok()).count(), 7);
    }
}
