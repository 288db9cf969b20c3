//! The numbers behind the pictures: every run, what was proved of it, its groups.

use maud::{Markup, html};

use crate::result::{GroupResult, Verdict};

use super::cases::{Case, Cases};
use super::chart::Quantity;
use super::chart::quantity::{grouped, significant};
use super::figures::Metric;
use super::input::Run;
use super::pictures::full_label;
use super::words;

/// The columns of figures.
const COLUMNS: [(Metric, &str); 9] = [
    (Metric::Acked, "acked"),
    (Metric::Delivered, "delivered"),
    (Metric::ResponseP50, "acked within, p50"),
    (Metric::ResponseP99, "p99"),
    (Metric::ResponseP999, "p99.9"),
    (Metric::EndToEndP50, "read within, p50"),
    (Metric::EndToEndP99, "p99"),
    (Metric::CpuPerGigabyte, "server CPU"),
    (Metric::Memory, "peak memory"),
];

/// What a run is called in a table.
fn name(cases: &Cases<'_>, case: &Case<'_>, at: usize) -> String {
    let label = full_label(cases, case, &[]);
    if case.runs.len() > 1 { format!("{label} #{}", at + 1) } else { label }
}

/// Each run of each case, with its name.
fn named<'a>(cases: &'a Cases<'a>) -> impl Iterator<Item = (String, &'a Run)> {
    cases
        .cases
        .iter()
        .flat_map(move |case| case.runs.iter().enumerate().map(move |(at, run)| (name(cases, case, at), *run)))
}

/// Every run with its figures and what was proved.
pub fn runs(cases: &Cases<'_>) -> Markup {
    let shown: Vec<(Metric, &str)> = COLUMNS
        .into_iter()
        .filter(|(metric, _)| cases.cases.iter().any(|case| case.value(*metric).is_some()))
        .collect();
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="every run" {
            table {
                thead { tr {
                    th scope="col" { "load" }
                    th scope="col" class="word" { "figures" }
                    th scope="col" { "lost" } th scope="col" { "doubled" } th scope="col" { "out of order" } th scope="col" { "failed" }
                    @for (_, heading) in &shown { th scope="col" { (heading) } }
                } }
                tbody { @for (name, run) in named(cases) { (row(&name, run, &shown)) } }
            }
        }
    }
}

fn row(name: &str, run: &Run, shown: &[(Metric, &str)]) -> Markup {
    let (result, load) = (&run.result, &run.result.load);
    let verdict = result.validity.verdict;
    let proved = |count: u64| if load.verified || count > 0 { grouped(count) } else { "not checked".to_owned() };
    let count = |count: u64| html! { td { @if count > 0 { span class="bad-word" { (proved(count)) } } @else { (proved(count)) } } };
    let errors: u64 = load.errors.values().sum();
    html! {
        tr {
            th scope="row" { (name) }
            td class=(verdict_cell(verdict)) { (words::verdict(verdict)) }
            (count(load.lost + load.unseen)) (count(load.doubled)) (count(load.reordered))
            td { @if errors > 0 { span class="bad-word" { (grouped(errors)) } } @else { (grouped(errors)) } }
            @for (metric, _) in shown { td { (metric.of(result).map_or_else(|| "–".to_owned(), |value| metric.quantity().format(value))) } }
        }
    }
}

fn verdict_cell(verdict: Verdict) -> String {
    format!("word {}", words::verdict_class(verdict))
}

/// Why runs are not valid; nothing when all are.
pub fn reasons(cases: &Cases<'_>) -> Markup {
    let doubtful: Vec<(String, &Run)> =
        named(cases).filter(|(_, run)| run.result.validity.verdict != Verdict::Valid).collect();
    html! {
        @if !doubtful.is_empty() {
            h3 { "Why some runs are not valid" }
            div class="scroll" tabindex="0" role="region" aria-label="why some runs are not valid" {
                table {
                    tbody {
                        @for (name, run) in doubtful {
                            tr {
                                th scope="row" { (name) }
                                td class=(verdict_cell(run.result.validity.verdict)) { (words::verdict(run.result.validity.verdict)) }
                                td class="words" { (run.result.validity.reasons.join("; ")) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The consumer groups; nothing when no run has any.
pub fn groups(cases: &Cases<'_>) -> Markup {
    let rows: Vec<(String, &GroupResult)> =
        named(cases).flat_map(|(name, run)| run.result.groups.iter().map(move |group| (name.clone(), group))).collect();
    html! {
        @if !rows.is_empty() {
            h3 { "Consumer groups" }
            p class="quiet small" {
                "The members of a group share the partitions of a topic; a member beyond their number is idle and stands by. Fairness is 1 \
                 when all members with partitions read equally much (Jain's index)."
            }
            div class="scroll" tabindex="0" role="region" aria-label="consumer groups" {
                table {
                    thead { tr {
                        th scope="col" { "load" } th scope="col" { "group" } th scope="col" { "members" } th scope="col" { "of them idle" }
                        th scope="col" { "delivered" } th scope="col" { "fairness" } th scope="col" { "first record, slowest member" }
                        th scope="col" { "most behind" } th scope="col" { "behind at the end" } th scope="col" { "read again" }
                    } }
                    tbody { @for (name, group) in rows { (group_row(&name, group)) } }
                }
            }
        }
    }
}

fn group_row(name: &str, group: &GroupResult) -> Markup {
    let idle = group.members.iter().filter(|member| member.idle).count();
    let first = group.members.iter().filter_map(|member| member.first_record_ms).reduce(f64::max);
    html! {
        tr {
            th scope="row" { (name) }
            td { (group.name) " (" (group.protocol) ")" }
            td { (group.members.len()) }
            td { (idle) }
            td { (Quantity::PerSecond.format(group.delivered_per_s)) }
            td { (significant(group.fairness)) }
            td { (first.map_or_else(|| "–".to_owned(), |ms| Quantity::Microseconds.format(ms * 1e3))) }
            td { (grouped(group.lag_max)) }
            td { (grouped(group.lag_end)) }
            td { (grouped(group.redelivered)) }
        }
    }
}
