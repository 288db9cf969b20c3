//! Properties of `engine` that must hold for any bytes whatever on its disk. `engine/tests/corpora.rs` includes this
//! folder.

#[path = "../../../engine/tests/support/mod.rs"]
mod support;

mod disk_formats;
mod recovery;
mod seal;

pub use disk_formats::disk_formats;
pub use recovery::recovery;
