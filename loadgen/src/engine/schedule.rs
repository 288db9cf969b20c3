//! When records are due: fixed before the run, whatever becomes of those before.

use super::clock::Nanos;

/// Record `i` is due at `start + (i + phase) · interval`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    start: f64,
    interval: f64,
}

impl Schedule {
    /// `rate` records a second from `start`; `phase` (0 to 1) sets several producers' records apart.
    ///
    /// # Panics
    /// If the rate is not above 0.
    pub fn new(start: Nanos, rate: f64, phase: f64) -> Schedule {
        assert!(rate > 0.0, "a schedule has a rate");
        let interval = 1e9 / rate;
        Schedule { start: start as f64 + phase * interval, interval }
    }

    /// When record `index` is due.
    #[inline]
    pub fn due(&self, index: u64) -> Nanos {
        (self.start + index as f64 * self.interval) as Nanos
    }

    /// How many records are due before `end`.
    pub fn count_before(&self, end: Nanos) -> u64 {
        let passed = (end as f64 - self.start) / self.interval;
        if passed <= 0.0 { 0 } else { passed.ceil() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_and_its_count_agree() {
        for (start, rate, phase) in
            [(0, 1.0, 0.0), (5_000_000_000, 3.0, 0.5), (7, 1e6, 0.25), (1 << 50, 12_345.678, 0.9)]
        {
            let schedule = Schedule::new(start, rate, phase);
            assert_eq!(schedule.count_before(start), 0);
            for count in [1, 2, 10, 1000] {
                let due = schedule.due(count - 1);
                assert!(schedule.count_before(due + 2) >= count, "{count} at {rate}");
                assert!(schedule.count_before(due.saturating_sub(1)) <= count, "{count} at {rate}");
            }
        }
        assert_eq!(Schedule::new(0, 1000.0, 0.0).count_before(1_000_000_000), 1000);
    }
}
