//! Subscriptions by regular expression (Java's `SubscriptionPattern`, the field SubscribedTopicRegex).
//!
//! Behaviour: RE2/J's syntax, as Kafka 4.3's `TopicRegexResolver` uses it: a topic is subscribed to when the expression
//! matches its whole name; internal topics are no exception. Matching takes linear time, and a compiled expression is
//! bounded in size.
//! Deviations: an expression that compiles to more than [`SIZE_MAX`] bytes or nests deeper than [`NEST_MAX`] is invalid;
//! Kafka takes it, and the time and memory that it costs.

mod re2;

use std::collections::BTreeSet;

use regex::bytes::{Regex, RegexBuilder};

/// The most bytes that an expression may compile to, and the most that matching may cache: far more than any list of
/// names needs.
const SIZE_MAX: usize = 1 << 20;
/// The most groups within groups.
const NEST_MAX: u32 = 250;

/// An expression that means something.
#[derive(Debug, Clone)]
pub struct TopicRegex {
    regex: Regex,
}

/// An expression that does not: INVALID_REGULAR_EXPRESSION, with this as the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("SubscribedTopicRegex `{pattern}` is not a valid regular expression: {reason}.")]
pub struct InvalidTopicRegex {
    pattern: String,
    reason: re2::SyntaxError,
}

impl TopicRegex {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, in RE2/J's words.
    pub fn parse(pattern: &str) -> Result<TopicRegex, InvalidTopicRegex> {
        let invalid = |reason| InvalidTopicRegex { pattern: pattern.to_owned(), reason };
        let translated = re2::translate(pattern).map_err(invalid)?;
        let mut builder = RegexBuilder::new(&format!(r"\A(?:{translated})\z"));
        builder.size_limit(SIZE_MAX).dfa_size_limit(SIZE_MAX).nest_limit(NEST_MAX);
        let regex = builder.build().map_err(|error| {
            invalid(match error {
                regex::Error::CompiledTooBig(_) => re2::SyntaxError::TooBig,
                // What the translation lets through and is refused: names of Unicode's that there are not, nesting.
                _ => re2::SyntaxError::CharRange,
            })
        })?;
        Ok(TopicRegex { regex })
    }

    /// Whether a topic of this name is subscribed to.
    pub fn matches(&self, topic: &str) -> bool {
        self.regex.is_match(topic.as_bytes())
    }

    /// Those of these topics that are subscribed to.
    pub fn resolve<'a>(&self, topics: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        topics.into_iter().filter(|topic| self.matches(topic)).map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests;
