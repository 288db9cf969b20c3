//! Which pictures a set of runs makes: one where there is something to see, none where nothing varies.

use serde_json::Value;

use crate::client::Acks;
use crate::compare::statistics::Ratio as Interval;
use crate::measure::{Latencies, LatencySummary};
use crate::result::Durability;

use super::cases::{ACKS, Case, Cases, MEMBERS, PARTITIONS, RATE, SYSTEM};
use super::chart::{Axis, Bar, BarChart, Cell, HeatMap, LOOKS, Line, Quantity, Scale, XyChart};
use super::figure::{Figure, Legend};
use super::figures::{Metric, median};
use super::words;

/// More bars than this are no picture any more.
const BARS_MAX: usize = 24;
/// From so many rates on there is a curve.
const CURVE_RATES_MIN: usize = 3;
/// Points of a percentile curve for each nine.
const POINTS_PER_NINE: u32 = 12;

/// The durability classes of some cases, each once.
fn classes<'a>(cases: impl IntoIterator<Item = &'a Case<'a>>) -> Vec<Durability> {
    let mut classes = Vec::new();
    for case in cases {
        if !classes.contains(&case.system.durability) {
            classes.push(case.system.durability);
        }
    }
    classes
}

/// What a heap of cases has in common, as the end of a title.
fn suffix(cases: &Cases<'_>, heap: &[&Case<'_>], along: &[&str]) -> String {
    let label = heap.first().map(|case| cases.label(case, along)).unwrap_or_default();
    if label.is_empty() { label } else { format!(": {label}") }
}

/// What a case is called: never nothing.
pub fn full_label(cases: &Cases<'_>, case: &Case<'_>, without: &[&str]) -> String {
    let label = cases.label(case, without);
    if label.is_empty() { words::system(case.system) } else { label }
}

/// Grids of acks by partitions and of acks by group size.
pub fn heat_maps(cases: &Cases<'_>) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (column, name) in [(PARTITIONS, "partitions"), (MEMBERS, "members of the group")] {
        if cases.axis(column).is_none() {
            continue;
        }
        for metric in [Metric::Acked, Metric::ResponseP99, Metric::EndToEndP99, Metric::CpuPerGigabyte] {
            if metric == Metric::Acked && !rates_differ(cases) {
                continue;
            }
            let values = cases.cases.iter().filter_map(|case| case.value(metric));
            let ends = values.fold(None, |ends: Option<(f64, f64)>, value| {
                Some(ends.map_or((value, value), |(least, most)| (least.min(value), most.max(value))))
            });
            let Some(ends) = ends else { continue };
            for heap in cases.heaps(&[ACKS, column]) {
                figures.extend(heat_map(cases, &heap, metric, (column, name), ends));
            }
        }
    }
    figures
}

/// Whether throughput tells something: with one rate asked and kept it does not.
fn rates_differ(cases: &Cases<'_>) -> bool {
    let kept = |case: &&Case<'_>| match (case.runs.first(), case.value(Metric::Acked)) {
        (Some(run), Some(acked)) => {
            run.result.scenario.producers.rate.per_second().is_some_and(|rate| acked > 0.98 * rate)
        }
        _ => true,
    };
    !cases.cases.iter().all(|case| kept(&case))
}

/// A case's acks as a scenario says them, whether they vary or not.
pub fn acks_of(case: &Case<'_>) -> Value {
    let acks = case.runs.first().map_or(Acks::All, |run| run.result.scenario.producers.acks);
    Value::from(match acks {
        Acks::None => "0",
        Acks::Leader => "1",
        Acks::All => "all",
    })
}

