//! Waiting for a machine that has nothing else to do.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::procfs::{self, Machine};

/// A busy share of all processors that counts as idle.
const IDLE_SHARE: f64 = 0.05;
const SAMPLE: Duration = Duration::from_secs(1);

/// Waits for a second in which the machine was idle; after `within`, gives up and tells how busy it was, as a share of all processors.
///
/// # Errors
/// When `/proc` is not readable.
pub fn wait_until_idle(within: Duration) -> io::Result<Option<f64>> {
    let deadline = Instant::now() + within;
    loop {
        let (before, at) = (Machine::read()?, Instant::now());
        thread::sleep(SAMPLE);
        let used = Machine::read()? - before;
        let share = (used.busy + used.steal).as_secs_f64() / (at.elapsed().as_secs_f64() * procfs::processors() as f64);
        if share <= IDLE_SHARE {
            return Ok(None);
        }
        if Instant::now() >= deadline {
            return Ok(Some(share));
        }
    }
}
