//! House rules that no compiler checks.

use std::path::{Path, PathBuf};

const LINES_MAX: usize = 800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_path_buf()
}

/// All Rust files of the workspace, with their text.
fn rust_files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the workspace can be read") {
            let path = entry.expect("the workspace can be read").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && !name.starts_with('.') && !["target", "node_modules"].contains(&name) {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let text = std::fs::read_to_string(&path).expect("sources are text");
                files.push((path, text));
            }
        }
    }
    assert!(files.len() > 100, "the walk has missed the workspace");
    files
}

#[test]
fn every_file_says_what_it_is_for_and_is_no_longer_than_it_may_be() {
    for (path, text) in rust_files() {
        let opens = text.lines().take(3).any(|line| line.starts_with("//!"));
        assert!(opens, "{} does not open with //!", path.display());
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines: split it", path.display());
    }
}

#[test]
fn what_decides_names_no_clock_no_file_and_no_executor() {
    let broker = root().join("broker/src");
    let is_test = |path: &Path| path.iter().any(|part| part == "tests") || path.ends_with("tests.rs");
    for (path, text) in rust_files().into_iter().filter(|(path, _)| path.starts_with(&broker) && !is_test(path)) {
        for forbidden in ["glommio", "std::fs", "std::net", "Instant::now", "SystemTime", "rand::"] {
            let named = text.lines().any(|line| line.contains(forbidden) && !line.trim_start().starts_with("//"));
            assert!(!named, "{} names {forbidden}", path.display());
        }
    }
}

#[test]
fn glommio_is_named_in_one_file() {
    let name = concat!("glomm", "io::");
    let named: Vec<_> =
        rust_files().into_iter().filter(|(_, text)| text.contains(name)).map(|(path, _)| path).collect();
    assert_eq!(named, [root().join("server/src/world/executor.rs")]);
}

#[test]
fn each_path_that_the_architecture_names_exists() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("it is there");
    let paths = text.split('`').skip(1).step_by(2).filter(|name| name.contains('/') && !name.contains(' '));
    let mut count = 0;
    for path in paths.filter(|path| !path.starts_with('/')) {
        assert!(root().join(path).exists(), "ARCHITECTURE.md names {path}, which is not there");
        count += 1;
    }
    assert!(count > 50, "the architecture names its modules");
}
