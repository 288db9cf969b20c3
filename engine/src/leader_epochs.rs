//! Leader epochs of a partition: where each began, and Kafka's `leader-epoch-checkpoint` file.
//!
//! The file is text: version `0`, the number of entries, then `<epoch> <start offset>` a line. Batches carry their
//! leader's epoch, so what the file does not know yet after a crash comes back by reading the end of the log.
//! Invariant: epochs and start offsets both rise strictly. Source: Kafka's `LeaderEpochFileCache`.

/// The file's name in a partition's folder.
pub const LEADER_EPOCH_FILE: &str = "leader-epoch-checkpoint";
/// Bytes that the file may have: those of some hundred thousand leaders.
pub const LEADER_EPOCH_BYTES_MAX: usize = 8 << 20;
/// No epoch: what a lookup answers that finds none (Kafka's `UNDEFINED_EPOCH`).
pub const UNDEFINED_EPOCH: i32 = -1;
/// No offset: what a lookup answers that finds none (Kafka's `UNDEFINED_EPOCH_OFFSET`).
pub const UNDEFINED_EPOCH_OFFSET: i64 = -1;
/// The only version of the file that Kafka has written.
const VERSION: &str = "0";

/// One leader's reign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochStart {
    /// The leader epoch.
    pub epoch: i32,
    /// The first offset that was written in it.
    pub start_offset: i64,
}

/// The file is not what Kafka writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LeaderEpochFileError(&'static str);

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: Vec<EpochStart>,
}

impl LeaderEpochs {
    /// All of them, in order.
    pub fn entries(&self) -> &[EpochStart] {
        &self.entries
    }

    /// The newest epoch.
    pub fn latest(&self) -> Option<EpochStart> {
        self.entries.last().copied()
    }

    /// Notes that a batch at `start_offset` has that epoch. True if this began an epoch. Entries that contradict it
    /// go: they are of batches that were truncated.
    pub fn assign(&mut self, epoch: i32, start_offset: i64) -> bool {
        if epoch < 0 {
            return false;
        }
        if self.latest().is_some_and(|last| last.epoch == epoch && last.start_offset <= start_offset) {
            return false;
        }
        let keep = self.entries.partition_point(|entry| entry.epoch < epoch && entry.start_offset < start_offset);
        self.entries.truncate(keep);
        self.entries.push(EpochStart { epoch, start_offset });
        true
    }

    /// Where an epoch ended: the largest epoch known at or below the one asked for, and the first offset after it.
    /// (-1, -1) when the epoch asked for is newer than all known.
    pub fn end_offset_for(&self, epoch: i32, log_end: i64) -> (i32, i64) {
        if epoch == UNDEFINED_EPOCH {
            return (UNDEFINED_EPOCH, UNDEFINED_EPOCH_OFFSET);
        }
        if self.latest().is_some_and(|last| last.epoch == epoch) {
            return (epoch, log_end);
        }
        let higher = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let Some(next) = self.entries.get(higher) else {
            return (UNDEFINED_EPOCH, UNDEFINED_EPOCH_OFFSET);
        };
        let found = higher.checked_sub(1).map_or(epoch, |index| self.entries[index].epoch);
        (found, next.start_offset)
    }

    /// The epoch of the batch that holds `offset`.
    pub fn epoch_of(&self, offset: i64) -> Option<i32> {
        let after = self.entries.partition_point(|entry| entry.start_offset <= offset);
        after.checked_sub(1).map(|index| self.entries[index].epoch)
    }

    /// The log now ends at `end_offset`.
    pub fn truncate_end(&mut self, end_offset: i64) {
        self.entries.retain(|entry| entry.start_offset < end_offset);
    }

    /// The log now begins at `start_offset`: the epoch that holds it begins there too.
    pub fn truncate_start(&mut self, start_offset: i64) {
        let below = self.entries.partition_point(|entry| entry.start_offset <= start_offset);
        if let Some(last_below) = below.checked_sub(1) {
            self.entries.drain(..last_below);
            self.entries[0].start_offset = start_offset;
        }
    }

    /// The file's text.
    pub fn encode(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!("{VERSION}\n{}\n", self.entries.len());
        for entry in &self.entries {
            writeln!(text, "{} {}", entry.epoch, entry.start_offset).expect("writing to a string cannot fail");
        }
        text
    }

