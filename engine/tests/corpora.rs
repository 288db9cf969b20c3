//! Every input that fuzzing has kept runs through the same properties as under the fuzzer.

#[path = "../../fuzz/src/engine_targets/mod.rs"]
mod engine_targets;

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
fn files_that_decode_encode_to_the_same() {
    run("disk_formats", engine_targets::disk_formats);
}

#[test]
fn a_changed_data_folder_is_recovered_or_refused_with_a_code() {
    run("recovery", engine_targets::recovery);
}
