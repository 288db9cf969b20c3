//! The device under a folder: file system, O_DIRECT, free space, and what a flush costs.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use engine::disk::BLOCK;

use super::Finding;
use crate::serve::flush::FlushClass;

/// Durable writes that are timed.
const FLUSHES: usize = 50;
/// A median above this makes every acknowledgement feel slow.
const FLUSH_SLOW: Duration = Duration::from_millis(10);
/// A median below this means that nothing was flushed anywhere.
const FLUSH_IMPLAUSIBLE: Duration = Duration::from_micros(5);
/// Space below which the broker cannot do much, and below which it will soon be full, in bytes.
const FREE_FAIL: u64 = 256 << 20;
const FREE_WARN: u64 = 4 << 30;

/// The folder itself, or the nearest one above it that is there.
fn existing(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

pub(super) fn findings(data_dir: &Path) -> Vec<Finding> {
    let folder = existing(data_dir);
    let mut findings = vec![file_system(data_dir, &folder), free_space(&folder)];
    match open_direct(&folder) {
        Ok(file) => {
            findings.push(Finding::ok("O_DIRECT", "works".into()));
            findings.push(flush(&folder, &file));
        }
        Err(error) => findings.push(refused(&folder, &error)),
    }
    findings
}

fn refused(folder: &Path, error: &io::Error) -> Finding {
    let found = format!("{}: {error}", folder.display());
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Finding::fail(
            "O_DIRECT",
            found,
            "The folder cannot be written to: change its owner, or choose another --data-dir.",
        ),
        _ => Finding::fail(
            "O_DIRECT",
            found,
            "The file system does not take direct writes: put --data-dir on ext4 or XFS.",
        ),
    }
}

/// A file in the folder that has no name any more.
fn open_direct(folder: &Path) -> io::Result<File> {
    let path = folder.join(format!(".partita-check-{}", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(libc::O_DIRECT).open(&path)?;
    fs::remove_file(&path)?;
    write_durably(&file, &Block::new(), 0)?;
    Ok(file)
}

/// Memory that O_DIRECT takes.
#[repr(align(4096))]
struct Block([u8; BLOCK]);

const _: () = assert!(align_of::<Block>() == BLOCK, "O_DIRECT needs memory aligned to a block");

impl Block {
    fn new() -> Box<Block> {
        Box::new(Block([0x5a; BLOCK]))
    }
}

/// Writes one block as the journal does: pwritev2 with RWF_DSYNC.
fn write_durably(file: &File, block: &Block, index: usize) -> io::Result<()> {
    let slice = libc::iovec { iov_base: block.0.as_ptr().cast_mut().cast(), iov_len: BLOCK };
    let position = (index * BLOCK) as libc::off_t;
    // SAFETY: the descriptor is open, and the one iovec points to BLOCK readable bytes that outlive the call, which only
    // reads them.
    let written = unsafe { libc::pwritev2(file.as_raw_fd(), &raw const slice, 1, position, libc::RWF_DSYNC) };
    match usize::try_from(written) {
        Ok(BLOCK) => Ok(()),
        Ok(_) => Err(io::ErrorKind::WriteZero.into()),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

fn flush(folder: &Path, file: &File) -> Finding {
    let class = FlushClass::of(folder);
    let block = Block::new();
    // The first pass allocates the blocks, which is not what is to be timed.
    let passes = [0, FLUSHES].into_iter().flat_map(|_| 0..FLUSHES);
    let mut times = Vec::with_capacity(2 * FLUSHES);
    for index in passes {
        let start = Instant::now();
        if let Err(error) = write_durably(file, &block, index) {
            return Finding::fail(
                "flush",
                format!("a durable write failed: {error}"),
                "See dmesg: the device may be failing or full.",
            );
        }
        times.push(start.elapsed());
    }
    let mut times = times.split_off(FLUSHES);
    times.sort_unstable();
    let (median, slowest) = (times[FLUSHES / 2], times[FLUSHES - 1]);
    let found = format!("{}; durable write of 4 KiB: median {median:.1?}, slowest of {FLUSHES} {slowest:.1?}", class);
    if median > FLUSH_SLOW {
        return Finding::warn(
            "flush",
            found,
            "Every acknowledgement waits for one of these: use an SSD with power-loss protection, at least for journal.dir.",
        );
    }
    if median < FLUSH_IMPLAUSIBLE && class != FlushClass::None {
        return Finding::warn(
            "flush",
            found,
            "Faster than any device: something in between ignores flushes. Do not trust it with data.",
        );
    }
    Finding::ok("flush", found)
}

fn file_system(data_dir: &Path, folder: &Path) -> Finding {
    let name = "data folder";
    let shown = if folder == std::path::absolute(data_dir).unwrap_or_default() {
        folder.display().to_string()
    } else {
        format!("{} (to be created in {})", data_dir.display(), folder.display())
    };
    match statfs(folder) {
        Err(error) => Finding::fail(name, format!("{shown}: {error}"), "Choose another --data-dir."),
        Ok(stat) => {
            // The field's type differs between architectures; magics are 32 bits.
            let kind = stat.f_type as u32;
            let found = |kind: &str| format!("{shown}, on {kind}");
            match kind {
                0x0000_ef53 => Finding::ok(name, found("ext4")),
                0x5846_5342 => Finding::ok(name, found("XFS")),
                0x0102_1994 | 0x8584_58f6 => {
                    Finding::warn(name, found("tmpfs"), "That is memory: nothing in it survives a restart of the host.")
                }
                0x794c_7630 => Finding::warn(
                    name,
                    found("overlayfs"),
                    "That is a container's own layer: mount a volume, or its data goes with it.",
                ),
                0x9123_683e => Finding::warn(
                    name,
                    found("Btrfs"),
                    "Copy on write slows a journal down: chattr +C, or ext4 or XFS.",
                ),
                0x6969 => Finding::warn(
                    name,
                    found("NFS"),
                    "A broker's disk should be local: flushes over a network are slow.",
                ),
                other => {
                    Finding::warn(name, found(&format!("a file system of type {other:#x}")), "ext4 and XFS are tested.")
                }
            }
        }
    }
}

fn free_space(folder: &Path) -> Finding {
    let name = "free space";
    match statfs(folder) {
        Err(error) => Finding::warn(name, format!("unknown: {error}"), "See df."),
        Ok(stat) => {
            let free = stat.f_bavail * stat.f_bsize as u64;
            let found = format!("{} MiB", free >> 20);
            match free {
                0..FREE_FAIL => {
                    Finding::fail(name, found, "Free some, or choose another --data-dir: a full disk refuses records.")
                }
                FREE_FAIL..FREE_WARN => {
                    Finding::warn(name, found, "Set log.retention.bytes so that topics do not fill it.")
                }
                _ => Finding::ok(name, found),
            }
        }
    }
}

fn statfs(folder: &Path) -> io::Result<libc::statfs> {
    let path = CString::new(folder.as_os_str().as_bytes())?;
    // SAFETY: all fields are integers, for which zero is a value.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends in a zero byte and the other pointer is to a local statfs, which the call fills in.
    match unsafe { libc::statfs(path.as_ptr(), &raw mut stat) } {
        0 => Ok(stat),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_to_come_is_judged_by_the_one_above_it_and_nothing_is_left() {
        let dir = tempfile::tempdir().expect("a folder");
        let findings = findings(&dir.path().join("a/b"));
        assert!(findings.len() >= 3, "{findings:?}");
        assert!(findings[0].found.contains("to be created in"), "{findings:?}");
        assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 0);
    }
}
