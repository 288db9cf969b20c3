//! How much memory the requests of one core may hold at a time.
//!
//! A connection reserves before it reads, in the steps in which bytes arrive, and its reservation goes when the answer
//! has been sent. With nothing left it does not read, so TCP pushes back. Reserving what a frame merely announces would let
//! sixty clients that announce 100 MB and send nothing starve everybody else.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use futures_channel::oneshot;

/// The bytes that are left, and who waits for some, first come first served.
pub(crate) struct Budget {
    total: usize,
    available: Cell<usize>,
    waiting: RefCell<VecDeque<(usize, oneshot::Sender<Reservation>)>>,
}

/// Part of the budget, given back when it is dropped.
pub(crate) struct Reservation {
    budget: Rc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(total: usize) -> Rc<Budget> {
        Rc::new(Budget { total, available: Cell::new(total), waiting: RefCell::default() })
    }

    /// Waits for `bytes`. More than the whole budget counts as the whole, so that it is granted once all else is gone.
    pub(crate) async fn reserve(self: &Rc<Self>, bytes: usize) -> Reservation {
        let bytes = bytes.min(self.total);
        if self.waiting.borrow().is_empty() && bytes <= self.available.get() {
            return self.take(bytes);
        }
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().push_back((bytes, sender));
        match receiver.await {
            Ok(reservation) => reservation,
            Err(oneshot::Canceled) => unreachable!("the budget outlives its reservations' waiters"),
        }
    }

    /// Bytes that are reserved now.
    pub(crate) fn used(&self) -> usize {
        self.total - self.available.get()
    }

    fn take(self: &Rc<Self>, bytes: usize) -> Reservation {
        self.available.set(self.available.get() - bytes);
        Reservation { budget: self.clone(), bytes }
    }

    fn give_back(self: &Rc<Self>, bytes: usize) {
        self.available.set(self.available.get() + bytes);
        loop {
            let mut waiting = self.waiting.borrow_mut();
            match waiting.front() {
                Some((wanted, _)) if *wanted <= self.available.get() => {}
                _ => return,
            }
            let Some((wanted, sender)) = waiting.pop_front() else { return };
            drop(waiting);
            // A waiter that has gone drops the reservation, which comes back here.
            drop(sender.send(self.take(wanted)));
        }
    }
}

impl Reservation {
    /// Adds another reservation of the same budget to this one.
    pub(crate) fn merge(&mut self, mut other: Reservation) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.clone().give_back(self.bytes);
        }
    }
}
