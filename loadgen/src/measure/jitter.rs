//! How late this machine wakes a sleeping thread: what no client's latency can be below.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Latencies;

/// How long it sleeps each time.
const SLEEP: Duration = Duration::from_millis(1);

/// A thread that sleeps and looks how late it wakes.
#[derive(Debug)]
pub struct Jitter {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Latencies>,
}

impl Jitter {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start() -> std::io::Result<Jitter> {
        let is_over = Arc::new(AtomicBool::new(false));
        let seen = is_over.clone();
        let thread = thread::Builder::new().name("jitter".into()).spawn(move || {
            let mut latencies = Latencies::default();
            while !seen.load(Ordering::Relaxed) {
                let before = Instant::now();
                thread::sleep(SLEEP);
                latencies.record(before.elapsed().saturating_sub(SLEEP), 1);
            }
            latencies
        })?;
        Ok(Jitter { is_over, thread })
    }

    /// Ends it and returns how late it woke.
    ///
    /// # Panics
    /// If the thread did.
    pub fn stop(self) -> Latencies {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("the jitter thread does not panic")
    }
}
