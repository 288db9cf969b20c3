//! Which bug is planted in this thread, and which marks it has reached.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::{Mark, Mutation};

thread_local! {
    static PLANTED: Cell<Option<Mutation>> = const { Cell::new(None) };
    static MARKS: RefCell<BTreeMap<Mark, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// Has this thread run with a bug from now on, or with none.
pub fn plant(mutation: Option<Mutation>) {
    PLANTED.set(mutation);
}

/// Whether this thread runs with that bug.
pub fn is_planted(mutation: Mutation) -> bool {
    PLANTED.get() == Some(mutation)
}

/// Counts a passage.
pub fn mark(mark: Mark) {
    MARKS.with_borrow_mut(|marks| *marks.entry(mark).or_insert(0) += 1);
}

/// The marks that this thread has reached since the last call, and how often.
pub fn take_marks() -> BTreeMap<Mark, u64> {
    MARKS.take()
}
