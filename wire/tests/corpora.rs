//! Every input that fuzzing has kept runs through the same properties as under the fuzzer.

#[path = "../../fuzz/src/corpora.rs"]
mod corpora;
#[path = "../../fuzz/src/wire_targets.rs"]
mod wire_targets;

use corpora::run;

#[test]
fn batches_that_pass_validation_are_what_their_summary_says() {
    run("batch_validate", wire_targets::batch_validate);
}

#[test]
fn logs_are_read_within_their_bounds() {
    run("batch_records", wire_targets::batch_records);
}

#[test]
fn decompression_stays_within_its_limit() {
    run("decompress", wire_targets::decompress_any);
}

#[test]
fn requests_that_decode_encode_to_the_same() {
    run("request_decode", wire_targets::request_decode);
}

#[test]
fn responses_that_decode_encode_to_the_same() {
    run("response_decode", wire_targets::response_decode);
}
