//! A Produce request read in place, for the broker's hot path: one allocation a request, no copy of names or records.
//!
//! Each partition's records are known as a range of the frame too, so that another core can be handed the frame and the
//! range instead of the bytes.

use std::ops::Range;

use crate::codec::{DecodeError, ELEMENTS_AHEAD_MAX, ELEMENTS_MAX, Reader, Uuid};
use crate::message::Message;

use super::ProduceRequest;

/// First version that names topics by id only.
const TOPIC_IDS_SINCE: i16 = 13;

/// Fewest bytes of a partition: its index and the length of its records.
const PARTITION_BYTES_MIN: usize = 5;

/// [`ProduceRequest`] borrowed from its frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BorrowedProduceRequest<'a> {
    /// Transactional id, or null outside transactions.
    pub transactional_id: Option<&'a str>,
    /// Acknowledgements asked for: 0, 1, or −1 for all in-sync replicas. Other values are passed on as they came.
    pub acks: i16,
    /// How long to wait for them, in milliseconds.
    pub timeout_ms: i32,
    /// The partitions in the order of the request; those of one topic stand together.
    pub partitions: Vec<BorrowedPartition<'a>>,
}

/// One partition's share of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BorrowedPartition<'a> {
    /// Which of the request's topics it belongs to, counted from 0.
    pub topic_position: usize,
    /// That topic.
    pub topic: BorrowedTopic<'a>,
    /// Partition index.
    pub index: i32,
    /// Record batches, or null.
    pub records: Option<&'a [u8]>,
    /// Where `records` stand in the frame; empty for null.
    pub range: Range<usize>,
}

/// How a request names a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BorrowedTopic<'a> {
    /// By name, up to v12.
    Name(&'a str),
    /// By id, since v13.
    Id(Uuid),
}

impl<'a> BorrowedProduceRequest<'a> {
    /// Reads the body of a request at the end of `frame`: `reader` is what its header has left of it.
    pub fn decode(frame: &'a [u8], reader: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        assert!(frame.as_ptr_range().end == reader.rest().as_ptr_range().end, "the body ends the frame");
        let flexible = version >= ProduceRequest::FLEXIBLE;
        let mut request = BorrowedProduceRequest {
            transactional_id: reader.nullable_str(flexible)?,
            acks: reader.i16()?,
            timeout_ms: reader.i32()?,
            partitions: Vec::new(),
        };
        let topics = reader.count(flexible, 1)?.ok_or(DecodeError::UnexpectedNull)?;
        for topic_position in 0..topics {
            let topic = if version >= TOPIC_IDS_SINCE {
                BorrowedTopic::Id(reader.uuid()?)
            } else {
                BorrowedTopic::Name(reader.str(flexible)?)
            };
            request.decode_partitions(frame, reader, flexible, topic_position, topic)?;
        }
        skip_tagged_fields(reader, flexible)?;
        Ok(request)
    }

    fn decode_partitions(
        &mut self,
        frame: &'a [u8],
        reader: &mut Reader<'a>,
        flexible: bool,
        topic_position: usize,
        topic: BorrowedTopic<'a>,
    ) -> Result<(), DecodeError> {
        let count = reader.count(flexible, PARTITION_BYTES_MIN)?.ok_or(DecodeError::UnexpectedNull)?;
        let total = self.partitions.len() + count;
        if total > ELEMENTS_MAX {
            return Err(DecodeError::TooManyElements(total));
        }
        self.partitions.reserve(count.min(ELEMENTS_AHEAD_MAX));
        for _ in 0..count {
            let index = reader.i32()?;
            let length = reader.length(flexible)?;
            let start = frame.len() - reader.left();
            let records = length.map(|length| reader.take(length)).transpose()?;
            let range = start..start + length.unwrap_or(0);
            skip_tagged_fields(reader, flexible)?;
            self.partitions.push(BorrowedPartition { topic_position, topic, index, records, range });
        }
        skip_tagged_fields(reader, flexible)
    }

