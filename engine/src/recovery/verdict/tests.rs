//! The lettered cases of a partition's verdict.

use wire::{TopicPartitionId, Uuid};

use super::*;

fn state(log_start: i64, segment_base: i64, position: u64, offset: i64) -> PartitionState {
    let key = TopicPartitionId { topic: Uuid([1; 16]), partition: 0 };
    PartitionState { key, log_start, mark: Mark { segment_base, position, offset } }
}

fn append(base_offset: i64, segment_base: i64, position: u64, len: u64) -> EntryInfo {
    EntryInfo { kind: EntryKind::Append, base_offset, place: Place { segment_base, position }, len }
}

fn log_start(offset: i64) -> EntryInfo {
    let place = Place { segment_base: 0, position: 0 };
    EntryInfo { kind: EntryKind::LogStart, base_offset: offset, place, len: 0 }
}

struct Case {
    name: &'static str,
    segments: &'static [(i64, u64)],
    state: Option<PartitionState>,
    entries: Vec<EntryInfo>,
    log_start: i64,
    from: (i64, u64, i64),
    ends: Option<&'static [(i64, u64)]>,
    remove: &'static [i64],
}

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    let s = |log_start, base, position, offset| Some(state(log_start, base, position, offset));
    vec![
        Case { name: "A1: a new log without files", segments: &[], state: None, entries: vec![],
            log_start: 0, from: (0, 0, 0), ends: None, remove: &[] },
        Case { name: "A2: files that nothing vouches for", segments: &[(5, 100), (9, 50)], state: None, entries: vec![],
            log_start: 0, from: (5, 0, 5), ends: None, remove: &[] },
        Case { name: "B1: nothing since the checkpoint", segments: &[(0, 100)], state: s(0, 0, 100, 10), entries: vec![],
            log_start: 0, from: (0, 100, 10), ends: Some(&[(0, 100)]), remove: &[] },
        Case { name: "B2: extents ahead, or filed but never acknowledged", segments: &[(0, 8192), (10, 4096)],
            state: s(0, 0, 100, 10), entries: vec![],
            log_start: 0, from: (0, 100, 10), ends: Some(&[(0, 100)]), remove: &[10] },
        Case { name: "C1: a new log, nothing filed", segments: &[], state: None,
            entries: vec![append(0, 0, 0, 70), append(1, 0, 70, 30)],
            log_start: 0, from: (0, 0, 0), ends: Some(&[(0, 100)]), remove: &[] },
        Case { name: "C2: the journal continues at the mark", segments: &[(0, 4096)], state: s(0, 0, 100, 10),
            entries: vec![append(10, 0, 100, 70), append(12, 0, 170, 30)],
            log_start: 0, from: (0, 100, 10), ends: Some(&[(0, 200)]), remove: &[] },
        Case { name: "C3: the journal begins before the mark", segments: &[(0, 4096)], state: s(0, 0, 100, 10),
            entries: vec![append(3, 0, 30, 40), append(7, 0, 70, 30), append(10, 0, 100, 70)],
            log_start: 0, from: (0, 100, 10), ends: Some(&[(0, 170)]), remove: &[] },
        Case { name: "C4: it rolls", segments: &[(0, 4096)], state: s(0, 0, 100, 10),
            entries: vec![append(10, 0, 100, 70), append(12, 12, 0, 30), append(13, 12, 30, 30)],
            log_start: 0, from: (0, 100, 10), ends: Some(&[(0, 170), (12, 60)]), remove: &[] },
        Case { name: "D1: all that the journal holds is trusted already", segments: &[(0, 100), (10, 50)],
            state: s(0, 10, 50, 15), entries: vec![append(3, 0, 30, 70), append(10, 10, 0, 50)],
            log_start: 0, from: (10, 50, 15), ends: Some(&[(10, 50)]), remove: &[] },
        Case { name: "E1: removals were lost", segments: &[(0, 100), (10, 50), (20, 50)], state: s(20, 20, 50, 25),
            entries: vec![],
            log_start: 20, from: (20, 50, 25), ends: Some(&[(20, 50)]), remove: &[] },
        Case { name: "E2: the log start moved after the checkpoint, within a segment", segments: &[(0, 100), (10, 50)],
            state: s(0, 10, 50, 15), entries: vec![log_start(4), log_start(12)],
            log_start: 12, from: (10, 50, 15), ends: Some(&[(10, 50)]), remove: &[] },
        Case { name: "E3: a hole of lost removals below the log start", segments: &[(0, 100), (20, 50)],
            state: s(20, 20, 0, 20), entries: vec![],
            log_start: 20, from: (20, 0, 20), ends: Some(&[(20, 0)]), remove: &[] },
        Case { name: "E4: what the mark is in stays, whatever the log start", segments: &[(0, 100)],
            state: s(0, 0, 100, 10), entries: vec![append(10, 10, 0, 50), log_start(12)],
            log_start: 12, from: (0, 100, 10), ends: Some(&[(0, 100), (10, 50)]), remove: &[] },
    ]
}

