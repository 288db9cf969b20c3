//! Finds the groups in a core's journal and says what they amount to.
//!
//! `scan_file` reads; [`judge`] decides, purely, from what was found. A block that cannot be read counts as one in which
//! nothing valid begins: a crash may leave the sectors of a write in flight unreadable.

use std::path::Path;

use super::format::{BadGroup, GROUP_HEADER_BYTES, GroupHeader, decode_group, decode_header};
use super::ring::{Head, Slot};
use super::writer::Identity;
use crate::disk::{BLOCK, Disk, File, OpenMode, block_ceil};
use crate::error::EngineError;

/// Bytes read at a time.
const READ_BYTES: usize = 1024 * 1024;

/// Something at the start of a block that has a group's magic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub slot: Slot,
    /// Its header. Of no meaning beyond identity, sequence and length when `state` is not `Ok`.
    pub header: GroupHeader,
    /// Whether it is whole, and one that this release can carry out.
    pub state: Result<(), BadGroup>,
}

/// All bytes of a journal file; what cannot be read is zeros.
pub async fn read_whole<D: Disk>(disk: &D, path: &Path) -> Result<Vec<u8>, EngineError> {
    let file = disk.open(path, OpenMode::Read).await.map_err(EngineError::disk(path))?;
    let len = file.len().await.map_err(EngineError::disk(path))?;
    let mut bytes = Vec::with_capacity(len as usize);
    while (bytes.len() as u64) < len {
        let position = bytes.len() as u64;
        let wanted = READ_BYTES.min((len - position) as usize);
        match file.read(position, wanted).await {
            Ok(read) if read.is_empty() => break,
            Ok(read) => bytes.extend_from_slice(&read),
            Err(_) => {
                probe::reached!(JournalUnreadable);
                read_blocks::<D>(&file, position, wanted, &mut bytes).await;
            }
        }
    }
    Ok(bytes)
}

async fn read_blocks<D: Disk>(file: &D::File, position: u64, len: usize, bytes: &mut Vec<u8>) {
    let end = position + len as u64;
    let mut at = position;
    while at < end {
        let wanted = BLOCK.min((end - at) as usize);
        let target = bytes.len() + wanted;
        if let Ok(read) = file.read(at, wanted).await {
            bytes.extend_from_slice(&read);
        }
        bytes.resize(target, 0);
        at += wanted as u64;
    }
}

/// Everything in a journal file's bytes that looks like a group, in order.
pub fn find_groups(file: u32, bytes: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut position = 0;
    while position + GROUP_HEADER_BYTES <= bytes.len() {
        let at = &bytes[position..];
        let mut step = BLOCK as u64;
        if let Ok((_, header)) = decode_header(at) {
            let state = decode_group(at).map(|_| ());
            if state != Err(BadGroup::Invalid) {
                step = block_ceil(header.length);
            }
            found.push(Found { slot: Slot { file, position: position as u64 }, header, state });
        }
        position += step as usize;
    }
    found
}

/// What a journal amounts to. The letters are those of the table in the tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A: nothing was written after the checkpoint.
    Empty,
    /// B: the groups to replay; nothing is left of a later one.
    Whole(Vec<Slot>),
    /// C: the groups to replay, and the remains of one whose write a crash cut short. It was not acknowledged.
    Torn(Vec<Slot>, Slot),
    /// D: a group is missing or damaged although a later one of the same start is whole: acknowledged bytes are gone.
    Corrupt {
        /// Where the group that is missing had to be, as far as is known.
        expected: Slot,
        /// Its sequence.
        sequence: u64,
        /// Where the later one is.
        later: Slot,
    },
    /// E: the next group is whole, but does not follow the one before it.
    Unchained(Slot),
    /// F: a group that is needed was written by a newer release, or asks for what this one does not know.
    Unusable(Slot, BadGroup),
}

/// Judges what was found in all files of one core's journal, where `identity` is its last start's and `head` what that
/// start's last checkpoint names.
pub fn judge(identity: Identity, head: Head, found: &[Found]) -> Verdict {
    let mut ours: Vec<&Found> = found.iter().filter(|group| is_ours(group, identity)).collect();
    ours.sort_by_key(|group| group.header.sequence);
    let mut chain: Vec<Slot> = Vec::new();
    let (mut sequence, mut previous_crc) = (head.sequence, head.previous_crc);
    let mut expected = Slot { file: head.file, position: 0 };
    // A group follows the one before it, or begins another file when it did not fit behind it.
    let next = |expected: Slot, sequence: u64| {
        let at = |group: &&&Found| group.slot == expected || group.slot.position == 0;
        let start = ours.partition_point(|group| group.header.sequence < sequence);
        let same = ours[start..].iter().take_while(|group| group.header.sequence == sequence);
        same.filter(at).max_by_key(|group| group.state != Err(BadGroup::Invalid))
    };
    let mut torn = None;
    while let Some(group) = next(expected, sequence) {
        match group.state {
            Ok(()) if group.header.previous_crc != previous_crc => return Verdict::Unchained(group.slot),
            Ok(()) => {}
            Err(BadGroup::Invalid) => {
                torn = Some(group.slot);
                break;
            }
            Err(bad) => return Verdict::Unusable(group.slot, bad),
        }
        chain.push(group.slot);
        previous_crc = group.header.crc;
        sequence += 1;
        expected = Slot { file: group.slot.file, position: group.slot.position + group.header.padded_length() };
    }
    let is_later = |group: &&&Found| group.state != Err(BadGroup::Invalid) && group.header.sequence >= sequence;
    if let Some(later) = ours.iter().find(is_later) {
        return Verdict::Corrupt { expected, sequence, later: later.slot };
    }
    probe::mutation!(ForgetLastGroup => chain.truncate(chain.len().saturating_sub(1)));
    match torn {
        Some(torn) => Verdict::Torn(chain, torn),
        None if chain.is_empty() => Verdict::Empty,
        None => Verdict::Whole(chain),
    }
}

fn is_ours(group: &Found, identity: Identity) -> bool {
    let header = &group.header;
    (header.core, header.boot_epoch, header.salt) == (identity.core, identity.boot_epoch, identity.salt)
}

#[cfg(test)]
mod tests;