fn heat_map(
    cases: &Cases<'_>,
    heap: &[&Case<'_>],
    metric: Metric,
    (column, column_name): (&str, &str),
    ends: (f64, f64),
) -> Option<Figure> {
    let columns = cases.axis(column)?;
    let mut rows: Vec<Value> = Vec::new();
    for case in heap {
        let acks = acks_of(case);
        if !rows.contains(&acks) {
            rows.push(acks);
        }
    }
    let detail = match metric {
        Metric::ResponseP99 => Some(Metric::ResponseP50),
        Metric::EndToEndP99 => Some(Metric::EndToEndP50),
        _ => None,
    };
    let cell = |acks: &Value, column_value: &Value| {
        let case =
            heap.iter().find(|case| acks_of(case) == *acks && case.settings.get(column) == Some(column_value))?;
        let detail = detail
            .and_then(|detail| case.value(detail))
            .map(|value| format!("p50 {}", Quantity::Microseconds.format(value)));
        Some(Cell { value: case.value(metric)?, detail: detail.unwrap_or_default(), doubtful: case.is_doubtful() })
    };
    let cells: Vec<Vec<Option<Cell>>> =
        rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect()).collect();
    cells.iter().flatten().flatten().next()?;
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let title = format!("{}{}", heat_title(metric, column_name), suffix(cases, heap, &[ACKS, column]));
    let map = HeatMap {
        name: title.clone(),
        column_label: column_name.to_owned(),
        columns: columns.iter().map(word).collect(),
        row_label: "acks".to_owned(),
        rows: rows.iter().map(word).collect(),
        cells,
        quantity: metric.quantity(),
        scale: Scale::Log,
        ends: Some(ends),
    };
    let mut how = heat_how(metric).to_owned();
    if heap.iter().any(|case| case.is_doubtful()) {
        how.push_str(" A dashed frame and a question mark: that run is not valid, see below.");
    }
    let classes = classes(heap.iter().copied());
    Some(Figure { title, how, classes, picture: map.draw(), legend: Legend::default() })
}

fn heat_title(metric: Metric, columns: &str) -> String {
    let what = match metric {
        Metric::Acked => "Records acknowledged each second",
        Metric::ResponseP99 => "Time until acknowledged, p99",
        Metric::EndToEndP99 => "Time until read, p99",
        _ => "Server CPU for each gigabyte",
    };
    format!("{what}, by acks and {columns}")
}

fn heat_how(metric: Metric) -> &'static str {
    match metric {
        Metric::Acked => "Each cell is one load. The darker the cell, the more records a second.",
        Metric::ResponseP99 => {
            "99 of 100 records were acknowledged within the time in bold, counted from the moment each was due; half within the time \
             below it. Strong colour is slow. With acks=0 nothing is acknowledged, so there is no time."
        }
        Metric::EndToEndP99 => {
            "99 of 100 records had reached their reader within the time in bold, counted from the moment each was due; half within the \
             time below it. Strong colour is slow."
        }
        _ => "CPU seconds that the broker spent for each gigabyte of records. Strong colour is expensive.",
    }
}

/// Latency over the offered load: flat while the broker keeps up, then steep.
pub fn load_curves(cases: &Cases<'_>) -> Vec<Figure> {
    let rates = cases.axis(RATE).map_or(0, |values| values.iter().filter(|value| value.is_number()).count());
    if rates < CURVE_RATES_MIN {
        return Vec::new();
    }
    let mut figures = Vec::new();
    for (metric, title) in
        [(Metric::ResponseP99, "Time until acknowledged, p99"), (Metric::EndToEndP99, "Time until read, p99")]
    {
        for figure_cases in cases.heaps(&[RATE, SYSTEM, ACKS]) {
            let mut lines: Vec<Curve> = Vec::new();
            for case in &figure_cases {
                let label = full_label(cases, case, &[RATE]);
                let rate = case.settings.get(RATE).and_then(Value::as_f64);
                let (Some(rate), Some(value)) = (rate, case.value(metric)) else { continue };
                match lines.iter_mut().find(|line| line.0 == label) {
                    Some(line) => line.2.push((rate, value)),
                    None => lines.push((label, case.system.durability, vec![(rate, value)])),
                }
            }
            if lines.is_empty() {
                continue;
            }
            for line in &mut lines {
                line.2.sort_by(|a, b| a.0.total_cmp(&b.0));
            }
            let title = format!("{title}, over the load{}", suffix(cases, &figure_cases, &[RATE, SYSTEM, ACKS]));
            let how = "Each point is one load. While the broker keeps up the line is flat; where it bends upwards like a hockey stick, \
                       records queue, and beyond it the load is more than the broker sustains. Note that the time axis is logarithmic.";
            let axes = (
                axis("offered load, records", Quantity::PerSecond, Scale::Linear),
                axis(metric.label(), metric.quantity(), Scale::Log),
            );
            figures.push(lines_figure(title, how.to_owned(), axes, lines, &figure_cases));
        }
    }
    figures
}

/// One line of a picture: its name, its system's class, its points.
type Curve = (String, Durability, Vec<(f64, f64)>);

pub(super) fn axis(label: &str, quantity: Quantity, scale: Scale) -> Axis {
    Axis { label: label.to_owned(), quantity, scale }
}

