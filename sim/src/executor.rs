//! The executor: one thread, and the dice choose which of the tasks that can run is next.
//!
//! Every task belongs to an owner, a life of a process: when it crashes, all its tasks are dropped at once, wherever they
//! wait. Ids are never used twice, so that a timer or a waker of a task that has gone wakes nobody.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use thiserror::Error;

use crate::clock::Clock;
use crate::dice::Dice;

/// Polls after which a run counts as one that gets nowhere; ordinary ones need a hundredth.
const POLLS_MAX: u64 = 20_000_000;

/// Why a run ended before its main task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Stuck {
    /// Every task waits for another one.
    #[error("every task waits, and no timer is set")]
    Deadlock,
    /// Tasks wake each other for ever.
    #[error("no end after {POLLS_MAX} polls")]
    Livelock,
}

/// Who a task belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner(u64);

type Ready = Arc<Mutex<Vec<u64>>>;

struct TaskWaker {
    id: u64,
    queued: AtomicBool,
    ready: Ready,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.lock().unwrap_or_else(PoisonError::into_inner).push(self.id);
        }
    }
}

type BoxedTask = Pin<Box<dyn Future<Output = ()>>>;

struct Task {
    owner: Owner,
    /// Taken out while it is polled.
    future: Option<BoxedTask>,
    waker: Arc<TaskWaker>,
}

struct Inner {
    clock: Clock,
    dice: Dice,
    tasks: RefCell<BTreeMap<u64, Task>>,
    frozen: RefCell<BTreeSet<Owner>>,
    ready: Ready,
    next_id: Cell<u64>,
    polls: Cell<u64>,
}

/// The executor; a clone is the same one.
#[derive(Clone)]
pub struct Executor(Rc<Inner>);

impl Executor {
    /// An executor without tasks.
    pub fn new(clock: Clock, dice: Dice) -> Executor {
        Executor(Rc::new(Inner {
            clock,
            dice,
            tasks: RefCell::default(),
            frozen: RefCell::default(),
            ready: Ready::default(),
            next_id: Cell::new(0),
            polls: Cell::new(0),
        }))
    }

    /// The clock that moves when nothing can run.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Polls so far.
    pub fn polls(&self) -> u64 {
        self.0.polls.get()
    }

    /// Somebody new for tasks to belong to.
    pub fn new_owner(&self) -> Owner {
        Owner(self.new_id())
    }

    fn new_id(&self) -> u64 {
        let id = self.0.next_id.get();
        self.0.next_id.set(id + 1);
        id
    }

    /// Adds a task.
    pub fn spawn(&self, owner: Owner, future: impl Future<Output = ()> + 'static) {
        let id = self.new_id();
        let waker = Arc::new(TaskWaker { id, queued: AtomicBool::new(false), ready: self.0.ready.clone() });
        waker.wake_by_ref();
        self.0.tasks.borrow_mut().insert(id, Task { owner, future: Some(Box::pin(future)), waker });
    }

    /// Drops the owner's tasks. Not to be called by one of them.
    pub fn kill(&self, owner: Owner) {
        let killed: Vec<Task> =
            self.0.tasks.borrow_mut().extract_if(.., |_, task| task.owner == owner).map(|(_, task)| task).collect();
        // Dropped here, where the table is not borrowed: a destructor may spawn or wake.
        drop(killed);
        self.0.frozen.borrow_mut().remove(&owner);
    }

    /// Stops polling the owner's tasks, until [`Executor::thaw`] or [`Executor::kill`]. One of them may call it.
    pub fn freeze(&self, owner: Owner) {
        self.0.frozen.borrow_mut().insert(owner);
    }

    /// Polls the owner's tasks again: each once, since it may have missed what it waits for.
    pub fn thaw(&self, owner: Owner) {
        if self.0.frozen.borrow_mut().remove(&owner) {
            let tasks = self.0.tasks.borrow();
            tasks.values().filter(|task| task.owner == owner).for_each(|task| task.waker.wake_by_ref());
        }
    }

    /// Runs everything until the future has ended.
    ///
    /// # Errors
    /// It never will.
    pub fn run<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Result<T, Stuck> {
        let output = Rc::new(RefCell::new(None));
        let slot = output.clone();
        let owner = self.new_owner();
        self.spawn(owner, async move {
            let value = future.await;
            *slot.borrow_mut() = Some(value);
        });
        loop {
            while let Some(id) = self.next() {
                self.poll(id);
                if let Some(value) = output.borrow_mut().take() {
                    return Ok(value);
                }
                if self.polls() > POLLS_MAX {
                    return Err(Stuck::Livelock);
                }
            }
            if !self.0.clock.advance() {
                return Err(Stuck::Deadlock);
            }
        }
    }

