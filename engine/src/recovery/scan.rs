//! Reads a segment batch by batch and says how far it is whole.

use std::path::Path;

use wire::batch::{Batch, BatchHeader, HEADER_BYTES};

use crate::disk::File;
use crate::error::EngineError;

/// Bytes read at a time, unless a batch is larger.
const READ_BYTES: u64 = 1 << 20;

/// Whether something vouches for what is scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The checkpoint and the journal do: anything wrong is damage, and offsets follow each other without gaps.
    Vouched,
    /// Nothing does: what is whole is adopted, gaps included (compaction made them); what is not ends it.
    Adopted,
}

/// How far a scan has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Where in the segment, in bytes: a batch boundary.
    pub position: u64,
    /// The next offset.
    pub offset: i64,
    /// The last batch's leader epoch.
    pub leader_epoch: i32,
}

/// Scans `file` from `progress` to `end`, a batch boundary for [`Rule::Vouched`].
pub async fn scan<F: File>(
    file: &F,
    path: &Path,
    rule: Rule,
    mut progress: Progress,
    end: u64,
) -> Result<Progress, EngineError> {
    let mut wanted = READ_BYTES;
    while progress.position < end {
        let len = wanted.min(end - progress.position);
        let read = file.read(progress.position, len as usize).await;
        let bytes = match (read, rule) {
            (Ok(bytes), _) => bytes,
            (Err(_), Rule::Adopted) => return Ok(progress),
            (Err(error), Rule::Vouched) => return Err(EngineError::Disk { path: path.to_path_buf(), error }),
        };
        let whole = bytes.len() as u64 == len;
        let (after, missing) = walk(&bytes, rule, progress);
        let advanced = after.position > progress.position;
        progress = after;
        let what = match missing {
            // The rest of the last batch read, if there is more to read.
            Ok(batch_bytes) if progress.position == end || whole && progress.position + batch_bytes <= end => {
                wanted = READ_BYTES.max(batch_bytes);
                assert!(advanced || wanted > len, "a scan comes on");
                continue;
            }
            Ok(_) => "it ends within a batch".to_owned(),
            Err(what) => what,
        };
        return match rule {
            Rule::Adopted => Ok(progress),
            Rule::Vouched => Err(EngineError::corrupted(path, progress.position, what)),
        };
    }
    Ok(progress)
}

/// Walks over the whole batches at the front of `bytes`. Beside how far it came: the size of the batch that is cut, or
/// what is wrong.
fn walk(bytes: &[u8], rule: Rule, mut progress: Progress) -> (Progress, Result<u64, String>) {
    let mut rest = bytes;
    loop {
        if rest.len() < HEADER_BYTES {
            return (progress, Ok(HEADER_BYTES as u64));
        }
        let header = match BatchHeader::parse(rest) {
            Ok(header) => header,
            Err(error) => return (progress, Err(error.to_string())),
        };
        let Ok(batch) = Batch::parse(rest) else { return (progress, Ok(header.size() as u64)) };
        if let Err(what) = check(&batch, rule, progress) {
            return (progress, Err(what));
        }
        progress.position += batch.bytes.len() as u64;
        progress.offset = header.last_offset() + 1;
        progress.leader_epoch = header.partition_leader_epoch;
        rest = &rest[batch.bytes.len()..];
    }
}

fn check(batch: &Batch<'_>, rule: Rule, progress: Progress) -> Result<(), String> {
    let BatchHeader { base_offset, last_offset_delta, partition_leader_epoch, .. } = batch.header;
    let expected = progress.offset;
    if base_offset < expected || rule == Rule::Vouched && base_offset != expected {
        return Err(format!("a batch has base offset {base_offset} where {expected} follows"));
    }
    if last_offset_delta < 0 || base_offset.checked_add(i64::from(last_offset_delta) + 1).is_none() {
        return Err(format!("a batch has last offset delta {last_offset_delta}"));
    }
    if partition_leader_epoch < progress.leader_epoch {
        return Err(format!("leader epoch {partition_leader_epoch} follows {}", progress.leader_epoch));
    }
    batch.check_crc().map_err(|error| error.to_string())
}
