//! A core's own io_uring: everything the broker asks of the kernel while it runs, files and sockets alike.
//!
//! It stands beside the executor's ring because the executor's has no writes with RWF_DSYNC. Entries pushed in one turn of
//! the executor are submitted together, by [`Ring::submit_when_asked`], which also takes what completes at once: most
//! sends, and receives whose bytes have come already. Later completions are announced by an eventfd that the executor
//! awaits.
//!
//! Invariant: what an operation points to stays alive and in its place until the kernel has completed it. An
//! [`Operation`] owns it, and one that is dropped early leaves it with the ring.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::RawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use io_uring::{IoUring, squeue};
use slab::Slab;

/// Entries of the submission queue; the kernel's completion queue has twice as many, and never drops one.
const ENTRIES: u32 = 1024;
/// `user_data` of operations whose result nobody waits for.
const DETACHED: u64 = u64::MAX;

/// One core's ring.
pub(crate) struct Ring {
    uring: RefCell<IoUring>,
    operations: RefCell<Slab<Pending>>,
    /// Entries that did not fit into the submission queue, oldest first.
    backlog: RefCell<VecDeque<squeue::Entry>>,
    asked: Cell<bool>,
    submitter: RefCell<Option<Waker>>,
    /// Operations under way that end by themselves.
    finite: Cell<usize>,
    /// Turns in which something was submitted.
    turns: Cell<u64>,
    /// Wait for the next of them.
    watchers: RefCell<Vec<Waker>>,
}

struct Pending {
    is_finite: bool,
    state: State,
}

enum State {
    Pending(Option<Waker>),
    Completed(i32),
    /// Nobody waits any more, but the kernel may still use what the operation points to.
    Abandoned(#[expect(dead_code, reason = "kept alive, not looked at")] Box<dyn Any>),
}

impl Ring {
    /// Sets a ring up for the calling thread. Each completion makes `event`, an eventfd, readable; also one that is taken
    /// at once, because the kernel's flag that leaves those out leaves out all that do not come from a worker thread.
    pub(crate) fn new(event: RawFd) -> io::Result<Rc<Ring>> {
        let uring = IoUring::new(ENTRIES)?;
        uring.submitter().register_eventfd(event)?;
        Ok(Rc::new(Ring {
            uring: RefCell::new(uring),
            operations: RefCell::default(),
            backlog: RefCell::default(),
            asked: Cell::new(false),
            submitter: RefCell::default(),
            finite: Cell::new(0),
            turns: Cell::new(0),
            watchers: RefCell::default(),
        }))
    }

    /// Queues an operation. `keep` owns all memory and descriptors that `entry` points to, at addresses that do not change
    /// when `keep` is moved.
    ///
    /// # Safety
    /// `entry` points to nothing that `keep` does not own or that does not live forever.
    pub(crate) unsafe fn start<T: 'static>(self: &Rc<Self>, entry: squeue::Entry, keep: T) -> Operation<T> {
        self.finite.set(self.finite.get() + 1);
        self.insert(entry, keep, true)
    }

