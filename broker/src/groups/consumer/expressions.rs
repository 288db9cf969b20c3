//! Subscriptions by regular expression, beside those by name.
//!
//! Behaviour: an expression is read when its first member brings it (INVALID_REGULAR_EXPRESSION), resolved against the names
//! of all topics whenever these may have changed, and what it resolved to is persisted. A member subscribes to the topics
//! that it names and to those that its expression matches.
//! Deviations: resolved by the heartbeat that needs it; Kafka resolves in the background, at most every ten seconds, and
//! assigns with what it had before. There are no ACLs that would hide topics from an expression.

use std::collections::BTreeSet;

use wire::records::consumer_groups::ConsumerGroupRegularExpressionValue;
use wire::{ErrorCode, Uuid};

use super::super::outbox::Turn;
use super::super::topic_regex::TopicRegex;
use super::member::Member;
use super::records::Change;
use super::{ConsumerGroup, Refusal};
use crate::catalog::Image;

/// What an expression matches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Resolved {
    /// Names of topics.
    pub topics: BTreeSet<String>,
    /// The catalog's offset at which it was found out.
    pub version: i64,
    /// When, in ms since the epoch.
    pub timestamp: i64,
}

impl From<ConsumerGroupRegularExpressionValue> for Resolved {
    fn from(value: ConsumerGroupRegularExpressionValue) -> Resolved {
        let ConsumerGroupRegularExpressionValue { topics, version, timestamp } = value;
        Resolved { topics: topics.into_iter().collect(), version, timestamp }
    }
}

impl Resolved {
    pub fn to_record(&self) -> ConsumerGroupRegularExpressionValue {
        ConsumerGroupRegularExpressionValue {
            topics: self.topics.iter().cloned().collect(),
            version: self.version,
            timestamp: self.timestamp,
        }
    }
}

impl ConsumerGroup {
    /// INVALID_REGULAR_EXPRESSION. One that a member has already is valid; the empty one takes a subscription back.
    pub(super) fn check_expression(&self, expression: Option<&str>) -> Result<(), Refusal> {
        match expression {
            None | Some("") => Ok(()),
            Some(expression) if self.expressions.contains_key(expression) => Ok(()),
            Some(expression) => TopicRegex::parse(expression)
                .map(|_| ())
                .map_err(|error| Refusal::new(ErrorCode::InvalidRegularExpression, error.to_string())),
        }
    }

    /// Finds out what the members' expressions match now.
    pub(super) fn resolve_expressions(&mut self, turn: &Turn<'_>) {
        let used = self.members.values().filter_map(|member| member.subscribed_topic_regex.as_ref());
        let used: BTreeSet<String> = used.cloned().collect();
        for expression in used {
            // One that an earlier release has taken, and this one does not, matches nothing.
            let topics = TopicRegex::parse(&expression)
                .map(|regex| regex.resolve(turn.image.topics().map(|topic| &*topic.name)))
                .unwrap_or_default();
            if self.expressions.get(&expression).is_none_or(|resolved| resolved.topics != topics) {
                let resolved = Resolved { topics, version: turn.image.last_offset(), timestamp: turn.now_ms };
                self.expressions.insert(expression.clone(), resolved);
                self.changes.insert(Change::RegularExpression(expression));
            }
        }
    }

    /// A member does not have this expression any more: it goes with the last who had it.
    pub(super) fn forget_expression(&mut self, expression: Option<String>) {
        let Some(expression) = expression else { return };
        let has_it = |member: &Member| member.subscribed_topic_regex.as_ref() == Some(&expression);
        if !self.members.values().any(has_it) && self.expressions.remove(&expression).is_some() {
            self.changes.insert(Change::RegularExpression(expression));
        }
    }

    /// The topics that there are of those that a member subscribes to.
    pub(super) fn subscribed_topics(&self, member: &Member, image: &Image) -> BTreeSet<Uuid> {
        let resolved = member.subscribed_topic_regex.as_ref().and_then(|expression| self.expressions.get(expression));
        let matched = resolved.into_iter().flat_map(|resolved| &resolved.topics);
        let names = member.subscribed_topic_names.iter().chain(matched);
        names.filter_map(|name| image.topic_named(name)).map(|topic| topic.id).collect()
    }

    /// Whether a topic's offsets are in use.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        self.members.values().any(|member| member.subscribed_topic_names.contains(topic))
            || self.expressions.values().any(|resolved| resolved.topics.contains(topic))
    }
}
