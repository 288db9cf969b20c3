//! See [`partita_fuzz::wire_targets::batch_records`].

#![no_main]

use partita_fuzz::wire_targets::batch_records;

libfuzzer_sys::fuzz_target!(|data: &[u8]| batch_records(data));
