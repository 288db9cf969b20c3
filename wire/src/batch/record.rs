//! Records inside a batch, borrowed from its bytes (or from where they were decompressed to).
//!
//! A record is {length, attributes i8, timestamp delta, offset delta, key, value, headers}; all but the
//! attributes are zigzag varints or bytes behind one, where any negative length is null, as in Kafka's
//! `DefaultRecord`. A record is checked as a whole, headers too, before it is handed out.

use super::BatchError;
use crate::codec::{DecodeError, Reader};

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Unused by Kafka so far.
    pub attributes: i8,
    /// In ms, relative to the batch's base timestamp.
    pub timestamp_delta: i64,
    /// Relative to the batch's base offset.
    pub offset_delta: i32,
    /// The key, if any.
    pub key: Option<&'a [u8]>,
    /// The value, if any: none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: RecordHeaders<'a>,
}

/// A record's headers, in order; they were checked when the record was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeaders<'a> {
    count: usize,
    bytes: &'a [u8],
}

/// One header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader<'a> {
    /// UTF-8 by convention; not checked.
    pub key: &'a [u8],
    /// The value, if any.
    pub value: Option<&'a [u8]>,
}

impl ExactSizeIterator for RecordHeaders<'_> {}

impl<'a> Iterator for RecordHeaders<'a> {
    type Item = RecordHeader<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        let mut reader = Reader::new(self.bytes);
        let header = take_header(&mut reader).expect("headers are checked when their record is read");
        self.bytes = reader.rest();
        Some(header)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

/// The records of one batch. Yields at most as many as the header counts; after them, or after an error, it
/// ends. Bytes left after the last record are an error in its place.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl<'a> Records<'a> {
    /// Records out of `bytes`, decompressed if need be; a negative count is none.
    pub(super) fn new(bytes: &'a [u8], count: i32) -> Self {
        Self { reader: Reader::new(bytes), left: usize::try_from(count).unwrap_or(0) }
    }

    /// Bytes not yet read.
    pub(super) fn remaining(&self) -> usize {
        self.reader.left()
    }

    fn take(&mut self) -> Result<Record<'a>, BatchError> {
        let record = take_record(&mut self.reader).map_err(BatchError::MalformedRecord)?;
        if self.left == 1 && self.remaining() > 0 {
            return Err(BatchError::RecordsRemaining { bytes: self.remaining() });
        }
        Ok(record)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let taken = self.take();
        self.left = if taken.is_ok() { self.left - 1 } else { 0 };
        Some(taken)
    }
}

fn take_record<'a>(batch: &mut Reader<'a>) -> Result<Record<'a>, &'static str> {
    let length = batch.varint().or(Err("length"))?;
    let length = usize::try_from(length).or(Err("negative length"))?;
    let mut body = batch.split(length).or(Err("length beyond the batch"))?;
    let attributes = body.i8().or(Err("attributes"))?;
    let timestamp_delta = body.varlong().or(Err("timestamp delta"))?;
    let offset_delta = body.varint().or(Err("offset delta"))?;
    let key = take_nullable(&mut body).or(Err("key"))?;
    let value = take_nullable(&mut body).or(Err("value"))?;
    let count = body.varint().or(Err("header count"))?;
    let count = usize::try_from(count).or(Err("negative header count"))?;
    let headers = RecordHeaders { count, bytes: body.rest() };
    for _ in 0..count {
        take_header(&mut body).or(Err("header"))?;
    }
    if body.left() > 0 {
        return Err("longer than its fields");
    }
    Ok(Record { attributes, timestamp_delta, offset_delta, key, value, headers })
}

fn take_header<'a>(reader: &mut Reader<'a>) -> Result<RecordHeader<'a>, DecodeError> {
    let key = take_nullable(reader)?.ok_or(DecodeError::UnexpectedNull)?;
    let value = take_nullable(reader)?;
    Ok(RecordHeader { key, value })
}

/// Bytes behind their length, of which any negative one is null.
fn take_nullable<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, DecodeError> {
    match usize::try_from(reader.varint()?) {
        Ok(length) => reader.take(length).map(Some),
        Err(_) => Ok(None),
    }
}

/// What the key of a control record says it is (Kafka's `ControlRecordType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ControlRecord {
    /// A transaction was aborted.
    Abort,
    /// A transaction was committed.
    Commit,
    /// A quorum's leader was elected (KIP-595).
    LeaderChange,
    /// The first record of a snapshot (KIP-630).
    SnapshotHeader,
    /// The last record of a snapshot (KIP-630).
    SnapshotFooter,
    /// The version of the quorum's protocol (KIP-853).
    KRaftVersion,
    /// The quorum's voters (KIP-853).
    KRaftVoters,
}

impl ControlRecord {
    /// The type of a control record's key {version i16, type i16}; `None` when it is cut or unknown, which
    /// readers skip.
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let kind: &[u8; 2] = key.get(2..4)?.first_chunk()?;
        Some(match i16::from_be_bytes(*kind) {
            0 => Self::Abort,
            1 => Self::Commit,
            2 => Self::LeaderChange,
            3 => Self::SnapshotHeader,
            4 => Self::SnapshotFooter,
            5 => Self::KRaftVersion,
            6 => Self::KRaftVoters,
            _ => return None,
        })
    }

    /// The key of such a record: version 0 and the type.
    pub const fn key(self) -> [u8; 4] {
        let kind: u8 = match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::LeaderChange => 2,
            Self::SnapshotHeader => 3,
            Self::SnapshotFooter => 4,
            Self::KRaftVersion => 5,
            Self::KRaftVoters => 6,
        };
        [0, 0, 0, kind]
    }
}