    /// Reads the file's bytes.
    ///
    /// # Errors
    /// When it is not of version 0, is cut, or its entries do not rise.
    pub fn decode(bytes: &[u8]) -> Result<Self, LeaderEpochFileError> {
        let text = std::str::from_utf8(bytes).map_err(|_| LeaderEpochFileError("it is not text"))?;
        let mut lines = text.lines();
        if lines.next() != Some(VERSION) {
            return Err(LeaderEpochFileError("its version is not 0"));
        }
        let count: usize = lines
            .next()
            .and_then(|line| line.parse().ok())
            .ok_or(LeaderEpochFileError("its second line is not a number of entries"))?;
        let entries: Option<Vec<EpochStart>> = lines.map(decode_line).collect();
        let entries = entries.ok_or(LeaderEpochFileError("a line is not an epoch and an offset"))?;
        if entries.len() != count {
            return Err(LeaderEpochFileError("it has more or fewer entries than it says"));
        }
        let rising =
            entries.windows(2).all(|pair| pair[0].epoch < pair[1].epoch && pair[0].start_offset < pair[1].start_offset);
        if rising { Ok(Self { entries }) } else { Err(LeaderEpochFileError("its entries do not rise")) }
    }
}

fn decode_line(line: &str) -> Option<EpochStart> {
    let (epoch, start_offset) = line.split_once(' ')?;
    let entry = EpochStart { epoch: epoch.parse().ok()?, start_offset: start_offset.parse().ok()? };
    (entry.epoch >= 0 && entry.start_offset >= 0).then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        assert!(epochs.assign(2, 10));
        assert!(!epochs.assign(2, 15));
        assert!(epochs.assign(4, 20));
        assert!(epochs.assign(5, 30));
        epochs
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let epochs = sample();
        let answers: Vec<_> = (-1..=6).map(|epoch| epochs.end_offset_for(epoch, 42)).collect();
        let expected =
            [(-1, -1), (0, 10), (1, 10), (2, 20), (2, 20), (4, 30), (5, 42), (UNDEFINED_EPOCH, UNDEFINED_EPOCH_OFFSET)];
        assert_eq!(answers, expected);
        assert_eq!(LeaderEpochs::default().end_offset_for(0, 42), (-1, -1));
    }

    #[test]
    fn a_contradicting_epoch_replaces_what_was_truncated() {
        let mut epochs = sample();
        assert!(epochs.assign(5, 25), "the epoch begins earlier than was known");
        assert_eq!(epochs.latest(), Some(EpochStart { epoch: 5, start_offset: 25 }));
        assert!(epochs.assign(6, 15));
        let expected = [EpochStart { epoch: 2, start_offset: 10 }, EpochStart { epoch: 6, start_offset: 15 }];
        assert_eq!(epochs.entries(), expected);
        assert!(!epochs.assign(-1, 100), "a batch without an epoch begins none");
    }

    #[test]
    fn truncation_at_either_end_keeps_what_the_log_still_holds() {
        let mut epochs = sample();
        epochs.truncate_start(20);
        assert_eq!(epochs.entries()[0], EpochStart { epoch: 4, start_offset: 20 });
        epochs.truncate_start(25);
        assert_eq!(epochs.entries()[0], EpochStart { epoch: 4, start_offset: 25 });
        assert_eq!(epochs.epoch_of(24), None);
        assert_eq!(epochs.epoch_of(29), Some(4));
        epochs.truncate_end(30);
        assert_eq!(epochs.entries(), [EpochStart { epoch: 4, start_offset: 25 }]);
        let mut epochs = sample();
        epochs.truncate_start(5);
        assert_eq!(epochs, sample());
    }

    #[test]
    fn the_file_is_kafkas_and_reads_back() {
        let text = sample().encode();
        assert_eq!(text, "0\n3\n2 10\n4 20\n5 30\n");
        assert_eq!(LeaderEpochs::decode(text.as_bytes()), Ok(sample()));
        for bad in ["", "1\n0\n", "0\n2\n2 10\n", "0\n1\n2 x\n", "0\n2\n2 10\n1 20\n", "0\n1\n-1 0\n", "0\n-1\n"] {
            assert!(LeaderEpochs::decode(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(LeaderEpochs::decode(&[0xff]).is_err());
    }
}
