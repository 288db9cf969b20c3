//! Each error that stops a start has a code, and each code a page that says what to do.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A code is a P and four digits.
const CODE_CHARS: usize = 5;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The codes in a source file's text.
fn codes(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("P0").filter_map(|(at, _)| {
        let code = text.get(at..at + CODE_CHARS)?;
        let before = text[..at].chars().next_back();
        let stands_alone = before.is_none_or(|char| !char.is_alphanumeric());
        (stands_alone && code[1..].bytes().all(|byte| byte.is_ascii_digit())).then_some(code)
    })
}

fn collect_codes(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect_codes(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("sources are text");
            found.extend(codes(&text).map(str::to_owned));
        }
    }
}

#[test]
fn every_code_has_its_page_and_every_page_its_code() {
    let mut in_sources = BTreeSet::new();
    for member in ["engine/src", "shard/src", "server/src"] {
        collect_codes(&root().join(member), &mut in_sources);
    }
    assert!(in_sources.contains("P0101") && in_sources.contains("P0201"), "the search finds codes: {in_sources:?}");
    let pages = fs::read_dir(root().join("docs/errors")).expect("the pages are there");
    let pages: BTreeSet<String> = pages
        .map(|page| page.expect("a page").path().file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(in_sources, pages);
}

#[test]
fn every_page_says_why_and_what_to_do() {
    for page in fs::read_dir(root().join("docs/errors")).expect("the pages are there") {
        let path = page.expect("a page").path();
        let text = fs::read_to_string(&path).expect("a page is text");
        let code = path.file_stem().expect("a name").to_string_lossy();
        assert!(text.starts_with(&format!("# {code}: ")), "{code} begins with its title");
        for part in ["\n## Why\n", "\n## What to do\n"] {
            let (_, after) = text.split_once(part).unwrap_or_else(|| panic!("{code} has {part:?}"));
            assert!(after.trim().len() > 40, "{code} says something under {part:?}");
        }
    }
}
