//! The offsets that a group has committed.

use std::collections::BTreeMap;

use wire::Uuid;

/// One committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommittedOffset {
    /// The next offset that the group wants to read.
    pub offset: i64,
    /// Leader epoch of the last record it has read, or −1.
    pub leader_epoch: i32,
    /// Whatever the client wanted to keep.
    pub metadata: String,
    /// When it was committed, in ms since the epoch.
    pub commit_timestamp: i64,
    /// When it expires, in ms since the epoch, if the client said so (OffsetCommit up to v4).
    pub expire_timestamp: Option<i64>,
    /// The topic's id, or zero where the client did not tell.
    pub topic_id: Uuid,
}

impl CommittedOffset {
    /// Whether the offset is over, `retention_ms` after `since_ms` unless the client had its own idea.
    fn is_expired(&self, now_ms: i64, since_ms: i64, retention_ms: i64) -> bool {
        match self.expire_timestamp {
            Some(expire_timestamp) => now_ms >= expire_timestamp,
            None => now_ms.saturating_sub(since_ms) >= retention_ms,
        }
    }

    /// Whether it may be shown to somebody who means the topic with that id: a topic may come back with another one.
    pub fn is_of(&self, topic_id: Uuid) -> bool {
        self.topic_id.is_zero() || topic_id.is_zero() || self.topic_id == topic_id
    }
}

/// From when on an offset's retention counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetentionBase {
    /// From when the group lost its last member, in ms since the epoch.
    Since(i64),
    /// From its commit.
    Commit,
}

/// All offsets of one group.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    /// By topic and partition. No topic is empty.
    by_topic: BTreeMap<String, BTreeMap<i32, CommittedOffset>>,
}

impl Offsets {
    pub fn is_empty(&self) -> bool {
        self.by_topic.is_empty()
    }

    pub fn get(&self, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.by_topic.get(topic)?.get(&partition)
    }

    pub fn set(&mut self, topic: String, partition: i32, committed: CommittedOffset) {
        self.by_topic.entry(topic).or_default().insert(partition, committed);
    }

    pub fn remove(&mut self, topic: &str, partition: i32) {
        if let Some(partitions) = self.by_topic.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.by_topic.remove(topic);
            }
        }
    }

    /// All topics with their offsets, in the order of names.
    pub fn topics(&self) -> impl Iterator<Item = (&str, &BTreeMap<i32, CommittedOffset>)> {
        self.by_topic.iter().map(|(topic, partitions)| (topic.as_str(), partitions))
    }

    /// The partitions of one topic that have an offset.
    pub fn partitions(&self, topic: &str) -> impl Iterator<Item = i32> + '_ {
        self.by_topic.get(topic).into_iter().flat_map(|partitions| partitions.keys().copied())
    }

    /// All partitions that have an offset.
    pub fn keys(&self) -> impl Iterator<Item = (&str, i32)> {
        self.topics().flat_map(|(topic, partitions)| partitions.keys().map(move |&partition| (topic, partition)))
    }

    /// When the first of them expires, in ms since the epoch.
    pub fn first_expiry(&self, base: RetentionBase, retention_ms: i64) -> Option<i64> {
        let offsets = self.by_topic.values().flat_map(BTreeMap::values);
        let expiry = |committed: &CommittedOffset| match (committed.expire_timestamp, base) {
            (Some(expire_timestamp), _) => expire_timestamp,
            (None, RetentionBase::Since(since_ms)) => since_ms.saturating_add(retention_ms),
            (None, RetentionBase::Commit) => committed.commit_timestamp.saturating_add(retention_ms),
        };
        offsets.map(expiry).min()
    }

    /// Those whose retention is over, of the topics that are not `kept`.
    pub fn expired(
        &self,
        now_ms: i64,
        base: RetentionBase,
        retention_ms: i64,
        kept: impl Fn(&str) -> bool,
    ) -> Vec<(String, i32)> {
        let mut expired = Vec::new();
        for (topic, partitions) in self.topics().filter(|(topic, _)| !kept(topic)) {
            for (&partition, committed) in partitions {
                let since_ms = match base {
                    RetentionBase::Since(since_ms) => since_ms,
                    RetentionBase::Commit => committed.commit_timestamp,
                };
                if committed.is_expired(now_ms, since_ms, retention_ms) {
                    expired.push((topic.to_owned(), partition));
                }
            }
        }
        expired
    }
}
