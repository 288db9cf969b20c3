//! What every record of a run begins with, so that the run can prove what became of it.
//!
//! | at | field |
//! |---|---|
//! | 0 | magic, u32: [`MAGIC`] |
//! | 4 | run, u32 |
//! | 8 | producer, u32 |
//! | 12 | zero, u32 |
//! | 16 | sequence within the producer and the partition, u64 |
//! | 24 | intended send time, in ns since the epoch, i64 |
//!
//! All big-endian. The rest up to the record's size is filler.

/// "PtLg": what tells our records from others.
pub const MAGIC: u32 = 0x5074_4c67;
/// Bytes of the header: the least that a record has.
pub const HEADER_BYTES: usize = 32;

/// The header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Names the run.
    pub run: u32,
    /// Names the producer within the run.
    pub producer: u32,
    /// Counts the producer's records of one partition, from 0.
    pub sequence: u64,
    /// When the record was due, in ns since the epoch.
    pub intended_ns: i64,
}

impl Stamp {
    /// Writes the header over the front of a record.
    ///
    /// # Panics
    /// If the record is shorter than [`HEADER_BYTES`].
    pub fn write(&self, record: &mut [u8]) {
        assert!(record.len() >= HEADER_BYTES, "a record has room for its header");
        record[0..4].copy_from_slice(&MAGIC.to_be_bytes());
        record[4..8].copy_from_slice(&self.run.to_be_bytes());
        record[8..12].copy_from_slice(&self.producer.to_be_bytes());
        record[12..16].fill(0);
        record[16..24].copy_from_slice(&self.sequence.to_be_bytes());
        record[24..32].copy_from_slice(&self.intended_ns.to_be_bytes());
    }

    /// Reads the header; `None` when the record is not one of ours.
    pub fn read(record: &[u8]) -> Option<Stamp> {
        let header: &[u8; HEADER_BYTES] = record.first_chunk()?;
        let (words, _) = header.as_chunks::<4>();
        let [magic, run, producer, zero, high, low, intended_high, intended_low] = words else { return None };
        if u32::from_be_bytes(*magic) != MAGIC || *zero != [0; 4] {
            return None;
        }
        let long = |high: &[u8; 4], low: &[u8; 4]| {
            u64::from(u32::from_be_bytes(*high)) << 32 | u64::from(u32::from_be_bytes(*low))
        };
        Some(Stamp {
            run: u32::from_be_bytes(*run),
            producer: u32::from_be_bytes(*producer),
            sequence: long(high, low),
            intended_ns: long(intended_high, intended_low) as i64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_reads_back_and_others_are_not_ours() {
        let stamp = Stamp { run: 1, producer: 2, sequence: u64::MAX - 3, intended_ns: -4 };
        let mut record = [7; HEADER_BYTES + 1];
        stamp.write(&mut record);
        assert_eq!(Stamp::read(&record), Some(stamp));
        assert_eq!(record[HEADER_BYTES], 7);
        assert_eq!(Stamp::read(&record[..HEADER_BYTES - 1]), None);
        record[0] ^= 1;
        assert_eq!(Stamp::read(&record), None);
    }
}
