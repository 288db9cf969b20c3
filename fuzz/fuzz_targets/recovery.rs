//! See [`partita_fuzz::engine_targets::recovery`].

#![no_main]

use partita_fuzz::engine_targets::recovery;

libfuzzer_sys::fuzz_target!(|data: &[u8]| recovery(data));
