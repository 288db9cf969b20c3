//! What a run has found: the figures, and whether they mean something.

use super::control::{Facts, GroupFacts, Identity};
use super::tally::Tally;
use super::{Options, Outcome, RunError, Target};
use crate::client::Acks;
use crate::engine::board::MemberView;
use crate::engine::clock::Nanos;
use crate::measure::{Latencies, fairness};
use crate::result::{
    EventSummary, GroupResult, Latency, Load, MemberResult, Partitions, Resources, RunResult, SCHEMA, Throughput,
    Validity, Verdict,
};
use crate::scenario::{OnError, Scenario, Verify};

/// From this share of its core on a client measures itself.
const CLIENT_SHARE_MAX: f64 = 0.8;
/// How late a thread may wake, as a share of the reported p99.
const JITTER_SHARE_MAX: f64 = 0.1;

/// A run that did not begin.
pub(super) fn stillborn(
    scenario: &Scenario,
    target: &Target,
    options: &Options,
    identity: Identity,
    error: &RunError,
) -> Outcome {
    let mut result = blank(scenario, target, options, identity);
    result.validity.lower(Verdict::Invalid, error.to_string());
    Outcome { result, response: Latencies::default(), series: Vec::new(), events: Vec::new(), latency_log: Vec::new() }
}

fn blank(scenario: &Scenario, target: &Target, options: &Options, identity: Identity) -> RunResult {
    RunResult {
        schema: SCHEMA,
        run: identity.id,
        started: identity.started,
        system: target.system.clone(),
        scenario: scenario.clone(),
        scenario_hash: scenario.hash(),
        command: options.command.clone(),
        comparison: None,
        window_s: 0.0,
        load: Load::default(),
        throughput: Throughput::default(),
        latency: Latency::default(),
        partitions: Partitions { count: 0, records_min: 0, records_max: 0, fairness: 1.0 },
        groups: Vec::new(),
        events: EventSummary::default(),
        resources: Resources::default(),
        validity: Validity::valid(),
    }
}

/// The result of a run that began.
pub(super) fn result(
    scenario: &Scenario,
    target: &Target,
    options: &Options,
    tally: &Tally,
    facts: Facts,
) -> RunResult {
    let mut result = blank(scenario, target, options, facts.identity.clone());
    let window_s =
        facts.window.map_or(0.0, |window| facts.produced_until.min(window.to).saturating_sub(window.from) as f64 / 1e9);
    result.window_s = window_s;
    result.load = load(tally, &facts);
    result.throughput = throughput(tally, scenario, window_s);
    let total = &tally.total;
    result.latency = Latency {
        response: total.response.summary(),
        service: total.service.summary(),
        slip: total.slip.summary(),
        e2e: total.e2e.summary(),
        request: total.request.summary(),
    };
    result.partitions = partitions(&facts);
    result.groups = facts.groups.iter().map(|group| group_result(group, tally, window_s, scenario)).collect();
    result.events.rebalances =
        result.groups.iter().flat_map(|group| &group.members).map(|member| u64::from(member.rebalances)).sum();
    result.resources = resources(tally, &facts, window_s);
    result.events.failures = facts.failures.clone();
    result.validity = validity(scenario, &result, &facts);
    result
}

fn load(tally: &Tally, facts: &Facts) -> Load {
    let whole = &tally.whole;
    let verdict = facts.deliveries.unwrap_or_default();
    let checkers::Verdict { lost, unseen, doubled, reordered, foreign, .. } = verdict;
    Load {
        offered: facts.board.sum(|worker| &worker.offered),
        sent: facts.board.sum(|worker| &worker.sent),
        acked: facts.board.sum(|worker| &worker.acked),
        delivered: facts.board.sum(|worker| &worker.delivered),
        errors: whole.errors.clone(),
        retried: whole.retried,
        lost,
        doubled,
        reordered,
        unseen,
        foreign,
        verified: facts.deliveries.is_some(),
    }
}

fn throughput(tally: &Tally, scenario: &Scenario, window_s: f64) -> Throughput {
    let total = &tally.total;
    let per_s = |count: u64| if window_s > 0.0 { count as f64 / window_s } else { 0.0 };
    Throughput {
        offered_per_s: per_s(total.offered),
        sent_per_s: per_s(total.sent),
        acked_per_s: per_s(total.acked),
        acked_mb_per_s: per_s(total.acked * u64::from(scenario.producers.record_bytes)) / 1e6,
        delivered_per_s: per_s(total.delivered),
        delivered_mb_per_s: per_s(total.delivered_bytes) / 1e6,
        requests_per_s: per_s(total.requests),
        batch_records: if total.batches > 0 { total.sent as f64 / total.batches as f64 } else { 0.0 },
    }
}

fn partitions(facts: &Facts) -> Partitions {
    let counts: Vec<u64> = facts.promised.iter().flatten().copied().collect();
    Partitions {
        count: counts.len() as u32,
        records_min: counts.iter().copied().min().unwrap_or(0),
        records_max: counts.iter().copied().max().unwrap_or(0),
        fairness: fairness(counts),
    }
}

