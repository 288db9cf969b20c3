//! One number for all of a scenario's parameters.

use super::Scenario;

impl Scenario {
    /// The scenario as TOML, every parameter in it.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a scenario is tables of numbers and texts")
    }

    /// FNV-1a (64 bit, hex) over [`Scenario::to_toml`].
    pub fn hash(&self) -> String {
        format!("{:016x}", fnv1a(self.to_toml().as_bytes()))
    }
}

/// FNV-1a, 64 bit.
fn fnv1a(bytes: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.iter().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}
