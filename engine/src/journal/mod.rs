//! The journal: what makes an append durable before it is filed into its segment. One per core.

pub mod format;