fn lines_figure(title: String, how: String, (x, y): (Axis, Axis), lines: Vec<Curve>, cases: &[&Case<'_>]) -> Figure {
    let series = lines.iter().enumerate().map(|(look, (name, class, _))| (look, name.clone(), Some(*class))).collect();
    let lines = lines.into_iter().enumerate().map(|(look, (label, _, points))| Line { label, look, points }).collect();
    let chart = XyChart { name: title.clone(), x, y, lines, marks: Vec::new() };
    let legend = Legend { series, marks: Vec::new() };
    Figure { title, how, classes: classes(cases.iter().copied()), picture: chart.draw(), legend }
}

/// The curve of a histogram over parts of all records, as far as there are records for it.
fn curve(latencies: &Latencies) -> Vec<(f64, f64)> {
    let nines = (latencies.samples() as f64).log10();
    let last = (nines * f64::from(POINTS_PER_NINE)).floor().max(1.0) as u32;
    let part = |point: u32| 1.0 - 10f64.powf(-f64::from(point) / f64::from(POINTS_PER_NINE));
    (0..=last).map(|point| (part(point), latencies.percentile_us(part(point) * 100.0) as f64)).collect()
}

/// The same from the few percentiles of a summary, where the histogram is not kept.
fn coarse_curve(summary: &LatencySummary) -> Vec<(f64, f64)> {
    let points = [
        (0.0, Some(summary.min_us)),
        (0.5, Some(summary.p50_us)),
        (0.9, Some(summary.p90_us)),
        (0.99, Some(summary.p99_us)),
        (0.999, summary.p999_us),
        (0.9999, summary.p9999_us),
    ];
    points.into_iter().filter_map(|(part, us)| Some((part, us? as f64))).collect()
}

fn case_curve(case: &Case<'_>, tag: &str) -> Option<Vec<(f64, f64)>> {
    if let Some(latencies) = case.latencies(tag) {
        return Some(curve(&latencies));
    }
    let latency = &case.runs.first()?.result.latency;
    let summary = match tag {
        "response" => latency.response.as_ref(),
        "service" => latency.service.as_ref(),
        _ => latency.e2e.as_ref(),
    };
    summary.map(coarse_curve)
}

const PERCENTILE_HOW: &str = "Read upwards from a percentile: at p99, 99 of 100 records took at most the time of the line. Each step to \
    the right is ten times rarer, so that the rare slow record is seen. Lower is better.";

/// How long records took, by percentile.
pub fn percentile_curves(cases: &Cases<'_>) -> Vec<Figure> {
    let axes = |what: &str| {
        (axis("percentile", Quantity::Count, Scale::Nines), axis(what, Quantity::Microseconds, Scale::Log))
    };
    if let [case] = cases.cases.as_slice() {
        let kinds = [
            ("response", "until acknowledged, from when it was due"),
            ("service", "until acknowledged, from when it was sent"),
            ("e2e", "until read, from when it was due"),
        ];
        let curves = kinds
            .into_iter()
            .filter_map(|(tag, name)| Some((name.to_owned(), case.system.durability, case_curve(case, tag)?)));
        let lines: Vec<_> = curves.collect();
        if lines.is_empty() {
            return Vec::new();
        }
        let how = format!(
            "{PERCENTILE_HOW} The first two differ by how long records waited in the load generator because the broker was busy: only \
             the first is what an application sees."
        );
        return vec![lines_figure("Latency by percentile".to_owned(), how, axes("latency"), lines, &[case])];
    }
    let along = line_axis(cases);
    let mut figures = Vec::new();
    for (tag, what) in [("response", "Time until acknowledged"), ("e2e", "Time until read")] {
        for heap in cases.heaps(&along) {
            let curves = heap.iter().filter_map(|case| {
                let label = if along.contains(&SYSTEM) {
                    cases.label(case, &other_axes(cases, &along))
                } else {
                    own_label(case, &along)
                };
                Some((label, case.system.durability, case_curve(case, tag)?))
            });
            let lines: Vec<_> = curves.take(LOOKS).collect();
            if !lines.is_empty() {
                let title = format!("{what}, by percentile{}", suffix(cases, &heap, &along));
                figures.push(lines_figure(title, PERCENTILE_HOW.to_owned(), axes("latency"), lines, &heap));
            }
        }
    }
    figures
}

/// What the lines of one picture differ in: systems where there are several, else acks, else what varies last.
fn line_axis<'a>(cases: &'a Cases<'_>) -> Vec<&'a str> {
    if cases.systems.len() > 1 {
        vec![SYSTEM]
    } else if cases.axis(ACKS).is_some() {
        vec![ACKS]
    } else {
        cases.axes.last().map(|(key, _)| key.as_str()).into_iter().collect()
    }
}

fn other_axes<'a>(cases: &'a Cases<'_>, along: &[&str]) -> Vec<&'a str> {
    cases.axes.iter().map(|(key, _)| key.as_str()).filter(|key| !along.contains(key)).collect()
}

fn own_label(case: &Case<'_>, along: &[&str]) -> String {
    let settings = case.settings.iter().filter(|(key, _)| along.contains(&key.as_str()));
    settings.map(|(key, value)| words::setting(key, value)).collect::<Vec<_>>().join(", ")
}

/// What the loads cost, a bar each.
pub fn cost_bars(cases: &Cases<'_>) -> Vec<Figure> {
    let costs = [
        (
            Metric::CpuPerGigabyte,
            "Server CPU for each gigabyte",
            "CPU seconds that the broker spent for each gigabyte of records it took. Shorter is cheaper. This figure survives a noisy machine best.",
        ),
        (
            Metric::Flushes,
            "Flushes of the disk for 1000 acknowledged records",
            "How often the disk was told to make its writes durable. One flush for many records is what makes durability affordable; no flush at all means that none was waited for.",
        ),
        (
            Metric::WrittenPerByte,
            "Bytes written to disk for each byte of payload",
            "1× would be each byte once. More is the price of a journal, of indexes and of block sizes; less means that bytes were still in memory when the run ended.",
        ),
        (
            Metric::Memory,
            "Peak memory of the server",
            "The most memory that the broker's process held since its start.",
        ),
    ];
    costs.into_iter().filter_map(|(metric, title, how)| cost(cases, metric, title, how)).collect()
}

fn cost(cases: &Cases<'_>, metric: Metric, title: &str, how: &str) -> Option<Figure> {
    let shown: Vec<&Case<'_>> = cases.cases.iter().filter(|case| case.value(metric).is_some()).take(BARS_MAX).collect();
    let bar = |case: &&Case<'_>| {
        let label = full_label(cases, case, &[]);
        let values = case.values(metric);
        let interval = Interval::of(&values).map(|mean| (mean.low, mean.high));
        let points = if values.len() > 1 { values } else { Vec::new() };
        Some(Bar { label, look: case.system_index, value: case.value(metric)?, interval, points })
    };
    let bars: Vec<Bar> = shown.iter().filter_map(bar).collect();
    if bars.is_empty() {
        return None;
    }
    let chart = BarChart { name: title.to_owned(), quantity: metric.quantity(), bars };
    let mut how = how.to_owned();
    if shown.iter().any(|case| case.values(metric).len() > 1) {
        how.push_str(" A bar is the middle of all repetitions; each is a dot, the line is where their mean lies with 95 % confidence.");
    }
    if cases.cases.len() > BARS_MAX {
        how.push_str(&format!(" The first {BARS_MAX} of {} loads; the table below has all.", cases.cases.len()));
    }
    let classes = classes(shown.iter().copied());
    Some(Figure { title: title.to_owned(), how, classes, picture: chart.draw(), legend: Legend::default() })
}

