//! Every input that fuzzing has kept runs through the same properties as under the fuzzer.

#[path = "../../fuzz/src/wire_targets.rs"]
mod wire_targets;

/// Runs `target` on each file of its corpus.
fn run(name: &str, target: fn(&[u8])) {
    let folder = format!("{}/../fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut count = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        target(&std::fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count >= 10, "{folder} holds {count} files only");
}

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
