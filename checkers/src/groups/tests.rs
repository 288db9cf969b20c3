//! Every anomaly is found in a history that shows it, and in none that does not. Times are in ns; a lease lasts for 100.

use super::*;

const KEY: u32 = 0;
const OTHER: u32 = 1;
const A: ProcessId = ProcessId(1);
const B: ProcessId = ProcessId(2);
const LEASE_NS: u64 = 100;

type Step = (u64, ProcessId, GroupAction<u32>);
type GroupAnomalyKind = super::GroupAnomalyKind<u32>;

fn granted(at_ns: u64, member: ProcessId, epoch: i32, partitions: &[u32]) -> Step {
    let partitions = partitions.to_vec();
    (at_ns, member, GroupAction::Granted { epoch, partitions, asked_ns: at_ns - 1, lease_ns: at_ns - 1 + LEASE_NS })
}

fn renewed(at_ns: u64, member: ProcessId) -> Step {
    (at_ns, member, GroupAction::Renewed { asked_ns: at_ns - 1, lease_ns: at_ns - 1 + LEASE_NS })
}

fn released(at_ns: u64, member: ProcessId) -> Step {
    (at_ns, member, GroupAction::Released(vec![KEY]))
}

fn fenced(at_ns: u64, member: ProcessId) -> Step {
    (at_ns, member, GroupAction::Fenced { as_unknown: true })
}

fn commit(at_ns: u64, member: ProcessId, (id, epoch, offset): (u64, i32, i64)) -> Step {
    (at_ns, member, GroupAction::Commit { id, partition: KEY, epoch, offset })
}

fn ended(at_ns: u64, member: ProcessId, id: u64, accepted: bool) -> Step {
    (at_ns, member, GroupAction::CommitEnded { id, accepted })
}

fn fetched(at_ns: u64, member: ProcessId, offset: i64) -> Step {
    (at_ns, member, GroupAction::Fetched { partition: KEY, asked_ns: at_ns - 1, offset })
}

fn started(at_ns: u64, member: ProcessId, position: i64) -> Step {
    (at_ns, member, GroupAction::Started { partition: KEY, position, at_log_start: false })
}

fn processed(at_ns: u64, member: ProcessId, from: i64, to: i64) -> Step {
    (at_ns, member, GroupAction::Processed { partition: KEY, from, to })
}

fn judge_as(has_generations: bool, steps: &[Step]) -> Vec<GroupAnomalyKind> {
    let mut history = GroupHistory { has_generations, ..GroupHistory::default() };
    for (at_ns, member, action) in steps {
        history.record(*at_ns, *member, action.clone());
    }
    check(&history).0
}

fn judge(steps: &[Step]) -> Vec<GroupAnomalyKind> {
    judge_as(true, steps)
}

/// A holds the partition in generation 1, has read up to 10 and committed that.
fn a_has_read() -> Vec<Step> {
    vec![
        granted(10, A, 1, &[KEY]),
        fetched(20, A, -1),
        started(21, A, 0),
        processed(30, A, 0, 10),
        commit(40, A, (1, 1, 10)),
        ended(50, A, 1, true),
    ]
}

fn after_a(steps: &[Step]) -> Vec<GroupAnomalyKind> {
    judge(&[&a_has_read()[..], steps].concat())
}

#[test]
fn a_partition_that_was_given_up_goes_on_elsewhere_where_it_was_committed() {
    let steps = [
        renewed(60, A),
        released(70, A),
        granted(80, B, 2, &[KEY]),
        granted(81, A, 2, &[OTHER]),
        fetched(90, B, 10),
        started(91, B, 10),
        processed(92, B, 10, 12),
        commit(93, B, (2, 2, 12)),
        ended(94, B, 2, true),
    ];
    assert_eq!(after_a(&steps), []);
}

