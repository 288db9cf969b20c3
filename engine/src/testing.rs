//! For the engine's own tests: runs a future that nothing but itself has to wake.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// The future's output; panics when it waits for something.
pub fn run<F: Future>(future: F) -> F::Output {
    match poll_once(future) {
        Some(output) => output,
        None => panic!("the future waits, and nothing would wake it"),
    }
}

/// The future's output, or `None`, and the future dropped, when it waits for something.
pub fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
