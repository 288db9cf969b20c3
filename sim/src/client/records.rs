//! Records whose value tells who they are: eight bytes of identity, then a filling that follows from it.

use checkers::history::Value;
use wire::batch::{BatchBuilder, BatchOptions, Record, batches, records};
use wire::codec::Records;

/// Bytes of a batch's records, opened, at most.
const OPENED_BYTES_MAX: usize = 64 << 20;
/// The header that bears the identity of a record with a key.
const IDENTITY: &[u8] = b"id";

fn filling(value: Value) -> u8 {
    value.0 as u8 ^ 0x5a
}

/// What a record of a compacted topic has besides its value's identity.
#[derive(Clone, Copy, Debug)]
pub struct Keyed {
    /// Which of the topic's few keys.
    pub key: u64,
    /// Whether it says that the key is gone.
    pub is_tombstone: bool,
}

/// A batch of these values, each `bytes` long or as long as its identity. One that has a key bears its identity in a header.
pub fn batch(values: &[(Value, Option<Keyed>)], bytes: usize, now_ms: i64, options: &BatchOptions) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for (value, keyed) in values {
        let identity = value.0.to_be_bytes();
        let mut record = identity.to_vec();
        record.resize(bytes.max(record.len()), filling(*value));
        let appended = match keyed {
            None => builder.append(now_ms, None, Some(&record), &[]),
            Some(Keyed { key, is_tombstone }) => {
                let record = (!is_tombstone).then_some(&record[..]);
                builder.append(now_ms, Some(&key.to_be_bytes()), record, &[(IDENTITY, Some(&identity))])
            }
        };
        appended.expect("simulated records are small");
    }
    let mut batch = Vec::new();
    builder.build(options, &mut batch).expect("a batch has a record, and the codecs work");
    batch
}

/// What a consumer takes from a fetch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Offsets and values at or above the position.
    pub records: Vec<(i64, Value)>,
    /// Where it goes on: behind the last batch, even if compaction has left no record in it.
    pub next: i64,
}

/// The records at or above an offset, as a consumer takes them from a fetch.
///
/// # Errors
/// What is wrong with the bytes.
pub fn read(fetched: Records, from: i64) -> Result<Taken, String> {
    let bytes = fetched.into_bytes();
    let mut taken = Taken { records: Vec::new(), next: from };
    let mut scratch = Vec::new();
    for batch in batches(&bytes) {
        let batch = batch.map_err(|error| error.to_string())?;
        batch.check_crc().map_err(|error| error.to_string())?;
        for record in records(&batch, OPENED_BYTES_MAX, &mut scratch).map_err(|error| error.to_string())? {
            let record = record.map_err(|error| error.to_string())?;
            let offset = batch.header.base_offset + i64::from(record.offset_delta);
            if offset >= from {
                taken.records.push((offset, identity(&record)?));
            }
        }
        taken.next = taken.next.max(batch.header.last_offset() + 1);
    }
    Ok(taken)
}

fn identity(record: &Record<'_>) -> Result<Value, String> {
    let Some(bytes) = record.value else {
        let identity = record.headers.into_iter().find_map(|header| header.value?.try_into().ok());
        return identity
            .map(|bytes| Value(u64::from_be_bytes(bytes)))
            .ok_or_else(|| "a tombstone without identity".into());
    };
    let (identity, rest) = bytes.split_first_chunk().ok_or("a record without identity")?;
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
        let keyed = |is_tombstone| Some(Keyed { key: 7, is_tombstone });
        let values = [(Value(300), None), (Value(301), keyed(false)), (Value(302), keyed(true))];
        let mut batch = batch(&values, 40, 1_000, &BatchOptions::default());
        let read_from = |batch: &[u8], from| read(Records::new(vec![Bytes::copy_from_slice(batch)]), from);
        let all = vec![(0, Value(300)), (1, Value(301)), (2, Value(302))];
        assert_eq!(read_from(&batch, 0), Ok(Taken { records: all.clone(), next: 3 }));
        assert_eq!(read_from(&batch, 1), Ok(Taken { records: all[1..].to_vec(), next: 3 }));
        assert_eq!(read_from(&batch, 3), Ok(Taken { records: Vec::new(), next: 3 }));
        *batch.last_mut().expect("it is not empty") ^= 1;
        assert!(read_from(&batch, 0).is_err());
    }
}
