//! `cleaner-offset-checkpoint` in a partition's folder: where the log is dirty from.
//!
//! Text, version `0` and the offset, a line each. It is written after the segments before that offset were replaced, so
//! that what it says is never too much; without it all is dirty. Kafka has one such file for all partitions of a folder.

use std::path::Path;

use crate::disk::Disk;
use crate::error::EngineError;
use crate::files::{read_file, write_file};

/// The file's name.
const FILE_NAME: &str = "cleaner-offset-checkpoint";
/// The only version.
const VERSION: &str = "0";
/// Bytes of the file at most.
const BYTES_MAX: usize = 64;

/// Notes where the log in `dir` is dirty from.
pub async fn store<D: Disk>(disk: &D, dir: &Path, first_dirty: i64) -> Result<(), EngineError> {
    write_file(disk, &dir.join(FILE_NAME), format!("{VERSION}\n{first_dirty}\n").as_bytes()).await
}

/// Where the log in `dir` is dirty from; 0 when the file is missing or not readable as one.
pub async fn load<D: Disk>(disk: &D, dir: &Path) -> Result<i64, EngineError> {
    match read_file(disk, &dir.join(FILE_NAME), BYTES_MAX).await {
        Ok(bytes) => Ok(decode(&bytes).unwrap_or(0)),
        Err(error) if error.is_not_found() || matches!(error, EngineError::Corrupted { .. }) => Ok(0),
        Err(error) => Err(error),
    }
}

fn decode(bytes: &[u8]) -> Option<i64> {
    let mut lines = std::str::from_utf8(bytes).ok()?.lines();
    let offset = (lines.next() == Some(VERSION)).then(|| lines.next())??.parse().ok()?;
    (offset >= 0 && lines.next().is_none()).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_checkpoint_says_nothing() {
        assert_eq!(decode(b"0\n71\n"), Some(71));
        for strange in ["", "0", "0\n", "1\n71\n", "0\n-1\n", "0\n71\n72\n", "0\nx\n"] {
            assert_eq!(decode(strange.as_bytes()), None, "{strange:?}");
        }
    }
}
