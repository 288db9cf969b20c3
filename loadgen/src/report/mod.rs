//! What runs show, as pages: one file each, that opens anywhere and asks nothing of any network.
//!
//! [`input`] reads run folders, [`cases`] sorts them by what varies, [`pictures`] and [`series`] make the figures, [`page`] puts
//! them together. Invariants: a page holds no script; text from outside is escaped by maud wherever it stands; what could not
//! be read is named with the reason; durability classes stand on every picture.

pub mod cases;
pub mod chart;
pub mod comparison;
pub mod earlier;
pub mod environment;
pub mod figure;
pub mod figures;
pub mod glossary;
pub mod index;
pub mod input;
pub mod load;
pub mod page;
pub mod pictures;
pub mod series;
pub mod summary;
pub mod tables;
pub mod verdict;
pub mod words;
