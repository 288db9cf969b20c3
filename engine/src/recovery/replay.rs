//! Writes journal entries at their places again.
//!
//! Idempotent, and careful: a block that holds what the entries say already is not rewritten, because it may be the only
//! durable copy of something else.

use std::path::Path;

use crate::disk::{BLOCK, Disk, Durability, File, OpenMode, block_ceil, block_floor};
use crate::error::EngineError;
use crate::journal::format::Place;
use crate::memory::Chunk;
use crate::segment::names::{FileKind, file_name};

/// Bytes that are put together for one write at most, unless a batch is larger.
const RUN_BYTES_MAX: usize = 4 << 20;

/// Writes `pieces`, which are in the journal's order, into the segments in `dir`. Returns the bytes that had to be
/// written.
pub async fn write_pieces<D: Disk>(disk: &D, dir: &Path, pieces: &[(Place, &[u8])]) -> Result<u64, EngineError> {
    let mut written = 0;
    let mut rest = pieces;
    while let Some((place, _)) = rest.first() {
        let count = run_length(rest);
        let (run, others) = rest.split_at(count);
        let parts: Vec<&[u8]> = run.iter().map(|(_, bytes)| *bytes).collect();
        let path = dir.join(file_name(place.segment_base, FileKind::Log));
        let file = disk.open(&path, OpenMode::Create).await.map_err(EngineError::disk(&path))?;
        written += write_run(&file, &path, place.position, &parts).await?;
        rest = others;
    }
    Ok(written)
}

/// How many pieces at the front follow each other closely.
fn run_length(pieces: &[(Place, &[u8])]) -> usize {
    let (first, bytes) = pieces[0];
    let mut len = bytes.len();
    let mut count = 1;
    while let Some((place, bytes)) = pieces.get(count) {
        let follows = place.segment_base == first.segment_base && place.position == first.position + len as u64;
        len += bytes.len();
        if !follows || len > RUN_BYTES_MAX {
            break;
        }
        count += 1;
    }
    count
}

async fn write_run<F: File>(file: &F, path: &Path, position: u64, parts: &[&[u8]]) -> Result<u64, EngineError> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let (start, end) = (block_floor(position), block_ceil(position + len as u64));
    let blocks = read_blocks(file, start, end).await;
    let before = (position - start) as usize;
    if before > 0 && blocks.first().is_none_or(|block| block.as_ref().is_none_or(|block| block.len() < before)) {
        return Err(EngineError::corrupted(path, start, "the bytes before a batch in the journal are missing"));
    }
    let mut image = Vec::with_capacity((end - start) as usize);
    for block in &blocks {
        image.extend_from_slice(block.as_deref().unwrap_or_default());
        image.resize(image.len().next_multiple_of(BLOCK), 0);
    }
    image.resize((end - start) as usize, 0);
    let mut at = before;
    for part in parts {
        image[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    let differs = |(index, new): (usize, &[u8])| {
        let old = blocks.get(index).and_then(|block| block.as_deref());
        (old != Some(new)).then_some(index)
    };
    let different: Vec<usize> = image.chunks(BLOCK).enumerate().filter_map(differs).collect();
    let (Some(first), Some(last)) = (different.first(), different.last()) else {
        probe::reached!(RedoneOverFiled);
        return Ok(0);
    };
    probe::reached!(Redone);
    let chunk = Chunk::padded(&image[first * BLOCK..(last + 1) * BLOCK]);
    let target = start + (first * BLOCK) as u64;
    let slices = vec![chunk.slice(0..chunk.len())];
    file.write(target, slices, Durability::Volatile).await.map_err(EngineError::disk(path))?;
    Ok(chunk.len() as u64)
}

/// The blocks of a range as the file has them: cut at its end, `None` where it cannot be read.
async fn read_blocks<F: File>(file: &F, start: u64, end: u64) -> Vec<Option<Vec<u8>>> {
    let split = |bytes: &[u8]| bytes.chunks(BLOCK).map(|block| Some(block.to_vec())).collect();
    match file.read(start, (end - start) as usize).await {
        Ok(bytes) => split(&bytes),
        Err(_) => {
            probe::reached!(SegmentUnreadable);
            let mut blocks = Vec::new();
            for position in (start..end).step_by(BLOCK) {
                blocks.push(file.read(position, BLOCK).await.ok().map(|bytes| bytes.to_vec()));
            }
            blocks
        }
    }
}
