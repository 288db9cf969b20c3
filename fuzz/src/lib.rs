//! What the fuzz targets run. The bodies are here, apart from the fuzzer, so that the crates' own tests run the
//! committed corpora through the same code with the ordinary compiler.

pub mod engine_targets;
pub mod wire_targets;
