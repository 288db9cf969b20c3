//! Every input that fuzzing has kept runs through the same properties as under the fuzzer.

#[path = "../../fuzz/src/corpora.rs"]
mod corpora;
#[path = "../../fuzz/src/engine_targets/mod.rs"]
mod engine_targets;

use corpora::run;

#[test]
fn files_that_decode_encode_to_the_same() {
    run("disk_formats", engine_targets::disk_formats);
}

#[test]
fn a_changed_data_folder_is_recovered_or_refused_with_a_code() {
    run("recovery", engine_targets::recovery);
}
