//! One page over some runs: what was found first, then what was done, the pictures, every number, the command and the machine.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::result::SystemInfo;

use super::cases::Cases;
use super::chart::Quantity;
use super::chart::quantity::grouped;
use super::figure::{Figure, class_label, gallery};
use super::input::{Found, LeftOut, Run};
use super::verdict::Tally;
use super::{comparison, environment, glossary, load, pictures, series, summary, tables, words};

/// Pictures of one kind that stand open; more of them are folded away.
const OPEN_PICTURES_MAX: usize = 6;
/// Pictures of what a load costs that stand open.
const OPEN_COSTS: usize = 2;
/// Runs whose course over time is drawn.
const SERIES_RUNS_MAX: usize = 24;

const STYLE: &str = include_str!("style.css");
/// The page asks for nothing: not even a browser's own wish for an icon leaves the machine.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// A whole document.
pub fn document(title: &str, body: &Markup) -> String {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (title) }
                // The style sheet is ours and holds no text from outside.
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    document.into_string()
}

/// The report over some runs.
pub fn report(found: &Found) -> String {
    let runs = &found.runs;
    let systems = systems(runs);
    let names: Vec<String> = systems.iter().map(|system| words::system(system)).collect();
    let title = if names.is_empty() { "Load test".to_owned() } else { format!("Load test of {}", words::list(&names)) };
    let families = families(runs);
    let body = html! {
        header {
            h1 { (title) }
            @if runs.is_empty() {
                p { "There is no run to show." }
            } @else {
                (Tally::of(runs).draw())
                (introduction(runs, families.len()))
                (facts(runs, &systems))
            }
        }
        main {
            (comparison::draw(runs))
            @for family in &families { (chapter(family, families.len() > 1)) }
            (left_out(&found.left_out))
            @if !runs.is_empty() {
                (glossary::draw())
                (environment::draw(runs))
            }
        }
        (footer())
    };
    document(&title, &body)
}

/// The sentences by which a stranger knows what this is.
fn introduction(runs: &[Run], families: usize) -> Markup {
    let first = runs.first().map(|run| words::moment(&run.result.started)).unwrap_or_default();
    html! {
        p {
            "A load generator wrote records to a broker that speaks Kafka's protocol, read them back, and measured how long each took. "
            "This page shows " (words::count(runs.len(), "run"))
            @if families > 1 { " of " (words::count(families, "scenario")) }
            ", made on " (first) ". "
            "Every record carries a number, so that the same run also proves what became of each."
        }
    }
}

/// The systems of some runs, each once.
pub fn systems(runs: &[Run]) -> Vec<&SystemInfo> {
    let mut systems: Vec<&SystemInfo> = Vec::new();
    for run in runs {
        if !systems.iter().any(|known| {
            (&known.name, &known.version, known.durability)
                == (&run.result.system.name, &run.result.system.version, run.result.system.durability)
        }) {
            systems.push(&run.result.system);
        }
    }
    systems.sort_by_key(|system| system.name != "partita");
    systems
}

/// The runs by scenario, in the order in which they were made.
pub fn families(runs: &[Run]) -> Vec<Vec<Run>> {
    let mut families: Vec<Vec<Run>> = Vec::new();
    for run in runs {
        match families.iter_mut().find(|family| {
            family.first().is_some_and(|first| first.result.scenario.family == run.result.scenario.family)
        }) {
            Some(family) => family.push(run.clone()),
            None => families.push(vec![run.clone()]),
        }
    }
    families
}

fn facts(runs: &[Run], systems: &[&SystemInfo]) -> Markup {
    let tally = Tally::of(runs);
    let measured: f64 = runs.iter().map(|run| run.result.window_s).sum();
    html! {
        dl class="facts" {
            div { dt { "records written" } dd { (grouped(tally.sent)) } }
            div { dt { "lost, doubled, out of order" } dd { (grouped(tally.missing())) ", " (grouped(tally.doubled)) ", " (grouped(tally.reordered)) } }
            div { dt { "measured for" } dd { (duration(measured)) small { "in " (words::count(runs.len(), "run")) } } }
            @for system in systems {
                div { dt { (words::system(system)) ": acknowledged records are" } dd class="label" { (class_label(system.durability)) } }
            }
        }
        @for system in systems {
            p class="quiet small" { strong { (words::system(system)) } ": " (words::durability_meaning(system.durability)) }
        }
        @if systems.iter().any(|system| Some(system.durability) != systems.first().map(|first| first.durability)) {
            p { strong { "These systems do not promise the same." } " Compare their times and rates only with that in mind: who flushes less has less to do." }
        }
    }
}

