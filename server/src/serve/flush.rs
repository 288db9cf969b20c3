//! What a flush costs on the device that holds the journal, as far as the kernel knows.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How a device makes a durable write durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlushClass {
    /// It has no volatile cache: every write is durable.
    None,
    /// Single writes can pass the cache.
    Fua,
    /// Each durable write flushes the whole cache.
    FlushOnly,
    /// It is no block device that the kernel describes (a network or memory file system).
    Unknown,
}

impl FlushClass {
    /// The class of the device behind a folder.
    pub(crate) fn of(dir: &Path) -> FlushClass {
        let Some(queue) = queue_dir(dir) else { return FlushClass::Unknown };
        let read = |name: &str| fs::read_to_string(queue.join(name)).map(|text| text.trim().to_owned());
        match (read("write_cache").as_deref(), read("fua").as_deref()) {
            (Ok("write through"), _) => FlushClass::None,
            (Ok("write back"), Ok("1")) => FlushClass::Fua,
            (Ok("write back"), _) => FlushClass::FlushOnly,
            _ => FlushClass::Unknown,
        }
    }
}

/// The kernel's folder about the queue of the device that holds `dir`; a partition's is that of its disk.
fn queue_dir(dir: &Path) -> Option<PathBuf> {
    let device = fs::metadata(dir).ok()?.dev();
    let (major, minor) = (libc::major(device), libc::minor(device));
    let block = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
    [block.join("queue"), block.parent()?.join("queue")].into_iter().find(|queue| queue.is_dir())
}

impl fmt::Display for FlushClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FlushClass::None => "none: the device has no volatile cache, so a write is durable when it completes",
            FlushClass::Fua => "FUA: the device writes single blocks through its cache",
            FlushClass::FlushOnly => "flush: each durable write flushes the device's cache",
            FlushClass::Unknown => "unknown: the kernel tells nothing about this device's cache",
        })
    }
}
