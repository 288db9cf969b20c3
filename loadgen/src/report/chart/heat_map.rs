//! A grid of numbers: the darker a cell, the more. Each cell bears its number, so that no one needs the colours.

use maud::{Markup, html};

use super::quantity::Quantity;
use super::scale::Scale;
use super::{WIDTH, fitted, number, svg, text, width_of};

/// One measured cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// What the colour shows.
    pub value: f64,
    /// A second, smaller line.
    pub detail: String,
    /// Whether the run behind it is not valid: the cell is then marked.
    pub doubtful: bool,
}

/// The whole picture.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    /// What a screen reader says.
    pub name: String,
    /// What the columns are.
    pub column_label: String,
    /// The columns, from the left.
    pub columns: Vec<String>,
    /// What the rows are.
    pub row_label: String,
    /// The rows, from the top.
    pub rows: Vec<String>,
    /// By row and column; what was not measured is absent.
    pub cells: Vec<Vec<Option<Cell>>>,
    /// What the values are.
    pub quantity: Quantity,
    /// Whether the shades follow the ratios (`Log`) or the differences (`Linear`).
    pub scale: Scale,
    /// What the palest and the darkest shade stand for, where several maps share them; else the map's own ends.
    pub ends: Option<(f64, f64)>,
}

/// Shades that the style sheet has, from the palest.
const SHADES: usize = 8;
const TOP: f64 = 34.0;
const ROW: f64 = 42.0;
const GAP: f64 = 2.0;
const LEGEND: f64 = 30.0;

impl HeatMap {
    /// The picture.
    ///
    /// # Panics
    /// If there are not as many cells as rows and columns.
    pub fn draw(&self) -> Markup {
        assert_eq!(self.cells.len(), self.rows.len(), "a row of cells for each row");
        assert!(self.cells.iter().all(|row| row.len() == self.columns.len()), "a cell for each column");
        let label_width = self.rows.iter().map(|row| width_of(row)).fold(0.0, f64::max);
        let left = label_width.max(width_of(&self.row_label)).min(WIDTH / 3.0) + 8.0;
        let width = (WIDTH - left) / self.columns.len().max(1) as f64;
        let height = TOP + ROW * self.rows.len() as f64;
        let middle = |column: usize| left + (column as f64 + 0.5) * width;
        let body = html! {
            (text("axis", "end", (WIDTH, 11.0), &self.column_label))
            (text("axis", "start", (0.0, 27.0), &self.row_label))
            @for (column, name) in self.columns.iter().enumerate() {
                (text("tick strong", "middle", (middle(column), 27.0), &fitted(name, width)))
            }
            @for (row, name) in self.rows.iter().enumerate() {
                @let y = TOP + row as f64 * ROW;
                (text("tick strong", "start", (0.0, y + ROW / 2.0 + 3.0), &fitted(name, left - 6.0)))
                @for (column, cell) in self.cells[row].iter().enumerate() {
                    (self.cell(cell.as_ref(), (middle(column), y), width))
                }
            }
            (self.legend(left, height))
        };
        svg(height + LEGEND, &self.name, &body)
    }

    fn cell(&self, cell: Option<&Cell>, (middle, y): (f64, f64), width: f64) -> Markup {
        let rect = |class: &str| {
            let (x, width, height) = (number(middle - width / 2.0), number(width - GAP), number(ROW - GAP));
            html! { rect class=(class) x=(x) y=(number(y)) width=(width) height=(height) rx="3" {} }
        };
        let middle_of_cell = middle - GAP / 2.0;
        let Some(cell) = cell.filter(|cell| cell.value.is_finite()) else {
            return html! { (rect("cell absent")) (text("tick", "middle", (middle_of_cell, y + 24.0), "–")) };
        };
        let shade = self.shade(cell.value);
        let mut value = self.quantity.format(cell.value);
        if cell.doubtful {
            value.push_str(" ?");
        }
        let value_y = if cell.detail.is_empty() { y + 24.0 } else { y + 18.0 };
        html! {
            g class=(format!("h{shade}")) {
                (rect(if cell.doubtful { "cell doubtful" } else { "cell" }))
                (text("value", "middle", (middle_of_cell, value_y), &fitted(&value, width)))
                @if !cell.detail.is_empty() {
                    (text("detail", "middle", (middle_of_cell, y + 32.0), &fitted(&cell.detail, width * 1.1)))
                }
            }
        }
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.cells.iter().flatten().flatten().map(|cell| cell.value).filter(|value| value.is_finite())
    }

    fn ends(&self) -> Option<(f64, f64)> {
        self.ends.or_else(|| self.own_ends())
    }

    /// The least and the most of the map's values.
    pub fn own_ends(&self) -> Option<(f64, f64)> {
        self.values().fold(None, |ends, value| {
            Some(ends.map_or((value, value), |(a, b): (f64, f64)| (a.min(value), b.max(value))))
        })
    }

    fn shade(&self, value: f64) -> usize {
        let Some((least, most)) = self.ends() else { return 0 };
        let part = match self.scale {
            Scale::Log if least > 0.0 => (value / least).ln() / (most / least).ln(),
            _ => (value - least) / (most - least),
        };
        // One value alone is neither little nor much.
        if part.is_finite() { (part.clamp(0.0, 1.0) * (SHADES - 1) as f64).round() as usize } else { SHADES / 2 }
    }

    fn legend(&self, left: f64, top: f64) -> Markup {
        let Some((least, most)) = self.ends() else { return html! {} };
        let (least, most) = (self.quantity.format(least), self.quantity.format(most));
        let (first, step) = (left + width_of(&least) + 6.0, 14.0);
        html! {
            (text("tick", "start", (left, top + 21.0), &least))
            @for shade in 0..SHADES {
                rect class=(format!("h{shade} cell")) x=(number(first + shade as f64 * step)) y=(number(top + 11.0))
                    width=(number(step)) height="12" {}
            }
            (text("tick", "start", (first + SHADES as f64 * step + 6.0, top + 21.0), &most))
        }
    }
}