#[test]
fn a_partition_is_granted_while_its_holder_has_a_lease() {
    let two = GroupAnomalyKind::TwoOwners { partition: KEY, members: (A, B), epochs: (1, 2) };
    assert_eq!(after_a(&[granted(80, B, 2, &[KEY])]), [two]);
    assert_eq!(after_a(&[renewed(60, A), granted(150, B, 2, &[KEY])]), [two]);
    assert_eq!(after_a(&[granted(150, B, 2, &[KEY])]), [], "A was silent for longer than its lease");
    assert_eq!(after_a(&[granted(80, B, 2, &[OTHER])]), []);
    let abandoned = (60, A, GroupAction::Abandoned);
    assert_eq!(after_a(&[abandoned.clone(), granted(80, B, 2, &[KEY])]), []);
    assert_eq!(
        after_a(&[abandoned, granted(70, A, 1, &[KEY]), granted(80, B, 1, &[KEY])]),
        [],
        "its successor was late"
    );
}

#[test]
fn who_waits_for_an_answer_may_be_dropped_sooner() {
    let waits = (70, A, GroupAction::Waits { lease_ns: 75 });
    assert_eq!(after_a(&[waits.clone(), granted(80, B, 2, &[KEY])]), []);
    assert_eq!(after_a(&[waits, granted(72, B, 2, &[KEY])]).len(), 1);
}

#[test]
fn a_lease_that_has_run_out_is_not_renewed() {
    assert_eq!(after_a(&[renewed(140, A), granted(150, B, 2, &[KEY])]), []);
}

#[test]
fn one_epoch_gives_a_partition_once_whatever_the_leases() {
    let two = GroupAnomalyKind::TwoOwners { partition: KEY, members: (A, B), epochs: (1, 1) };
    assert_eq!(after_a(&[granted(300, B, 1, &[KEY])]), [two]);
    assert_eq!(after_a(&[(250, A, GroupAction::Abandoned), granted(300, B, 1, &[KEY])]), [], "B is A's next life");
    let late = [granted(60, B, 1, &[OTHER]), (65, B, GroupAction::Abandoned), granted(70, B, 1, &[KEY])];
    assert_eq!(after_a(&late), [], "A is B's next life, and B hears late what it had");
    assert_eq!(judge_as(false, &[&a_has_read()[..], &[released(60, A), granted(70, B, 1, &[KEY])]].concat()), []);
}

#[test]
fn a_generation_does_not_go_back_for_anyone_and_an_epoch_not_for_its_member() {
    let steps = [released(60, A), granted(70, B, 3, &[KEY]), granted(80, A, 2, &[OTHER])];
    let back = GroupAnomalyKind::EpochWentBack { member: A, known: 3, found: 2 };
    assert_eq!(after_a(&steps), [back]);
    assert_eq!(judge_as(false, &steps), [], "another member's epoch says nothing");
    let own = [granted(10, A, 5, &[]), granted(20, A, 4, &[])];
    assert_eq!(judge_as(false, &own), [GroupAnomalyKind::EpochWentBack { member: A, known: 5, found: 4 }]);
    let late = (90, A, GroupAction::Granted { epoch: 2, partitions: vec![], asked_ns: 65, lease_ns: 165 });
    assert_eq!(after_a(&[released(60, A), granted(70, B, 3, &[KEY]), late]), [], "it was asked for before");
}

#[test]
fn a_commit_of_a_fenced_member_is_not_accepted() {
    let accepted = |offset| GroupAnomalyKind::FencedCommitAccepted { member: A, partition: KEY, epoch: 1, offset };
    let again = [commit(350, A, (2, 1, 10)), ended(360, A, 2, true)];
    assert_eq!(after_a(&[&[fenced(300, A)], &again[..]].concat()), [accepted(10)]);
    assert_eq!(after_a(&[&[granted(300, B, 2, &[OTHER])], &again[..]].concat()), [accepted(10)], "an old generation");
    let replaced = [&a_has_read()[..], &[granted(300, B, 2, &[KEY])], &again[..]].concat();
    assert_eq!(judge_as(false, &replaced), [accepted(10)], "its partition belongs to another member");
    let elsewhere = [&a_has_read()[..], &[granted(300, B, 2, &[OTHER])], &again[..]].concat();
    assert_eq!(judge_as(false, &elsewhere), [], "the others' epochs do not matter");
    let refused = [commit(350, A, (2, 1, 10)), ended(360, A, 2, false)];
    assert_eq!(after_a(&[&[fenced(300, A)], &refused[..]].concat()), []);
}

