//! The journal's bytes, format version 1. All integers are little-endian.
//!
//! A *group* starts on a block and is padded with zeros to whole blocks:
//!
//! ```text
//!  0  magic           8   "PARTITAJ"
//!  8  crc             4   CRC-32C of everything from byte 12 to `length`
//! 12  format version  2
//! 14  core            2   whose journal it is
//! 16  boot epoch      8   which start of the broker wrote it
//! 24  salt            8   random per start: bytes that a producer sends cannot pass for a group
//! 32  sequence        8   1, 2, 3 … within the boot epoch
//! 40  previous crc    4   of the group before this one, 0 for sequence 1
//! 44  entries         4
//! 48  length          8   bytes of header and entries, without the padding
//! 56  reserved        8   zero
//! ```
//!
//! followed by its entries, each a header and then its bytes:
//!
//! ```text
//!  0  kind            1   see `EntryKind`
//!  1  reserved        3   zero
//!  4  partition       4
//!  8  topic id       16
//! 24  leader epoch    4   -1 where it has no meaning
//! 28  length          4   of the bytes that follow this header
//! 32  base offset     8
//! 40  segment base    8
//! 48  position        8   in the segment, in bytes
//! ```
//!
//! Every later version keeps the first 16 bytes and `length` as they are, so that a newer group can be told from damage.
//! A kind that this release does not know, or a newer format version, refuses to start: whoever wrote it relied on it
//! being carried out.

use thiserror::Error;
use wire::{TopicPartitionId, Uuid};

use crate::disk::{BLOCK, block_ceil};

/// The newest format version that this release reads, and the one that it writes.
pub const FORMAT_VERSION: u16 = 1;
/// How a group begins.
pub const GROUP_MAGIC: [u8; 8] = *b"PARTITAJ";
/// Bytes of a group's header.
pub const GROUP_HEADER_BYTES: usize = 64;
/// Bytes of an entry's header.
pub const ENTRY_HEADER_BYTES: usize = 56;
/// Bytes that an entry may carry at most: what Kafka's 32-bit sizes allow.
pub const ENTRY_BYTES_MAX: usize = i32::MAX as usize;

/// The largest position that an entry's bytes may end at: what file systems have.
const POSITION_MAX: u64 = i64::MAX as u64;
const CRC_START: usize = 12;
const _: () = assert!(GROUP_HEADER_BYTES + ENTRY_HEADER_BYTES < BLOCK);

/// Where in a partition bytes lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The base offset that names the segment.
    pub segment_base: i64,
    /// Bytes from the segment's start.
    pub position: u64,
}

/// What an entry asks recovery to do. Numbers are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum EntryKind {
    /// Write a record batch at its place.
    Append = 1,
    /// Write again the bytes with which a block begins, because the block is about to be rewritten with more behind
    /// them and they are on disk nowhere else.
    Block = 2,
    /// The log starts at `base offset`: what lies before it is gone.
    LogStart = 3,
}

/// Kinds with a number and a meaning that no release writes yet: a direct write's completion, a truncation, a leader
/// epoch's start, a broker epoch, and an append whose bytes lie in block-aligned spans behind the entries.
pub const RESERVED_KINDS: std::ops::RangeInclusive<u8> = 4..=8;

impl EntryKind {
    fn from_number(number: u8) -> Option<EntryKind> {
        match number {
            1 => Some(EntryKind::Append),
            2 => Some(EntryKind::Block),
            3 => Some(EntryKind::LogStart),
            _ => None,
        }
    }
}

/// One entry, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What it asks for.
    pub kind: EntryKind,
    /// The partition that it is about.
    pub key: TopicPartitionId,
    /// The batch's leader epoch; -1 where it has no meaning.
    pub leader_epoch: i32,
    /// The batch's base offset; the new log start for [`EntryKind::LogStart`]; -1 where it has no meaning.
    pub base_offset: i64,
    /// Where `bytes` go; of no meaning for [`EntryKind::LogStart`].
    pub place: Place,
    /// The bytes.
    pub bytes: &'a [u8],
}

