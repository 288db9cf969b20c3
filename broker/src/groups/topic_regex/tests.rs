//! What an expression means, by hand and as RE2/J has it.

use super::*;

fn matching(pattern: &str) -> BTreeSet<String> {
    TopicRegex::parse(pattern).expect("it is valid").resolve(["orders", "orders.eu", "Orders", "__consumer_offsets"])
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
