//! Journal files: `<journal dir>/core-N/NNN.journal`, filled with zeros before they are used, so that a group's write
//! changes no metadata and flushes nothing else. A file has its name only once it is whole.

use std::path::{Path, PathBuf};

use crate::disk::{BLOCK, Disk, DiskError, Durability, File, OpenMode};
use crate::error::EngineError;
use crate::files::TEMPORARY_SUFFIX;
use crate::memory::Chunk;

/// Bytes of zeros written at a time, so that appends get their turn at the device.
const ZEROS: usize = 256 * 1024;
const SUFFIX: &str = ".journal";
const CORE_PREFIX: &str = "core-";

/// The name of a core's folder in the journal folder.
pub fn core_dir_name(core: u16) -> String {
    format!("{CORE_PREFIX}{core}")
}

/// The path of a journal file.
pub fn file_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:03}{SUFFIX}"))
}

/// The numbers and lengths of the journal files in `dir`, in order; none when there is no such folder.
pub async fn list_files<D: Disk>(disk: &D, dir: &Path) -> Result<Vec<(u32, u64)>, EngineError> {
    let entries = match disk.list(dir).await {
        Err(DiskError::NotFound) => Vec::new(),
        listed => listed.map_err(EngineError::disk(dir))?,
    };
    let number = |name: &str| name.strip_suffix(SUFFIX).and_then(|number| number.parse().ok());
    let mut files: Vec<(u32, u64)> =
        entries.iter().filter_map(|entry| Some((number(&entry.name)?, entry.len))).collect();
    files.sort_unstable();
    Ok(files)
}

/// Opens the journal files in `dir`, with their lengths, and makes the folder if need be.
pub(super) async fn open_files<D: Disk>(disk: &D, dir: &Path) -> Result<Vec<(D::File, u64)>, EngineError> {
    make_dir(disk, dir).await?;
    // A process that was killed may have renamed a file and never synced its name, which groups will now rely on.
    disk.sync_dir(dir).await.map_err(EngineError::disk(dir))?;
    let mut opened = Vec::new();
    for (index, (number, length)) in list_files(disk, dir).await?.into_iter().enumerate() {
        let path = file_path(dir, number);
        if number as usize != index || length == 0 || length % BLOCK as u64 != 0 {
            return Err(EngineError::corrupted(&path, length, "it is no journal file of whole blocks in its place"));
        }
        opened.push((disk.open(&path, OpenMode::ReadWrite).await.map_err(EngineError::disk(&path))?, length));
    }
    Ok(opened)
}

/// Makes a folder below one that may be new too, so that both survive a crash.
pub(crate) async fn make_dir<D: Disk>(disk: &D, dir: &Path) -> Result<(), EngineError> {
    disk.create_dir(dir).await.map_err(EngineError::disk(dir))?;
    let parents = dir.ancestors().skip(1).take(2).filter(|parent| !parent.as_os_str().is_empty());
    for parent in parents {
        disk.sync_dir(parent).await.map_err(EngineError::disk(parent))?;
    }
    Ok(())
}

/// The making of one journal file.
pub struct GrowthJob<D: Disk> {
    disk: D,
    path: PathBuf,
    length: u64,
}

impl<D: Disk> GrowthJob<D> {
    pub(super) fn new(disk: D, dir: &Path, number: u32, length: u64) -> Self {
        GrowthJob { disk, path: file_path(dir, number), length }
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Writes the zeros and puts the file in its place. On an error, nothing of it stays.
    pub async fn perform(self) -> GrowthDone<D> {
        let mut temporary = self.path.clone().into_os_string();
        temporary.push(TEMPORARY_SUFFIX);
        let temporary = PathBuf::from(temporary);
        let result = self.make(&temporary).await;
        if result.is_err() {
            // It may not have come to exist; what is left over is overwritten by the next attempt.
            let _ = self.disk.remove_file(&temporary).await;
        }
        GrowthDone { path: self.path, length: self.length, result }
    }

    async fn make(&self, temporary: &Path) -> Result<D::File, DiskError> {
        let file = self.disk.open(temporary, OpenMode::Create).await?;
        file.allocate(0, self.length).await?;
        let zeros = Chunk::padded(&[0; ZEROS]);
        let mut position = 0;
        while position < self.length {
            let len = (self.length - position).min(ZEROS as u64);
            file.write(position, vec![zeros.slice(0..len as usize)], Durability::Volatile).await?;
            position += len;
        }
        file.sync().await?;
        self.disk.rename(temporary, &self.path).await?;
        self.disk.sync_dir(self.path.parent().unwrap_or(Path::new("."))).await?;
        Ok(file)
    }
}

/// How a [`GrowthJob`] ended.
pub struct GrowthDone<D: Disk> {
    path: PathBuf,
    length: u64,
    result: Result<D::File, DiskError>,
}

impl<D: Disk> GrowthDone<D> {
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn into_result(self) -> Result<D::File, EngineError> {
        self.result.map_err(EngineError::disk(&self.path))
    }
}
