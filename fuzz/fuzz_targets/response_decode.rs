//! See [`partita_fuzz::wire_targets::response_decode`].

#![no_main]

use partita_fuzz::wire_targets::response_decode;

libfuzzer_sys::fuzz_target!(|data: &[u8]| response_decode(data));
