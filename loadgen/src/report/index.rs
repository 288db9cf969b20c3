//! `results/index.html`, the page that a visitor opens first, and one report for each scenario, day and machine beside it; all of
//! them are made from the run folders alone, so that they can be made again at any time.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use maud::{Markup, html};

use crate::resources::environment::slug;

use super::cases::Cases;
use super::figure::class_label;
use super::input::{self, Found, Run};
use super::verdict::Tally;
use super::{comparison, page, summary, words};

/// Where reports lie under the results.
const REPORTS: &str = "reports";

/// Sentences of a report that its entry repeats.
const SENTENCES_MAX: usize = 3;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The index.
    pub index: PathBuf,
    /// The reports.
    pub reports: Vec<PathBuf>,
    /// How many runs they show.
    pub runs: usize,
    /// How many folders could not be shown.
    pub left_out: usize,
}

/// Makes the index and all reports of `results` anew.
///
/// # Errors
/// When the results can't be listed or a page can't be written.
pub fn write(results: &Path) -> io::Result<Written> {
    let mut found = input::read(&[results.to_owned()])?;
    for folder in
        found.runs.iter_mut().map(|run| &mut run.folder).chain(found.left_out.iter_mut().map(|one| &mut one.folder))
    {
        if let Ok(inner) = folder.strip_prefix(results) {
            *folder = inner.to_owned();
        }
    }
    let runs = found.runs.len();
    let reports = by_report(std::mem::take(&mut found.runs));
    fs::create_dir_all(results.join(REPORTS))?;
    let mut written = Vec::new();
    for (name, runs) in &reports {
        let path = results.join(REPORTS).join(name);
        fs::write(&path, page::report(runs))?;
        written.push(path);
    }
    let index = results.join("index.html");
    fs::write(&index, draw(&reports, &found))?;
    Ok(Written { index, reports: written, runs, left_out: found.left_out.len() })
}

/// The runs by the name of the report that shows them.
fn by_report(runs: Vec<Run>) -> BTreeMap<String, Found> {
    let mut reports: BTreeMap<String, Found> = BTreeMap::new();
    for run in runs {
        let date = run.result.started.get(..8).unwrap_or("undated").to_owned();
        let machine =
            run.environment.as_ref().map_or_else(|| "unknown-machine".to_owned(), |known| slug(&known.machine));
        let family = slug(&run.result.scenario.family);
        reports.entry(format!("{}-{family}-{machine}.html", slug(&date))).or_default().runs.push(run);
    }
    reports
}

fn draw(reports: &BTreeMap<String, Found>, rest: &Found) -> String {
    let title = "Measurements";
    // The newest day first; of one day as the names are.
    let mut entries: Vec<(&String, &Found)> = reports.iter().collect();
    entries.sort_by_key(|(name, _)| (std::cmp::Reverse(name.get(..8).map(str::to_owned)), (*name).clone()));
    let body = html! {
        header {
            h1 { (title) }
            p {
                "What brokers of Kafka's protocol did under load: how long each record took, what it cost, and whether any was lost, doubled \
                 or out of order. Each line below is a report that says what was done, on what, and how to do it again."
            }
            p class="quiet" {
                "Everything here was measured on small shared machines. Such a machine tells ratios measured side by side, CPU for each \
                 gigabyte, and whether records survive; it does not tell how fast a broker can be."
            }
        }
        main {
            section {
                h2 { "Reports" }
                @if entries.is_empty() { p { "There is none yet: " code { "cargo run --release -p loadgen" } " makes the first." } }
                @for (name, found) in entries { (entry(name, found)) }
            }
            (comparison::earlier(&rest.earlier))
            (page::left_out(&rest.left_out))
            section {
                h2 { "Making them again" }
                pre { "cargo run --release -p loadgen -- report results" }
                p class="small quiet" {
                    "makes this page and all reports anew from the run folders, in which every figure, histogram and command is kept."
                }
            }
        }
        (page::footer())
    };
    page::document(title, &body)
}

fn entry(name: &str, found: &Found) -> Markup {
    let runs = &found.runs;
    let Some(first) = runs.first() else { return html! {} };
    let tally = Tally::of(runs);
    let sentences = summary::sentences(&Cases::of(runs));
    let machine = first.environment.as_ref().map(|known| known.machine.as_str()).unwrap_or_default();
    html! {
        article class="entry" {
            h3 { a href={ (REPORTS) "/" (name) } { (first.result.scenario.family) } }
            p { (first.result.scenario.shows) }
            p class="small" {
                @for system in page::systems(runs) { strong { (words::system(system)) } " " (class_label(system.durability)) " " }
            }
            p class="small quiet" {
                (words::moment(&first.result.started)) " on " (machine) " · " (words::count(runs.len(), "run")) ", " (tally.valid) " valid · "
                (tally.in_short())
            }
            ul class="small" { @for sentence in sentences.iter().rev().take(SENTENCES_MAX).rev() { li { (sentence) } } }
        }
    }
}