impl Entry<'_> {
    /// The header that goes before the entry's bytes, of which there are `len`.
    pub fn encode_header(&self, len: usize) -> [u8; ENTRY_HEADER_BYTES] {
        let len = u32::try_from(len).expect("an entry's bytes are bounded by ENTRY_BYTES_MAX");
        let mut header = [0; ENTRY_HEADER_BYTES];
        header[0] = self.kind as u8;
        header[4..8].copy_from_slice(&self.key.partition.to_le_bytes());
        header[8..24].copy_from_slice(&self.key.topic.0);
        header[24..28].copy_from_slice(&self.leader_epoch.to_le_bytes());
        header[28..32].copy_from_slice(&len.to_le_bytes());
        header[32..40].copy_from_slice(&self.base_offset.to_le_bytes());
        header[40..48].copy_from_slice(&self.place.segment_base.to_le_bytes());
        header[48..56].copy_from_slice(&self.place.position.to_le_bytes());
        header
    }
}

/// A group's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupHeader {
    /// Whose journal it is.
    pub core: u16,
    /// Of everything in the group behind it.
    pub crc: u32,
    /// Which start of the broker wrote it.
    pub boot_epoch: u64,
    /// Random per start.
    pub salt: u64,
    /// From 1 within the boot epoch.
    pub sequence: u64,
    /// Of the group before; 0 for the first.
    pub previous_crc: u32,
    /// How many entries follow.
    pub entries: u32,
    /// Bytes of header and entries.
    pub length: u64,
}

impl GroupHeader {
    /// Bytes that the group takes on disk.
    pub fn padded_length(&self) -> u64 {
        block_ceil(self.length)
    }

    /// Writes the header over the first bytes of `group`, which holds the entries behind it, and returns the CRC of the
    /// group. `entries_crc` is the CRC-32C of the entries.
    pub fn seal(&self, group: &mut [u8], entries_crc: u32) -> u32 {
        assert_eq!(group.len() as u64, self.length);
        group[0..8].copy_from_slice(&GROUP_MAGIC);
        group[12..14].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        group[14..16].copy_from_slice(&self.core.to_le_bytes());
        group[16..24].copy_from_slice(&self.boot_epoch.to_le_bytes());
        group[24..32].copy_from_slice(&self.salt.to_le_bytes());
        group[32..40].copy_from_slice(&self.sequence.to_le_bytes());
        group[40..44].copy_from_slice(&self.previous_crc.to_le_bytes());
        group[44..48].copy_from_slice(&self.entries.to_le_bytes());
        group[48..56].copy_from_slice(&self.length.to_le_bytes());
        group[56..64].fill(0);
        let (header, entries) = group.split_at(GROUP_HEADER_BYTES);
        let crc = crc32c::crc32c_combine(crc32c::crc32c(&header[CRC_START..]), entries_crc, entries.len());
        group[8..12].copy_from_slice(&crc.to_le_bytes());
        crc
    }
}

#[cfg(test)]
impl GroupHeader {
    /// Seals a group that was not checksummed while it was put together.
    pub(crate) fn seal_all(&self, group: &mut [u8]) -> u32 {
        let entries_crc = crc32c::crc32c(&group[GROUP_HEADER_BYTES..]);
        self.seal(group, entries_crc)
    }
}

/// Why bytes are not a group that this release can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadGroup {
    /// No group begins here, or it is not wholly there: torn, overwritten, or never written.
    #[error("not a whole group")]
    Invalid,
    /// Another release wrote it.
    #[error("format version {0} is newer than {FORMAT_VERSION}")]
    TooNew(u16),
    /// Its checksum is right, but an entry is of a kind that this release does not know.
    #[error("entry kind {0} is unknown to this release")]
    UnknownKind(u8),
    /// Its checksum is right, but its entries do not fit its header: a fault of the writer.
    #[error("the entries do not fit the group's header")]
    Entries,
}

