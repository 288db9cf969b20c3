//! What happened in a run, one line per event: hashed always, shown on demand. Two runs of one seed have the same hash.

use std::cell::Cell;
use std::fmt::{self, Write};
use std::rc::Rc;

use crate::clock::Clock;

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// FNV-1a of the text written to it.
struct Hash(u64);

impl Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
        Ok(())
    }
}

struct Inner {
    clock: Clock,
    show: bool,
    hash: Cell<u64>,
    events: Cell<u64>,
}

/// The log of a run's events; a clone is the same one.
#[derive(Clone)]
pub struct Trace(Rc<Inner>);

impl Trace {
    /// An empty log; `show` prints each event to stdout.
    pub fn new(clock: Clock, show: bool) -> Trace {
        Trace(Rc::new(Inner { clock, show, hash: Cell::new(FNV_OFFSET), events: Cell::new(0) }))
    }

    /// Adds an event.
    pub fn event(&self, what: fmt::Arguments<'_>) {
        let now_ns = self.0.clock.now_ns();
        let mut hash = Hash(self.0.hash.get());
        writeln!(hash, "{now_ns} {what}").expect("hashing does not fail");
        self.0.hash.set(hash.0);
        self.0.events.set(self.0.events.get() + 1);
        if self.0.show {
            println!("{:>14.6} {what}", now_ns as f64 / 1e6);
        }
    }

    /// The hash of all events so far.
    pub fn hash(&self) -> u64 {
        self.0.hash.get()
    }

    /// How many events there were.
    pub fn events(&self) -> u64 {
        self.0.events.get()
    }
}
