//! Horizontal bars from zero, with the interval that repetitions leave open and every single measurement as a dot.

use maud::{Markup, html};

use super::quantity::Quantity;
use super::scale::{Scale, Span};
use super::{WIDTH, fitted, labels_along, line, look_class, number, svg, text, width_of};

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What it is of.
    pub label: String,
    /// Which colour.
    pub look: usize,
    /// Its length.
    pub value: f64,
    /// From where to where the value may lie.
    pub interval: Option<(f64, f64)>,
    /// What was measured, one by one.
    pub points: Vec<f64>,
}

/// The whole picture.
#[derive(Debug, Clone, PartialEq)]
pub struct BarChart {
    /// What a screen reader says.
    pub name: String,
    /// What the lengths are.
    pub quantity: Quantity,
    /// From the top.
    pub bars: Vec<Bar>,
}

const ROW: f64 = 36.0;
const BAR_TOP: f64 = 17.0;
const BAR: f64 = 12.0;
const BOTTOM: f64 = 22.0;

impl BarChart {
    /// The picture.
    pub fn draw(&self) -> Markup {
        let reach = |bar: &Bar| {
            bar.points.iter().copied().chain(bar.interval.map(|ends| ends.1)).chain([bar.value]).collect::<Vec<_>>()
        };
        let span = Scale::Linear.over(self.bars.iter().flat_map(reach).filter(|value| value.is_finite()));
        let height = ROW * self.bars.len() as f64;
        let x = |value| place(&span, value);
        let body = html! {
            @for tick in span.ticks() { (line("grid", (x(tick), 2.0), (x(tick), height + 2.0))) }
            @for (x, label) in labels_along(span.ticks().into_iter().map(|tick| (x(tick), self.quantity.format(tick)))) {
                (text("tick", "middle", (x, height + 15.0), &label))
            }
            @for (index, bar) in self.bars.iter().enumerate() { (self.bar(bar, &span, index as f64 * ROW)) }
        };
        svg(height + BOTTOM, &self.name, &body)
    }

    fn bar(&self, bar: &Bar, span: &Span, top: f64) -> Markup {
        let value = self.quantity.format(bar.value);
        let (middle, x) = (top + BAR_TOP + BAR / 2.0, |value: f64| place(span, value));
        html! {
            (text("label", "start", (1.0, top + 12.0), &fitted(&bar.label, WIDTH - width_of(&value) - 12.0)))
            (text("value", "end", (WIDTH - 1.0, top + 12.0), &value))
            @if bar.value.is_finite() {
                rect class=(format!("bar {}", look_class(bar.look))) x=(number(x(0.0))) y=(number(top + BAR_TOP))
                    width=(number((x(bar.value) - x(0.0)).max(0.0))) height=(number(BAR)) rx="2" {}
            }
            @for point in bar.points.iter().filter(|point| point.is_finite()) {
                circle class="dot" cx=(number(x(*point))) cy=(number(middle)) r="2" {}
            }
            @if let Some((low, high)) = bar.interval.filter(|ends| ends.0.is_finite() && ends.1.is_finite()) {
                (whisker((x(low), x(high)), middle, 5.0))
            }
        }
    }
}

fn place(span: &Span, value: f64) -> f64 {
    span.position(value).unwrap_or(0.0).clamp(0.0, 1.0) * (WIDTH - 2.0) + 1.0
}

/// An interval: a line with an end on each side.
pub(super) fn whisker((low, high): (f64, f64), y: f64, half: f64) -> Markup {
    html! {
        (line("whisker", (low, y), (high, y)))
        (line("whisker", (low, y - half), (low, y + half)))
        (line("whisker", (high, y - half), (high, y + half)))
    }
}
