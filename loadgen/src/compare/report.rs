//! A comparison's ratios, and the text that shows them: made from its kept runs alone, so they can be made again at any time.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::limits::Shares;
use super::metrics::{Better, METRICS, Metric};
use super::statistics::{Ratio, spread};
use crate::result::{Durability, RunResult, Verdict};

/// Pairs from which a comparison means something.
pub const PAIRS_MIN: usize = 6;

/// Two systems, side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratios {
    /// The comparison's id.
    pub id: String,
    /// The numerators.
    pub a: Side,
    /// The denominators.
    pub b: Side,
    /// All runs.
    pub runs: usize,
    /// Complete pairs.
    pub pairs: usize,
    /// What both have at least once.
    pub figures: Vec<Figure>,
    /// Why runs are not valid: which run, and its reasons.
    pub doubts: Vec<String>,
}

/// One of the two.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// As in `results/`.
    pub system: String,
    /// Its version, and its revision where there is one.
    pub version: String,
    /// When an acknowledged record is safe.
    pub durability: Durability,
    /// What its runs were limited by.
    pub shares: Shares,
}

/// One figure of all pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// With its unit.
    pub name: &'static str,
    /// Which way it is better.
    pub better: Better,
    /// Both values of each pair.
    pub points: Vec<(f64, f64)>,
    /// a / b, geometric mean and 95 % interval; none with fewer than two pairs.
    pub ratio: Option<Ratio>,
    /// By what factor two equal systems would have seemed to differ here: runs of the same side in neighbouring pairs.
    pub spread: Option<f64>,
}

/// What a figure shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// a does better.
    Better,
    /// a does worse.
    Worse,
    /// The measurement cannot tell.
    Open,
}

impl Figure {
    /// A claim needs the whole interval on one side of 1 and outside of what equal systems differ by.
    pub fn finding(&self) -> Finding {
        let (Some(ratio), Some(spread)) = (self.ratio, self.spread) else { return Finding::Open };
        match (self.better, ratio.high < 1.0 / spread, ratio.low > spread) {
            (Better::Less, true, _) | (Better::More, _, true) => Finding::Better,
            (Better::Less, _, true) | (Better::More, true, _) => Finding::Worse,
            _ => Finding::Open,
        }
    }
}

/// The comparisons that `runs` make, by id; runs that belong to none are passed over.
pub fn all(runs: &[RunResult]) -> Vec<Ratios> {
    let mut ids: BTreeMap<&str, Vec<&RunResult>> = BTreeMap::new();
    for run in runs {
        if let Some(comparison) = &run.comparison {
            ids.entry(&comparison.id).or_default().push(run);
        }
    }
    ids.into_iter().filter_map(|(id, runs)| of(id, &runs)).collect()
}

/// One comparison; none without a run of each side.
fn of(id: &str, runs: &[&RunResult]) -> Option<Ratios> {
    let sides = ["a", "b"].map(|name| {
        let mut side: Vec<(u32, &RunResult)> = runs
            .iter()
            .filter_map(|run| Some((run.comparison.as_ref().filter(|place| place.side == name)?.pair, *run)))
            .collect();
        side.sort_by_key(|(pair, _)| *pair);
        side
    });
    let [a, b] = &sides;
    let pairs: Vec<(&RunResult, &RunResult)> =
        a.iter().filter_map(|(pair, run)| Some((*run, b.iter().find(|(other, _)| other == pair)?.1))).collect();
    let figures = METRICS.iter().map(|metric| figure(metric, &pairs)).filter(|figure| !figure.points.is_empty());
    let mut doubts = Vec::new();
    for (name, side) in ["a", "b"].iter().zip(&sides) {
        for (pair, run) in side.iter().filter(|(_, run)| run.validity.verdict != Verdict::Valid) {
            doubts.push(format!("pair {pair}{name} ({}): {}", run.system.name, run.validity.reasons.join("; ")));
        }
    }
    Some(Ratios {
        id: id.to_owned(),
        a: side(a)?,
        b: side(b)?,
        runs: runs.len(),
        pairs: pairs.len(),
        figures: figures.collect(),
        doubts,
    })
}

fn side(runs: &[(u32, &RunResult)]) -> Option<Side> {
    let (_, first) = runs.first()?;
    let all: Vec<&RunResult> = runs.iter().map(|(_, run)| *run).collect();
    Some(Side {
        system: first.system.name.clone(),
        version: format!("{} {}", first.system.version, first.system.revision).trim().to_owned(),
        durability: first.system.durability,
        shares: Shares::of(&all),
    })
}

fn figure(metric: &Metric, pairs: &[(&RunResult, &RunResult)]) -> Figure {
    let points: Vec<(f64, f64)> = pairs.iter().filter_map(|(a, b)| Some((metric.of(a)?, metric.of(b)?))).collect();
    let ratios: Vec<f64> = points.iter().map(|(a, b)| a / b).collect();
    let equal: Vec<f64> = points.chunks_exact(2).flat_map(|two| [two[0].0 / two[1].0, two[0].1 / two[1].1]).collect();
    Figure {
        name: metric.name,
        better: metric.better,
        ratio: Ratio::of(&ratios),
        spread: spread(&equal, points.len()),
        points,
    }
}

impl Ratios {
    /// The whole comparison as text.
    pub fn render(&self) -> String {
        let mut text = format!("{}: a / b over {} pairs, geometric mean and 95 % interval\n", self.id, self.pairs);
        for (name, side) in [("a", &self.a), ("b", &self.b)] {
            let _ = writeln!(text, "{name}: {} {}, {}", side.system, side.version, side.durability.words());
        }
        if self.a.durability != self.b.durability {
            text.push_str(
                "These systems do not promise the same when they acknowledge: who flushes less has less to do.\n",
            );
        }
        let _ = writeln!(text, "\n{:24}{:>10}  {:20}{:>10}  a is", "", "ratio", "95 % interval", "a/a within");
        for figure in &self.figures {
            text.push_str(&figure.line());
        }
        let _ =
            writeln!(text, "\n{}\n{}", self.a.shares.sentence(&self.a.system), self.b.shares.sentence(&self.b.system));
        if self.pairs < PAIRS_MIN {
            let _ = writeln!(text, "Only {} pairs: {PAIRS_MIN} are the least for a claim.", self.pairs);
        }
        let _ = match self.doubts.len() {
            0 => writeln!(text, "All runs are valid."),
            count => writeln!(text, "{count} of {} runs are not valid:", self.runs),
        };
        for doubt in &self.doubts {
            let _ = writeln!(text, "    {doubt}");
        }
        text
    }
}

impl Figure {
    fn line(&self) -> String {
        let (ratio, interval) = match &self.ratio {
            Some(Ratio { mean, low, high }) => (format!("{mean:.3}"), format!("[{low:.3}, {high:.3}]")),
            None => ("-".to_owned(), "(too few pairs)".to_owned()),
        };
        let spread = self.spread.map_or("-".to_owned(), |spread| format!("×{spread:.3}"));
        let finding = match self.finding() {
            Finding::Better => "better",
            Finding::Worse => "worse",
            Finding::Open => "not told apart",
        };
        let points: Vec<String> =
            self.points.iter().map(|(a, b)| format!("{}/{}={:.3}", short(*a), short(*b), a / b)).collect();
        format!("{:24}{ratio:>10}  {interval:20}{spread:>10}  {finding}\n    {}\n", self.name, points.join("  "))
    }
}

/// Three significant digits or whole numbers.
fn short(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}
