//! Why a group does or does not move: what is known of it ([`GroupFacts`]), what of that explains it ([`explain`]), and
//! the same in words.
//!
//! Findings come with what keeps the group from moving first, then what keeps a part of it, then what is good to know. Each
//! says what has happened, what that means, and what to do about it. Nothing is decided by them.

pub(super) mod facts;
mod finding;
mod words;

use std::collections::BTreeMap;

use wire::api::k15_describe_groups::GroupFinding;

use super::history::{Event, Reason};
pub use facts::{GroupFacts, PartitionFacts};
use facts::{KnownGroup, MemberFacts, PartitionName, Phase};
use finding::Finding;

/// From when on it is remarkable that a record has not been read, or that a held partition has seen no commit, in ms.
/// Clients commit every 5 s unless told otherwise.
pub const UNREAD_MS_MAX: i64 = 60_000;
/// From when on a member's silence is remarkable, in ms: three heartbeats.
const SILENT_MS: i64 = 9_000;
/// How long what has happened is worth telling, in ms.
const RECENT_MS: i64 = 10 * 60 * 1_000;
/// So many rebalances within [`RECENT_MS`], those apart that new members cause, are too many.
const RESTLESS_EVENTS_MIN: usize = 3;
/// At most so many findings of one kind are told one by one.
const TOLD_MAX: usize = 20;

/// Where a partition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionEnd {
    /// The first offset.
    pub log_start: i64,
    /// The offset behind the last record that consumers may read.
    pub end: i64,
    /// The offset of the first record that is younger than [`UNREAD_MS_MAX`]; the end where there is none.
    pub young_from: i64,
}

/// The ends of partitions, by topic and partition; `None` for one that does not exist.
pub type PartitionEnds = BTreeMap<(String, i32), Option<PartitionEnd>>;

/// What explains the group, the most telling first; never empty.
pub fn explain(facts: &GroupFacts, ends: &PartitionEnds) -> Vec<GroupFinding> {
    findings(facts, ends).iter().map(|finding| finding.to_wire(facts.now_ms)).collect()
}

fn findings(facts: &GroupFacts, ends: &PartitionEnds) -> Vec<Finding> {
    let now_ms = facts.now_ms;
    let Some(known) = &facts.known else { return vec![Finding::NoSuchGroup { group_id: facts.group_id.clone() }] };
    let mut findings = vec![state(known, ends)];
    match known.phase {
        Phase::Empty => {}
        Phase::InitialDelay { .. } | Phase::Joining { .. } => not_rejoined(known, &mut findings),
        Phase::Reconciling => not_reconciled(known, &mut findings),
        Phase::Assigning { .. } => not_synced(known, true, &mut findings),
        Phase::Stable { .. } => {
            not_synced(known, false, &mut findings);
            silent(known, now_ms, &mut findings);
            stuck_partitions(known, ends, now_ms, &mut findings);
            without_partitions(known, &mut findings);
        }
    }
    if known.pending.0 > 0 {
        findings.push(Finding::MemberIdsUnused { count: known.pending.0, until_ms: known.pending.1 });
    }
    if known.phase != Phase::Empty {
        restless(known, now_ms, &mut findings);
    }
    lately(known, now_ms, &mut findings);
    missing_topics(ends, &mut findings);
    findings
}

/// Where the group stands.
fn state(known: &KnownGroup, ends: &PartitionEnds) -> Finding {
    let (generation, members, since_ms) = (known.generation, known.members.len(), known.since_ms);
    let rebalance = known.rebalance.clone();
    match known.phase {
        Phase::Empty => Finding::Empty {
            since_ms: since_ms.filter(|_| !known.is_simple),
            is_simple: known.is_simple,
            offsets: known.partitions.len(),
            unread: known.partitions.iter().filter_map(|partition| unread(partition, ends)).sum(),
            expire_ms: known.offsets_expire_ms,
        },
        Phase::InitialDelay { until_ms } => Finding::InitialDelay { members, until_ms },
        Phase::Joining { until_ms } => {
            let joined = known.members.iter().filter(|member| member.has_joined).count();
            Finding::Joining { rebalance, members, joined, until_ms }
        }
        Phase::Assigning { until_ms } => {
            let leader = known.members.iter().find(|member| member.is_leader).cloned();
            Finding::Assigning { rebalance, generation, leader, until_ms }
        }
        Phase::Reconciling => {
            let done = known.members.iter().filter(|member| member.reconciling.is_none()).count();
            Finding::Reconciling { rebalance, epoch: generation, members, done }
        }
        Phase::Stable { .. } => {
            Finding::Stable { since_ms, generation, generation_name: known.generation_name, members }
        }
    }
}

