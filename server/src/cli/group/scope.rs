//! Which partitions a command is about, as people write them: `orders`, `orders:0`, `orders:0,2-4`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;

use loadgen::client::{Client, TopicPartition};

use crate::cli::CliError;

/// Partitions that one range may name: more than any topic has.
const RANGE_MAX: i32 = 1_000_000;

/// A topic, and some of its partitions or all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicScope {
    topic: String,
    /// Empty for all.
    partitions: Vec<RangeInclusive<i32>>,
}

impl FromStr for TopicScope {
    type Err = String;

    fn from_str(text: &str) -> Result<TopicScope, String> {
        let (topic, listed) = text.split_once(':').map_or((text, None), |(topic, listed)| (topic, Some(listed)));
        if topic.is_empty() {
            return Err("expected TOPIC or TOPIC:PARTITIONS, for example orders:0,2-4".into());
        }
        let partitions = match listed {
            None => Vec::new(),
            Some(listed) => listed.split(',').map(partition_range).collect::<Result<_, _>>()?,
        };
        Ok(TopicScope { topic: topic.to_owned(), partitions })
    }
}

fn partition_range(text: &str) -> Result<RangeInclusive<i32>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if 0 <= first && first <= last && last < RANGE_MAX => Ok(first..=last),
        _ => Err(format!("{text:?} is no partition and no range of them such as 2-4")),
    }
}

impl TopicScope {
    /// A topic with all its partitions.
    pub(super) fn whole(topic: &str) -> TopicScope {
        TopicScope { topic: topic.to_owned(), partitions: Vec::new() }
    }

    /// Whether a partition is meant.
    pub(super) fn contains(&self, partition: &TopicPartition) -> bool {
        let is_named = |range: &RangeInclusive<i32>| range.contains(&partition.partition);
        partition.topic == self.topic && (self.partitions.is_empty() || self.partitions.iter().any(is_named))
    }

    /// The partitions, each of which must exist.
    pub(super) fn resolve(&self, client: &mut Client) -> Result<Vec<TopicPartition>, CliError> {
        let count = client.topic(&self.topic, false)?.partitions.len();
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        if let Some(range) = self.partitions.iter().find(|range| *range.end() >= count) {
            let (topic, last) = (&self.topic, count - 1);
            let missing = range.end();
            return Err(CliError::Usage(format!("{topic} has only the partitions 0 to {last}, not {missing}")));
        }
        let all = (0..count).map(|partition| TopicPartition { topic: self.topic.clone(), partition });
        Ok(all.filter(|partition| self.contains(partition)).collect())
    }
}

/// Partitions by topic, in order.
pub(super) fn by_topic<'a>(partitions: impl IntoIterator<Item = &'a TopicPartition>) -> BTreeMap<&'a str, Vec<i32>> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    topics.values_mut().for_each(|partitions| partitions.sort_unstable());
    topics
}

/// Ascending numbers as short text: `0-2,4`.
pub(super) fn ranges(numbers: &[i32]) -> String {
    let follows = |&before: &i32, &after: &i32| before + 1 == after;
    let runs = numbers.chunk_by(follows).map(|run| match run {
        [first, .., last] => format!("{first}-{last}"),
        run => run.iter().map(i32::to_string).collect(),
    });
    runs.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_names_a_topic_and_its_partitions() {
        let contains = |scope: &str, partition| {
            let scope: TopicScope = scope.parse().expect(scope);
            scope.contains(&TopicPartition { topic: "t.a".into(), partition })
        };
        assert!(contains("t.a", 7));
        assert!(contains("t.a:0,2-4", 3) && contains("t.a:0,2-4", 0));
        assert!(!contains("t.a:0,2-4", 1) && !contains("t", 0));
        for wrong in ["", ":1", "t:", "t:x", "t:-1", "t:3-1", "t:1,", "t:0-2000000000"] {
            assert!(wrong.parse::<TopicScope>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_that_follow_each_other_are_shown_as_ranges() {
        assert_eq!(ranges(&[]), "");
        assert_eq!(ranges(&[3]), "3");
        assert_eq!(ranges(&[0, 1, 2, 4, 6, 7]), "0-2,4,6-7");
    }
}
