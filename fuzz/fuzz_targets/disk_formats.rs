//! See [`partita_fuzz::engine_targets::disk_formats`].

#![no_main]

use partita_fuzz::engine_targets::disk_formats;

libfuzzer_sys::fuzz_target!(|data: &[u8]| disk_formats(data));
