//! Records whose value tells who they are: eight bytes of identity, then a filling that follows from it.

use checkers::history::Value;
use wire::batch::{BatchBuilder, BatchOptions, batches, records};
use wire::codec::Records;

/// Bytes of a batch's records, opened, at most.
const OPENED_BYTES_MAX: usize = 64 << 20;

fn filling(value: Value) -> u8 {
    value.0 as u8 ^ 0x5a
}

/// A batch of these values, each `bytes` long or as long as its identity.
pub fn batch(values: &[Value], bytes: usize, now_ms: i64, options: &BatchOptions) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for value in values {
        let mut record = value.0.to_be_bytes().to_vec();
        record.resize(bytes.max(record.len()), filling(*value));
        builder.append(now_ms, None, Some(&record), &[]).expect("simulated records are small");
    }
    let mut batch = Vec::new();
    builder.build(options, &mut batch).expect("a batch has a record, and the codecs work");
    batch
}

/// The records at or above an offset, as a consumer takes them from a fetch.
///
/// # Errors
/// What is wrong with the bytes.
pub fn read(fetched: Records, from: i64) -> Result<Vec<(i64, Value)>, String> {
    let bytes = fetched.into_bytes();
    let (mut found, mut scratch) = (Vec::new(), Vec::new());
    for batch in batches(&bytes) {
        let batch = batch.map_err(|error| error.to_string())?;
        batch.check_crc().map_err(|error| error.to_string())?;
        for record in records(&batch, OPENED_BYTES_MAX, &mut scratch).map_err(|error| error.to_string())? {
            let record = record.map_err(|error| error.to_string())?;
            let offset = batch.header.base_offset + i64::from(record.offset_delta);
            if offset >= from {
                found.push((offset, identity(record.value)?));
            }
        }
    }
    Ok(found)
}

fn identity(record: Option<&[u8]>) -> Result<Value, String> {
    let (identity, rest) = record.and_then(|bytes| bytes.split_first_chunk()).ok_or("a record without identity")?;
    let value = Value(u64::from_be_bytes(*identity));
    match rest.iter().all(|byte| *byte == filling(value)) {
        true => Ok(value),
        false => Err(format!("the record of {value:?} holds something else's bytes")),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn records_tell_their_identity_and_foreign_bytes_are_noticed() {
        let values = [Value(300), Value(301)];
        let batch = batch(&values, 40, 1_000, &BatchOptions::default());
        let read_from = |from| read(Records::new(vec![Bytes::from(batch.clone())]), from);
        assert_eq!(read_from(0), Ok(vec![(0, Value(300)), (1, Value(301))]));
        assert_eq!(read_from(1), Ok(vec![(1, Value(301))]));
        assert!(identity(Some(&[0, 0, 0, 0, 0, 0, 0, 7, 1])).is_err());
    }
}
