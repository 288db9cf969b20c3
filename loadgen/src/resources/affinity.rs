//! Which processors a thread may run on, and who gets which: server and client apart, so that neither's work slows the other's.

use std::fmt;
use std::io;
use std::mem::size_of_val;
use std::str::FromStr;

/// A set of processors, written as taskset does: `0`, `0,2`, `1-3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuList(Vec<usize>);

/// A list that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no list of processors: expected for example 0, 0,2 or 1-3, each below {max}", max = libc::CPU_SETSIZE)]
pub struct CpuListError(String);

impl CpuList {
    /// From processor numbers; sorted, without repetitions. `None` when there is none, or one beyond what the kernel's set holds.
    pub fn new(mut cpus: Vec<usize>) -> Option<Self> {
        cpus.sort_unstable();
        cpus.dedup();
        let most = libc::CPU_SETSIZE as usize;
        (!cpus.is_empty() && cpus.iter().all(|cpu| *cpu < most)).then_some(Self(cpus))
    }

    /// The processors, ascending.
    pub fn cpus(&self) -> &[usize] {
        &self.0
    }

    /// How many.
    #[expect(clippy::len_without_is_empty, reason = "a list is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The processors that the calling thread may run on.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn allowed() -> io::Result<Self> {
        let mut set = empty_set();
        // SAFETY: the pointer and the size describe `set`; 0 is the calling thread.
        let result = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: each number lies within the set.
        let cpus = (0..libc::CPU_SETSIZE as usize).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) }).collect();
        Self::new(cpus).ok_or_else(|| io::Error::other("a thread that may run nowhere"))
    }

    /// Lets the calling thread, and what it starts from now on, run on these processors only.
    ///
    /// # Errors
    /// When the machine has none of them.
    pub fn pin_this_thread(&self) -> io::Result<()> {
        let mut set = empty_set();
        for cpu in &self.0 {
            // SAFETY: `new` and `from_str` refuse numbers beyond the set.
            unsafe { libc::CPU_SET(*cpu, &mut set) };
        }
        // SAFETY: the pointer and the size describe `set`; 0 is the calling thread.
        let result = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Splits what there is between a server (the first half, rounded down, at least one) and a client (the rest). On a machine with one
    /// processor both share it.
    pub fn split(&self) -> (CpuList, CpuList) {
        let half = self.0.len() / 2;
        match half {
            0 => (self.clone(), self.clone()),
            _ => (CpuList(self.0[..half].to_vec()), CpuList(self.0[half..].to_vec())),
        }
    }
}

fn empty_set() -> libc::cpu_set_t {
    // SAFETY: a set is an array of words, for which zeroes are the empty set.
    unsafe { std::mem::zeroed() }
}

impl FromStr for CpuList {
    type Err = CpuListError;

    fn from_str(text: &str) -> Result<Self, CpuListError> {
        let most = libc::CPU_SETSIZE as usize;
        let parse = || {
            let mut cpus = Vec::new();
            for part in text.split(',') {
                let (first, last) = part.split_once('-').unwrap_or((part, part));
                let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
                if first > last || last >= most {
                    return None;
                }
                cpus.extend(first..=last);
            }
            Self::new(cpus)
        };
        parse().ok_or_else(|| CpuListError(text.to_owned()))
    }
}

impl fmt::Display for CpuList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(usize::to_string).collect();
        f.write_str(&words.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_taskset_reads_them() {
        let read = |text: &str| text.parse::<CpuList>().map(|list| list.0);
        assert_eq!(read("3"), Ok(vec![3]));
        assert_eq!(read("4,0-2,1"), Ok(vec![0, 1, 2, 4]));
        for wrong in ["", "a", "2-1", "1024", "0,,1", "-1", "0-99999999999"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn server_and_client_share_a_processor_only_when_there_is_one() {
        let halves = |text: &str| {
            let (server, client) = text.parse::<CpuList>().unwrap().split();
            (server.to_string(), client.to_string())
        };
        assert_eq!(halves("5"), ("5".into(), "5".into()));
        assert_eq!(halves("0,1"), ("0".into(), "1".into()));
        assert_eq!(halves("0-4"), ("0,1".into(), "2,3,4".into()));
    }

    #[test]
    fn a_pinned_thread_may_run_where_it_was_told() {
        let one = CpuList(vec![CpuList::allowed().unwrap().0[0]]);
        std::thread::spawn(move || {
            one.pin_this_thread().unwrap();
            assert_eq!(CpuList::allowed().unwrap(), one);
        })
        .join()
        .unwrap();
    }
}
