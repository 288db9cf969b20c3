//! See [`partita_fuzz::wire_targets::batch_validate`].

#![no_main]

use partita_fuzz::wire_targets::batch_validate;

libfuzzer_sys::fuzz_target!(|data: &[u8]| batch_validate(data));
