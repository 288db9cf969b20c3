//! One run over time: rates, latencies and lag by the second, with what happened meanwhile.

use super::chart::{Line, Mark, Quantity, Scale, XyChart};
use super::figure::{Figure, Legend};
use super::input::Run;
use super::pictures::axis;

/// More numbered events than this are not told apart.
const MARKS_MAX: usize = 9;

/// The pictures of one run over time; none when it has no series.
pub fn over_time(run: &Run) -> Vec<Figure> {
    let series = &run.series;
    let rate = |column: &str| series.rates("from_s", column, "seconds");
    let of = |column: &str| series.points("from_s", column);
    let rates =
        [("due", rate("offered")), ("acknowledged", rate("acked")), ("delivered to readers", rate("delivered"))];
    let latencies = [
        ("acknowledged, p50", of("p50_us")),
        ("acknowledged, p99", of("p99_us")),
        ("read, p50", of("e2e_p50_us")),
        ("read, p99", of("e2e_p99_us")),
    ];
    let lags: Vec<(String, Vec<(f64, f64)>)> =
        series.names("lag_").map(|name| (name.trim_start_matches("lag_").to_owned(), of(name))).collect();
    let named = |lines: &[(&str, Vec<(f64, f64)>)]| {
        lines.iter().map(|(name, points)| ((*name).to_owned(), points.clone())).collect::<Vec<_>>()
    };
    let marks = marks(run);
    let figures = [
        figure(
            run,
            &marks,
            "Records each second",
            Quantity::PerSecond,
            Scale::Linear,
            named(&rates),
            "While the lines lie on each other the broker keeps up. Zero is where the measured window begins; before it the broker warms up.",
        ),
        figure(
            run,
            &marks,
            "Latency of each second's records",
            Quantity::Microseconds,
            Scale::Log,
            named(&latencies),
            "Each point merges all records of that second. The time axis upwards is logarithmic; lower is better.",
        ),
        figure(
            run,
            &marks,
            "How far readers are behind",
            Quantity::Count,
            Scale::Linear,
            lags,
            "Records that were written and that a group has not read yet. It must not grow; after a member is lost it rises until another takes over.",
        ),
    ];
    figures.into_iter().flatten().collect()
}

fn figure(
    run: &Run,
    marks: &[Mark],
    title: &str,
    quantity: Quantity,
    scale: Scale,
    lines: Vec<(String, Vec<(f64, f64)>)>,
    how: &str,
) -> Option<Figure> {
    let something = |points: &[(f64, f64)]| points.iter().any(|(_, value)| *value > 0.0);
    let kept: Vec<Line> = lines
        .into_iter()
        .enumerate()
        .filter(|(_, (_, points))| something(points))
        .map(|(look, (label, points))| Line { label, look, points })
        .collect();
    if kept.is_empty() {
        return None;
    }
    let series = kept.iter().map(|line| (line.look, line.label.clone(), None)).collect();
    let chart = XyChart {
        name: title.to_owned(),
        x: axis("seconds of the window", Quantity::Seconds, Scale::Time),
        y: axis(title, quantity, scale),
        lines: kept,
        marks: marks.to_vec(),
    };
    let legend = Legend { series, marks: marks.to_vec() };
    let classes = vec![run.result.system.durability];
    Some(Figure { title: title.to_owned(), how: how.to_owned(), classes, picture: chart.draw(), legend })
}

/// What happened in the window: what was done to members first, then what came of it.
fn marks(run: &Run) -> Vec<Mark> {
    let done = ["leave", "kill", "freeze", "join"];
    let came = ["first-record", "error", "disconnected"];
    let chosen = |kinds: &[&str]| {
        let events = run.events.iter().filter(|event| event.at_s >= 0.0 && kinds.contains(&event.kind.as_str()));
        events
            .map(|event| Mark { x: event.at_s, label: format!("{:.1} s: {}", event.at_s, event.detail) })
            .collect::<Vec<_>>()
    };
    let mut marks = chosen(&done);
    marks.extend(chosen(&came));
    marks.truncate(MARKS_MAX);
    marks.sort_by(|a, b| a.x.total_cmp(&b.x));
    marks
}
