//! A picture with what a reader needs beside it: a title, a sentence on how to read it, durability classes, a legend.

use maud::{Markup, html};

use crate::result::Durability;

use super::chart::{self, Mark};
use super::words;

/// One picture of a page.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What it shows.
    pub title: String,
    /// How to read it, in a sentence or two.
    pub how: String,
    /// The durability classes of the systems in it, each once.
    pub classes: Vec<Durability>,
    /// The picture.
    pub picture: Markup,
    /// What its looks and numbers stand for.
    pub legend: Legend,
}

/// What a picture's looks and numbers stand for.
#[derive(Debug, Clone, Default)]
pub struct Legend {
    /// Series: look, name, and the class where a picture has several.
    pub series: Vec<(usize, String, Option<Durability>)>,
    /// Numbered marks.
    pub marks: Vec<Mark>,
}

impl Figure {
    /// The figure as a part of a page.
    pub fn draw(&self) -> Markup {
        html! {
            figure {
                figcaption {
                    h3 { (self.title) }
                    @for class in &self.classes { (class_label(*class)) " " }
                    p class="how" { (self.how) }
                }
                (self.picture)
                (self.legend.draw(self.classes.len() > 1))
            }
        }
    }
}

impl Legend {
    fn draw(&self, with_classes: bool) -> Markup {
        html! {
            @if !self.series.is_empty() || !self.marks.is_empty() {
                ul class="legend" {
                    @for (look, name, class) in &self.series {
                        li {
                            (chart::swatch(*look)) span { (name) }
                            @if let Some(class) = class.filter(|_| with_classes) { (class_label(class)) }
                        }
                    }
                    @for (index, mark) in self.marks.iter().enumerate() {
                        li { span class="number" { (index + 1) } span { (mark.label) } }
                    }
                }
            }
        }
    }
}

/// When an acknowledged record is safe, as a label.
pub fn class_label(class: Durability) -> Markup {
    html! { span class=(words::durability_class(class)) title=(words::durability_meaning(class)) { (class.words()) } }
}

/// Figures side by side where there is room.
pub fn gallery(figures: &[Figure]) -> Markup {
    html! { @if !figures.is_empty() { div class="figures" { @for figure in figures { (figure.draw()) } } } }
}
