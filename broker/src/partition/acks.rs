//! Requests that wait until what they appended has become durable.
//!
//! Invariant: the parked are in the order of their end offsets, and those of one end offset in the order of arrival,
//! so that a flush answers a prefix. Appends arrive in that order; only the duplicate of a batch that is itself not
//! durable yet finds its place behind others.

use std::collections::VecDeque;

use crate::Token;

#[derive(Debug, Clone, Copy)]
struct Parked {
    /// Exclusive: the first offset that need not be durable.
    end_offset: i64,
    token: Token,
}

/// The parked requests of one partition that wait for the same end to move.
#[derive(Debug, Default)]
pub struct Acks {
    parked: VecDeque<Parked>,
}

impl Acks {
    /// Parks a request until the end that is waited for has reached `end_offset`.
    pub fn park(&mut self, end_offset: i64, token: Token) {
        let behind = self.parked.iter().rev().take_while(|parked| parked.end_offset > end_offset).count();
        self.parked.insert(self.parked.len() - behind, Parked { end_offset, token });
    }

    /// The next request whose end offset `end` has reached.
    pub fn release(&mut self, end: i64) -> Option<Token> {
        let first = self.parked.front()?;
        if first.end_offset > end { None } else { self.parked.pop_front().map(|parked| parked.token) }
    }

    /// Forgets a request that no longer waits.
    pub fn cancel(&mut self, token: Token) {
        self.parked.retain(|parked| parked.token != token);
    }

    /// All that are parked, in order; none is afterwards.
    pub fn drain(&mut self) -> impl Iterator<Item = Token> + '_ {
        self.parked.drain(..).map(|parked| parked.token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn released(acks: &mut Acks, end: i64) -> Vec<Token> {
        std::iter::from_fn(|| acks.release(end)).collect()
    }

    #[test]
    fn a_flush_answers_all_up_to_its_end_in_order() {
        let mut acks = Acks::default();
        for (end_offset, token) in [(3, 10), (5, 11), (9, 12)] {
            acks.park(end_offset, token);
        }
        assert_eq!(released(&mut acks, 2), []);
        assert_eq!(released(&mut acks, 5), [10, 11]);
        assert_eq!(released(&mut acks, 9), [12]);
    }

    #[test]
    fn a_duplicate_waits_only_for_the_original() {
        let mut acks = Acks::default();
        for (end_offset, token) in [(3, 10), (5, 11), (3, 12)] {
            acks.park(end_offset, token);
        }
        assert_eq!(released(&mut acks, 3), [10, 12]);
        assert_eq!(released(&mut acks, 5), [11]);
    }

    #[test]
    fn a_cancelled_request_is_not_answered() {
        let mut acks = Acks::default();
        acks.park(3, 10);
        acks.park(3, 11);
        acks.cancel(10);
        assert_eq!(released(&mut acks, 3), [11]);
        assert_eq!(released(&mut acks, 3), []);
    }
}
