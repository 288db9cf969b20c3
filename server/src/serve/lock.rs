//! One process for a data folder: two would write over each other's journals and segments.
//!
//! The lock is the kernel's (`flock`) on `<data>/.lock`, so it goes with the process, however that ends. The file holds the
//! owner's process id, for people only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use thiserror::Error;

const FILE: &str = ".lock";
/// Longer than any process id with its line end.
const OWNER_BYTES_MAX: u64 = 32;

/// Why the folder is not ours.
#[derive(Debug, Error)]
pub(crate) enum LockError {
    /// Another process has it. See `docs/errors/P0201.md`.
    #[error(
        "P0201: {path}: another process uses this data folder{owner}. Stop it, or give this one a folder of its own with \
         --data-dir.", path = path.display()
    )]
    Taken { path: PathBuf, owner: String },
    /// The file system refuses. See `docs/errors/P0202.md`.
    #[error(
        "P0202: {path}: the data folder cannot be locked: {error}. Check that the folder's file system is mounted and that \
         this user may write to it.", path = path.display()
    )]
    Refused { path: PathBuf, error: io::Error },
}

/// The folder is ours until this goes.
pub(crate) struct Lock {
    file: File,
}

/// Takes the folder, which is made if it does not exist.
pub(super) fn take(data_dir: &Path) -> Result<Lock, LockError> {
    let path = data_dir.join(FILE);
    let refused = |error| LockError::Refused { path: path.clone(), error };
    fs::create_dir_all(data_dir).map_err(refused)?;
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(refused)?;
    let lock = lock(file, &path)?;
    let written = lock.file.set_len(0).and_then(|()| writeln!(&lock.file, "{}", std::process::id()));
    written.map_err(refused)?;
    Ok(lock)
}

/// Takes the folder of a broker that is not running, and changes nothing in it. `None` if no broker has ever used it.
pub(crate) fn hold(data_dir: &Path) -> Result<Option<Lock>, LockError> {
    let path = data_dir.join(FILE);
    match File::open(&path) {
        Ok(file) => lock(file, &path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LockError::Refused { path, error }),
    }
}

fn lock(file: File, path: &Path) -> Result<Lock, LockError> {
    // SAFETY: flock has no memory arguments.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
        let error = io::Error::last_os_error();
        let path = path.to_path_buf();
        return Err(match error.kind() {
            io::ErrorKind::WouldBlock => LockError::Taken { owner: owner(&file), path },
            _ => LockError::Refused { path, error },
        });
    }
    Ok(Lock { file })
}

/// Who has the lock, as far as the file says.
fn owner(file: &File) -> String {
    let mut text = String::new();
    match file.take(OWNER_BYTES_MAX).read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => format!(" (process {})", text.trim()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once_and_free_again_afterwards() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let data_dir = dir.path().join("deep/data");
        let lock = take(&data_dir).expect("nobody has it");
        let refused = take(&data_dir).err().expect("it is taken").to_string();
        assert!(refused.contains("P0201") && refused.contains(&std::process::id().to_string()), "{refused}");
        drop(lock);
        take(&data_dir).expect("it is free again");
    }
}
