//! The lettered cases of a journal's verdict.

use super::*;

const IDENTITY: Identity = Identity { core: 0, boot_epoch: 9, salt: 77 };
const GROUP: u64 = 2 * BLOCK as u64;

fn head() -> Head {
    Head { file: 1, sequence: 5, previous_crc: 104 }
}

/// A whole group of two blocks; its CRC is 100 + its sequence.
fn whole(sequence: u64, file: u32, index: u64) -> Found {
    let header = GroupHeader {
        core: IDENTITY.core,
        crc: 100 + sequence as u32,
        boot_epoch: IDENTITY.boot_epoch,
        salt: IDENTITY.salt,
        sequence,
        previous_crc: 99 + sequence as u32,
        entries: 1,
        length: GROUP - 10,
    };
    Found { slot: slot(file, index), header, state: Ok(()) }
}

fn slot(file: u32, index: u64) -> Slot {
    Slot { file, position: index * GROUP }
}

fn bad(mut found: Found, state: BadGroup) -> Found {
    found.state = Err(state);
    found
}

fn with(mut found: Found, change: impl FnOnce(&mut GroupHeader)) -> Found {
    change(&mut found.header);
    found
}

#[test]
fn every_case_gets_its_verdict() {
    let torn = |sequence, file, index| bad(whole(sequence, file, index), BadGroup::Invalid);
    let chain = vec![slot(1, 0), slot(1, 1), slot(0, 0)];
    let good = [whole(5, 1, 0), whole(6, 1, 1), whole(7, 0, 0)];
    let corrupt = |expected, sequence, later| Verdict::Corrupt { expected, sequence, later };
    let cases: Vec<(&str, Vec<Found>, Verdict)> = vec![
        ("A1: an untouched journal", vec![], Verdict::Empty),
        ("A2: only groups that the checkpoint covers", vec![whole(3, 0, 0), whole(4, 0, 1)], Verdict::Empty),
        ("A3: another start's", vec![with(whole(5, 1, 0), |h| h.boot_epoch = 8)], Verdict::Empty),
        ("A4: another salt: a producer's forgery", vec![with(whole(5, 1, 0), |h| h.salt = 1)], Verdict::Empty),
        ("A5: another core's", vec![with(whole(5, 1, 0), |h| h.core = 1)], Verdict::Empty),
        ("B1: a chain over two files", good.to_vec(), Verdict::Whole(chain.clone())),
        ("B2: older groups behind it", [&good[..], &[whole(2, 0, 1)]].concat(), Verdict::Whole(chain.clone())),
        ("B3: the first did not fit into the head's file", vec![whole(5, 0, 0)], Verdict::Whole(vec![slot(0, 0)])),
        ("C1: the next is torn", [&good[..], &[torn(8, 0, 1)]].concat(), Verdict::Torn(chain.clone(), slot(0, 1))),
        ("C2: torn at the start of a file", [&good[..], &[torn(8, 2, 0)]].concat(), Verdict::Torn(chain, slot(2, 0))),
        ("C3: the first is torn", vec![torn(5, 1, 0)], Verdict::Torn(vec![], slot(1, 0))),
        ("D1: the first is missing", good[1..].to_vec(), corrupt(slot(1, 0), 5, slot(1, 1))),
        ("D2: one between is missing", vec![good[0], good[2]], corrupt(slot(1, 1), 6, slot(0, 0))),
        ("D3: one between is damaged", vec![good[0], torn(6, 1, 1), good[2]], corrupt(slot(1, 1), 6, slot(0, 0))),
        ("D4: the next lies elsewhere", vec![good[0], whole(6, 1, 4)], corrupt(slot(1, 1), 6, slot(1, 4))),
        ("D5: the first lies elsewhere", vec![whole(5, 0, 1)], corrupt(slot(1, 0), 5, slot(0, 1))),
        (
            "D6: the later one is a newer release's",
            vec![good[0], bad(whole(7, 0, 0), BadGroup::TooNew(2))],
            corrupt(slot(1, 1), 6, slot(0, 0)),
        ),
        ("E1: not after the checkpoint's", vec![with(good[0], |h| h.previous_crc = 1)], Verdict::Unchained(slot(1, 0))),
        (
            "E2: not after the one before it",
            vec![good[0], with(good[1], |h| h.previous_crc = 1)],
            Verdict::Unchained(slot(1, 1)),
        ),
        (
            "F1: an unknown kind",
            vec![good[0], bad(good[1], BadGroup::UnknownKind(9))],
            Verdict::Unusable(slot(1, 1), BadGroup::UnknownKind(9)),
        ),
        (
            "F2: a newer format",
            vec![bad(good[0], BadGroup::TooNew(2))],
            Verdict::Unusable(slot(1, 0), BadGroup::TooNew(2)),
        ),
        (
            "F3: an unknown kind that the checkpoint covers",
            vec![bad(whole(4, 0, 0), BadGroup::UnknownKind(9))],
            Verdict::Empty,
        ),
    ];
    for (name, found, verdict) in cases {
        assert_eq!(judge(IDENTITY, head(), &found), verdict, "{name}");
        let reversed: Vec<Found> = found.into_iter().rev().collect();
        assert_eq!(judge(IDENTITY, head(), &reversed), verdict, "{name}, found in another order");
    }
}

#[test]
fn groups_are_found_on_block_boundaries_and_not_inside_one_another() {
    let mut inner = vec![0; GROUP_HEADER_BYTES];
    let header = |sequence, length| GroupHeader { length, ..whole(sequence, 0, 0).header };
    let header = |sequence, length| GroupHeader { entries: 0, ..header(sequence, length) };
    header(2, 64).seal_all(&mut inner);
    let mut bytes = vec![0; 4 * BLOCK];
    bytes[BLOCK..BLOCK + 64].copy_from_slice(&inner);
    bytes[2 * BLOCK + 8..2 * BLOCK + 72].copy_from_slice(&inner);
    let found = find_groups(3, &bytes);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].slot, found[0].state), (Slot { file: 3, position: BLOCK as u64 }, Ok(())));
    // A group of three blocks whose second block begins with what looks like another.
    let mut outer = vec![0; 3 * BLOCK];
    let entry = super::super::format::Entry {
        kind: super::super::format::EntryKind::Append,
        key: wire::TopicPartitionId { topic: wire::Uuid([1; 16]), partition: 0 },
        leader_epoch: 0,
        base_offset: 0,
        place: super::super::format::Place { segment_base: 0, position: 0 },
        bytes: b"",
    };
    let body = 3 * BLOCK - GROUP_HEADER_BYTES - super::super::format::ENTRY_HEADER_BYTES;
    outer[GROUP_HEADER_BYTES..GROUP_HEADER_BYTES + 56].copy_from_slice(&entry.encode_header(body));
    outer[BLOCK..BLOCK + 64].copy_from_slice(&inner);
    GroupHeader { entries: 1, ..header(1, 3 * BLOCK as u64) }.seal_all(&mut outer);
    assert_eq!(find_groups(0, &outer).len(), 1);
    outer[2 * BLOCK] ^= 1;
    let found = find_groups(0, &outer);
    let states: Vec<_> = found.iter().map(|group| (group.header.sequence, group.state)).collect();
    assert_eq!(states, [(1, Err(BadGroup::Invalid)), (2, Ok(()))], "only the salt gives the inner one away");
}
