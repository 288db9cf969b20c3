//! Virtual time: it stands still while anything can run, then jumps to the next timer.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The wall clock at the start of every run, in ms since the epoch (2026-01-01).
const START_MS: i64 = 1_767_225_600_000;
const NS_PER_MS: u64 = 1_000_000;

#[derive(Default)]
struct Inner {
    now_ns: Cell<u64>,
    /// Keyed by time, then by the order of their making.
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    made: Cell<u64>,
}

/// The clock of a run; a clone is the same one.
#[derive(Clone, Default)]
pub struct Clock(Rc<Inner>);

impl Clock {
    /// Time since the start of the run, in ns.
    pub fn now_ns(&self) -> u64 {
        self.0.now_ns.get()
    }

    /// The wall clock, in ms since the epoch.
    pub fn now_ms(&self) -> i64 {
        START_MS + (self.now_ns() / NS_PER_MS) as i64
    }

    /// Ends when `duration` has passed.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now_ns().saturating_add(duration.as_nanos() as u64))
    }

    /// Ends at a time, or at once when it is past.
    pub fn sleep_until(&self, at_ns: u64) -> Sleep {
        let made = self.0.made.get();
        self.0.made.set(made + 1);
        Sleep { clock: self.clone(), key: (at_ns, made) }
    }

    /// The future's output, or `None` when it takes longer.
    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Option<F::Output> {
        let mut sleep = self.sleep(duration);
        let mut future = pin!(future);
        std::future::poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Pin::new(&mut sleep).poll(context).map(|()| None),
        })
        .await
    }

    /// Jumps to the next timer and wakes all that are due then; false when there is none.
    pub fn advance(&self) -> bool {
        let Some((&(at_ns, _), _)) = self.0.timers.borrow().first_key_value() else { return false };
        self.0.now_ns.set(self.now_ns().max(at_ns));
        loop {
            let due = {
                let mut timers = self.0.timers.borrow_mut();
                let is_due = timers.first_key_value().is_some_and(|(key, _)| key.0 <= at_ns);
                is_due.then(|| timers.pop_first()).flatten()
            };
            match due {
                Some((_, waker)) => waker.wake(),
                None => return true,
            }
        }
    }
}

/// See [`Clock::sleep`].
pub struct Sleep {
    clock: Clock,
    key: (u64, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.clock.now_ns() >= self.key.0 {
            return Poll::Ready(());
        }
        self.clock.0.timers.borrow_mut().insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.0.timers.borrow_mut().remove(&self.key);
    }
}
