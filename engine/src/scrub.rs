//! Scrubbing: closed segments are read at a bounded rate, over and over, to find what the device has damaged before a
//! reader meets it.
//!
//! [`Scrub`] decides what is read next and when, and knows what was found; the store hands out its jobs behind all
//! others. A pass goes over all logs of the core, from a random one on, so that frequent restarts do not leave the last
//! ones out for ever. Nothing is changed on the disk.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::{Rc, Weak};

use wire::{TopicPartitionId, Uuid};

use crate::disk::Disk;
use crate::log::Log;
use crate::segment::{Rotten, SegmentFiles, SegmentView, Stretch, Survey};

/// Bytes of one step at most. It is read in pieces, between which the core does other things.
const STEP_BYTES_MAX: u64 = 1 << 20;
/// Bytes of one step at least: less would be many steps for little.
const STEP_BYTES_MIN: u64 = 64 << 10;
/// The least time between the beginnings of two passes, in ms.
const INTERVAL_MS_MIN: i64 = 100;
/// Damaged stretches of one segment that are known at a time; what is beyond is found when those are gone.
const ROTTEN_MAX: usize = 1000;
/// Logs that one step looks at for one that has something to read.
const LOGS_MAX: usize = 1000;

/// How much is scrubbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrubConfig {
    /// Bytes read in a second at most; 0 turns scrubbing off.
    pub bytes_per_second: u64,
    /// Time from the beginning of one pass to that of the next, in ms.
    pub interval_ms: i64,
}

/// What scrubbing has done since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScrubStats {
    /// Bytes read.
    pub bytes: u64,
    /// Passes completed.
    pub passes: u64,
    /// Damaged stretches found, by readers too; each pass counts them again.
    pub found: u64,
}

/// A closed segment that may be read.
pub(crate) struct ScrubSource<D: Disk> {
    pub(crate) files: Rc<SegmentFiles<D>>,
    pub(crate) end_offset: i64,
    pub(crate) size: u64,
}

/// See the module.
pub(crate) struct Scrub<D: Disk> {
    config: ScrubConfig,
    /// The log from which passes go round.
    first: TopicPartitionId,
    pass: Option<Pass<D>>,
    due_ms: i64,
    wanted: bool,
    in_flight: bool,
    known: BTreeMap<(TopicPartitionId, i64), Vec<Rotten>>,
    stats: ScrubStats,
}

/// A pass that is under way.
struct Pass<D: Disk> {
    began_ms: i64,
    /// Whether it has come round to the logs before the first.
    is_round: bool,
    key: TopicPartitionId,
    /// Segments of that log below are done.
    base_offset: i64,
    within: Option<Within<D>>,
}

/// Where within a segment a pass is.
struct Within<D: Disk> {
    files: Weak<SegmentFiles<D>>,
    position: u64,
    next_offset: i64,
    found: Vec<Rotten>,
}

/// Reading a piece of a segment.
pub struct ScrubJob<D: Disk> {
    key: TopicPartitionId,
    view: SegmentView<D>,
    files: Rc<SegmentFiles<D>>,
    position: u64,
    next_offset: i64,
    bytes_max: u64,
}

/// The outcome of a [`ScrubJob`].
pub struct ScrubDone<D: Disk> {
    key: TopicPartitionId,
    files: Rc<SegmentFiles<D>>,
    path: PathBuf,
    bytes: u64,
    found: Vec<Rotten>,
    /// Position and next offset; `None` when the segment is done, or gone.
    rest: Option<(u64, i64)>,
}

impl<D: Disk> ScrubJob<D> {
    /// Does it.
    pub async fn perform(self) -> ScrubDone<D> {
        let mut survey = Survey::new(&self.view, self.position, self.next_offset);
        let mut found = Vec::new();
        let rest = loop {
            match survey.next().await {
                Ok(Some(Stretch::Rotten(rotten))) => found.push(rotten),
                Ok(Some(Stretch::Whole { .. })) => {}
                // It was removed meanwhile, or cannot be opened: then the next pass finds out.
                Ok(None) | Err(_) => break None,
            }
            if survey.position() - self.position >= self.bytes_max {
                break Some((survey.position(), survey.next_offset()));
            }
        };
        let (bytes, path) = (survey.position() - self.position, survey.path());
        ScrubDone { key: self.key, files: self.files, path, bytes, found, rest }
    }
}

impl<D: Disk> Scrub<D> {
    /// Nothing is read before the first [`Scrub::tick`]. `random` says where passes begin.
    pub(crate) fn new(config: ScrubConfig, random: u64) -> Self {
        let first = TopicPartitionId { topic: Uuid::from_u128(u128::from(random) << 64), partition: 0 };
        let (known, stats) = (BTreeMap::new(), ScrubStats::default());
        Self { config, first, pass: None, due_ms: i64::MIN, wanted: false, in_flight: false, known, stats }
    }

    /// Tells the time, in ms since the epoch; returns when to do so again.
    pub(crate) fn tick(&mut self, now_ms: i64) -> i64 {
        if self.config.bytes_per_second == 0 {
            return i64::MAX;
        }
        // A clock that was set back does not stop it.
        let longest_ms = self.config.interval_ms.max(self.pause_ms(STEP_BYTES_MAX));
        if now_ms >= self.due_ms || self.due_ms > now_ms.saturating_add(longest_ms) {
            self.wanted = !self.in_flight;
            self.due_ms = now_ms.saturating_add(self.pause_ms(self.step_bytes()));
            if self.pass.is_none() && self.wanted {
                let (key, base_offset, within) = (self.first, 0, None);
                self.pass = Some(Pass { began_ms: now_ms, is_round: false, key, base_offset, within });
            }
        }
        self.due_ms
    }