    /// The partitions, topic by topic; topics without partitions do not occur.
    pub fn topics(&self) -> impl Iterator<Item = &[BorrowedPartition<'a>]> {
        self.partitions.chunk_by(|left, right| left.topic_position == right.topic_position)
    }
}

fn skip_tagged_fields(reader: &mut Reader<'_>, flexible: bool) -> Result<(), DecodeError> {
    if flexible { reader.skip_tagged_fields() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::{PartitionProduceData, TopicProduceData};
    use super::*;
    use crate::codec::Records;
    use crate::header::{RequestHeader, request_frame};
    use crate::message::Api;

    fn request() -> ProduceRequest {
        let partition = |index: i32, records: Option<&'static [u8]>| PartitionProduceData {
            index,
            records: records.map(|bytes| Records::from(Bytes::from_static(bytes))),
        };
        let topic = |name: &str, partition_data| TopicProduceData {
            name: name.into(),
            topic_id: Uuid::from_u128(name.len() as u128),
            partition_data,
        };
        ProduceRequest {
            transactional_id: Some("t".into()),
            acks: -1,
            timeout_ms: 1500,
            topic_data: vec![
                topic("a", vec![partition(0, Some(b"first")), partition(7, None)]),
                topic("bb", vec![]),
                topic("ccc", vec![partition(1, Some(b""))]),
            ],
        }
    }

    fn read(frame: &[u8], version: i16) -> Result<BorrowedProduceRequest<'_>, DecodeError> {
        let mut reader = Reader::new(frame);
        RequestHeader::decode(&mut reader)?;
        BorrowedProduceRequest::decode(frame, &mut reader, version)
    }

    #[test]
    fn ranges_point_at_each_partitions_records_in_the_frame() {
        for version in ProduceRequest::VERSIONS {
            let frame = request_frame(1, version, Some("client"), &request()).split_off(4);
            let borrowed = read(&frame, version).unwrap();
            assert_eq!((borrowed.transactional_id, borrowed.acks, borrowed.timeout_ms), (Some("t"), -1, 1500));
            assert_eq!(borrowed.partitions.iter().map(|p| p.index).collect::<Vec<_>>(), [0, 7, 1]);
            assert_eq!(borrowed.topics().map(<[_]>::len).collect::<Vec<_>>(), [2, 1]);
            let last = &borrowed.partitions[2];
            let id = BorrowedTopic::Id(Uuid::from_u128(3));
            assert_eq!(last.topic, if version >= 13 { id } else { BorrowedTopic::Name("ccc") });
            let records: Vec<_> = borrowed.partitions.iter().map(|p| p.records).collect();
            assert_eq!(records, [Some(&b"first"[..]), None, Some(&b""[..])]);
            for partition in &borrowed.partitions {
                assert_eq!(&frame[partition.range.clone()], partition.records.unwrap_or_default());
            }
        }
    }

    #[test]
    fn every_prefix_is_an_error() {
        for version in ProduceRequest::VERSIONS {
            let frame = request_frame(1, version, None, &request()).split_off(4);
            for end in 0..frame.len() {
                assert!(read(&frame[..end], version).is_err(), "version {version}, {end} bytes");
            }
        }
    }

    #[test]
    fn many_topics_cannot_add_up_to_more_partitions_than_one_array_may_have() {
        // Two topics of 600,000 empty partitions each, in v3: no single count is over the limit.
        let mut frame = b"\xff\xff\0\0\0\0\0\0\0\0\0\x02".to_vec();
        for _ in 0..2 {
            frame.extend_from_slice(b"\0\x01t");
            frame.extend_from_slice(&600_000_i32.to_be_bytes());
            frame.resize(frame.len() + 600_000 * 8, 0);
        }
        let mut reader = Reader::new(&frame);
        let refused = BorrowedProduceRequest::decode(&frame, &mut reader, 3);
        assert_eq!(refused, Err(DecodeError::TooManyElements(1_200_000)));
    }
}
