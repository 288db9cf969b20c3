//! File descriptors: connections may not take those that logs and journals need.
//!
//! A broker that cannot open a segment cannot go on, so a flood of connections would end it where the limit is low.

use std::io;

/// The part of all descriptors that connections may take: one in so many stays for files.
const SHARE_OF_FILES: u64 = 2;

/// Raises the process's limit as far as it may, and returns how many connections there may be under it.
pub(super) fn connections_max() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call only fills the structure.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let raised = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
    // SAFETY: the call only reads the structure. A refusal leaves the limit as it was.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raised) } == 0 {
        limit = raised;
    }
    Ok(limit.rlim_cur - limit.rlim_cur / SHARE_OF_FILES)
}
