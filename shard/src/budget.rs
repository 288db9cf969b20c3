//! How much memory requests, or answers, of one core may hold at a time.
//!
//! A connection reserves before it reads, in the steps in which bytes arrive, and its reservation goes when the answer
//! has been sent. With nothing left it does not read, so TCP pushes back. Reserving what a frame merely announces would let
//! sixty clients that announce 100 MB and send nothing starve everybody else.
//!
//! Invariants: waiters are served first come, first served. When all that is reserved belongs to waiters, who would wait
//! for each other for ever, the one that has the most gets more than there is: so the whole never holds more than the
//! total and one frame.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use futures_channel::oneshot;

/// The bytes that are left, and who waits for some.
pub(crate) struct Budget {
    total: usize,
    used: Cell<usize>,
    waiting: RefCell<VecDeque<Waiter>>,
}

struct Waiter {
    wanted: usize,
    /// What the waiter has already, and keeps while it waits.
    held: usize,
    sender: oneshot::Sender<Reservation>,
}

/// Part of the budget, given back when it is dropped.
pub(crate) struct Reservation {
    budget: Rc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(total: usize) -> Rc<Budget> {
        Rc::new(Budget { total, used: Cell::new(0), waiting: RefCell::default() })
    }

    /// A reservation of nothing, to grow.
    pub(crate) fn nothing(self: &Rc<Self>) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }

    /// Waits for `bytes`. More than the whole budget counts as the whole, so that it is granted once all else is gone.
    pub(crate) async fn reserve(self: &Rc<Self>, bytes: usize) -> Reservation {
        let mut reservation = self.nothing();
        reservation.grow(bytes.min(self.total)).await;
        reservation
    }

    /// `bytes` at once, or nothing: for what may be done with less. At least half of the budget stays for those who cannot.
    pub(crate) fn try_reserve(self: &Rc<Self>, bytes: usize) -> Option<Reservation> {
        let plenty = self.used.get() + bytes <= self.total / 2;
        (plenty && self.waiting.borrow().is_empty()).then(|| self.take(bytes))
    }

    /// Bytes that are reserved now.
    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }

    /// Whether somebody waits.
    pub(crate) fn is_short(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }

    fn take(self: &Rc<Self>, bytes: usize) -> Reservation {
        self.used.set(self.used.get() + bytes);
        Reservation { budget: self.clone(), bytes }
    }

    fn give_back(self: &Rc<Self>, bytes: usize) {
        self.used.set(self.used.get() - bytes);
        self.serve();
    }

    /// Grants what can be granted.
    fn serve(self: &Rc<Self>) {
        while let Some(Waiter { wanted, sender, .. }) = self.next_to_serve() {
            // A waiter that has gone drops the reservation, which comes back here.
            drop(sender.send(self.take(wanted)));
        }
    }

    fn next_to_serve(&self) -> Option<Waiter> {
        let mut waiting = self.waiting.borrow_mut();
        // Those that have gone hold nothing any more.
        waiting.retain(|waiter| !waiter.sender.is_canceled());
        let first = waiting.front()?;
        if self.used.get() + first.wanted <= self.total {
            return waiting.pop_front();
        }
        let held: usize = waiting.iter().map(|waiter| waiter.held).sum();
        if held < self.used.get() {
            return None;
        }
        let (index, _) = waiting.iter().enumerate().max_by_key(|(_, waiter)| waiter.held)?;
        waiting.remove(index)
    }
}

impl Reservation {
    /// Bytes that are reserved.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Waits for `more` bytes, and keeps what there is meanwhile.
    pub(crate) async fn grow(&mut self, more: usize) {
        if more == 0 {
            return;
        }
        let budget = &self.budget;
        if !budget.is_short() && budget.used.get() + more <= budget.total {
            budget.used.set(budget.used.get() + more);
            self.bytes += more;
            return;
        }
        let (sender, receiver) = oneshot::channel();
        budget.waiting.borrow_mut().push_back(Waiter { wanted: more, held: self.bytes, sender });
        budget.serve();
        let mut granted = receiver.await.expect("the budget drops no waiter that is still there");
        self.bytes += std::mem::take(&mut granted.bytes);
    }

    /// Gives back all but `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let excess = self.bytes.saturating_sub(bytes);
        self.bytes -= excess;
        self.budget.clone().give_back(excess);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.clone().give_back(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests;
