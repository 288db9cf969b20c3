//! Pictures as inline SVG: pure functions from plain data to markup.
//!
//! Invariants:
//! - A picture names no colour: classes do, so that light, dark and printed pages differ in the style sheet alone.
//! - Colour never stands alone: lines differ by dash and marker too, cells and bars bear their number.
//! - All text is escaped, since maud escapes what it is given.
//! - A picture is [`WIDTH`] units wide with text of 11 units: at one unit a pixel it fits a phone and stays legible.
//! - Values that are not finite are left out, as are those that are not positive on a logarithmic axis.

pub mod bars;
pub mod heat_map;
pub mod quantity;
pub mod ratios;
pub mod scale;
#[cfg(test)]
mod tests;
pub mod xy;

use maud::{Markup, html};

pub use bars::{Bar, BarChart};
pub use heat_map::{Cell, HeatMap};
pub use quantity::Quantity;
pub use ratios::{Ratio, RatioChart};
pub use scale::Scale;
pub use xy::{Axis, Line, Mark, XyChart};

/// Width of every picture, in units of its own.
pub const WIDTH: f64 = 360.0;
/// How many looks of a series there are; from there on they repeat.
pub const LOOKS: usize = 8;
/// About the width of a character of the pictures' text.
const CHARACTER: f64 = 6.7;

/// A coordinate or a length: one decimal is a tenth of a pixel.
fn number(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded == rounded.trunc() { format!("{rounded:.0}") } else { format!("{rounded:.1}") }
}

/// About how wide a text is.
fn width_of(text: &str) -> f64 {
    text.chars().count() as f64 * CHARACTER
}

/// The text, cut where it would be wider than `width`.
fn fitted(text: &str, width: f64) -> String {
    let room = (width / CHARACTER).floor().max(1.0) as usize;
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(room.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Labels under an axis, kept within the picture; one that would touch the one before is left out.
fn labels_along(ticks: impl Iterator<Item = (f64, String)>) -> Vec<(f64, String)> {
    let mut kept: Vec<(f64, String)> = Vec::new();
    let mut taken = f64::NEG_INFINITY;
    for (x, label) in ticks {
        // Wide signs such as × are wider than the average.
        let half = width_of(&label) / 2.0 + 2.0;
        let middle = x.max(half).min(WIDTH - half);
        if middle - half > taken + 4.0 {
            taken = middle + half;
            kept.push((middle, label));
        }
    }
    kept
}

/// The frame of a picture; `name` is what a screen reader says.
fn svg(height: f64, name: &str, body: &Markup) -> Markup {
    html! {
        svg class="chart" viewBox=(format!("0 0 {} {}", number(WIDTH), number(height))) role="img" aria-label=(name)
            xmlns="http://www.w3.org/2000/svg" { (body) }
    }
}

/// A straight line.
fn line(class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> Markup {
    html! { line class=(class) x1=(number(x1)) y1=(number(y1)) x2=(number(x2)) y2=(number(y2)) {} }
}

/// A text; `anchor` is `start`, `middle` or `end`.
fn text(class: &str, anchor: &str, (x, y): (f64, f64), content: &str) -> Markup {
    html! { text class=(class) text-anchor=(anchor) x=(number(x)) y=(number(y)) { (content) } }
}

/// The mark of a point: its shape tells the series where colour does not. `title` is what a pointer shows.
fn marker(look: usize, (x, y): (f64, f64), size: f64, title: &str) -> Markup {
    let at = |dx: f64, dy: f64| format!("{} {}", number(x + dx * size), number(y + dy * size));
    let shape = match look % 4 {
        0 => None,
        1 => Some([at(-0.9, -0.9), at(0.9, -0.9), at(0.9, 0.9), at(-0.9, 0.9)].join("L")),
        2 => Some([at(0.0, -1.2), at(1.1, 0.8), at(-1.1, 0.8)].join("L")),
        _ => Some([at(0.0, -1.25), at(1.25, 0.0), at(0.0, 1.25), at(-1.25, 0.0)].join("L")),
    };
    let class = format!("mark {}", look_class(look));
    html! {
        @match shape {
            None => circle class=(class) cx=(number(x)) cy=(number(y)) r=(number(size)) { @if !title.is_empty() { title { (title) } } },
            Some(points) => path class=(class) d=(format!("M{points}Z")) { @if !title.is_empty() { title { (title) } } },
        }
    }
}

/// The class that gives a series its colour and its dash.
pub fn look_class(look: usize) -> String {
    format!("s{}", look % LOOKS)
}

/// A sample of a series' look, for a legend.
pub fn swatch(look: usize) -> Markup {
    html! {
        svg class="swatch" viewBox="0 0 28 12" aria-hidden="true" {
            (line(&format!("line {}", look_class(look)), (1.0, 6.0), (27.0, 6.0)))
            (marker(look, (14.0, 6.0), 3.5, ""))
        }
    }
}

/// The style of a picture that stands alone, in a file: the page's own colours for its first two looks, light and dark.
const STANDALONE_STYLE: &str = "svg{--text:#1a1d21;--quiet:#59606a;--grid:#e6e8eb;--s0:#0068a8;--s1:#c94f00;background:#fff}\
    @media(prefers-color-scheme:dark){svg{--text:#e8e9e6;--quiet:#a3abb5;--grid:#2b3138;--s0:#5db5f0;--s1:#ff9352;background:#1b1f24}}\
    text{font:11px system-ui,sans-serif;fill:var(--text)}.axis,.tick{fill:var(--quiet)}.grid{stroke:var(--grid)}.frame{stroke:var(--quiet)}\
    .line{fill:none;stroke-width:2}.s0{stroke:var(--s0)}.s1{stroke:var(--s1);stroke-dasharray:7 4}.mark{stroke:none}\
    .mark.s0{fill:var(--s0)}.mark.s1{fill:var(--s1)}.event circle{fill:none;stroke:var(--text)}.event-line{stroke:var(--text);stroke-dasharray:2 3}\
    .event-number{font-size:9.5px}";

/// A picture as a file of its own, for a page that is no report.
pub fn standalone(picture: &Markup) -> String {
    let style = html! { style { (maud::PreEscaped(STANDALONE_STYLE)) } };
    picture.0.replacen('>', &format!(">{}", style.0), 1) + "\n"
}
