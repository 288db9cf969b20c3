//! See [`partita_fuzz::wire_targets::decompress_any`].

#![no_main]

use partita_fuzz::wire_targets::decompress_any;

libfuzzer_sys::fuzz_target!(|data: &[u8]| decompress_any(data));
