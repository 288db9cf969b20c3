//! Fetches that wait for a partition to have more than they have seen.
//!
//! A watch is one-shot: its token is woken once, whatever became of it, and all its watches are gone then. Whoever is
//! woken reads, and watches again if that was not enough.

use std::collections::BTreeMap;

use wire::TopicPartitionId;

use crate::Token;

/// Who waits for what, of all the partitions of this core.
#[derive(Debug, Default)]
pub struct Watches {
    /// By partition: the end that each token has seen (exclusive).
    by_partition: BTreeMap<TopicPartitionId, BTreeMap<Token, i64>>,
    by_token: BTreeMap<Token, Vec<TopicPartitionId>>,
}

impl Watches {
    /// Wakes `token` once the partition's readable end has passed `seen_end_offset`.
    pub fn insert(&mut self, token: Token, key: TopicPartitionId, seen_end_offset: i64) {
        if self.by_partition.entry(key).or_default().insert(token, seen_end_offset).is_none() {
            self.by_token.entry(token).or_default().push(key);
        }
    }

    /// Forgets all that `token` watches.
    pub fn remove(&mut self, token: Token) {
        for key in self.by_token.remove(&token).unwrap_or_default() {
            let watchers = self.by_partition.get_mut(&key).expect("both maps hold each watch");
            watchers.remove(&token);
            if watchers.is_empty() {
                self.by_partition.remove(&key);
            }
        }
    }

    /// The next token that has seen less than `end_offset` of the partition; its watches are removed.
    pub fn wake(&mut self, key: TopicPartitionId, end_offset: i64) -> Option<Token> {
        let watchers = self.by_partition.get(&key)?;
        let (&token, _) = watchers.iter().find(|&(_, &seen)| seen < end_offset)?;
        self.remove(token);
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Uuid;

    fn key(partition: i32) -> TopicPartitionId {
        TopicPartitionId { topic: Uuid::from_u128(7), partition }
    }

    #[test]
    fn a_token_is_woken_once_by_whichever_partition_moves_first() {
        let mut watches = Watches::default();
        watches.insert(1, key(0), 10);
        watches.insert(1, key(1), 20);
        watches.insert(2, key(1), 25);
        assert_eq!(watches.wake(key(1), 20), None, "what was seen is nothing new");
        assert_eq!(watches.wake(key(1), 21), Some(1));
        assert_eq!(watches.wake(key(1), 21), None);
        assert_eq!(watches.wake(key(0), 99), None);
        assert_eq!(watches.wake(key(1), 26), Some(2));
        assert!(watches.by_partition.is_empty() && watches.by_token.is_empty());
    }

    #[test]
    fn a_removed_token_is_not_woken() {
        let mut watches = Watches::default();
        watches.insert(1, key(0), 10);
        watches.remove(1);
        watches.remove(1);
        assert_eq!(watches.wake(key(0), 11), None);
    }
}
