//! The broker's disk: [`engine::memory_disk`], which crashes, tears, fills up and fails, behind seeded latencies.

use std::cell::{Cell, RefCell};
use std::ops::RangeInclusive;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use engine::memory_disk::{Latency, MemoryDisk, Operation};

use crate::clock::Clock;
use crate::dice::Dice;
use crate::trace::Trace;

/// The disk of a simulated broker.
pub type SimDisk = MemoryDisk<DiskLatency>;

/// How long operations take.
#[derive(Clone, Debug)]
pub struct DiskProfile {
    /// Writes, syncs and all that changes names.
    pub write: RangeInclusive<Duration>,
    /// Reads and listings.
    pub read: RangeInclusive<Duration>,
}

/// Waits in virtual time, and tells the trace.
#[derive(Clone)]
pub struct DiskLatency {
    clock: Clock,
    dice: Dice,
    trace: Trace,
    profile: DiskProfile,
    compactions: Rc<Cell<u64>>,
    stalled: Rc<RefCell<Option<Stalled>>>,
}

/// Operations that take longer for a while.
struct Stalled {
    /// Part of the path of what is slow.
    path_part: &'static str,
    /// How much longer they take.
    by: Duration,
    /// How often that was so.
    hits: u64,
}

impl DiskLatency {
    /// Latencies of that profile.
    pub fn new(clock: Clock, dice: Dice, trace: Trace, profile: DiskProfile) -> DiskLatency {
        DiskLatency { clock, dice, trace, profile, compactions: Rc::default(), stalled: Rc::default() }
    }

    /// From now on every operation on what has this in its path takes `by` longer.
    pub fn stall(&self, path_part: &'static str, by: Duration) {
        *self.stalled.borrow_mut() = Some(Stalled { path_part, by, hits: 0 });
    }

    /// Ends a stall; returns how many operations it has held up.
    pub fn go_on(&self) -> u64 {
        self.stalled.take().map_or(0, |stalled| stalled.hits)
    }

    fn stall_of(&self, path: &Path) -> Duration {
        match self.stalled.borrow_mut().as_mut() {
            Some(stalled) if path.to_string_lossy().contains(stalled.path_part) => {
                stalled.hits += 1;
                stalled.by
            }
            _ => Duration::ZERO,
        }
    }

    /// How often a compacted segment was about to be put in the place of others.
    pub fn compactions(&self) -> Rc<Cell<u64>> {
        self.compactions.clone()
    }
}

impl Latency for DiskLatency {
    async fn wait(&self, operation: Operation, path: &Path) {
        self.trace.event(format_args!("disk {operation:?} {}", path.display()));
        if operation == Operation::Rename && path.extension().is_some_and(|extension| extension == "swap") {
            self.compactions.set(self.compactions.get() + 1);
        }
        let range = match operation {
            Operation::Open | Operation::List | Operation::Read => &self.profile.read,
            _ => &self.profile.write,
        };
        self.clock.sleep(self.dice.delay(range) + self.stall_of(path)).await;
    }
}