fn not_rejoined(known: &KnownGroup, findings: &mut Vec<Finding>) {
    let until_ms = match known.phase {
        Phase::Joining { until_ms } => until_ms,
        _ => None,
    };
    let missing = known.members.iter().filter(|member| !member.has_joined);
    findings.extend(missing.take(TOLD_MAX).map(|member| Finding::NotRejoined { member: member.clone(), until_ms }));
}

/// Members of a group of the new protocol that are not there yet: those first that others wait for.
fn not_reconciled(known: &KnownGroup, findings: &mut Vec<Finding>) {
    let on_their_way = known.members.iter().filter_map(|member| Some((member, member.reconciling.as_ref()?)));
    let (mut revoking, mut classic, mut waiting, mut behind) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (member, reconciling) in on_their_way {
        let (member, until_ms) = (member.clone(), reconciling.gives_up_until_ms);
        if !reconciling.gives_up.is_empty() {
            let awaited_by = known.members.iter().filter(|other| waits_for_any(other, &reconciling.gives_up));
            revoking.push(Finding::NotRevoked {
                partitions: reconciling.gives_up.clone(),
                awaited_by: awaited_by.map(|other| other.who.clone()).collect(),
                until_ms,
                member,
            });
        } else if !member.has_joined {
            classic.push(Finding::NotRejoined { member, until_ms });
        } else if !member.has_synced {
            classic.push(Finding::NotSynced { member, until_ms });
        } else if !reconciling.waits_for.is_empty() {
            let owner = |index: usize| known.members.get(index).map(|owner| owner.who.clone());
            let partitions =
                reconciling.waits_for.iter().filter_map(|(name, index)| Some((name.clone(), owner(*index)?)));
            waiting.push(Finding::WaitsForPartitions { partitions: partitions.collect(), member });
        } else {
            behind.push(Finding::Behind { epoch: reconciling.epoch, current: known.generation, member });
        }
    }
    findings.extend([revoking, classic, behind, waiting].into_iter().flat_map(|kind| kind.into_iter().take(TOLD_MAX)));
}

fn waits_for_any(member: &MemberFacts, partitions: &[PartitionName]) -> bool {
    let waits_for = member.reconciling.iter().flat_map(|reconciling| &reconciling.waits_for);
    waits_for.into_iter().any(|(name, _)| partitions.contains(name))
}

fn not_synced(known: &KnownGroup, blocks: bool, findings: &mut Vec<Finding>) {
    let until_ms = match known.phase {
        Phase::Assigning { until_ms } | Phase::Stable { sync_until_ms: until_ms } => until_ms,
        _ => None,
    };
    // Before the leader has assigned, it is the leader that everybody waits for, and it is told of already.
    let is_told = |member: &MemberFacts| blocks && member.is_leader;
    let missing = known.members.iter().filter(|member| !member.has_synced && !is_told(member));
    findings.extend(missing.take(TOLD_MAX).map(|member| Finding::NotSynced { member: member.clone(), until_ms }));
}

fn silent(known: &KnownGroup, now_ms: i64, findings: &mut Vec<Finding>) {
    let is_silent = |member: &&MemberFacts| {
        member.is_away
            || member.lost.is_some()
            || member.last_heard_ms.is_some_and(|heard_ms| now_ms - heard_ms > SILENT_MS)
    };
    let silent = known.members.iter().filter(is_silent);
    findings.extend(silent.take(TOLD_MAX).map(|member| Finding::Silent { member: member.clone() }));
}