/// How soon another member read what a lost one had.
pub fn step_ups(cases: &Cases<'_>) -> Vec<Figure> {
    let bar = |case: &Case<'_>| {
        let failures = case.runs.iter().flat_map(|run| &run.result.events.failures);
        let points: Vec<f64> = failures.filter_map(|failure| failure.step_up_ms).map(|ms| ms * 1e3).collect();
        let label = full_label(cases, case, &[]);
        Some(Bar { label, look: case.system_index, value: median(points.clone())?, interval: None, points })
    };
    let shown: Vec<&Case<'_>> = cases.cases.iter().filter(|case| bar(case).is_some()).take(BARS_MAX).collect();
    if shown.is_empty() {
        return Vec::new();
    }
    let bars = shown.iter().filter_map(|case| bar(case)).collect();
    let title = "Until another member reads what a lost one read".to_owned();
    let chart = BarChart { name: title.clone(), quantity: Quantity::Microseconds, bars };
    let how = "From the moment when a member left, was killed or froze until another one had read a record of each of its partitions. \
               Shorter is better; a frozen member is only noticed when its session times out."
        .to_owned();
    vec![Figure {
        title,
        how,
        classes: classes(shown.iter().copied()),
        picture: chart.draw(),
        legend: Legend::default(),
    }]
}
