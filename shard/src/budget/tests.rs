//! The budget is fair, bounded, and never deadlocks those who hold part of it.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use super::*;

/// Grows a reservation in a future that owns it.
fn growing(mut reservation: Reservation, more: usize) -> LocalBoxFuture<'static, Reservation> {
    async move {
        reservation.grow(more).await;
        reservation
    }
    .boxed_local()
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("there is room")
}

#[test]
fn waiters_are_served_in_turn_as_bytes_come_back() {
    let budget = Budget::new(10);
    let first = now(budget.reserve(6));
    let mut second = budget.reserve(8).boxed_local();
    let mut third = budget.reserve(1).boxed_local();
    assert!((&mut second).now_or_never().is_none());
    assert!((&mut third).now_or_never().is_none(), "nobody overtakes");
    drop(first);
    assert_eq!(now(second).bytes(), 8);
    drop(now(third));
    assert_eq!((budget.used(), budget.is_short()), (0, false));
}

#[test]
fn those_who_hold_and_wait_for_each_other_get_on() {
    let budget = Budget::new(10);
    let (first, second) = (now(budget.reserve(4)), now(budget.reserve(6)));
    let mut first = growing(first, 4);
    let mut second = growing(second, 4);
    assert!((&mut first).now_or_never().is_none());
    assert!((&mut second).now_or_never().is_some_and(|all| all.bytes() == 10), "the larger one goes on");
    assert_eq!(now(first).bytes(), 8);
    assert_eq!(budget.used(), 0);
}

#[test]
fn no_more_than_half_is_given_to_those_who_can_do_with_less() {
    let budget = Budget::new(10);
    let half = budget.try_reserve(5).expect("half is there");
    assert!(budget.try_reserve(1).is_none());
    assert_eq!(now(budget.reserve(5)).bytes(), 5, "the other half is for the others");
    drop(half);
    assert_eq!(budget.used(), 0);
}

#[test]
fn a_waiter_that_has_gone_holds_nobody_up() {
    let budget = Budget::new(10);
    let first = now(budget.reserve(6));
    let mut gone = budget.reserve(10).boxed_local();
    assert!((&mut gone).now_or_never().is_none());
    let mut next = budget.reserve(4).boxed_local();
    assert!((&mut next).now_or_never().is_none());
    drop(gone);
    drop(first);
    assert_eq!(now(next).bytes(), 4);
    assert_eq!(budget.used(), 0);
}

#[test]
fn what_is_shrunk_comes_back() {
    let budget = Budget::new(10);
    let mut reservation = now(budget.reserve(10));
    reservation.shrink_to(3);
    assert_eq!(budget.used(), 3);
    reservation.shrink_to(8);
    assert_eq!(reservation.bytes(), 3);
}
