//! `partition.metadata`: which topic id a partition's folder belongs to. Source: Kafka's `PartitionMetadataFile`.

use wire::Uuid;

/// The file's name in a partition's folder.
pub const PARTITION_METADATA_FILE: &str = "partition.metadata";
/// Bytes that the file may have; Kafka's are 43.
pub const PARTITION_METADATA_BYTES_MAX: usize = 4096;

/// The file is not what Kafka writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PartitionMetadataError(&'static str);

/// The file's text.
pub fn encode(topic: Uuid) -> String {
    format!("version: 0\ntopic_id: {topic}")
}

/// The topic id in the file's bytes.
///
/// # Errors
/// When it is not of version 0, or has no topic id but zero.
pub fn decode(bytes: &[u8]) -> Result<Uuid, PartitionMetadataError> {
    let text = std::str::from_utf8(bytes).map_err(|_| PartitionMetadataError("it is not text"))?;
    let mut lines = text.lines();
    if lines.next() != Some("version: 0") {
        return Err(PartitionMetadataError("its version is not 0"));
    }
    let topic: Uuid = lines
        .next()
        .and_then(|line| line.strip_prefix("topic_id: "))
        .and_then(|id| id.parse().ok())
        .ok_or(PartitionMetadataError("its second line is not a topic id"))?;
    if topic.is_zero() { Err(PartitionMetadataError("its topic id is zero")) } else { Ok(topic) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_kafkas_and_reads_back() {
        assert_eq!(encode(Uuid::METADATA_TOPIC), "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ");
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210);
        assert_eq!(decode(encode(id).as_bytes()), Ok(id));
        assert_eq!(decode((encode(id) + "\n").as_bytes()), Ok(id));
        for bad in ["", "version: 1\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ", "version: 0\ntopic_id: x", "version: 0"] {
            assert!(decode(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(decode(encode(Uuid::ZERO).as_bytes()).is_err());
    }
}
