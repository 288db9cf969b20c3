//! Ratios of two systems measured side by side, on a logarithmic axis around 1, each with its interval and every pair as a dot.
//!
//! What may be claimed is decided where the comparison is made; behind each row a band shows by how much two equal runs differ.

use maud::{Markup, html};

use super::bars::whisker;
use super::quantity::{Quantity, significant};
use super::scale::{Scale, Span};
use super::{WIDTH, fitted, labels_along, line, number, svg, text, width_of};
use crate::compare::report::Finding;

/// One figure's ratio, the first system's over the second's.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratio {
    /// Which figure.
    pub label: String,
    /// The geometric mean of the pairs' ratios.
    pub value: f64,
    /// The interval of the mean; absent with too few pairs.
    pub interval: Option<(f64, f64)>,
    /// Each pair's ratio.
    pub points: Vec<f64>,
    /// How far two equal runs differ, as a ratio above 1: nothing within is a difference.
    pub spread: Option<f64>,
    /// What may be claimed.
    pub finding: Finding,
}

/// The whole picture.
#[derive(Debug, Clone, PartialEq)]
pub struct RatioChart {
    /// What a screen reader says.
    pub name: String,
    /// The system above the line.
    pub first: String,
    /// The system below the line.
    pub second: String,
    /// From the top.
    pub ratios: Vec<Ratio>,
}

const TOP: f64 = 22.0;
const ROW: f64 = 40.0;
const BOTTOM: f64 = 24.0;

impl RatioChart {
    /// The picture.
    pub fn draw(&self) -> Markup {
        let span = self.span();
        let height = TOP + ROW * self.ratios.len() as f64;
        let x = |value| place(&span, value);
        let half = WIDTH / 2.0 - 6.0;
        let body = html! {
            (text("axis", "end", (x(1.0) - 6.0, 11.0), &fitted(&format!("← {} less", self.first), half)))
            (text("axis", "start", (x(1.0) + 6.0, 11.0), &fitted(&format!("{} more →", self.first), half)))
            @for tick in span.ticks() { (line("grid", (x(tick), TOP), (x(tick), height))) }
            @for (x, label) in labels_along(span.ticks().into_iter().map(|tick| (x(tick), Quantity::Times.format(tick)))) {
                (text("tick", "middle", (x, height + 14.0), &label))
            }
            (line("frame", (x(1.0), TOP - 4.0), (x(1.0), height)))
            @for (index, ratio) in self.ratios.iter().enumerate() {
                (self.row(ratio, &span, TOP + index as f64 * ROW))
            }
        };
        svg(height + BOTTOM, &self.name, &body)
    }

    /// Symmetric around 1, so that twice and half are equally far.
    fn span(&self) -> Span {
        let ends = |ratio: &Ratio| {
            let interval = ratio.interval.map(|(low, high)| [low, high]).into_iter().flatten();
            interval.chain(ratio.points.iter().copied()).chain([ratio.value]).collect::<Vec<_>>()
        };
        let values = self.ratios.iter().flat_map(ends).filter(|value| value.is_finite() && *value > 0.0);
        let farthest = values.map(|value| value.max(1.0 / value)).fold(2.0, f64::max).min(FARTHEST);
        Scale::Log.over([farthest, 1.0 / farthest].into_iter())
    }

    fn row(&self, ratio: &Ratio, span: &Span, top: f64) -> Markup {
        let x = |value: f64| place(span, value);
        let (class, word) = match ratio.finding {
            Finding::Better => ("ratio better", "better"),
            Finding::Worse => ("ratio worse", "worse"),
            Finding::Open => ("ratio open", "no claim"),
        };
        let interval = ratio
            .interval
            .map_or_else(String::new, |(low, high)| format!(" [{}, {}]", significant(low), significant(high)));
        let value = format!("{}{interval} {word}", Quantity::Times.format(ratio.value));
        let middle = top + 26.0;
        html! {
            g class=(class) {
                @if let Some(spread) = ratio.spread.filter(|spread| spread.is_finite() && *spread > 1.0) {
                    rect class="band" x=(number(x(1.0 / spread))) y=(number(middle - 7.0))
                        width=(number(x(spread) - x(1.0 / spread))) height="14" { title { "nothing in here is a difference" } }
                }
                (text("label", "start", (0.0, top + 13.0), &fitted(&ratio.label, WIDTH - width_of(&value) - 12.0)))
                (text("value", "end", (WIDTH, top + 13.0), &value))
                @for point in ratio.points.iter().filter(|point| point.is_finite() && **point > 0.0) {
                    circle class="dot" cx=(number(x(*point))) cy=(number(middle)) r="2.5" {}
                }
                @if let Some((low, high)) = ratio.interval { (whisker((x(low), x(high)), middle, 5.0)) }
                @if ratio.value.is_finite() {
                    rect class="center" x=(number(x(ratio.value) - 4.0)) y=(number(middle - 4.0)) width="8" height="8" {}
                }
            }
        }
    }
}

/// Beyond this a ratio is drawn at the edge; its number stands beside it.
const FARTHEST: f64 = 1e4;

fn place(span: &Span, value: f64) -> f64 {
    span.position(value).unwrap_or(0.0).clamp(0.0, 1.0) * (WIDTH - 12.0) + 6.0
}