fn duration(seconds: f64) -> String {
    if seconds < 120.0 { Quantity::Seconds.format(seconds) } else { format!("{:.0} min", seconds / 60.0) }
}

/// All about one scenario.
fn chapter(runs: &[Run], is_one_of_many: bool) -> Markup {
    let Some(first) = runs.first() else { return html! {} };
    let scenario = &first.result.scenario;
    let cases = Cases::of(runs);
    html! {
        section {
            h2 { "What was done: " (scenario.family) }
            @if !scenario.shows.is_empty() { p { (scenario.shows) } }
            (load::describe(&cases, first))
            @if is_one_of_many { (Tally::of(runs).draw()) }
            (in_short(&cases))
            (part("How long it took", &[pictures::load_curves(&cases), pictures::heat_maps(&cases)].concat()))
            (part("The slow ones", &pictures::percentile_curves(&cases)))
            (part("When a member is lost", &pictures::step_ups(&cases)))
            (costs(&cases))
            (over_time(&cases))
            h3 class="part" { "Every run" }
            (tables::runs(&cases))
            (tables::reasons(&cases))
            (tables::groups(&cases))
        }
    }
}

fn in_short(cases: &Cases<'_>) -> Markup {
    let sentences = summary::sentences(cases);
    html! { @if !sentences.is_empty() { h3 class="part" { "In short" } ul { @for sentence in sentences { li { (sentence) } } } } }
}

/// CPU stands open, the rest is folded away.
fn costs(cases: &Cases<'_>) -> Markup {
    let bars = pictures::cost_bars(cases);
    let (open, folded) = bars.split_at(bars.len().min(OPEN_COSTS));
    html! {
        (part("What it cost", open))
        @if !folded.is_empty() { details { summary { "Bytes written, memory" } (gallery(folded)) } }
    }
}

/// Pictures under a heading; the first ones stand open.
fn part(heading: &str, figures: &[Figure]) -> Markup {
    let (open, folded) = figures.split_at(figures.len().min(OPEN_PICTURES_MAX));
    html! {
        @if !figures.is_empty() {
            h3 class="part" { (heading) }
            (gallery(open))
            @if !folded.is_empty() {
                details { summary { (words::count(folded.len(), "more picture")) " of this kind" } (gallery(folded)) }
            }
        }
    }
}

/// Each case's first run by the second: open when it is the only one or when something befell its members.
fn over_time(cases: &Cases<'_>) -> Markup {
    let runs: Vec<(String, &Run)> = cases
        .cases
        .iter()
        .filter_map(|case| Some((cases.label(case, &[]), *case.runs.first()?)))
        .filter(|(_, run)| !series::over_time(run).is_empty())
        .collect();
    let is_open = runs.len() == 1;
    html! {
        @if !runs.is_empty() {
            h3 class="part" { "Second by second" }
            div class=[(!is_open).then_some("folded")] {
                @for (label, run) in runs.iter().take(SERIES_RUNS_MAX) {
                    @if is_open { (gallery(&series::over_time(run))) }
                    @else { details { summary { (label) } (gallery(&series::over_time(run))) } }
                }
            }
            @if runs.len() > SERIES_RUNS_MAX {
                p class="quiet small" { "The first " (SERIES_RUNS_MAX) " of " (runs.len()) " loads; those of the others are in their folders, in series.csv." }
            }
        }
    }
}

/// What could not be shown, and why.
pub fn left_out(left_out: &[LeftOut]) -> Markup {
    html! {
        @if !left_out.is_empty() {
            section {
                h2 { "Left out" }
                p { (words::count(left_out.len(), "folder")) " could not be shown:" }
                ul class="small" { @for one in left_out { li { code { (one.folder.display()) } ": " (one.reason) } } }
            }
        }
    }
}

/// What every page ends with.
pub fn footer() -> Markup {
    html! {
        footer {
            p {
                "Made by loadgen " (env!("CARGO_PKG_VERSION")) " from the runs' own files; this page holds no script and asks nothing of any network. "
                "On a shared machine a throughput is the ceiling of server and load generator together, not the broker's: compare ratios that were \
                 measured side by side."
            }
        }
    }
}
