//! What a run costs: counters of the server, of this process and of the machine, read before and after, and what surrounds it.
//!
//! Everything comes from `/proc` and `/sys`. What a process cost includes its threads that have ended and io_uring's workers; what the
//! kernel's own threads did (writing dirty pages back, completing flushes) is nobody's in particular and is told apart, because a broker
//! that leaves its writes to the page cache causes it.
//!
//! [`Counters::read`] twice, then [`Counters::since`]: the shares of [`Used`] are what decides whether a run is trusted.

pub mod affinity;
pub mod device;
pub mod environment;
pub mod idle;
pub mod procfs;

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use self::procfs::{Machine, Process};

/// All counters at one moment.
#[derive(Clone, Debug)]
pub struct Counters {
    at: Instant,
    server: Option<Process>,
    client: Duration,
    machine: Machine,
    kernel: BTreeMap<u32, Duration>,
    cpu_pressure: Option<Duration>,
    io_pressure: Option<Duration>,
}

/// What was used between two moments.
#[derive(Clone, Debug, PartialEq)]
pub struct Used {
    /// How long.
    pub elapsed: Duration,
    /// The server's processes together; none when they run elsewhere.
    pub server: Option<Process>,
    /// CPU time of this process.
    pub client_cpu: Duration,
    /// CPU time of the kernel's own threads.
    pub kernel_cpu: Duration,
    /// The machine.
    pub machine: Machine,
    /// Time in which some task waited for a processor; none where the kernel does not tell.
    pub cpu_pressure: Option<Duration>,
    /// Time in which some task waited for a disk.
    pub io_pressure: Option<Duration>,
}

impl Counters {
    /// Reads them; `server` are the process ids of the server on this machine, none when it runs elsewhere.
    ///
    /// # Errors
    /// When a server's process is gone, or `/proc` is not readable.
    pub fn read(server: &[u32]) -> io::Result<Self> {
        let mut sum = (!server.is_empty()).then(Process::default);
        for &pid in server {
            let one = Process::read(pid)?;
            sum =
                sum.map(|sum| Process { cpu: sum.cpu + one.cpu, written_bytes: sum.written_bytes + one.written_bytes });
        }
        Ok(Self {
            at: Instant::now(),
            server: sum,
            client: procfs::own_cpu(),
            machine: Machine::read()?,
            kernel: procfs::kernel_threads()?,
            cpu_pressure: procfs::pressure("cpu"),
            io_pressure: procfs::pressure("io"),
        })
    }

    /// What was used since `earlier`.
    pub fn since(&self, earlier: &Counters) -> Used {
        let passed = |now: Option<Duration>, then: Option<Duration>| Some(now?.saturating_sub(then?));
        let kernel = self.kernel.iter().map(|(id, now)| {
            // A thread that was not there began at 0; an id that was used again counts from 0 too.
            now.checked_sub(earlier.kernel.get(id).copied().unwrap_or_default()).unwrap_or(*now)
        });
        Used {
            elapsed: self.at.duration_since(earlier.at),
            server: self.server.zip(earlier.server).map(|(now, then)| now - then),
            client_cpu: self.client.saturating_sub(earlier.client),
            kernel_cpu: kernel.sum(),
            machine: self.machine - earlier.machine,
            cpu_pressure: passed(self.cpu_pressure, earlier.cpu_pressure),
            io_pressure: passed(self.io_pressure, earlier.io_pressure),
        }
    }
}

impl Used {
    /// CPU time of neither server, client nor kernel threads, as a share of one core.
    pub fn foreign_cpu_share(&self) -> f64 {
        let ours = self.server.map_or(Duration::ZERO, |server| server.cpu) + self.client_cpu + self.kernel_cpu;
        self.of_elapsed(self.machine.busy.saturating_sub(ours))
    }

    /// Stolen time as a share of the machine.
    pub fn steal_share(&self) -> f64 {
        self.of_elapsed(self.machine.steal) / procfs::processors() as f64
    }

    /// The server's CPU time in cores; none when it runs elsewhere.
    pub fn server_cores(&self) -> Option<f64> {
        self.server.map(|server| self.of_elapsed(server.cpu))
    }

    /// This process's CPU time in cores.
    pub fn client_cores(&self) -> f64 {
        self.of_elapsed(self.client_cpu)
    }

    /// CPU time of the kernel's own threads in cores.
    pub fn kernel_cores(&self) -> f64 {
        self.of_elapsed(self.kernel_cpu)
    }

    /// Share of the time in which the disks had something to do (above 1 with several disks).
    pub fn disk_busy_share(&self) -> f64 {
        self.of_elapsed(self.machine.disk_busy)
    }

    /// A time as a share of the elapsed time.
    pub fn of_elapsed(&self, time: Duration) -> f64 {
        time.as_secs_f64() / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests;
