//! One clock for all threads of a run.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since a run's origin.
pub type Nanos = u64;

/// Counts from the run's origin; monotonic, and anchored once to the wall clock so that other processes can read what records bear.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
    wall_ns: i64,
}

impl Clock {
    /// A clock whose origin is now.
    pub fn start() -> Clock {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Clock { origin: Instant::now(), wall_ns: i64::try_from(since.as_nanos()).unwrap_or(i64::MAX) }
    }

    /// Now.
    pub fn now(&self) -> Nanos {
        nanos(self.origin.elapsed())
    }

    /// A moment in ns since the epoch.
    pub fn wall(&self, at: Nanos) -> i64 {
        self.wall_ns.saturating_add(i64::try_from(at).unwrap_or(i64::MAX))
    }

    /// The origin on the wall clock.
    pub fn origin(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(u64::try_from(self.wall_ns).unwrap_or(0))
    }
}

/// A duration as a number.
pub fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Seconds as a number of ns; what is negative is nothing.
pub fn seconds(seconds: f64) -> Nanos {
    (seconds.max(0.0) * 1e9) as u64
}
