//! Random messages for tests: any field may hold anything its type allows, the awkward values more often than chance has it.
//!
//! The seed is `WIRE_SEED` if that is set, and random otherwise; a failing test names it.

use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;

use crate::codec::{Records, Uuid};

/// A type of which a random value can be had.
pub(crate) trait Random: Sized {
    /// Some value.
    fn random(source: &mut Source) -> Self;
}

/// A seeded stream of random values (splitmix64).
#[derive(Debug)]
pub(crate) struct Source {
    state: u64,
}

impl Source {
    /// The stream of that seed.
    pub(crate) fn new(seed: u64) -> Self {
        Source { state: seed }
    }

    /// A seed to be named when a test fails.
    pub(crate) fn seed() -> u64 {
        match std::env::var("WIRE_SEED") {
            Ok(seed) => seed.parse().expect("WIRE_SEED is a number"),
            Err(_) => RandomState::new().hash_one(0),
        }
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    /// A value of whatever type is wanted.
    pub(crate) fn value<T: Random>(&mut self) -> T {
        T::random(self)
    }
}

macro_rules! random_integers {
    ($($type:ty),*) => {$(
        impl Random for $type {
            fn random(source: &mut Source) -> Self {
                match source.below(8) {
                    0 => 0,
                    1 => <$type>::MIN,
                    2 => <$type>::MAX,
                    3 => (0 as $type).wrapping_sub(1),
                    _ => source.bits() as $type,
                }
            }
        }
    )*};
}

random_integers!(i8, i16, u16, i32, i64);

impl Random for bool {
    fn random(source: &mut Source) -> Self {
        source.below(2) == 1
    }
}

impl Random for Uuid {
    fn random(source: &mut Source) -> Self {
        let high = u128::from(source.bits()) << 64;
        let random = Uuid::from_u128(high | u128::from(source.bits()));
        if source.below(4) == 0 { Uuid::ZERO } else { random }
    }
}

impl Random for String {
    fn random(source: &mut Source) -> Self {
        const LETTERS: [char; 8] = ['a', 'Z', '0', '.', '-', 'ß', '→', '🦀'];
        // Beyond 127 bytes a compact length takes two bytes.
        let length = if source.below(8) == 0 { 200 } else { source.below(12) };
        (0..length).map(|_| LETTERS[source.below(LETTERS.len())]).collect()
    }
}

impl Random for Bytes {
    fn random(source: &mut Source) -> Self {
        let length = source.below(40);
        (0..length).map(|_| source.bits() as u8).collect()
    }
}

impl Random for Records {
    fn random(source: &mut Source) -> Self {
        let chunks = source.below(3);
        Records::new((0..chunks).map(|_| source.value()).collect())
    }
}

impl<T: Random> Random for Vec<T> {
    fn random(source: &mut Source) -> Self {
        let length = source.below(4);
        (0..length).map(|_| source.value()).collect()
    }
}

impl<T: Random> Random for Option<T> {
    fn random(source: &mut Source) -> Self {
        if source.below(4) == 0 { None } else { Some(source.value()) }
    }
}
