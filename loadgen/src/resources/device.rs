//! The device under a folder: how its writes become durable, and what a flush costs before any broker is involved.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// How a device makes a durable write durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlushClass {
    /// It has no volatile cache: every write is durable.
    NoCache,
    /// Single writes can pass the cache (forced unit access).
    Fua,
    /// Each durable write flushes the whole cache.
    FlushOnly,
    /// It is no block device that the kernel describes (a network or memory file system).
    Unknown,
}

/// What there is to know about the device under a folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// The kernel's name of the disk, such as `vda`; none when there is none.
    pub name: Option<String>,
    /// The file system's type, such as `ext4`; a magic number in hex when it has no name here.
    pub file_system: String,
    /// How its writes become durable.
    pub flush_class: FlushClass,
    /// Durable writes of 4 KiB to a preallocated file, one after another; none when the file system takes none.
    pub raw_flush: Option<RawFlush>,
}

/// Times of durable writes of 4 KiB (O_DIRECT, `RWF_DSYNC`), in µs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RawFlush {
    /// How many were timed.
    pub samples: u32,
    /// The fastest.
    pub min_us: f64,
    /// The median.
    pub p50_us: f64,
    /// The 99th percentile.
    pub p99_us: f64,
    /// The slowest.
    pub max_us: f64,
}

/// Durable writes that are timed: enough for a 99th percentile that is not the maximum, and a second on a slow disk.
const FLUSHES: usize = 200;
/// O_DIRECT's unit for positions, lengths and addresses.
const BLOCK_BYTES: usize = 4096;

impl Device {
    /// Describes the device under `folder` and times flushes on it, which takes up to a few seconds.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn under(folder: &Path) -> io::Result<Self> {
        let queue = queue_of(folder)?;
        Ok(Self {
            name: queue.as_ref().and_then(|queue| Some(queue.parent()?.file_name()?.to_string_lossy().into_owned())),
            file_system: file_system(folder)?,
            flush_class: queue.map_or(FlushClass::Unknown, |queue| flush_class(&queue)),
            raw_flush: time_flushes(folder).ok(),
        })
    }
}

/// The kernel's folder about the queue of the device that holds `folder`; a partition's is that of its disk.
fn queue_of(folder: &Path) -> io::Result<Option<PathBuf>> {
    let device = fs::metadata(folder)?.dev();
    let (major, minor) = (libc::major(device), libc::minor(device));
    let Ok(block) = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")) else { return Ok(None) };
    let candidates = [Some(block.as_path()), block.parent()];
    Ok(candidates.into_iter().flatten().map(|path| path.join("queue")).find(|queue| queue.is_dir()))
}

fn flush_class(queue: &Path) -> FlushClass {
    let read = |name: &str| fs::read_to_string(queue.join(name)).map(|text| text.trim().to_owned());
    match (read("write_cache").as_deref(), read("fua").as_deref()) {
        (Ok("write through"), _) => FlushClass::NoCache,
        (Ok("write back"), Ok("1")) => FlushClass::Fua,
        (Ok("write back"), _) => FlushClass::FlushOnly,
        _ => FlushClass::Unknown,
    }
}

fn file_system(folder: &Path) -> io::Result<String> {
    let path = CString::new(folder.as_os_str().as_bytes())?;
    // SAFETY: all fields are integers, for which zero is a value.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends in a zero byte and the other pointer is to a local statfs, which the call fills in.
    if unsafe { libc::statfs(path.as_ptr(), &raw mut stat) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // The field's type differs between architectures; magics are 32 bits (linux/magic.h).
    Ok(match stat.f_type as u32 {
        0x0000_ef53 => "ext4".to_owned(),
        0x5846_5342 => "xfs".to_owned(),
        0x9123_683e => "btrfs".to_owned(),
        0x0102_1994 => "tmpfs".to_owned(),
        0x794c_7630 => "overlayfs".to_owned(),
        other => format!("{other:#x}"),
    })
}

/// Memory that O_DIRECT takes.
#[repr(align(4096))]
struct Block([u8; BLOCK_BYTES]);

const _: () = assert!(align_of::<Block>() == BLOCK_BYTES, "O_DIRECT needs memory aligned to a block");

/// Overwrites the blocks of a file that has no name, each durably; the first pass allocates them and is not timed.
fn time_flushes(folder: &Path) -> io::Result<RawFlush> {
    let path = folder.join(format!(".loadgen-flush-{}", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(libc::O_DIRECT).open(&path)?;
    fs::remove_file(&path)?;
    let block = Box::new(Block([0x5a; BLOCK_BYTES]));
    let mut times = Vec::with_capacity(FLUSHES);
    for timed in [false, true] {
        for index in 0..FLUSHES {
            let start = Instant::now();
            write_durably(&file, &block, index)?;
            if timed {
                times.push(start.elapsed().as_secs_f64() * 1e6);
            }
        }
    }
    times.sort_unstable_by(f64::total_cmp);
    Ok(RawFlush {
        samples: FLUSHES as u32,
        min_us: times[0],
        p50_us: times[FLUSHES / 2],
        p99_us: times[FLUSHES * 99 / 100],
        max_us: times[FLUSHES - 1],
    })
}

fn write_durably(file: &File, block: &Block, index: usize) -> io::Result<()> {
    let slice = libc::iovec { iov_base: block.0.as_ptr().cast_mut().cast(), iov_len: BLOCK_BYTES };
    let position = (index * BLOCK_BYTES) as libc::off_t;
    // SAFETY: the descriptor is open, and the one iovec points to BLOCK_BYTES readable bytes that outlive the call, which only reads.
    let written = unsafe { libc::pwritev2(file.as_raw_fd(), &raw const slice, 1, position, libc::RWF_DSYNC) };
    match usize::try_from(written) {
        Ok(BLOCK_BYTES) => Ok(()),
        Ok(_) => Err(io::ErrorKind::WriteZero.into()),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_tells_how_writes_become_durable() {
        let queue = tempfile::tempdir().unwrap();
        let class = |cache: &str, fua: &str| {
            fs::write(queue.path().join("write_cache"), cache).unwrap();
            fs::write(queue.path().join("fua"), fua).unwrap();
            flush_class(queue.path())
        };
        assert_eq!(class("write through\n", "0\n"), FlushClass::NoCache);
        assert_eq!(class("write back\n", "1\n"), FlushClass::Fua);
        assert_eq!(class("write back\n", "0\n"), FlushClass::FlushOnly);
        assert_eq!(flush_class(Path::new("/nowhere")), FlushClass::Unknown);
    }

    #[test]
    fn a_folder_has_a_device_and_nothing_is_left_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let device = Device::under(folder.path()).unwrap();
        assert!(!device.file_system.is_empty());
        if let Some(flush) = &device.raw_flush {
            assert!(0.0 < flush.min_us && flush.min_us <= flush.p50_us && flush.p99_us <= flush.max_us, "{device:?}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(Device::under(Path::new("/nowhere/at/all")).is_err());
    }
}