    /// The next piece to read, if it is time.
    pub(crate) fn poll<'a>(
        &mut self,
        logs: impl Fn(TopicPartitionId) -> Option<(TopicPartitionId, &'a Log<D>)>,
    ) -> Option<ScrubJob<D>>
    where
        D: 'a,
    {
        if !std::mem::take(&mut self.wanted) {
            return None;
        }
        let pass = self.pass.as_mut()?;
        for _ in 0..LOGS_MAX {
            let found = logs(pass.key).filter(|(key, _)| !pass.is_round || *key < self.first);
            match found {
                Some((key, log)) => {
                    if key != pass.key {
                        (pass.key, pass.base_offset, pass.within) = (key, 0, None);
                    }
                    if let Some(source) = log.scrub_source(pass.base_offset) {
                        self.in_flight = true;
                        return Some(pass.job(source, self.config.step_bytes()));
                    }
                    (pass.key, pass.base_offset, pass.within) = (behind(key), 0, None);
                }
                None if pass.is_round => {
                    self.end_pass();
                    return None;
                }
                None => {
                    pass.is_round = true;
                    (pass.key, pass.base_offset, pass.within) =
                        (TopicPartitionId { topic: Uuid::from_u128(0), partition: 0 }, 0, None);
                }
            }
        }
        None
    }

    fn end_pass(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.stats.passes += 1;
            let next_ms = pass.began_ms.saturating_add(self.config.interval_ms.max(INTERVAL_MS_MIN));
            self.due_ms = self.due_ms.max(next_ms);
        }
    }

    /// Takes the outcome of a job; returns what was found.
    pub(crate) fn handle(&mut self, done: ScrubDone<D>) -> (TopicPartitionId, PathBuf, Vec<Rotten>) {
        assert!(std::mem::take(&mut self.in_flight), "one job is in flight at a time");
        self.stats.bytes += done.bytes;
        self.stats.found += done.found.len() as u64;
        let base_offset = done.files.base_offset();
        if let Some(pass) = self.pass.as_mut().filter(|pass| pass.key == done.key) {
            let mut found = pass.within.take().map_or_else(Vec::new, |within| within.found);
            found.extend(done.found.iter().take(ROTTEN_MAX.saturating_sub(found.len())).cloned());
            match done.rest {
                Some((position, next_offset)) => {
                    let files = Rc::downgrade(&done.files);
                    pass.within = Some(Within { files, position, next_offset, found });
                }
                None => {
                    pass.base_offset = base_offset + 1;
                    // What is known now is exactly what this pass has found.
                    self.known.remove(&(done.key, base_offset));
                    if !found.is_empty() {
                        self.known.insert((done.key, base_offset), found);
                    }
                }
            }
        }
        (done.key, done.path, done.found)
    }

    /// A reader has met damage. Returns whether it is news.
    pub(crate) fn note(&mut self, key: TopicPartitionId, segment_base: i64, rotten: &Rotten) -> bool {
        let known = self.known.entry((key, segment_base)).or_default();
        if known.len() >= ROTTEN_MAX || known.iter().any(|other| other.position == rotten.position) {
            return false;
        }
        known.push(rotten.clone());
        self.stats.found += 1;
        true
    }

    /// A log has gone.
    pub(crate) fn forget(&mut self, key: TopicPartitionId) {
        self.known.retain(|(other, _), _| *other != key);
    }

    /// What is known to be damaged, by log and segment.
    pub(crate) fn known(&self) -> impl Iterator<Item = (TopicPartitionId, i64, &Rotten)> {
        self.known.iter().flat_map(|((key, base_offset), all)| all.iter().map(|rotten| (*key, *base_offset, rotten)))
    }

    /// What was done.
    pub(crate) fn stats(&self) -> ScrubStats {
        self.stats
    }

    fn step_bytes(&self) -> u64 {
        self.config.step_bytes()
    }

    fn pause_ms(&self, bytes: u64) -> i64 {
        i64::try_from(bytes.saturating_mul(1000) / self.config.bytes_per_second.max(1)).unwrap_or(i64::MAX).max(1)
    }
}

impl ScrubConfig {
    /// About half a second's worth.
    fn step_bytes(&self) -> u64 {
        (self.bytes_per_second / 2).clamp(STEP_BYTES_MIN, STEP_BYTES_MAX)
    }
}

impl<D: Disk> Pass<D> {
    fn job(&mut self, source: ScrubSource<D>, bytes_max: u64) -> ScrubJob<D> {
        let ScrubSource { files, end_offset, size } = source;
        self.base_offset = files.base_offset();
        // A segment that compaction has replaced meanwhile begins anew.
        self.within.take_if(|within| !within.files.upgrade().is_some_and(|other| Rc::ptr_eq(&other, &files)));
        let (position, next_offset) =
            self.within.as_ref().map_or((0, files.base_offset()), |within| (within.position, within.next_offset));
        let view = SegmentView::new(&files, end_offset, size, (size, Vec::new()), Some(0));
        ScrubJob { key: self.key, view, files, position, next_offset, bytes_max }
    }
}

/// The least key behind another.
fn behind(key: TopicPartitionId) -> TopicPartitionId {
    match key.partition.checked_add(1) {
        Some(partition) => TopicPartitionId { partition, ..key },
        None => {
            TopicPartitionId { topic: Uuid::from_u128(u128::from_be_bytes(key.topic.0).wrapping_add(1)), partition: 0 }
        }
    }
}