/// Held partitions with records that nobody has read for long, and no commit either.
fn stuck_partitions(known: &KnownGroup, ends: &PartitionEnds, now_ms: i64, findings: &mut Vec<Finding>) {
    let old_ms = now_ms - UNREAD_MS_MAX;
    if known.since_ms.is_some_and(|since_ms| since_ms > old_ms) {
        return;
    }
    let stuck = known.partitions.iter().filter_map(|partition| {
        let owner = known.members.get(partition.owner?)?;
        let end = end_of(partition, ends)?;
        let position = partition.committed.map_or(end.log_start, |(offset, _)| offset);
        let is_old = partition.committed.is_none_or(|(_, at_ms)| at_ms <= old_ms);
        (is_old && position < end.young_from).then(|| Finding::NotProgressing {
            partition: partition.clone(),
            owner: owner.clone(),
            unread: end.end - position,
        })
    });
    findings.extend(stuck.take(TOLD_MAX));
}

fn without_partitions(known: &KnownGroup, findings: &mut Vec<Finding>) {
    if let Some(subscribed) = &known.subscribed
        && known.partitions.iter().all(|partition| partition.owner.is_none())
    {
        return findings.push(Finding::NothingToRead { subscribed: subscribed.iter().cloned().collect() });
    }
    let holds = |index| known.partitions.iter().any(|partition| partition.owner == Some(index));
    let partitions = known.partitions.iter().filter(|partition| partition.owner.is_some()).count();
    let idle = known.members.iter().enumerate().filter(|(index, member)| member.has_synced && !holds(*index));
    let idle: Vec<_> = idle.map(|(_, member)| member.who.clone()).take(TOLD_MAX).collect();
    if partitions > 0 && !idle.is_empty() {
        findings.push(Finding::WithoutPartitions { idle, partitions, members: known.members.len() });
    }
}

fn restless(known: &KnownGroup, now_ms: i64, findings: &mut Vec<Finding>) {
    let counts = |event: &&Event| event.reason != Reason::MemberJoined && now_ms - event.at_ms <= RECENT_MS;
    let recent: Vec<&Event> = known.events.iter().filter(counts).collect();
    if let (Some(first), true) = (recent.first(), recent.len() >= RESTLESS_EVENTS_MIN) {
        let mut reasons: BTreeMap<Reason, usize> = BTreeMap::new();
        for event in &recent {
            *reasons.entry(event.reason).or_default() += 1;
        }
        findings.push(Finding::Restless { since_ms: first.at_ms, reasons });
    }
}

/// Members that are gone and requests that were refused, the newest first.
fn lately(known: &KnownGroup, now_ms: i64, findings: &mut Vec<Finding>) {
    let is_recent = |at_ms: i64| now_ms - at_ms <= RECENT_MS;
    let removed = known.events.iter().rev().filter(|event| is_removal(event.reason) && is_recent(event.at_ms));
    findings.extend(removed.map(|event| Finding::Removed { event: event.clone() }));
    let refused = known.refused.iter().rev().filter(|refused| is_recent(refused.at_ms));
    findings.extend(
        refused.map(|refused| Finding::Refused { refused: refused.clone(), generation_name: known.generation_name }),
    );
}

fn is_removal(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::SessionExpired
            | Reason::ConnectionLost
            | Reason::RejoinMissed
            | Reason::SyncMissed
            | Reason::RevocationMissed
    )
}

fn missing_topics(ends: &PartitionEnds, findings: &mut Vec<Finding>) {
    let missing =
        ends.iter().filter(|(_, end)| end.is_none()).map(|((topic, partition), _)| (topic.clone(), *partition));
    let missing: Vec<_> = missing.take(TOLD_MAX).collect();
    if !missing.is_empty() {
        findings.push(Finding::PartitionsGone { partitions: missing });
    }
}

fn end_of(partition: &PartitionFacts, ends: &PartitionEnds) -> Option<PartitionEnd> {
    *ends.get(&(partition.topic.clone(), partition.partition))?
}

/// Records behind the committed offset.
fn unread(partition: &PartitionFacts, ends: &PartitionEnds) -> Option<i64> {
    let (committed, _) = partition.committed?;
    Some((end_of(partition, ends)?.end - committed).max(0))
}