#[test]
fn a_commit_that_was_under_way_when_its_member_was_fenced_may_be_accepted() {
    let steps = [commit(60, A, (2, 1, 10)), granted(300, B, 2, &[KEY]), ended(310, A, 2, true), fetched(320, B, 10)];
    assert_eq!(after_a(&steps), []);
}

#[test]
fn a_committed_offset_is_the_last_accepted_one_or_one_under_way() {
    let back = |found| GroupAnomalyKind::CommittedWentBack { partition: KEY, committed: 10, found };
    assert_eq!(after_a(&[fetched(60, A, -1)]), [back(-1)]);
    assert_eq!(after_a(&[fetched(60, A, 5)]), [back(5)]);
    let asked_before = (60, A, GroupAction::Fetched { partition: KEY, asked_ns: 45, offset: -1 });
    assert_eq!(after_a(&[asked_before]), []);
    assert_eq!(after_a(&[commit(60, A, (2, 1, 7)), fetched(70, A, 7), fetched(80, A, 10)]), []);
    let old = [commit(60, A, (2, 1, 7)), released(61, A), granted(70, B, 2, &[KEY])];
    let new = [commit(80, B, (3, 2, 10)), ended(90, B, 3, true), fetched(95, B, 7)];
    assert_eq!(after_a(&[&old[..], &new[..]].concat()), [back(7)], "it was overtaken by a newer generation's");
}

#[test]
fn records_that_nobody_has_processed_are_lost() {
    let lost = |member, to| GroupAnomalyKind::LostRecords { member, partition: KEY, from: 10, to };
    assert_eq!(after_a(&[commit(60, A, (2, 1, 11))]), [lost(A, 11)]);
    assert_eq!(after_a(&[released(60, A), started(70, B, 12)]), [lost(B, 12)]);
    assert_eq!(after_a(&[processed(60, A, 11, 12)]), [lost(A, 11)]);
    let at_log_start = (60, A, GroupAction::Started { partition: KEY, position: 15, at_log_start: true });
    assert_eq!(after_a(&[at_log_start, commit(70, A, (2, 1, 15))]), [], "the others were deleted");
}

#[test]
fn records_below_the_committed_offset_are_not_processed_again_by_whom_nobody_fences() {
    let steps = [released(60, A), granted(70, B, 2, &[KEY]), started(80, B, 5), processed(90, B, 5, 12)];
    let repeated = GroupAnomalyKind::RepeatedRecords { member: B, partition: KEY, from: 5, committed: 10 };
    assert_eq!(after_a(&steps), [repeated]);
    let silent = [started(60, A, 5), processed(300, A, 5, 12)];
    assert_eq!(after_a(&silent), [], "it may be fenced and does not know");
}

#[test]
fn records_that_were_not_committed_may_be_processed_again_and_are_counted() {
    let mut history = GroupHistory { has_generations: true, ..GroupHistory::default() };
    let again = [processed(60, A, 10, 14), fenced(300, A), started(310, B, 10), processed(320, B, 10, 15)];
    for (at_ns, member, action) in [&a_has_read()[..], &again].concat() {
        history.record(at_ns, member, action);
    }
    assert_eq!(check(&history), (vec![], 4));
}

#[test]
fn a_member_is_not_dropped_before_its_lease_has_run_out() {
    assert_eq!(after_a(&[fenced(60, A)]), [GroupAnomalyKind::FencedEarly { member: A, left_ns: 49 }]);
    assert_eq!(after_a(&[fenced(110, A)]), []);
    assert_eq!(after_a(&[(60, A, GroupAction::Fenced { as_unknown: false })]), []);
}
