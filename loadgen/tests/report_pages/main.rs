//! Whole pages over made-up runs. With `PAGES=FOLDER` they are kept there, where `loadgen/browser/run` opens them in a browser.

mod sample;

use std::fs;
use std::path::{Path, PathBuf};

use loadgen::report::{index, input, page};

/// A page and the text of it that a reader sees.
struct Page {
    html: String,
    text: String,
}

impl Page {
    /// The report over the runs that `write` makes.
    fn over(name: &str, write: impl FnOnce(&Path)) -> Page {
        let results = tempfile::tempdir().expect("a temporary folder");
        write(results.path());
        let found = input::read(&[results.path().to_owned()]).expect("the folder is readable");
        assert_eq!(found.left_out, [], "all runs are read");
        let html = page::report(&found);
        if let Some(folder) = std::env::var_os("PAGES") {
            fs::write(PathBuf::from(folder).join(name).with_extension("html"), &html)
                .expect("the folder of PAGES takes it");
        }
        let text = text_of(&html);
        Page { html, text }
    }

    fn says(&self, words: &str) {
        assert!(self.text.contains(words), "the page does not say “{words}”");
    }
}

/// Keeps a page for the browser, if it is asked for.
fn keep(name: &str, html: &str) {
    if let Some(folder) = std::env::var_os("PAGES") {
        fs::write(PathBuf::from(folder).join(name).with_extension("html"), html).expect("the folder of PAGES takes it");
    }
}

/// What stands between tags, unescaped, without the style sheet.
fn text_of(html: &str) -> String {
    let body = html.split("</style>").nth(1).expect("a page has a style sheet");
    let text: Vec<&str> = body.split('<').filter_map(|part| part.split('>').nth(1)).collect();
    let text = text.join(" ").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every opened element is closed in order: a browser then needs no guess.
fn assert_balanced(html: &str) {
    let void = ["meta", "link", "br", "!DOCTYPE"];
    let mut open: Vec<&str> = Vec::new();
    for tag in html.split('<').skip(1).filter_map(|part| part.split('>').next()) {
        let name = tag.trim_start_matches('/').split_whitespace().next().unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "elements close in order");
        } else if !void.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn the_quick_suites_page_tells_a_stranger_what_was_found() {
    let page = Page::over("quick", sample::quick);
    assert_balanced(&page.html);
    page.says("Load test of Partita 0.1.0");
    page.says("none lost, none doubled, none out of order");
    page.says("11 of 12 runs valid.");
    page.says("foreign CPU 9.8 %, above 5.0 %");
    page.says("flushed before the ack");
    page.says("Time until acknowledged, p99, by acks and members of the group");
    page.says(
        "From run to run this differs: acks=0, acks=1 and acks=all; 1 member, 2 members, 4 members and 5 members.",
    );
    page.says("How it was run");
}

#[test]
fn systems_that_promise_different_things_never_share_a_picture_unlabelled() {
    let page = Page::over("side-by-side", sample::side_by_side);
    assert_balanced(&page.html);
    page.says("Load test of Partita 0.1.0 and Apache Kafka 4.3.1");
    page.says("These systems do not promise the same.");
    for figure in page.html.split("<figure>").skip(1).filter_map(|rest| rest.split("</figure>").next()) {
        let text = text_of(&format!("</style>{figure}"));
        assert!(
            text.contains("flushed before the ack") || text.contains("page cache only"),
            "a picture without a class: {text}"
        );
    }
}

#[test]
fn a_load_curve_and_a_lost_member_have_their_pictures() {
    let page = Page::over("curve-and-loss", sample::curve_and_loss);
    assert_balanced(&page.html);
    page.says("like a hockey stick");
    page.says("Until another member reads what a lost one read");
    page.says("group-0 is killed");
}

#[test]
fn no_name_from_outside_becomes_markup_and_no_page_reaches_for_the_network() {
    let page = Page::over("hostile", sample::hostile);
    assert_balanced(&page.html);
    page.says("were missing");
    page.says("1 invalid");
    for forbidden in ["<script", "<img", "http://", "https://", "src=", "@import", "url("] {
        let found = page.html.replace("http://www.w3.org/2000/svg", "").matches(forbidden).count();
        // The hostile name itself contains two of them, escaped.
        let escaped = page.html.matches(&format!("&lt;img {forbidden}")).count();
        assert_eq!(found, escaped, "{forbidden}");
    }
}

#[test]
fn a_folder_that_cannot_be_read_is_named_with_the_reason() {
    let results = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in [("broken", "{"), ("strange", "{\"schema\": 99}"), ("silent", "{}")] {
        fs::create_dir(results.path().join(name)).expect("the folder takes it");
        fs::write(results.path().join(name).join("result.json"), text).expect("the folder takes it");
    }
    let found = input::read(&[results.path().to_owned()]).expect("the folder is readable");
    assert_eq!(found.left_out.len(), 3, "{:?}", found.left_out);
    let text = text_of(&page::report(&found));
    assert!(
        text.contains("There is no run to show.") && text.contains("no JSON") && text.contains("which schema"),
        "{text}"
    );
}

#[test]
fn the_index_names_a_report_for_each_scenario_and_can_be_made_again() {
    let results = tempfile::tempdir().expect("a temporary folder");
    sample::quick(results.path());
    sample::curve_and_loss(results.path());
    let written = index::write(results.path()).expect("the folder takes it");
    assert_eq!((written.reports.len(), written.left_out), (3, 0), "{written:?}");
    let html = fs::read_to_string(&written.index).expect("it was written");
    assert_balanced(&html);
    keep("index", &html);
    for report in &written.reports {
        let name = report.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(html.contains(&format!("href=\"reports/{name}\"")), "{name} is not in the index");
    }
    assert_eq!(index::write(results.path()).expect("the folder takes it"), written);
    assert_eq!(fs::read_to_string(&written.index).expect("it was written"), html, "the same runs make the same page");
}

#[test]
fn every_run_that_the_project_keeps_is_shown() {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results");
    let found = input::read(std::slice::from_ref(&results)).expect("the folder is readable");
    assert_eq!(found.left_out, []);
    let schema = fs::read_to_string(results.join("run.schema.json")).expect("the schema is there");
    let schema = serde_json::from_str(&schema).expect("the schema is JSON");
    for run in &found.runs {
        let value = serde_json::to_value(&run.result).expect("a result is JSON");
        assert_eq!(loadgen::result::schema::faults(&schema, &value), Vec::<String>::new(), "{}", run.folder.display());
    }
    assert!(found.runs.len() + found.earlier.len() > 50, "the kept runs are there");
    let figures: usize = found.earlier.iter().map(|run| run.figures.len()).sum();
    assert!(figures > found.earlier.len() * 3, "earlier runs have their figures");
}
