//! What the kernel and the limits of this process allow.

use std::fs;
use std::io;

use super::Finding;

/// The oldest kernel whose io_uring has all that is used.
const KERNEL_MIN: (u32, u32) = (5, 19);
/// Entries of the ring that is tried.
const RING_ENTRIES: u32 = 8;
/// What each core's executor locks into memory at least, in bytes (glommio).
const MEMLOCK_BYTES_PER_CORE: u64 = 512 << 10;
/// File descriptors below which clients may be turned away.
const FILES_WANTED: u64 = 16 << 10;

pub(super) fn findings() -> Vec<Finding> {
    vec![kernel(), io_uring(), memlock(), files()]
}

fn kernel() -> Finding {
    let name = "kernel";
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
    match parse_release(&release) {
        Some(version) if version >= KERNEL_MIN => Finding::ok(name, release),
        Some(_) => Finding::fail(name, release, "Linux 5.19 or newer is needed: upgrade the kernel."),
        None => Finding::warn(name, format!("unknown release {release:?}"), "Linux 5.19 or newer is needed."),
    }
}

fn parse_release(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn io_uring() -> Finding {
    let name = "io_uring";
    let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    match io_uring::IoUring::new(RING_ENTRIES) {
        Ok(_) => Finding::ok(name, "available".into()),
        Err(error) => {
            let advice = match (disabled.trim(), error.raw_os_error()) {
                ("1" | "2", _) => "The host forbids it: sysctl kernel.io_uring_disabled=0.",
                (_, Some(libc::EPERM | libc::ENOSYS)) => {
                    "Probably a container's seccomp filter blocks it: allow io_uring_setup, io_uring_enter and \
                     io_uring_register (Docker: --security-opt seccomp=FILE with these, or unconfined)."
                }
                (_, Some(libc::ENOMEM)) => {
                    "The memlock limit is too low: ulimit -l unlimited, or LimitMEMLOCK=infinity."
                }
                _ => "See dmesg, and whether a security module or container runtime blocks it.",
            };
            Finding::fail(name, format!("not available: {error}"), advice)
        }
    }
}

fn memlock() -> Finding {
    let name = "memlock";
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let wanted = cores * MEMLOCK_BYTES_PER_CORE;
    let advice = "Raise it: ulimit -l unlimited, LimitMEMLOCK=infinity (systemd), --ulimit memlock=-1 (Docker); or use \
                  fewer --cores.";
    match limit(libc::RLIMIT_MEMLOCK) {
        Ok(libc::RLIM_INFINITY) => Finding::ok(name, "unlimited".into()),
        Ok(limit) if limit >= wanted => Finding::ok(name, format!("{} KiB", limit >> 10)),
        Ok(limit) if limit >= MEMLOCK_BYTES_PER_CORE => {
            Finding::warn(name, format!("{} KiB, too little for {cores} cores", limit >> 10), advice)
        }
        Ok(limit) => Finding::fail(name, format!("{} KiB, too little for one core", limit >> 10), advice),
        Err(error) => Finding::warn(name, format!("unknown: {error}"), advice),
    }
}

fn files() -> Finding {
    let name = "open files";
    let advice = "Each connection and each open segment takes one: ulimit -n 65536, or LimitNOFILE=65536.";
    match limit(libc::RLIMIT_NOFILE) {
        Ok(libc::RLIM_INFINITY) => Finding::ok(name, "unlimited".into()),
        Ok(limit) if limit >= FILES_WANTED => Finding::ok(name, limit.to_string()),
        Ok(limit) => Finding::warn(name, format!("at most {limit}"), advice),
        Err(error) => Finding::warn(name, format!("unknown: {error}"), advice),
    }
}

/// The soft limit of this process.
fn limit(resource: libc::__rlimit_resource_t) -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a local rlimit, which the call fills in.
    match unsafe { libc::getrlimit(resource, &raw mut limit) } {
        0 => Ok(limit.rlim_cur),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_number() {
        assert_eq!(parse_release("6.18.5-cloud"), Some((6, 18)));
        assert!(parse_release("5.4.0").expect("a release") < KERNEL_MIN);
        assert!(parse_release("10.0").expect("a release") > KERNEL_MIN);
        assert_eq!(parse_release(""), None);
    }
}
