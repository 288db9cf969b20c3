//! Groups survive the way to bytes and back; nothing else passes for one.

use super::*;

fn key(partition: i32) -> TopicPartitionId {
    TopicPartitionId { topic: Uuid([7; 16]), partition }
}

fn entries() -> [Entry<'static>; 3] {
    let place = Place { segment_base: 40, position: 4096 };
    [
        Entry { kind: EntryKind::Block, key: key(0), leader_epoch: -1, base_offset: -1, place, bytes: b"prefix" },
        Entry { kind: EntryKind::Append, key: key(1), leader_epoch: 3, base_offset: 42, place, bytes: &[9; 5000] },
        Entry { kind: EntryKind::LogStart, key: key(2), leader_epoch: -1, base_offset: 12, place, bytes: b"" },
    ]
}

/// The bytes of a sealed group, and its header.
fn group(entries: &[Entry]) -> (GroupHeader, Vec<u8>) {
    let mut bytes = vec![0; GROUP_HEADER_BYTES];
    for entry in entries {
        bytes.extend_from_slice(&entry.encode_header(entry.bytes.len()));
        bytes.extend_from_slice(entry.bytes);
    }
    let mut header = GroupHeader {
        core: 1,
        crc: 0,
        boot_epoch: 5,
        salt: 6,
        sequence: 7,
        previous_crc: 8,
        entries: entries.len() as u32,
        length: bytes.len() as u64,
    };
    header.crc = header.seal_all(&mut bytes);
    (header, bytes)
}

#[test]
fn a_group_is_read_as_it_was_written_whatever_follows_it() {
    let (header, mut bytes) = group(&entries());
    bytes.resize(header.padded_length() as usize + BLOCK, 0xee);
    assert_eq!(decode_group(&bytes), Ok(Group { header, entries: entries().to_vec() }));
    assert_eq!(header.padded_length(), 2 * BLOCK as u64);
}

#[test]
fn a_group_with_any_bit_changed_or_any_byte_missing_is_refused() {
    let (_, bytes) = group(&entries());
    for position in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[position] ^= 1 << (position % 8);
        assert_eq!(decode_group(&damaged), Err(BadGroup::Invalid), "byte {position}");
        assert_eq!(decode_group(&bytes[..position]), Err(BadGroup::Invalid), "cut at {position}");
    }
}

#[test]
fn a_newer_format_and_an_unknown_kind_are_told_apart_from_damage() {
    let (_, mut bytes) = group(&entries());
    bytes[12] = 2;
    assert_eq!(decode_group(&bytes), Err(BadGroup::Invalid), "a damaged version is no newer release");
    let crc = crc32c::crc32c(&bytes[12..]);
    bytes[8..12].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(decode_group(&bytes), Err(BadGroup::TooNew(2)));
    for kind in RESERVED_KINDS.chain([0, 9, 255]) {
        let (header, mut bytes) = group(&entries());
        bytes[GROUP_HEADER_BYTES] = kind;
        header.seal_all(&mut bytes);
        assert_eq!(decode_group(&bytes), Err(BadGroup::UnknownKind(kind)));
    }
}

#[test]
fn entries_that_do_not_fill_their_group_are_refused() {
    let (mut header, mut bytes) = group(&entries());
    header.entries = 2;
    header.seal_all(&mut bytes);
    assert_eq!(decode_group(&bytes), Err(BadGroup::Entries));
    let (header, mut bytes) = group(&entries());
    bytes[GROUP_HEADER_BYTES + 31] = 0x7f;
    header.seal_all(&mut bytes);
    assert_eq!(decode_group(&bytes), Err(BadGroup::Entries));
}

#[test]
fn numbers_that_no_journal_has_are_refused_whatever_the_checksum() {
    let [block, _, start] = entries();
    let at = |segment_base, position| Entry { place: Place { segment_base, position }, ..block };
    for bad in [at(-1, 0), at(0, u64::MAX), at(0, i64::MAX as u64 - 5), Entry { base_offset: -1, ..start }] {
        assert_eq!(decode_group(&group(&[bad]).1), Err(BadGroup::Entries), "{bad:?}");
    }
    assert!(decode_group(&group(&[at(0, i64::MAX as u64 - 6)]).1).is_ok());
    let (mut header, mut bytes) = group(&entries());
    header.sequence = u64::MAX;
    header.seal_all(&mut bytes);
    assert_eq!(decode_group(&bytes), Err(BadGroup::Invalid), "no group could follow it");
}
