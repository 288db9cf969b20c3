//! The journal: what makes an append durable before it is filed into its segment. One per core.

pub mod format;
pub mod growth;
pub mod reader;
pub mod ring;
pub mod writer;
