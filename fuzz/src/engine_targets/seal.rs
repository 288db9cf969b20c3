//! Checksums made right again, which a fuzzer does not find by itself.

use std::collections::BTreeMap;

use engine::disk::BLOCK;
use engine::journal::format::{GROUP_MAGIC, decode_header};
use wire::batch::{ATTRIBUTES_AT, BatchHeader, CRC_AT};

/// Where a journal group has its CRC, and what that covers; a checkpoint has them at the same places.
const CRC: std::ops::Range<usize> = 8..12;
/// Where a journal group has the CRC of the one before it.
const PREVIOUS_CRC: std::ops::Range<usize> = 40..44;

/// A checkpoint's.
pub fn checkpoint(bytes: &mut [u8]) {
    if let Some(covered) = bytes.get(CRC.end..) {
        let crc = crc32c::crc32c(covered);
        bytes[CRC].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Those of all groups in a journal file. `renewed` maps old ones to new ones, over all files of a journal, so that the
/// chain holds.
pub fn journal(bytes: &mut [u8], renewed: &mut BTreeMap<[u8; 4], [u8; 4]>) {
    for position in (0..bytes.len()).step_by(BLOCK) {
        let Ok((_, header)) = decode_header(&bytes[position..]) else { continue };
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        let Some(group) = bytes[position..].get_mut(..length) else { continue };
        assert!(group.starts_with(&GROUP_MAGIC));
        if let Some(previous) = renewed.get(&group[PREVIOUS_CRC]) {
            group[PREVIOUS_CRC].copy_from_slice(previous);
        }
        let crc = crc32c::crc32c(&group[CRC.end..]).to_le_bytes();
        renewed.insert(header.crc.to_le_bytes(), crc);
        group[CRC].copy_from_slice(&crc);
    }
}

/// Those of the batches in a segment.
pub fn segment(bytes: &mut [u8]) {
    let mut rest = bytes;
    while let Ok(header) = BatchHeader::parse(rest) {
        let Some((batch, others)) = rest.split_at_mut_checked(header.size()) else { return };
        let crc = crc32c::crc32c(&batch[ATTRIBUTES_AT..]);
        batch[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
        rest = others;
    }
}

/// A producer snapshot's.
pub fn producer_snapshot(bytes: &mut [u8]) {
    if let Some(covered) = bytes.get(6..) {
        let crc = crc32c::crc32c(covered);
        bytes[2..6].copy_from_slice(&crc.to_be_bytes());
    }
}
