//! What the kernel counts for one process and for the machine, read before and after a measured window.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Sub;
use std::time::Duration;

/// Counters of one process, all its threads included, also those that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// User and system time. The kernel scales it to the scheduler's precise sum; its grain is one clock tick (10 ms).
    pub cpu: Duration,
    /// Bytes that the process caused to be written (buffered ones count when they become dirty).
    pub written_bytes: u64,
}

impl Process {
    /// Reads the counters of `pid`.
    ///
    /// # Errors
    /// When there is no such process, or it is another user's.
    pub fn read(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
        let ticks = ticks_of(&stat).ok_or_else(|| malformed("/proc/PID/stat"))?;
        let written_bytes = field(&io, "write_bytes:").ok_or_else(|| malformed("/proc/PID/io"))?;
        Ok(Self { cpu: Duration::from_nanos(ticks * nanos_per_tick()), written_bytes })
    }
}

impl Sub for Process {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { cpu: self.cpu - earlier.cpu, written_bytes: self.written_bytes - earlier.written_bytes }
    }
}

/// User and system ticks: the 12th and 13th fields behind the name, which may hold blanks and brackets itself.
fn ticks_of(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Resident set of `pid` now, in bytes.
///
/// # Errors
/// When there is no such process.
pub fn rss_bytes(pid: u32) -> io::Result<u64> {
    kib_of(pid, "VmRSS:")
}

/// Largest resident set that `pid` ever had, in bytes.
///
/// # Errors
/// When there is no such process.
pub fn rss_peak_bytes(pid: u32) -> io::Result<u64> {
    kib_of(pid, "VmHWM:")
}

/// A field of `/proc/PID/status` that is in KiB, as bytes.
fn kib_of(pid: u32, name: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = field(&status, name).ok_or_else(|| malformed("/proc/PID/status"))?;
    Ok(kib * 1024)
}

/// CPU time of the calling process.
pub fn own_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a valid timespec; the clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Processors of the machine, also those that this process may not run on.
pub fn processors() -> usize {
    // SAFETY: sysconf has no preconditions.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    usize::try_from(count).unwrap_or(1).max(1)
}

/// Counters of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Machine {
    /// Time of all processors that was neither idle nor stolen.
    pub busy: Duration,
    /// Time of all processors that the hypervisor gave to others.
    pub steal: Duration,
    /// Cache flushes that the disks completed.
    pub flushes: u64,
    /// Bytes that the disks wrote.
    pub disk_written_bytes: u64,
    /// Time in which a disk had a request, summed over the disks.
    pub disk_busy: Duration,
}

impl Machine {
    /// Reads the counters.
    ///
    /// # Errors
    /// When `/proc` is not readable.
    pub fn read() -> io::Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        let line = stat.lines().next().ok_or_else(|| malformed("/proc/stat"))?;
        let fields: Vec<u64> = line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
        let &[user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = &fields[..] else {
            return Err(malformed("/proc/stat"));
        };
        let time = |ticks| Duration::from_nanos(ticks * nanos_per_tick());
        let busy = time(user + nice + system + irq + softirq);
        Ok(Self { busy, steal: time(steal), ..disks(&fs::read_to_string("/proc/diskstats")?) })
    }
}

impl Sub for Machine {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            busy: self.busy.saturating_sub(earlier.busy),
            steal: self.steal.saturating_sub(earlier.steal),
            flushes: self.flushes - earlier.flushes,
            disk_written_bytes: self.disk_written_bytes - earlier.disk_written_bytes,
            disk_busy: self.disk_busy.saturating_sub(earlier.disk_busy),
        }
    }
}

/// What all whole disks did; see the kernel's Documentation/admin-guide/iostats.rst for the fields.
fn disks(diskstats: &str) -> Machine {
    const SECTOR_BYTES: u64 = 512;
    let mut sum = Machine::default();
    for line in diskstats.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        let whole = fields.get(2).is_some_and(|name| fs::exists(format!("/sys/block/{name}")).unwrap_or(false));
        if whole {
            sum.flushes += number(18);
            sum.disk_written_bytes += number(9) * SECTOR_BYTES;
            sum.disk_busy += Duration::from_millis(number(12));
        }
    }
    sum
}

/// CPU time of each of the kernel's own threads by its id: who writes dirty pages back, completes flushes, handles interrupts.
///
/// # Errors
/// When `/proc` is not readable.
pub fn kernel_threads() -> io::Result<BTreeMap<u32, Duration>> {
    let mut times = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        // A thread that has just ended is none.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        if let Some(ticks) = ticks_of(&stat).filter(|_| is_kernel_thread(&stat)) {
            times.insert(pid, Duration::from_nanos(ticks * nanos_per_tick()));
        }
    }
    Ok(times)
}

/// The kernel's `PF_KTHREAD` in the seventh field behind the name.
fn is_kernel_thread(stat: &str) -> bool {
    const PF_KTHREAD: u64 = 0x0020_0000;
    let flags = stat.rsplit_once(") ").and_then(|(_, fields)| fields.split(' ').nth(6)?.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & PF_KTHREAD != 0)
}

/// For how long some task had to wait for `resource` (`cpu`, `io`, `memory`) since the start; none where the kernel does not tell.
pub fn pressure(resource: &str) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/pressure/{resource}")).ok()?;
    let total = text.lines().find(|line| line.starts_with("some "))?.rsplit_once("total=")?.1;
    Some(Duration::from_micros(total.trim().parse().ok()?))
}

/// The number behind `name` in lines of `name number`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn nanos_per_tick() -> u64 {
    // SAFETY: sysconf has no preconditions.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    1_000_000_000 / u64::try_from(per_second).unwrap_or(100).max(1)
}

fn malformed(file: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{file} is not as expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_a_name_with_brackets() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 1 1 1";
        assert_eq!(ticks_of(stat), Some(200));
        assert_eq!(ticks_of("7 (a) S 1 2"), None);
    }

    #[test]
    fn kernel_threads_are_told_from_processes_by_their_flag() {
        assert!(is_kernel_thread("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 1 0 0 20 0 1 0 1 0 0"));
        assert!(!is_kernel_thread("1 (init) S 0 1 1 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 1 1 1"));
        assert!(kernel_threads().is_ok_and(|threads| !threads.contains_key(&std::process::id())));
    }

    #[test]
    fn this_process_and_machine_are_readable() {
        let pid = std::process::id();
        assert!(Process::read(pid).is_ok());
        assert!(rss_peak_bytes(pid).is_ok_and(|bytes| bytes > 0));
        assert!(Machine::read().is_ok_and(|machine| machine.busy > Duration::ZERO));
    }
}
