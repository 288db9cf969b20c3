//! Lines over two axes: load curves, percentile curves, and series over time with the events that happened.

use maud::{Markup, html};

use super::quantity::Quantity;
use super::scale::{Scale, Span, percentile_name};
use super::{WIDTH, labels_along, line, look_class, marker, number, svg, text, width_of};

/// One axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What it is, in words.
    pub label: String,
    /// What its numbers are.
    pub quantity: Quantity,
    /// How it spreads them.
    pub scale: Scale,
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What the legend calls it.
    pub label: String,
    /// Which colour, dash and marker.
    pub look: usize,
    /// Its points, in the order in which they are joined.
    pub points: Vec<(f64, f64)>,
}

/// Something that happened at one place of the horizontal axis; numbered in the picture, told beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Where.
    pub x: f64,
    /// What.
    pub label: String,
}

/// The whole picture.
#[derive(Debug, Clone, PartialEq)]
pub struct XyChart {
    /// What a screen reader says.
    pub name: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The series.
    pub lines: Vec<Line>,
    /// What happened.
    pub marks: Vec<Mark>,
}

const HEIGHT: f64 = 236.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 38.0;
const RIGHT: f64 = 12.0;
/// Up to so many points all of a line's points are marked; of a longer line about so many are, lest colour stands alone.
const MARKED_POINTS_MAX: usize = 24;
const LONG_LINE_MARKS: usize = 6;
/// Up to so many points are drawn; of more, every other one as often as needed.
const DRAWN_POINTS_MAX: usize = 600;

/// Where the axes lie and what they span.
struct Plane {
    left: f64,
    x: Span,
    y: Span,
}

impl Plane {
    fn x(&self, value: f64) -> Option<f64> {
        Some(self.left + self.x.position(value)? * (WIDTH - RIGHT - self.left))
    }

    fn y(&self, value: f64) -> Option<f64> {
        Some(HEIGHT - BOTTOM - self.y.position(value)? * (HEIGHT - BOTTOM - TOP))
    }
}

impl Axis {
    fn tick(&self, value: f64) -> String {
        match self.scale {
            Scale::Nines if value == 0.0 => "0".to_owned(),
            Scale::Nines => percentile_name(value),
            _ => self.quantity.format(value),
        }
    }
}

impl XyChart {
    /// The picture without its legend.
    pub fn draw(&self) -> Markup {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let shown = |value: &f64| value.is_finite();
        let xs = points().map(|point| point.0).chain(self.marks.iter().map(|mark| mark.x)).filter(shown);
        let x = self.x.scale.over(xs);
        let y = self.y.scale.over(points().map(|point| point.1).filter(shown));
        let widest = y.ticks().iter().map(|tick| width_of(&self.y.tick(*tick))).fold(0.0, f64::max);
        let plane = Plane { left: (widest + 8.0).clamp(24.0, WIDTH / 3.0), x, y };
        let body = html! {
            (self.axes(&plane))
            (self.marks(&plane))
            @for line in &self.lines { (draw_line(self, line, &plane)) }
        };
        svg(HEIGHT, &self.name, &body)
    }

    fn axes(&self, plane: &Plane) -> Markup {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        let ticks = plane.x.ticks();
        let places = || ticks.iter().filter_map(|tick| Some((plane.x(*tick)?, self.x.tick(*tick))));
        html! {
            (text("axis", "start", (0.0, 11.0), &self.y.label))
            @for tick in plane.y.ticks() {
                @if let Some(y) = plane.y(tick) {
                    (line("grid", (plane.left, y), (right, y)))
                    (text("tick", "end", (plane.left - 5.0, y + 3.8), &self.y.tick(tick)))
                }
            }
            @for (x, _) in places() { (line("grid", (x, TOP), (x, bottom))) }
            @for (x, label) in labels_along(places()) { (text("tick", "middle", (x, bottom + 14.0), &label)) }
            (line("frame", (plane.left, bottom), (right, bottom)))
            (text("axis", "end", (right, HEIGHT - 6.0), &self.x.label))
        }
    }

    fn marks(&self, plane: &Plane) -> Markup {
        html! {
            @for (index, mark) in self.marks.iter().enumerate() {
                @if let Some(x) = plane.x(mark.x).filter(|_| mark.x.is_finite()) {
                    g class="event" {
                        (line("event-line", (x, TOP - 2.0), (x, HEIGHT - BOTTOM)))
                        circle cx=(number(x)) cy=(number(TOP - 8.0)) r="7" { title { (mark.label) } }
                        (text("event-number", "middle", (x, TOP - 4.2), &(index + 1).to_string()))
                    }
                }
            }
        }
    }
}

fn draw_line(chart: &XyChart, series: &Line, plane: &Plane) -> Markup {
    let every = series.points.len().div_ceil(DRAWN_POINTS_MAX).max(1);
    let drawn: Vec<(f64, f64, String)> = series
        .points
        .iter()
        .step_by(every)
        .filter_map(|(x, y)| {
            let title = format!("{}: {} at {}", series.label, chart.y.quantity.format(*y), chart.x.tick(*x));
            Some((plane.x(*x)?, plane.y(*y)?, title))
        })
        .collect();
    let path: Vec<String> = drawn.iter().map(|(x, y, _)| format!("{} {}", number(*x), number(*y))).collect();
    let marks_every = if drawn.len() <= MARKED_POINTS_MAX { 1 } else { drawn.len() / LONG_LINE_MARKS };
    html! {
        @if path.len() > 1 {
            path class=(format!("line {}", look_class(series.look))) d=(format!("M{}", path.join("L"))) {}
        }
        @for (x, y, title) in drawn.iter().skip(marks_every / 2).step_by(marks_every) {
            (marker(series.look, (*x, *y), 3.5, title))
        }
    }
}
