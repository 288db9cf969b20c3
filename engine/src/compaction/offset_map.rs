//! Which offset is the newest of each key: what the first pass of a cleaning finds out.
//!
//! Keys stand in it as 128-bit digests, so that each takes the same memory whatever its length (Kafka's
//! `SkimpyOffsetMap` does the same with MD5). Two keys with one digest would lose a record; at that length nobody meets
//! one by chance, and the digest's secret, drawn anew at each start, keeps anybody from looking for one.
//! Invariant: never more than the bound's keys; its memory is taken once, and does not grow.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use siphasher::sip128::{Hasher128, SipHasher13};

/// Bytes that a place in the table takes: digest, offset, and the table's own byte.
const PLACE_BYTES: usize = size_of::<((u64, u64), i64)>() + 1;

/// The map is full: the key is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// See the module.
pub struct OffsetMap {
    latest: HashMap<(u64, u64), i64, BuildHasherDefault<DigestHasher>>,
    keys_max: usize,
    hasher: SipHasher13,
}

impl OffsetMap {
    /// An empty map for at most `keys_wanted` keys and about `bytes_max` bytes of memory.
    pub fn new(keys_wanted: usize, bytes_max: usize, secret: u64) -> Self {
        let keys_max = keys_wanted.min(keys_in(bytes_max));
        Self {
            latest: HashMap::with_capacity_and_hasher(keys_max, BuildHasherDefault::default()),
            keys_max,
            hasher: SipHasher13::new_with_keys(secret, !secret),
        }
    }

    /// Notes that a record of this key has this offset.
    ///
    /// # Errors
    /// [`Full`], when it is a further key.
    pub fn insert(&mut self, key: &[u8], offset: i64) -> Result<(), Full> {
        let digest = digest(&self.hasher, key);
        // Not by an entry: that would make room for a key that may not come in.
        if let Some(latest) = self.latest.get_mut(&digest) {
            *latest = probe::mutated!(offset.max(*latest), CompactionKeepsOldest => offset.min(*latest));
        } else if self.latest.len() < self.keys_max {
            self.latest.insert(digest, offset);
        } else {
            return Err(Full);
        }
        Ok(())
    }

    /// The newest offset known of a key.
    pub fn latest(&self, key: &[u8]) -> Option<i64> {
        self.latest.get(&digest(&self.hasher, key)).copied()
    }
}

fn digest(hasher: &SipHasher13, key: &[u8]) -> (u64, u64) {
    let mut hasher = *hasher;
    hasher.write(key);
    let digest = hasher.finish128();
    (digest.h1, digest.h2)
}

/// Keys that a table of at most `bytes` holds: it has a power of two of places, of which an eighth stays free.
fn keys_in(bytes: usize) -> usize {
    let places = (bytes / PLACE_BYTES).checked_ilog2().map_or(0, |bits| 1 << bits);
    places / 8 * 7
}

/// A digest is spread evenly already.
#[derive(Debug, Clone, Copy, Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, part: u64) {
        self.0 ^= part;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("digests are two u64")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_offset_of_each_key_is_known() {
        let mut map = OffsetMap::new(10, 1 << 20, 7);
        for (key, offset) in [("a", 1), ("b", 2), ("a", 5), ("", 6), ("b", 0)] {
            assert_eq!(map.insert(key.as_bytes(), offset), Ok(()));
        }
        assert_eq!(["a", "b", "", "c"].map(|key| map.latest(key.as_bytes())), [Some(5), Some(2), Some(6), None]);
    }

    #[test]
    fn a_full_map_takes_known_keys_only_and_no_more_memory() {
        let mut map = OffsetMap::new(2, 1 << 20, 7);
        let capacity = map.latest.capacity();
        assert_eq!([b"a", b"b", b"c", b"a"].map(|key| map.insert(key, 9)), [Ok(()), Ok(()), Err(Full), Ok(())]);
        assert_eq!(map.latest(b"c"), None);
        assert_eq!(map.latest.capacity(), capacity);
    }

    #[test]
    fn the_memory_bound_gives_the_number_of_keys() {
        let mut map = OffsetMap::new(usize::MAX, 64 << 10, 7);
        let fitting = (0..u64::MAX).take_while(|key| map.insert(&key.to_be_bytes(), 0).is_ok()).count();
        assert_eq!(fitting, 2048 / 8 * 7);
        assert!(map.latest.capacity() * PLACE_BYTES <= 64 << 10);
    }
}
