//! Small files that are read and replaced whole.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::disk::{Disk, Durability, File, OpenMode};
use crate::error::EngineError;
use crate::memory::Chunk;

/// Ends the name of a file that is not yet in its place. Recovery removes leftovers.
pub const TEMPORARY_SUFFIX: &str = ".tmp";

/// Replaces `path` by `bytes` so that a crash leaves either the old file or the new one, and the new one once this
/// returns.
pub async fn write_file<D: Disk>(disk: &D, path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    let temporary = temporary_path(path);
    let file = disk.open(&temporary, OpenMode::Create).await.map_err(EngineError::disk(&temporary))?;
    let written = async {
        let chunk = Chunk::padded(bytes);
        file.write(0, vec![chunk.slice(0..chunk.len())], Durability::Volatile).await?;
        file.truncate(bytes.len() as u64).await?;
        file.sync().await
    };
    written.await.map_err(EngineError::disk(&temporary))?;
    disk.rename(&temporary, path).await.map_err(EngineError::disk(path))?;
    probe::mutation!(LoseRename => return Ok(()));
    let dir = path.parent().unwrap_or(Path::new("."));
    disk.sync_dir(dir).await.map_err(EngineError::disk(dir))
}

/// The whole of a file of at most `limit` bytes; a longer one is refused before anything is allocated.
pub async fn read_file<D: Disk>(disk: &D, path: &Path, limit: usize) -> Result<Bytes, EngineError> {
    let file = disk.open(path, OpenMode::Read).await.map_err(EngineError::disk(path))?;
    let len = file.len().await.map_err(EngineError::disk(path))?;
    match usize::try_from(len) {
        Ok(len) if len <= limit => file.read(0, len).await.map_err(EngineError::disk(path)),
        _ => Err(EngineError::corrupted(path, 0, format!("{len} bytes are more than the {limit} expected at most"))),
    }
}

fn temporary_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY_SUFFIX);
    PathBuf::from(name)
}
