//! What records hold: filler behind the stamp, and keys. Repeatable: the same producer makes the same.

use crate::payload::{HEADER_BYTES, Stamp};
use crate::scenario::{KeyDistribution, Keys};

/// Bytes of different records when nothing is compressed: they stay in the processor's cache.
const PLAIN_POOL_BYTES: usize = 64 << 10;
/// Bytes of different records when batches are compressed: repetition would flatter the codec.
const COMPRESSED_POOL_BYTES: usize = 8 << 20;
/// Zipf's exponent where a scenario does not say.
const ZIPF_EXPONENT: f64 = 0.99;
/// Bytes of a key.
const KEY_BYTES: usize = 8;

/// Xorshift64*: quick, and good enough for filler and keys.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> Random {
        // SplitMix64's step spreads small seeds, and is never 0 but for one.
        let mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Random((mixed ^ (mixed >> 31)) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// From 0 to below 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Records, used in turn.
#[derive(Debug, Clone)]
pub struct Filler {
    records: Vec<Vec<u8>>,
    turn: usize,
}

impl Filler {
    /// Records of `record_bytes`, of which `random_share` is random.
    pub fn new(seed: u64, record_bytes: usize, random_share: f64, is_compressed: bool) -> Filler {
        let pool = if is_compressed { COMPRESSED_POOL_BYTES } else { PLAIN_POOL_BYTES };
        let mut random = Random::new(seed);
        let random_bytes = ((record_bytes - HEADER_BYTES) as f64 * random_share).round() as usize;
        let record = |_| {
            let mut record = vec![b'.'; record_bytes];
            for piece in record[HEADER_BYTES..HEADER_BYTES + random_bytes].chunks_mut(8) {
                piece.copy_from_slice(&random.next().to_le_bytes()[..piece.len()]);
            }
            record
        };
        Filler { records: (0..(pool / record_bytes).max(1)).map(record).collect(), turn: 0 }
    }

    /// The next record, stamped.
    #[inline]
    pub fn stamped(&mut self, stamp: &Stamp) -> &[u8] {
        self.turn = if self.turn + 1 < self.records.len() { self.turn + 1 } else { 0 };
        let record = &mut self.records[self.turn];
        stamp.write(record);
        record
    }
}

/// Chooses keys.
#[derive(Debug, Clone)]
pub struct KeyChooser {
    random: Random,
    distribution: Distribution,
}

#[derive(Debug, Clone)]
enum Distribution {
    Uniform { count: u64 },
    Zipf(Zipf),
}

impl KeyChooser {
    /// A chooser with a sequence of its own for each seed.
    pub fn new(seed: u64, keys: &Keys) -> KeyChooser {
        let distribution = match keys.distribution {
            KeyDistribution::Uniform => Distribution::Uniform { count: u64::from(keys.count) },
            KeyDistribution::Zipf => {
                Distribution::Zipf(Zipf::new(f64::from(keys.count), keys.exponent.unwrap_or(ZIPF_EXPONENT)))
            }
        };
        KeyChooser { random: Random::new(seed ^ 0x006b_6579), distribution }
    }

    /// The next key's number, from 0.
    pub fn number(&mut self) -> u64 {
        match &self.distribution {
            Distribution::Uniform { count } => self.random.next() % count,
            Distribution::Zipf(zipf) => zipf.sample(&mut self.random) - 1,
        }
    }

    /// The next key.
    pub fn next(&mut self) -> [u8; KEY_BYTES] {
        self.number().to_be_bytes()
    }
}

/// Zipf's distribution by rejection-inversion (Hörmann and Derflinger, 1996): no table.
#[derive(Debug, Clone)]
struct Zipf {
    count: f64,
    exponent: f64,
    /// The hat's integral at its ends.
    low: f64,
    high: f64,
    /// What is accepted without looking.
    shortcut: f64,
}

impl Zipf {
    fn new(count: f64, exponent: f64) -> Zipf {
        let mut zipf = Zipf { count, exponent, low: 0.0, high: 0.0, shortcut: 0.0 };
        zipf.low = zipf.integral(1.5) - 1.0;
        zipf.high = zipf.integral(count + 0.5);
        zipf.shortcut = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.density(2.0));
        zipf
    }

    fn density(&self, x: f64) -> f64 {
        x.powf(-self.exponent)
    }

    fn integral(&self, x: f64) -> f64 {
        let power = 1.0 - self.exponent;
        if power.abs() < 1e-9 { x.ln() } else { (x.powf(power) - 1.0) / power }
    }

    fn inverse(&self, y: f64) -> f64 {
        let power = 1.0 - self.exponent;
        if power.abs() < 1e-9 { y.exp() } else { (1.0 + y * power).max(0.0).powf(1.0 / power) }
    }

    /// From 1 to `count`.
    fn sample(&self, random: &mut Random) -> u64 {
        loop {
            let u = self.high + random.unit() * (self.low - self.high);
            let x = self.inverse(u);
            let k = (x + 0.5).floor().clamp(1.0, self.count);
            if k - x <= self.shortcut || u >= self.integral(k + 0.5) - self.density(k) {
                return k as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(keys: &Keys, draws: u32) -> Vec<f64> {
        let mut chooser = KeyChooser::new(1, keys);
        let mut counts = vec![0.0; keys.count as usize];
        for _ in 0..draws {
            counts[chooser.number() as usize] += 1.0;
        }
        counts
    }

    #[test]
    fn zipf_keys_come_as_often_as_their_rank_says() {
        for exponent in [0.5, 0.99, 1.0, 2.0] {
            let keys = Keys { distribution: KeyDistribution::Zipf, count: 50, exponent: Some(exponent) };
            let draws = 400_000;
            let found = counts(&keys, draws);
            let sum: f64 = (1..=50).map(|rank| f64::from(rank).powf(-exponent)).sum();
            for (rank, count) in (1..).zip(&found).take(8) {
                let expected = f64::from(draws) * f64::from(rank).powf(-exponent) / sum;
                assert!(
                    (count / expected - 1.0).abs() < 0.1,
                    "exponent {exponent}, rank {rank}: {count} of {expected}"
                );
            }
        }
    }

    #[test]
    fn uniform_keys_all_come() {
        let found = counts(&Keys { distribution: KeyDistribution::Uniform, count: 20, exponent: None }, 100_000);
        assert!(found.iter().all(|count| (4_500.0..5_500.0).contains(count)), "{found:?}");
    }

    #[test]
    fn filler_is_as_random_as_it_is_told_and_keeps_its_stamp() {
        let stamp = Stamp { run: 1, producer: 2, sequence: 3, intended_ns: 4 };
        let mut filler = Filler::new(7, 1032, 0.5, false);
        let record = filler.stamped(&stamp).to_vec();
        assert_eq!(record.len(), 1032);
        assert_eq!(Stamp::read(&record), Some(stamp));
        assert!(record[532..].iter().all(|byte| *byte == b'.'), "half is constant");
        assert!(record[HEADER_BYTES..532].iter().filter(|byte| **byte == b'.').count() < 50, "half is not");
        assert_ne!(filler.stamped(&stamp)[HEADER_BYTES..], record[HEADER_BYTES..], "the next one is another");
        assert_eq!(Filler::new(7, HEADER_BYTES, 1.0, true).stamped(&stamp).len(), HEADER_BYTES);
    }
}