fn group_result(group: &GroupFacts, tally: &Tally, window_s: f64, scenario: &Scenario) -> GroupResult {
    let since = |view: &MemberView, at: Option<Nanos>| Some((at? - view.asked_at?) as f64 / 1e6);
    let member = |(number, view): (usize, &MemberView)| MemberResult {
        name: format!("{}-{number}", group.name),
        partitions: view.partitions.len() as u32,
        records: view.records,
        first_record_ms: since(view, view.first_record_at),
        assigned_ms: since(view, view.assigned_at),
        idle: view.is_active && view.partitions.is_empty(),
        rebalances: view.rebalances,
    };
    // Each group is given what all are given together, share by share of its records.
    let all: u64 = group.views.iter().map(|view| view.records).sum();
    let whole = tally.whole.delivered.max(1);
    let share = all as f64 / whole as f64;
    let delivered_per_s = if window_s > 0.0 { tally.total.delivered as f64 * share / window_s } else { 0.0 };
    GroupResult {
        name: group.name.clone(),
        protocol: group.protocol.name().to_owned(),
        members: group.views.iter().enumerate().map(member).collect(),
        delivered_per_s,
        redelivered: group.redelivered,
        lag_end: group.lag_end,
        lag_max: group.lag_max,
        fairness: fairness(group.views.iter().filter(|view| view.has_held).map(|view| view.records)),
        drained_s: group.drained_s.filter(|_| scenario.backlog.is_some()),
        drain_per_s: group.drained_s.filter(|s| *s > 0.0).map(|s| group.drained_records as f64 / s),
    }
}

fn resources(tally: &Tally, facts: &Facts, window_s: f64) -> Resources {
    let cpu_s = tally.total.cpu_ns as f64 / 1e9;
    let records = tally.total.sent as f64 / 1e6;
    Resources {
        client_cpu_s: (window_s > 0.0).then_some(cpu_s),
        client_core_share: (window_s > 0.0).then_some(tally.busiest_share),
        client_cpu_s_per_million: (records > 0.0).then(|| cpu_s / records),
        jitter_p999_us: facts.jitter.as_ref().map(|jitter| jitter.percentile_us(99.9)),
        ..Resources::default()
    }
}

fn validity(scenario: &Scenario, result: &RunResult, facts: &Facts) -> Validity {
    let mut validity = Validity::valid();
    if facts.is_cut_short {
        validity.lower(Verdict::CutShort, "the run was stopped before its time; what is here was measured until then");
    }
    if let Some(fault) = &facts.fault {
        validity.lower(Verdict::Invalid, fault.to_string());
    }
    judge_deliveries(scenario, result, facts, &mut validity);
    let failed: u64 = result.load.errors.values().sum();
    if failed > 0 {
        let verdict = if scenario.on_error == OnError::End { Verdict::Invalid } else { Verdict::Suspect };
        let names: Vec<&str> = result.load.errors.keys().map(String::as_str).collect();
        validity.lower(verdict, format!("{failed} records failed ({})", names.join(", ")));
    }
    for group in result.groups.iter().filter(|group| group.lag_end > 0 && !facts.is_cut_short) {
        let (name, lag) = (&group.name, group.lag_end);
        validity.lower(Verdict::Suspect, format!("group {name} was {lag} records behind when the run ended"));
    }
    if let Some(share) = result.resources.client_core_share.filter(|share| *share > CLIENT_SHARE_MAX) {
        let share = share * 100.0;
        validity.lower(Verdict::Suspect, format!("a client thread used {share:.0} % of its core: it may be the limit"));
    }
    let p99 = result.latency.response.as_ref().or(result.latency.e2e.as_ref()).map(|latency| latency.p99_us);
    if let (Some(jitter), Some(p99)) = (result.resources.jitter_p999_us, p99)
        && jitter as f64 > p99 as f64 * JITTER_SHARE_MAX
    {
        let reason =
            format!("sleeping threads woke {jitter} µs late (p99.9), more than a tenth of the p99 of {p99} µs");
        validity.lower(Verdict::Suspect, reason);
    }
    validity
}

fn judge_deliveries(scenario: &Scenario, result: &RunResult, facts: &Facts, validity: &mut Validity) {
    let Load { lost, unseen, doubled, reordered, foreign, .. } = result.load;
    let Some(verdict) = facts.deliveries else {
        if scenario.verify == Verify::None {
            validity.lower(Verdict::Suspect, "nothing was proved, as the scenario says");
            return;
        }
        if facts.fault.is_none() && !facts.is_cut_short {
            validity.lower(Verdict::Invalid, "it could not be proved what was delivered: not all was read");
        }
        return;
    };
    // Without acknowledgements nothing was promised: what is missing is a figure, not a fault.
    let is_promised = scenario.producers.acks != Acks::None;
    let missing = lost + unseen;
    if missing > 0 && is_promised {
        validity.lower(Verdict::Invalid, format!("{missing} acknowledged records are not in the log"));
    } else if missing > 0 {
        validity.lower(Verdict::Suspect, format!("{missing} records that were sent (acks = 0) are not in the log"));
    }
    for (count, what) in [
        (doubled, "records are in the log more than once"),
        (reordered, "records are in the log behind a later one"),
        (foreign, "records in the log are torn or of somebody else"),
        (verdict.misplaced, "records are at other offsets than the acknowledgement said"),
        (verdict.refused_read, "records are in the log although they were refused"),
        (verdict.went_back, "times a reader was given an offset again that it had passed"),
        (verdict.skipped, "offsets were jumped over"),
    ] {
        if count > 0 {
            validity.lower(Verdict::Invalid, format!("{count} {what}"));
        }
    }
}
