//! The engine's disk on plain files, for commands that look at a stopped broker's folder: no ring, no other thread.

use std::fs;
use std::future::Future;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use engine::disk::{DirEntry, Disk, DiskError, Durability, File, OpenMode};
use engine::memory::ChunkSlice;

use crate::world::{c_path, disk_error, free_bytes, list};

/// The future's output. Whatever it waits for has happened when it is polled again: files here answer at once.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// Files through the page cache.
#[derive(Debug, Clone)]
pub(crate) struct PlainDisk;

/// An open file.
#[derive(Debug, Clone)]
pub(crate) struct PlainFile(Rc<fs::File>);

impl Disk for PlainDisk {
    type File = PlainFile;

    async fn open(&self, path: &Path, mode: OpenMode) -> Result<PlainFile, DiskError> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(mode != OpenMode::Read).create(mode == OpenMode::Create);
        options.open(path).map(|file| PlainFile(Rc::new(file))).map_err(disk_error)
    }

    async fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        fs::create_dir_all(path).map_err(disk_error)
    }

    async fn list(&self, dir: &Path) -> Result<Vec<DirEntry>, DiskError> {
        list(&PathBuf::from(dir)).map_err(disk_error)
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        fs::rename(from, to).map_err(disk_error)
    }

    async fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        fs::remove_file(path).map_err(disk_error)
    }

    async fn remove_dir(&self, path: &Path) -> Result<(), DiskError> {
        fs::remove_dir_all(path).map_err(disk_error)
    }

    async fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(disk_error)
    }

    async fn free_bytes(&self, path: &Path) -> Result<u64, DiskError> {
        free_bytes(&c_path(path)?).map_err(disk_error)
    }
}

impl File for PlainFile {
    async fn write(&self, position: u64, slices: Vec<ChunkSlice>, durability: Durability) -> Result<(), DiskError> {
        let mut at = position;
        for slice in slices {
            self.0.write_all_at(&slice, at).map_err(disk_error)?;
            at += slice.len() as u64;
        }
        match durability {
            Durability::Volatile => Ok(()),
            Durability::Durable => self.sync().await,
        }
    }

    async fn read(&self, position: u64, len: usize) -> Result<Bytes, DiskError> {
        // What is asked for beyond the end is not there to make room for.
        let left = usize::try_from(self.len().await?.saturating_sub(position)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; len.min(left)];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.0.read_at(&mut bytes[filled..], position + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(disk_error(error)),
            }
        }
        bytes.truncate(filled);
        Ok(bytes.into())
    }

    async fn sync(&self) -> Result<(), DiskError> {
        self.0.sync_data().map_err(disk_error)
    }

    async fn allocate(&self, position: u64, len: u64) -> Result<(), DiskError> {
        let end = position.saturating_add(len);
        if self.len().await? < end { self.truncate(end).await } else { Ok(()) }
    }

    async fn truncate(&self, len: u64) -> Result<(), DiskError> {
        self.0.set_len(len).map_err(disk_error)
    }

    async fn len(&self) -> Result<u64, DiskError> {
        self.0.metadata().map(|metadata| metadata.len()).map_err(disk_error)
    }
}
