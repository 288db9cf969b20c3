//! Systems side by side: adjacent pairs in counterbalanced random order, and the ratios that they make.
//!
//! The first system is compared with each of the others: for every pair it runs right before or right after the other one, so that a
//! machine that slows down or speeds up does so for both. Of two pairs that follow each other one has the first system first, the other
//! has it last (A B B A or B A A B, by chance). What is claimed is the geometric mean of the pairs' ratios with its interval, and only
//! outside of what two equal systems would have seemed to differ by; every run is kept, also the suspect ones, with the reason.
//!
//! Start reading at [`schedule`] (who runs when), [`report`] (what comes of it).

pub mod limits;
pub mod metrics;
pub mod report;
pub mod statistics;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use tests::made_result;

use crate::result::Comparison;

/// Systems in one comparison, at most: each but the first makes a comparison of its own with the first.
pub const SYSTEMS_MAX: usize = 8;

/// One run of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Which of the systems.
    pub system: usize,
    /// Its place, as the result tells it.
    pub place: Comparison,
}

/// The runs of a comparison of `systems`, in order; `id` begins the ids of what the first makes with each of the others, and `seed`
/// decides who is first.
///
/// # Panics
/// With fewer than two systems or more than [`SYSTEMS_MAX`].
pub fn schedule(id: &str, systems: &[&str], pairs: u32, seed: u64) -> Vec<Turn> {
    assert!((2..=SYSTEMS_MAX).contains(&systems.len()), "a comparison has from 2 to {SYSTEMS_MAX} systems");
    let ids: Vec<String> = (1..systems.len())
        .map(|other| {
            // Two of one kind among the others are told apart by their place.
            let again = systems[1..other].contains(&systems[other]);
            let number = if again { format!("-{other}") } else { String::new() };
            format!("{id}-{}-{}{number}", systems[0], systems[other])
        })
        .collect();
    let mut turns = Vec::new();
    for pair in 1..=pairs {
        for (other, id) in (1..).zip(&ids) {
            let a_first = coin(seed, (pair - 1) / 2, other) == (pair % 2 == 1);
            let order = if a_first { [("a", 0), ("b", other)] } else { [("b", other), ("a", 0)] };
            for (position, (side, system)) in (1..).zip(order) {
                let place = Comparison { id: id.clone(), pair, side: side.to_owned(), position };
                turns.push(Turn { system, place });
            }
        }
    }
    turns
}

/// A fair coin for a block of two pairs with one of the others (SplitMix64's finalizer).
fn coin(seed: u64, block: u32, other: usize) -> bool {
    let mut bits = seed ^ (u64::from(block) << 8 | other as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ (bits >> 31)) & 1 == 1
}
