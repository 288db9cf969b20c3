//! The random numbers of a run. Each purpose has a stream of its own, so that one more draw for one purpose does not change
//! everything else about a seed.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use engine::memory_disk::Random;

/// A stream of random numbers; a clone draws from the same stream.
#[derive(Clone)]
pub struct Dice(Rc<RefCell<Random>>);

impl Dice {
    /// The stream of that seed.
    pub fn new(seed: u64) -> Dice {
        // The generator's neighbours share their sequence, one draw apart: the seed itself is drawn.
        let mut random = Random::new(seed);
        Dice(Rc::new(RefCell::new(Random::new(random.draw()))))
    }

    /// A stream of its own that follows from this one.
    pub fn fork(&self) -> Dice {
        Dice::new(self.bits())
    }

    /// 64 random bits.
    pub fn bits(&self) -> u64 {
        self.0.borrow_mut().draw()
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&self, bound: u64) -> u64 {
        self.0.borrow_mut().below(bound)
    }

    /// A number of the range.
    pub fn within(&self, range: RangeInclusive<u64>) -> u64 {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// True in `percent` of 100 draws.
    pub fn chance(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of the choices, of which there is at least one.
    pub fn pick<'a, T>(&self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// A time within the range, short ones being likelier: most of a device's latencies are near its best.
    pub fn delay(&self, range: &RangeInclusive<Duration>) -> Duration {
        let spread = range.end().saturating_sub(*range.start()).as_nanos() as u64;
        let whole = self.below(spread + 1);
        let part = if self.chance(80) { whole / 16 } else { whole };
        *range.start() + Duration::from_nanos(part)
    }
}
