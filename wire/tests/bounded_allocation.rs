//! A length that the bytes do not cover allocates nothing, whatever it claims.
//!
//! Has a process of its own, because it counts all allocations of the test's thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use wire::api::{FetchRequest, JoinGroupRequest, MetadataRequest, MetadataResponse, OffsetCommitRequest};
use wire::codec::{DecodeError, Reader};
use wire::message::Message;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on unchanged to the system's allocator; the counter is a thread-local without a destructor
// and without allocation of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.with(|allocated| allocated.set(allocated.get() + layout.size()));
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes allocated while decoding, which must fail.
fn allocated_by<M: Message>(bytes: &[u8], version: i16) -> (usize, DecodeError) {
    let before = ALLOCATED.get();
    let refused = M::decode(&mut Reader::new(bytes), version);
    let allocated = ALLOCATED.get() - before;
    (allocated, refused.err().expect("the count is not covered"))
}

#[test]
fn an_absurd_count_is_refused_without_allocating() {
    let counter_works = ALLOCATED.get();
    drop(std::hint::black_box(Vec::<u8>::with_capacity(1000)));
    assert_eq!(ALLOCATED.get() - counter_works, 1000);

    let (allocated, error) = allocated_by::<MetadataRequest>(&i32::MAX.to_be_bytes(), 1);
    assert_eq!((allocated, error), (0, DecodeError::TooManyElements(i32::MAX as usize)));
    let (allocated, error) = allocated_by::<MetadataRequest>(&1_000_000_i32.to_be_bytes(), 1);
    assert_eq!((allocated, error), (0, DecodeError::Truncated { needed: 1_000_000, left: 0 }));
    let (allocated, _) = allocated_by::<MetadataRequest>(&[0xff, 0xff, 0xff, 0xff, 0x0f], 13);
    assert_eq!(allocated, 0);
    let (allocated, _) = allocated_by::<MetadataResponse>(&[0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff], 3);
    assert_eq!(allocated, 0);
}

#[test]
fn an_absurd_string_is_refused_without_allocating() {
    let (allocated, error) = allocated_by::<OffsetCommitRequest>(&[0x7f, 0xff, b'a'], 2);
    assert_eq!((allocated, error), (0, DecodeError::Truncated { needed: 0x7fff, left: 1 }));
    let (allocated, _) = allocated_by::<JoinGroupRequest>(&[0xff, 0xff, 0xff, 0xff, 0x0f, b'a'], 9);
    assert_eq!(allocated, 0);
}

#[test]
fn elements_are_allocated_at_most_a_thousand_ahead() {
    // A million topics are announced and a million bytes follow, but the first element is not a topic.
    let mut bytes = vec![0xff; 26 + 1_000_000];
    bytes[..21].fill(0);
    bytes[17..21].copy_from_slice(&1_000_000_i32.to_be_bytes());
    let (allocated, error) = allocated_by::<FetchRequest>(&bytes, 4);
    assert_eq!(error, DecodeError::UnexpectedNull);
    assert!((1..1_000_000).contains(&allocated), "{allocated} bytes");
}