/// A whole, checked group, borrowed from the bytes that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<'a> {
    /// Its header.
    pub header: GroupHeader,
    /// What it asks for, in order.
    pub entries: Vec<Entry<'a>>,
}

/// Reads the header with which `bytes` begin, checking neither the CRC nor the version: only for what
/// [`decode_group`] will check.
pub fn decode_header(bytes: &[u8]) -> Result<(u16, GroupHeader), BadGroup> {
    let mut reader = Reader { bytes };
    if reader.array::<8>()? != GROUP_MAGIC {
        return Err(BadGroup::Invalid);
    }
    let crc = u32::from_le_bytes(reader.array()?);
    let version = u16::from_le_bytes(reader.array()?);
    let header = GroupHeader {
        core: u16::from_le_bytes(reader.array()?),
        crc,
        boot_epoch: u64::from_le_bytes(reader.array()?),
        salt: u64::from_le_bytes(reader.array()?),
        sequence: u64::from_le_bytes(reader.array()?),
        previous_crc: u32::from_le_bytes(reader.array()?),
        entries: u32::from_le_bytes(reader.array()?),
        length: u64::from_le_bytes(reader.array()?),
    };
    // Every group can have one behind it.
    let valid = header.length >= GROUP_HEADER_BYTES as u64 && header.sequence < u64::MAX;
    if valid { Ok((version, header)) } else { Err(BadGroup::Invalid) }
}

/// Reads and checks the group with which `bytes` begin.
pub fn decode_group(bytes: &[u8]) -> Result<Group<'_>, BadGroup> {
    let (version, header) = decode_header(bytes)?;
    let length = usize::try_from(header.length).map_err(|_| BadGroup::Invalid)?;
    let group = bytes.get(..length).ok_or(BadGroup::Invalid)?;
    if probe::mutated!(crc32c::crc32c(&group[CRC_START..]) != header.crc, TornGroupAccepted => false) {
        return Err(BadGroup::Invalid);
    }
    match version {
        FORMAT_VERSION => {}
        0 => return Err(BadGroup::Invalid),
        newer => return Err(BadGroup::TooNew(newer)),
    }
    let mut reader = Reader { bytes: &group[GROUP_HEADER_BYTES..] };
    let mut entries = Vec::new();
    while !reader.bytes.is_empty() {
        entries.push(decode_entry(&mut reader)?);
    }
    if entries.len() as u64 != u64::from(header.entries) {
        return Err(BadGroup::Entries);
    }
    Ok(Group { header, entries })
}

fn decode_entry<'a>(reader: &mut Reader<'a>) -> Result<Entry<'a>, BadGroup> {
    let short = |_| BadGroup::Entries;
    let [kind, _, _, _] = reader.array().map_err(short)?;
    let kind = EntryKind::from_number(kind).ok_or(BadGroup::UnknownKind(kind))?;
    let partition = i32::from_le_bytes(reader.array().map_err(short)?);
    let topic = Uuid(reader.array().map_err(short)?);
    let leader_epoch = i32::from_le_bytes(reader.array().map_err(short)?);
    let length = u32::from_le_bytes(reader.array().map_err(short)?);
    let base_offset = i64::from_le_bytes(reader.array().map_err(short)?);
    let segment_base = i64::from_le_bytes(reader.array().map_err(short)?);
    let position = u64::from_le_bytes(reader.array().map_err(short)?);
    let bytes = reader.take(length as usize).map_err(short)?;
    let first_offset = if kind == EntryKind::LogStart { base_offset } else { segment_base };
    let end = position.checked_add(u64::from(length)).filter(|end| *end <= POSITION_MAX);
    if first_offset < 0 || end.is_none() {
        return Err(BadGroup::Entries);
    }
    let key = TopicPartitionId { topic, partition };
    Ok(Entry { kind, key, leader_epoch, base_offset, place: Place { segment_base, position }, bytes })
}

/// Takes fields off the front of bytes; anything missing is [`BadGroup::Invalid`].
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], BadGroup> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(BadGroup::Invalid)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadGroup> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(BadGroup::Invalid)?;
        self.bytes = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests;
