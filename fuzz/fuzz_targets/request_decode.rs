//! See [`partita_fuzz::wire_targets::request_decode`].

#![no_main]

use partita_fuzz::wire_targets::request_decode;

libfuzzer_sys::fuzz_target!(|data: &[u8]| request_decode(data));