    fn next(&self) -> Option<u64> {
        let mut ready = self.0.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let count = ready.len() as u64;
        (count > 0).then(|| ready.swap_remove(self.0.dice.below(count) as usize))
    }

    fn poll(&self, id: u64) {
        let (mut future, waker) = {
            let mut tasks = self.0.tasks.borrow_mut();
            let Some(task) = tasks.get_mut(&id) else { return };
            task.waker.queued.store(false, Ordering::Relaxed);
            if self.0.frozen.borrow().contains(&task.owner) {
                return;
            }
            (task.future.take().expect("a task is polled by nobody else"), Waker::from(task.waker.clone()))
        };
        self.0.polls.set(self.polls() + 1);
        let ended = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        let mut tasks = self.0.tasks.borrow_mut();
        if ended {
            tasks.remove(&id);
        } else if let Some(task) = tasks.get_mut(&id) {
            task.future = Some(future);
            return;
        }
        drop(tasks);
        drop(future);
    }
}

/// Wakes everybody who waits for something to change.
#[derive(Default)]
pub struct Notify {
    count: Cell<u64>,
    wakers: RefCell<Vec<Waker>>,
}

impl Notify {
    /// Something has changed.
    pub fn notify(&self) {
        self.count.set(self.count.get() + 1);
        for waker in self.wakers.take() {
            waker.wake();
        }
    }

    /// Returns at the first change after the call.
    pub fn changed(&self) -> impl Future<Output = ()> + '_ {
        let seen = self.count.get();
        std::future::poll_fn(move |context| {
            if self.count.get() != seen {
                return Poll::Ready(());
            }
            self.wakers.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn executor(seed: u64) -> Executor {
        Executor::new(Clock::default(), Dice::new(seed))
    }

    fn order_of(seed: u64) -> Vec<usize> {
        let executor = executor(seed);
        let order = Rc::new(RefCell::new(Vec::new()));
        let owner = executor.new_owner();
        for index in 0..8 {
            let (order, clock) = (order.clone(), executor.clock().clone());
            executor.spawn(owner, async move {
                clock.sleep(Duration::from_millis(1)).await;
                order.borrow_mut().push(index);
            });
        }
        let clock = executor.clock().clone();
        executor.run(async move { clock.sleep(Duration::from_millis(2)).await }).unwrap();
        order.take()
    }

    #[test]
    fn the_seed_decides_the_order_of_tasks() {
        assert_eq!(order_of(1), order_of(1));
        assert!((2..20).any(|seed| order_of(seed) != order_of(1)));
    }

    #[test]
    fn a_crash_drops_the_tasks_of_its_owner_only() {
        let executor = executor(1);
        let (victim, other) = (executor.new_owner(), executor.new_owner());
        let count = Rc::new(Cell::new(0));
        for owner in [victim, other] {
            let (count, clock) = (count.clone(), executor.clock().clone());
            executor.spawn(owner, async move {
                clock.sleep(Duration::from_secs(1)).await;
                count.set(count.get() + 1);
            });
        }
        let (inner, clock) = (executor.clone(), executor.clock().clone());
        let ended = executor.run(async move {
            clock.sleep(Duration::from_millis(1)).await;
            inner.kill(victim);
            clock.sleep(Duration::from_secs(2)).await;
        });
        assert_eq!((ended, count.get()), (Ok(()), 1));
    }

    #[test]
    fn waiting_for_nobody_is_told() {
        assert_eq!(executor(1).run(std::future::pending::<()>()), Err(Stuck::Deadlock));
    }

    #[test]
    fn time_jumps_to_the_next_timer_and_a_timeout_ends_what_takes_longer() {
        let executor = executor(1);
        let clock = executor.clock().clone();
        let ended = executor.run(async move {
            let late = clock.timeout(Duration::from_secs(1), clock.sleep(Duration::from_secs(3600))).await;
            (late, clock.timeout(Duration::from_secs(1), async { 7 }).await, clock.now_ns())
        });
        assert_eq!(ended, Ok((None, Some(7), 1_000_000_000)));
    }
}