#[test]
fn every_case_gets_its_plan() {
    for case in cases() {
        let segments = case.segments.iter().copied().collect();
        let plan = judge(&segments, case.state.as_ref(), &case.entries);
        let (segment_base, position, offset) = case.from;
        let expected = Plan {
            log_start: case.log_start,
            from: Mark { segment_base, position, offset },
            ends: case.ends.map(|ends| ends.iter().copied().collect()),
            remove: case.remove.to_vec(),
        };
        assert_eq!(plan, Ok(expected), "{}", case.name);
    }
}

#[test]
fn what_cannot_be_put_together_is_refused() {
    let segments = BTreeMap::from([(0, 4096)]);
    let gap = |segment_base, position| Err(Refusal::Gap { found: Place { segment_base, position } });
    let known = state(0, 0, 100, 10);
    let judge_entries = |entries: &[EntryInfo]| judge(&segments, Some(&known), entries);
    assert_eq!(judge_entries(&[append(10, 0, 101, 10)]), gap(0, 101), "F1: a hole behind the mark");
    assert_eq!(judge_entries(&[append(9, 0, 90, 20)]), gap(0, 90), "F2: a batch across the mark");
    let hole = [append(10, 0, 100, 10), append(12, 0, 120, 10)];
    assert_eq!(judge_entries(&hole), gap(0, 120), "F3: a hole between two batches");
    assert_eq!(judge_entries(&[append(12, 12, 5, 10)]), gap(12, 5), "F4: a segment that does not begin at its start");
    assert_eq!(judge_entries(&[append(12, 11, 0, 10)]), gap(11, 0), "F5: a segment that begins with another offset");
    let block = |position, len| EntryInfo { kind: EntryKind::Block, ..append(-1, 0, position, len) };
    assert_eq!(judge_entries(&[block(96, 5)]), gap(0, 96), "F6: a block's beginning that reaches beyond the log");
    assert!(judge_entries(&[append(10, 0, 100, 10), block(96, 14)]).is_ok());
    assert_eq!(judge(&segments, None, &[block(0, 5)]), gap(0, 0), "F7: one of a log that nothing vouches for");
    let missing = Err(Refusal::SegmentMissing { segment_base: 7, position: 100 });
    assert_eq!(judge(&segments, Some(&state(0, 7, 100, 10)), &[]), missing, "G: the mark's segment is missing");
    let short = Err(Refusal::SegmentShort { segment_base: 0, position: 5000, len: 4096 });
    assert_eq!(judge(&segments, Some(&state(0, 0, 5000, 10)), &[]), short, "H: the mark's segment is short");
}

#[test]
fn only_what_reaches_beyond_the_marks_block_is_replayed() {
    let segments = BTreeMap::from([(0, 100), (10, 8192)]);
    let plan = judge(&segments, Some(&state(0, 10, 5000, 15)), &[]).expect("it is well");
    let block = |position, len| EntryInfo { kind: EntryKind::Block, ..append(-1, 10, position, len) };
    assert!(!plan.needs(&append(0, 0, 0, 9000)), "an earlier segment");
    assert!(!plan.needs(&append(10, 10, 0, 4096)), "wholly before the mark's block");
    assert!(
        !plan.needs(&append(10, 10, 4000, 100)),
        "in the mark's block, whose beginning has an entry if it is rewritten"
    );
    assert!(plan.needs(&block(4096, 904)), "the beginning of the mark's block");
    assert!(plan.needs(&append(15, 10, 5000, 10)), "behind the mark");
    assert!(plan.needs(&append(16, 16, 0, 10)), "a later segment");
    assert!(!plan.needs(&log_start(3)));
}
