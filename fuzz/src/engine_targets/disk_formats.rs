//! The decoders of single files: what they take is what would be written again.

use std::path::Path;

use engine::checkpoint::Checkpoint;
use engine::disk::BLOCK;
use engine::journal::format::{ENTRY_HEADER_BYTES, GROUP_HEADER_BYTES, decode_group};
use engine::journal::reader::{Verdict, find_groups, judge};
use engine::journal::ring::Head;
use engine::journal::writer::Identity;
use engine::leader_epochs::LeaderEpochs;
use engine::segment::names::{file_name, folder_name, parse_file_name, parse_folder_name};
use engine::segment::{OFFSET_ENTRY_BYTES, OffsetIndex, TIME_ENTRY_BYTES, TimeIndex};
use engine::{partition_metadata, producer_snapshot};

use super::seal;

/// The first byte picks the format, and whether checksums are made right first.
pub fn disk_formats(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let mut bytes = bytes.to_vec();
    let sealed = choice & 0x80 != 0;
    match choice & 0x7f {
        0 => {
            if sealed {
                seal::journal(&mut bytes, &mut Default::default());
            }
            journal(&bytes);
        }
        1 => {
            if sealed {
                seal::checkpoint(&mut bytes);
            }
            checkpoint(&bytes);
        }
        2 => leader_epochs(&bytes),
        3 => metadata(&bytes),
        4 => {
            if sealed {
                seal::producer_snapshot(&mut bytes);
            }
            snapshot(&bytes);
        }
        5 => offset_index(&bytes),
        6 => time_index(&bytes),
        7 => names(&bytes),
        _ => {}
    }
}

fn journal(bytes: &[u8]) {
    let found = find_groups(0, bytes);
    for group in &found {
        let position = group.slot.position as usize;
        assert!(position.is_multiple_of(BLOCK));
        let decoded = decode_group(&bytes[position..]);
        assert_eq!(decoded.as_ref().map(|_| ()), group.state.as_ref().copied());
        let Ok(decoded) = decoded else { continue };
        let mut rest = &bytes[position + GROUP_HEADER_BYTES..position + decoded.header.length as usize];
        for entry in &decoded.entries {
            let (header, others) = rest.split_at(ENTRY_HEADER_BYTES);
            let mut again = entry.encode_header(entry.bytes.len());
            // Reserved bytes, which are not looked at.
            again[1..4].copy_from_slice(&header[1..4]);
            assert_eq!(again, header);
            rest = others.strip_prefix(entry.bytes).expect("an entry's bytes follow its header");
        }
        assert!(rest.is_empty());
    }
    let Some(first) = found.first().map(|group| group.header) else { return };
    let identity = Identity { core: first.core, boot_epoch: first.boot_epoch, salt: first.salt };
    let head = Head { file: 0, sequence: first.sequence, previous_crc: first.previous_crc };
    if let Verdict::Whole(chain) | Verdict::Torn(chain, _) = judge(identity, head, &found) {
        for slot in chain {
            decode_group(&bytes[slot.position as usize..]).expect("what is to be carried out is whole");
        }
    }
}

fn checkpoint(bytes: &[u8]) {
    let path = Path::new("checkpoint");
    let Ok(decoded) = Checkpoint::decode(bytes, path) else { return };
    assert_eq!(Checkpoint::decode(&decoded.encode(), path).expect("what is encoded decodes"), decoded);
    assert_eq!(decoded.encode().len(), bytes.len());
}

fn leader_epochs(bytes: &[u8]) {
    let Ok(mut epochs) = LeaderEpochs::decode(bytes) else { return };
    assert_eq!(LeaderEpochs::decode(epochs.encode().as_bytes()), Ok(epochs.clone()));
    let Some(latest) = epochs.latest() else { return };
    for entry in epochs.entries() {
        assert_eq!(epochs.epoch_of(entry.start_offset), Some(entry.epoch));
        let (found, end) = epochs.end_offset_for(entry.epoch, i64::MAX);
        assert!(found == entry.epoch && end > entry.start_offset || end == i64::MAX);
    }
    epochs.truncate_start(latest.start_offset);
    assert_eq!(epochs.entries(), [latest]);
    epochs.truncate_end(latest.start_offset);
    assert!(epochs.entries().is_empty());
}

fn metadata(bytes: &[u8]) {
    let Ok(topic) = partition_metadata::decode(bytes) else { return };
    assert_eq!(partition_metadata::decode(partition_metadata::encode(topic).as_bytes()), Ok(topic));
}

fn snapshot(bytes: &[u8]) {
    let Ok(entries) = producer_snapshot::decode(bytes) else { return };
    assert_eq!(producer_snapshot::encode(&entries), bytes);
}

/// What an index is of.
struct Segment {
    base_offset: i64,
    end_offset: i64,
    size: u64,
}

/// An index file's bytes, with its segment's numbers before them.
fn segment(bytes: &[u8]) -> Option<(Segment, &[u8])> {
    let (fields, rest) = bytes.split_first_chunk::<24>()?;
    let (numbers, _) = fields.as_chunks::<8>();
    let [base_offset, end_offset, size] = [numbers[0], numbers[1], numbers[2]].map(i64::from_be_bytes);
    let segment = Segment { base_offset, end_offset, size: size.unsigned_abs() };
    (base_offset >= 0).then_some((segment, rest))
}

fn offset_index(bytes: &[u8]) {
    let Some((Segment { base_offset, end_offset, size }, bytes)) = segment(bytes) else { return };
    let Some(mut index) = OffsetIndex::decode(base_offset, bytes, size, end_offset) else { return };
    assert_eq!(index.encode(), bytes);
    assert_eq!(index.len() * OFFSET_ENTRY_BYTES, bytes.len());
    for (offset, position) in (0..index.len()).filter_map(|number| index.get(number)) {
        assert!(offset < end_offset && position < size);
        assert_eq!(index.lookup(offset), position);
        assert_eq!(index.batch_start_before(position), position);
    }
    index.truncate(base_offset, 0);
    assert!(index.is_empty());
}

fn time_index(bytes: &[u8]) {
    let Some((Segment { base_offset, end_offset, .. }, bytes)) = segment(bytes) else { return };
    let Some(mut index) = TimeIndex::decode(base_offset, bytes, end_offset) else { return };
    assert_eq!(index.encode(), bytes);
    assert_eq!(index.len() * TIME_ENTRY_BYTES, bytes.len());
    if let Some(last) = index.last() {
        assert!(last.offset < end_offset && last.offset >= base_offset);
        assert_eq!(index.lookup(last.timestamp.saturating_add(1)), last.offset);
    }
    index.truncate(base_offset);
    assert!(index.is_empty());
}

fn names(bytes: &[u8]) {
    let Ok(name) = std::str::from_utf8(bytes) else { return };
    if let Some((offset, kind)) = parse_file_name(name) {
        assert_eq!(file_name(offset, kind), name);
    }
    if let Some((topic, partition)) = parse_folder_name(name) {
        assert_eq!(parse_folder_name(&folder_name(topic, partition)), Some((topic, partition)));
    }
}
