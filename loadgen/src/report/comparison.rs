//! Systems side by side: the ratios of a comparison's pairs as pictures, also those of the project's first tools.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::compare::metrics::Better;
use crate::compare::report::{Figure as Compared, Finding, PAIRS_MIN, Ratios};
use crate::compare::statistics::{Ratio as Interval, spread};
use crate::result::{RunResult, Verdict};

use super::chart::{Ratio, RatioChart};
use super::earlier::EarlierRun;
use super::figure::{Figure, Legend, gallery};
use super::input::Run;
use super::words;

const HOW: &str = "Left of the line the first system has less, right of it more; dots are single pairs of runs, the square is their mean, \
    the bar where it lies with 95 % confidence, and only what lies outside of the grey band, by which equal runs differ, is a difference.";

/// The comparisons that these runs make; nothing when they were not made in pairs.
pub fn draw(runs: &[Run]) -> Markup {
    let results: Vec<RunResult> = runs.iter().map(|run| run.result.clone()).collect();
    let all = crate::compare::report::all(&results);
    html! {
        @if !all.is_empty() {
            section {
                h2 { "Side by side" }
                p { "The systems ran in turns, right after each other on the same processors, so that what disturbs one disturbs the other." }
                (gallery(&all.iter().map(figure).collect::<Vec<_>>()))
                @for ratios in &all {
                    details {
                        summary { "The numbers: " (title(ratios)) }
                        pre { (ratios.render()) }
                    }
                }
            }
        }
    }
}

fn title(ratios: &Ratios) -> String {
    format!("{} / {}", words::system_name(&ratios.a.system), words::system_name(&ratios.b.system))
}

/// The sentence under a comparison: what each was limited by.
fn limits(ratios: &Ratios) -> String {
    let few = if ratios.pairs < PAIRS_MIN {
        format!(" Only {}: {PAIRS_MIN} are the least for a claim.", words::count(ratios.pairs, "pair"))
    } else {
        String::new()
    };
    format!("{} {}{few}", ratios.a.shares.sentence(&ratios.a.system), ratios.b.shares.sentence(&ratios.b.system))
}

fn figure(ratios: &Ratios) -> Figure {
    let (first, second) =
        (words::system_name(&ratios.a.system).to_owned(), words::system_name(&ratios.b.system).to_owned());
    let title = format!("{first} / {second}, {}", words::count(ratios.pairs, "pair"));
    let rows = ratios.figures.iter().filter_map(row).collect();
    let chart = RatioChart { name: title.clone(), first, second, ratios: rows };
    let mut classes = vec![ratios.a.durability];
    if ratios.b.durability != ratios.a.durability {
        classes.push(ratios.b.durability);
    }
    let how = format!("{HOW} {}", limits(ratios));
    Figure { title, how, classes, picture: chart.draw(), legend: Legend::default() }
}

fn row(figure: &Compared) -> Option<Ratio> {
    let interval = figure.ratio?;
    Some(Ratio {
        label: figure.name.to_owned(),
        value: interval.mean,
        interval: Some((interval.low, interval.high)),
        points: figure.points.iter().map(|(a, b)| a / b).collect(),
        spread: figure.spread,
        finding: figure.finding(),
    })
}

/// What the runs of the project's first tools show; nothing without any.
pub fn earlier(runs: &[EarlierRun]) -> Markup {
    let mut comparisons: BTreeMap<&str, Vec<&EarlierRun>> = BTreeMap::new();
    for run in runs {
        comparisons.entry(&run.comparison.id).or_default().push(run);
    }
    let (drawn, single): (Vec<_>, Vec<_>) = comparisons
        .into_iter()
        .map(|(id, runs)| (id, earlier_figure(id, &runs)))
        .partition(|(_, figure)| figure.is_some());
    let figures: Vec<Figure> = drawn.into_iter().filter_map(|(_, figure)| figure).collect();
    html! {
        @if !runs.is_empty() {
            section {
                h2 { "Earlier measurements" }
                p {
                    "Made with the project's first tools, before the load generator: they measured in pairs, but did not read back what \
                     they wrote, so that they prove nothing about lost records. Only their ratios are shown."
                }
                (gallery(&figures))
                @if !single.is_empty() {
                    p class="quiet small" {
                        "Without a picture, because fewer than two pairs make no interval: "
                        @for (index, (id, _)) in single.iter().enumerate() { @if index > 0 { ", " } code { (id) } }
                        ". Their ratios stand in results/reports."
                    }
                }
            }
        }
    }
}

fn earlier_figure(id: &str, runs: &[&EarlierRun]) -> Option<Figure> {
    let side = |name: &str| runs.iter().filter(|run| run.comparison.side == name).copied().collect::<Vec<_>>();
    let (a, b) = (side("a"), side("b"));
    let (first, second) = (a.first()?, b.first()?);
    let pairs: Vec<(&EarlierRun, &EarlierRun)> = a
        .iter()
        .filter_map(|run| Some((*run, *b.iter().find(|other| other.comparison.pair == run.comparison.pair)?)))
        .collect();
    let rows: Vec<Ratio> =
        first.figures.iter().filter_map(|figure| earlier_row(&figure.name, figure.better, &pairs)).collect();
    if rows.is_empty() {
        return None;
    }
    let doubtful = runs.iter().filter(|run| run.validity.verdict != Verdict::Valid).count();
    let doubt = if doubtful == 0 {
        String::new()
    } else {
        format!(" {doubtful} of {} are not valid.", words::count(runs.len(), "run"))
    };
    let few = if pairs.len() < PAIRS_MIN {
        format!(" Fewer than {PAIRS_MIN} pairs: nothing is claimed.")
    } else {
        String::new()
    };
    let mut classes = vec![first.system.durability];
    if second.system.durability != first.system.durability {
        classes.push(second.system.durability);
    }
    let title = format!("{}: {} / {}", first.scenario, words::system(&first.system), words::system(&second.system));
    let how = format!("{HOW} {}, made on {}.{doubt}{few}", words::count(pairs.len(), "pair"), words::moment(id));
    let of_one = first.system.name == second.system.name;
    let name = |run: &EarlierRun| {
        if of_one { run.comparison.side.clone() } else { words::system_name(&run.system.name).to_owned() }
    };
    let chart = RatioChart { name: title.clone(), first: name(first), second: name(second), ratios: rows };
    Some(Figure { title, how, classes, picture: chart.draw(), legend: Legend::default() })
}

fn earlier_row(name: &str, better: Better, pairs: &[(&EarlierRun, &EarlierRun)]) -> Option<Ratio> {
    let of = |run: &EarlierRun| {
        run.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value).filter(|value| *value > 0.0)
    };
    let points: Vec<(f64, f64)> = pairs.iter().filter_map(|(a, b)| Some((of(a)?, of(b)?))).collect();
    let ratios: Vec<f64> = points.iter().map(|(a, b)| a / b).collect();
    let ratio = Interval::of(&ratios)?;
    let equal: Vec<f64> = points.chunks_exact(2).flat_map(|two| [two[0].0 / two[1].0, two[0].1 / two[1].1]).collect();
    let compared = Compared { name: "", better, ratio: Some(ratio), spread: spread(&equal, points.len()), points };
    let finding = if pairs.len() < PAIRS_MIN { Finding::Open } else { compared.finding() };
    let interval = Some((ratio.low, ratio.high));
    Some(Ratio {
        label: name.to_owned(),
        value: ratio.mean,
        interval,
        points: ratios,
        spread: compared.spread,
        finding,
    })
}
