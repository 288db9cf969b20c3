//! `<offset>.snapshot`: the producers of a partition as of that offset, in Kafka's format.
//!
//! {version i16 = 1, CRC-32C u32 of all that follows, number of entries i32, entries of 46 bytes}, big-endian. Source:
//! Kafka's `ProducerSnapshot.json` and `ProducerStateManager`. The broker owns the state; the engine keeps the files.
//!
//! Deviation: a producer may have several entries, oldest batch first, so that each batch that may be sent again is known.
//! Kafka, which writes only the last, reads such a file as if the others were not there.

use wire::records::producer::ProducerEntry;

/// The only version that Kafka has written since 0.11.
const VERSION: i16 = 1;
/// Bytes of version, CRC and count.
const PREFIX_BYTES: usize = 10;
/// Where the bytes begin that the CRC covers.
const CRC_COVERS_FROM: usize = 6;
/// Bytes of one entry.
const ENTRY_BYTES: usize = 46;
/// Bytes that a snapshot may have: those of 2.9 million batches.
pub const SNAPSHOT_BYTES_MAX: usize = 128 << 20;

/// The file is not a snapshot; the state comes from an older one and the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProducerSnapshotError {
    /// Of another version.
    #[error("producer snapshot of version {0}, not {VERSION}")]
    Version(i16),
    /// Its bytes do not give its checksum.
    #[error("producer snapshot with checksum {stored:#010x} whose bytes give {computed:#010x}")]
    BadCrc {
        /// The checksum in the file.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// Not as long as its entries.
    #[error("producer snapshot of {bytes} bytes, which is not what its entries take")]
    Length {
        /// Bytes of the file.
        bytes: usize,
    },
}

/// The file's bytes.
pub fn encode(entries: &[ProducerEntry]) -> Vec<u8> {
    let count = i32::try_from(entries.len()).expect("producers are bounded far below 2^31");
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + entries.len() * ENTRY_BYTES);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&count.to_be_bytes());
    for entry in entries {
        bytes.extend_from_slice(&entry.producer_id.to_be_bytes());
        bytes.extend_from_slice(&entry.producer_epoch.to_be_bytes());
        bytes.extend_from_slice(&entry.last_sequence.to_be_bytes());
        bytes.extend_from_slice(&entry.last_offset.to_be_bytes());
        bytes.extend_from_slice(&entry.offset_delta.to_be_bytes());
        bytes.extend_from_slice(&entry.timestamp.to_be_bytes());
        bytes.extend_from_slice(&entry.coordinator_epoch.to_be_bytes());
        bytes.extend_from_slice(&entry.current_txn_first_offset.to_be_bytes());
    }
    let crc = crc32c::crc32c(&bytes[CRC_COVERS_FROM..]);
    bytes[CRC_COVERS_FROM - 4..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// The entries in a file's bytes.
///
/// # Errors
/// See [`ProducerSnapshotError`].
pub fn decode(bytes: &[u8]) -> Result<Vec<ProducerEntry>, ProducerSnapshotError> {
    let length = ProducerSnapshotError::Length { bytes: bytes.len() };
    let (&[v0, v1, c0, c1, c2, c3, n0, n1, n2, n3], body) = bytes.split_first_chunk::<PREFIX_BYTES>().ok_or(length)?;
    let version = i16::from_be_bytes([v0, v1]);
    if version != VERSION {
        return Err(ProducerSnapshotError::Version(version));
    }
    let stored = u32::from_be_bytes([c0, c1, c2, c3]);
    let computed = crc32c::crc32c(&bytes[CRC_COVERS_FROM..]);
    if stored != computed {
        return Err(ProducerSnapshotError::BadCrc { stored, computed });
    }
    let count = usize::try_from(i32::from_be_bytes([n0, n1, n2, n3])).map_err(|_| length)?;
    let (entries, rest) = body.as_chunks::<ENTRY_BYTES>();
    if entries.len() != count || !rest.is_empty() {
        return Err(length);
    }
    Ok(entries.iter().map(decode_entry).collect())
}

fn decode_entry(bytes: &[u8; ENTRY_BYTES]) -> ProducerEntry {
    let mut at = 0;
    ProducerEntry {
        producer_id: i64::from_be_bytes(take(bytes, &mut at)),
        producer_epoch: i16::from_be_bytes(take(bytes, &mut at)),
        last_sequence: i32::from_be_bytes(take(bytes, &mut at)),
        last_offset: i64::from_be_bytes(take(bytes, &mut at)),
        offset_delta: i32::from_be_bytes(take(bytes, &mut at)),
        timestamp: i64::from_be_bytes(take(bytes, &mut at)),
        coordinator_epoch: i32::from_be_bytes(take(bytes, &mut at)),
        current_txn_first_offset: i64::from_be_bytes(take(bytes, &mut at)),
    }
}

fn take<const N: usize>(bytes: &[u8; ENTRY_BYTES], at: &mut usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[*at..*at + N]);
    *at += N;
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(producer_id: i64) -> ProducerEntry {
        ProducerEntry {
            producer_id,
            producer_epoch: 3,
            last_sequence: 41,
            last_offset: 1 << 40,
            offset_delta: 7,
            timestamp: 1_700_000_000_000,
            coordinator_epoch: -1,
            current_txn_first_offset: -1,
        }
    }

    #[test]
    fn entries_come_back() {
        let entries: Vec<_> = (0..5).map(entry).collect();
        let bytes = encode(&entries);
        assert_eq!(bytes.len(), PREFIX_BYTES + 5 * ENTRY_BYTES);
        assert_eq!(decode(&bytes), Ok(entries));
        assert_eq!(decode(&encode(&[])), Ok(vec![]));
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_noticed() {
        let bytes = encode(&[entry(9)]);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bad).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn a_count_that_the_bytes_do_not_hold_is_refused_before_anything_is_allocated() {
        let mut bytes = encode(&[entry(9)]);
        bytes[6..10].copy_from_slice(&i32::MAX.to_be_bytes());
        let crc = crc32c::crc32c(&bytes[CRC_COVERS_FROM..]);
        bytes[2..6].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(decode(&bytes), Err(ProducerSnapshotError::Length { bytes: bytes.len() }));
    }
}
