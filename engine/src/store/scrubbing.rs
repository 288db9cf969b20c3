//! Scrubbing, as the store's logs see it.

use std::path::PathBuf;

use wire::TopicPartitionId;

use super::background::BackgroundJob;
use super::{Store, StoreEvent};
use crate::disk::Disk;
use crate::scrub::{ScrubDone, ScrubStats};
use crate::segment::Rotten;

impl<D: Disk> Store<D> {
    /// Tells the time, in ms since the epoch: when a piece is due to be scrubbed it comes out of
    /// [`Store::poll_background`], behind everything else. Returns when to come back; `i64::MAX` when it is turned off.
    pub fn scrub(&mut self, now_ms: i64) -> i64 {
        self.scrub.tick(now_ms)
    }

    /// A reader has met damage: a [`StoreEvent::Rotten`] follows if that is news.
    pub fn note_rotten(&mut self, key: TopicPartitionId, path: PathBuf, rotten: Rotten) {
        if self.slots.contains_key(&key) && self.scrub.note(key, rotten.segment_base, &rotten) {
            self.events.push_back(StoreEvent::Rotten { key, path, rotten });
        }
    }

    /// What is known to be damaged in segments that are still there.
    pub fn rotten(&self) -> impl Iterator<Item = (TopicPartitionId, &Rotten)> {
        self.scrub.known().filter_map(|(key, base_offset, rotten)| {
            let is_there = self.slots.get(&key).is_some_and(|slot| slot.log.has_segment(base_offset));
            is_there.then_some((key, rotten))
        })
    }

    /// What scrubbing has done.
    pub fn scrub_stats(&self) -> ScrubStats {
        self.scrub.stats()
    }

    pub(super) fn poll_scrub(&mut self) -> Option<BackgroundJob<D>> {
        let slots = &self.slots;
        let job = self.scrub.poll(|from| slots.range(from..).next().map(|(key, slot)| (*key, &slot.log)))?;
        self.jobs.others += 1;
        Some(BackgroundJob::Scrub(job))
    }

    pub(super) fn handle_scrubbed(&mut self, done: ScrubDone<D>) {
        self.jobs.others -= 1;
        let (key, path, found) = self.scrub.handle(done);
        if self.slots.contains_key(&key) {
            let events = found.into_iter().map(|rotten| StoreEvent::Rotten { key, path: path.clone(), rotten });
            self.events.extend(events);
        }
    }
}