    /// As [`Ring::start`], for what waits for a client and may take for ever.
    ///
    /// # Safety
    /// As for [`Ring::start`].
    pub(crate) unsafe fn start_endless<T: 'static>(self: &Rc<Self>, entry: squeue::Entry, keep: T) -> Operation<T> {
        self.insert(entry, keep, false)
    }

    fn insert<T: 'static>(self: &Rc<Self>, entry: squeue::Entry, keep: T, is_finite: bool) -> Operation<T> {
        let index = self.operations.borrow_mut().insert(Pending { is_finite, state: State::Pending(None) });
        self.push(entry.user_data(index as u64));
        Operation { ring: self.clone(), index, keep: Some(keep) }
    }

    /// Queues an operation that points to no memory and whose result does not matter.
    pub(crate) fn start_detached(&self, entry: squeue::Entry) {
        self.push(entry.user_data(DETACHED));
    }

    fn push(&self, entry: squeue::Entry) {
        self.backlog.borrow_mut().push_back(entry);
        self.asked.set(true);
        if let Some(waker) = self.submitter.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Submits, at the end of each turn of the executor, what was queued in it. Never returns unless the kernel refuses.
    pub(crate) async fn submit_when_asked(self: Rc<Self>) -> io::Error {
        loop {
            poll_fn(|context| {
                if self.asked.replace(false) {
                    return Poll::Ready(());
                }
                *self.submitter.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            })
            .await;
            if let Err(error) = self.submit() {
                return error;
            }
            self.reap();
            self.turns.set(self.turns.get() + 1);
            let watchers = std::mem::take(&mut *self.watchers.borrow_mut());
            watchers.into_iter().for_each(Waker::wake);
        }
    }

    /// Whether an operation is under way that ends by itself.
    pub(crate) fn is_working(&self) -> bool {
        self.finite.get() > 0
    }

    /// Counts the turns in which something was submitted.
    pub(crate) fn turns(&self) -> u64 {
        self.turns.get()
    }

    /// Returns once there have been more turns than `seen`.
    pub(crate) async fn turn_after(&self, seen: u64) {
        poll_fn(|context| {
            if self.turns.get() > seen {
                return Poll::Ready(());
            }
            self.watchers.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Submits everything, or asks to be called again when the kernel wants its completions taken first.
    fn submit(&self) -> io::Result<()> {
        let mut uring = self.uring.borrow_mut();
        let mut backlog = self.backlog.borrow_mut();
        loop {
            let mut queue = uring.submission();
            while let Some(entry) = backlog.pop_front() {
                // SAFETY: `start` was promised that what the entry points to lives until its completion.
                if unsafe { queue.push(&entry) }.is_err() {
                    backlog.push_front(entry);
                    break;
                }
            }
            if queue.is_empty() {
                return Ok(());
            }
            drop(queue);
            match uring.submit() {
                Ok(_) => {}
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EBUSY)) => {
                    self.asked.set(true);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Hands the results of completed operations to those who wait for them.
    pub(crate) fn reap(&self) {
        let mut wakers = Vec::new();
        {
            let mut uring = self.uring.borrow_mut();
            let mut operations = self.operations.borrow_mut();
            for completion in uring.completion() {
                if completion.user_data() == DETACHED {
                    continue;
                }
                let index = completion.user_data() as usize;
                let pending = operations.get_mut(index).expect("an operation completes once");
                self.finite.set(self.finite.get() - usize::from(pending.is_finite));
                match std::mem::replace(&mut pending.state, State::Completed(completion.result())) {
                    State::Pending(waker) => wakers.extend(waker),
                    State::Abandoned(_) => drop(operations.remove(index)),
                    State::Completed(_) => unreachable!("an operation completes once"),
                }
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// An operation under way. Ready with the kernel's answer and what it was given to keep.
pub(crate) struct Operation<T: 'static> {
    ring: Rc<Ring>,
    index: usize,
    keep: Option<T>,
}

impl<T: 'static> Unpin for Operation<T> {}

impl<T: 'static> Future for Operation<T> {
    type Output = (io::Result<u32>, T);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut operations = self.ring.operations.borrow_mut();
        let state = &mut operations.get_mut(self.index).expect("polled after it was ready").state;
        let State::Completed(result) = *state else {
            *state = State::Pending(Some(context.waker().clone()));
            return Poll::Pending;
        };
        operations.remove(self.index);
        drop(operations);
        let keep = self.keep.take().expect("polled after it was ready");
        let result = u32::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
        Poll::Ready((result, keep))
    }
}

impl<T: 'static> Drop for Operation<T> {
    fn drop(&mut self) {
        let Some(keep) = self.keep.take() else { return };
        let mut operations = self.ring.operations.borrow_mut();
        match operations.get_mut(self.index).map(|pending| &mut pending.state) {
            Some(state @ State::Pending(_)) => *state = State::Abandoned(Box::new(keep)),
            _ => drop(operations.try_remove(self.index)),
        }
    }
}
