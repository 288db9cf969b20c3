//! What an expression means, by hand and as RE2/J has it.

use super::*;

/// Names of topics, then expressions with those they match or what is wrong with them (`testdata/Patterns.java`).
const CASES: &str = include_str!("testdata/re2j-1.8.txt");

/// What is known to differ: see the deviations in `re2.rs`.
fn is_deviation(pattern: &str) -> bool {
    let is_repeated_flag = |repetition: &&str| pattern.contains(&format!("(?i){repetition}"));
    ["*", "+", "?", "{2}", "{1,2}"].iter().any(is_repeated_flag) || [r"\p{greek}", r"\p{IsLatin}"].contains(&pattern)
}

fn matching(pattern: &str) -> BTreeSet<String> {
    TopicRegex::parse(pattern).expect("it is valid").resolve(["orders", "orders.eu", "Orders", "__consumer_offsets"])
}

fn unescaped(text: &str) -> String {
    let mut parts = text.split('%');
    let mut pattern = parts.next().expect("there is a first part").to_owned();
    for part in parts {
        let code = u32::from_str_radix(&part[..4], 16).expect("four digits follow");
        pattern.push(char::from_u32(code).expect("a character"));
        pattern.push_str(&part[4..]);
    }
    pattern
}

#[test]
fn an_expression_matches_what_it_matches_in_re2j_and_fails_for_the_same_reason() {
    let mut lines = CASES.lines();
    let names: Vec<&str> = lines.next().expect("names come first").split(' ').collect();
    let (mut matched, mut failed, mut differ) = (0, 0, Vec::new());
    for line in lines {
        let (pattern, expected) = line.split_once(' ').expect("an expression, then the outcome");
        let pattern = unescaped(pattern);
        let actual = match TopicRegex::parse(&pattern) {
            Ok(regex) => {
                let matching: Vec<&str> = names.iter().copied().filter(|name| regex.matches(name)).collect();
                matched += matching.len();
                format!("= {}", matching.join(" "))
            }
            Err(error) => {
                failed += 1;
                format!("! {}", error.reason)
            }
        };
        if actual != expected && !is_deviation(&pattern) {
            differ.push(format!("{pattern:?}\n  re2j {expected}\n  ours {actual}"));
        }
    }
    assert!(differ.is_empty(), "{}\n{}", differ.len(), differ.join("\n"));
    assert!(matched > 500 && failed > 500, "{matched} {failed}");
}

#[test]
fn an_expression_matches_whole_names_and_internal_topics_too() {
    assert_eq!(matching("orders"), BTreeSet::from(["orders".to_owned()]));
    assert_eq!(matching("orders.*"), BTreeSet::from(["orders".to_owned(), "orders.eu".to_owned()]));
    assert_eq!(matching("(?i)o.*s"), BTreeSet::from(["orders".to_owned(), "Orders".to_owned()]));
    assert_eq!(matching("orders|_.*"), BTreeSet::from(["orders".to_owned(), "__consumer_offsets".to_owned()]));
    assert_eq!(matching(r"\Qorders.\E.*"), BTreeSet::from(["orders.eu".to_owned()]));
    assert_eq!(matching(""), BTreeSet::new());
}

#[test]
fn an_invalid_expression_is_told_why() {
    let error = TopicRegex::parse("[").expect_err("it is invalid");
    assert_eq!(error.to_string(), "SubscribedTopicRegex `[` is not a valid regular expression: missing closing ].");
}

#[test]
fn an_expression_is_bounded_in_size_and_depth() {
    assert!(TopicRegex::parse("((a{100}){100}){100}").is_err());
    assert!(TopicRegex::parse(&"(".repeat(10_000)).is_err());
    assert!(TopicRegex::parse(&format!("{}{}", "(".repeat(10_000), ")".repeat(10_000))).is_err());
}
