//! A run as plain lines on stderr: one when a phase begins, one every two seconds, one at the end.

use std::time::{Duration, Instant};

use loadgen::result::RunResult;
use loadgen::run::{Observer, Phase, Progress};

/// Between two lines.
const EVERY: Duration = Duration::from_secs(2);

/// Writes the lines.
#[derive(Debug, Default)]
pub(super) struct Plain {
    said_at: Option<Instant>,
}

impl Observer for Plain {
    fn phase(&mut self, phase: Phase) {
        eprintln!("  {}", phase.name());
    }

    fn progress(&mut self, progress: Progress) {
        if self.said_at.is_some_and(|at| at.elapsed() < EVERY) || progress.phase == Phase::Setup {
            return;
        }
        self.said_at = Some(Instant::now());
        let latency = match progress.response_us.or(progress.e2e_us) {
            Some([p50, p99, p999]) => format!("p50 {p50} µs, p99 {p99} µs, p99.9 {p999} µs"),
            None => "no latencies yet".to_owned(),
        };
        let lag: Vec<String> = progress.lag.iter().map(|(group, lag)| format!(", {group} {lag} behind")).collect();
        eprintln!(
            "  {:>3} of {} s: {:.0} records/s due, {:.0} acknowledged, {:.0} delivered, {:.1} MB/s, {latency}{}, {} errors",
            progress.elapsed.as_secs(),
            progress.total.as_secs(),
            progress.offered_per_s,
            progress.acked_per_s,
            progress.delivered_per_s,
            progress.mb_per_s,
            lag.concat(),
            progress.errors
        );
    }
}

/// What a run has found, in a few lines.
pub(super) fn summary(result: &RunResult) -> String {
    let mut lines = Vec::new();
    let throughput = &result.throughput;
    lines.push(format!(
        "{}: {:.0} records/s acknowledged ({:.1} MB/s), {:.0} delivered, {:.0} requests/s, {:.1} records a batch",
        result.scenario.id,
        throughput.acked_per_s,
        throughput.acked_mb_per_s,
        throughput.delivered_per_s,
        throughput.requests_per_s,
        throughput.batch_records
    ));
    let latency = &result.latency;
    for (name, summary) in [
        ("response", &latency.response),
        ("service", &latency.service),
        ("slip", &latency.slip),
        ("end to end", &latency.e2e),
    ] {
        if let Some(summary) = summary {
            let p999 = summary.p999_us.map_or_else(|| "too few samples".to_owned(), |us| format!("{us}"));
            lines.push(format!(
                "  {name:<10} µs: p50 {}, p90 {}, p99 {}, p99.9 {p999}, max {}",
                summary.p50_us, summary.p90_us, summary.p99_us, summary.max_us
            ));
        }
    }
    for group in &result.groups {
        let idle = group.members.iter().filter(|member| member.idle).count();
        lines.push(format!(
            "  group {}: {} members, {idle} idle, {:.0} records/s, at most {} behind, {} at the end, {} read again",
            group.name,
            group.members.len(),
            group.delivered_per_s,
            group.lag_max,
            group.lag_end,
            group.redelivered
        ));
    }
    for failure in &result.events.failures {
        let ms = |ms: Option<f64>| ms.map_or_else(|| "never".to_owned(), |ms| format!("after {ms:.0} ms"));
        lines.push(format!(
            "  {} of {} with partitions {:?}: another held them {}, had read them {}",
            failure.action,
            failure.member,
            failure.partitions,
            ms(failure.reassigned_ms),
            ms(failure.step_up_ms)
        ));
    }
    let load = &result.load;
    let proof = if load.verified { "proved" } else { "not proved" };
    lines.push(format!(
        "  {} sent, {} acknowledged; {proof}: {} lost, {} unseen, {} doubled, {} reordered",
        load.sent, load.acked, load.lost, load.unseen, load.doubled, load.reordered
    ));
    let verdict = serde_json::to_value(result.validity.verdict).unwrap_or_default();
    lines.push(format!("  {}", verdict.as_str().unwrap_or_default()));
    lines.extend(result.validity.reasons.iter().map(|reason| format!("    {reason}")));
    lines.join("\n")
}
