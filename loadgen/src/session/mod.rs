//! A run against a system, with what it cost, on which machine, and kept: what `run`, `compare`, `find-max` and `suite` have in common.
//!
//! [`crate::run`] knows clients only. Here the server's processes and the machine are watched meanwhile, the verdict is lowered by what the
//! machine did besides, and the run's folder is written.

#[cfg(test)]
mod tests;
mod watch;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::resources::affinity::CpuList;
use crate::resources::environment::Environment;
use crate::resources::idle::wait_until_idle;
use crate::resources::{Used, procfs};
use crate::result::folder::{RunFiles, write_index};
use crate::result::{Comparison, Resources, RunResult, Verdict};
use crate::run::{self, Observer, Target};
use crate::scenario::Scenario;
use crate::systems::Running;

use watch::{Seen, Watch};

/// The machine's share that may be stolen, and the share of a core that others may use, before a run is suspect.
const STEAL_SHARE_MAX: f64 = 0.01;
const FOREIGN_CPU_SHARE_MAX: f64 = 0.05;

/// Where runs are made and kept.
#[derive(Debug, Clone)]
pub struct Session {
    /// The folder `results/`; none: nothing is kept.
    pub results: Option<PathBuf>,
    /// The machine and the command.
    pub environment: Environment,
    /// The server's processors, when it is pinned.
    pub server_cpus: Option<CpuList>,
    /// How long to wait for an idle machine before each run; a run that starts without one is suspect.
    pub idle_within: Duration,
}

impl Session {
    /// Makes one run. The result is complete but for being kept.
    ///
    /// # Errors
    /// When `/proc` is not readable.
    pub fn measure(
        &self,
        running: &mut Running,
        scenario: &Scenario,
        options: &run::Options,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> io::Result<RunFiles> {
        let busy = if self.idle_within.is_zero() { None } else { wait_until_idle(self.idle_within)? };
        let target = Target { bootstrap: running.bootstrap().to_owned(), system: running.info().clone() };
        let mut watch = Watch::new(observer, running.pids());
        let outcome = run::run(scenario, &target, options, &mut watch, stop);
        let seen = watch.finish();
        // What one run left dirty must not be written during the next.
        // SAFETY: sync has no preconditions.
        unsafe { libc::sync() };
        let mut result = outcome.result;
        if let Some(share) = busy {
            let reason = format!("the machine was {:.0} % busy before the run", share * 100.0);
            result.validity.lower(Verdict::Suspect, reason);
        }
        let cores = self.server_cpus.as_ref().map_or_else(procfs::processors, CpuList::len);
        tell(&mut result, &seen, cores);
        if !running.is_alive() {
            let reason = format!("the broker has ended during the run; its last words: {}", running.last_words());
            result.validity.lower(Verdict::Invalid, reason);
        } else if let Some(fault) = &seen.fault {
            result.validity.lower(Verdict::Suspect, format!("server and machine could not be watched: {fault}"));
        }
        Ok(RunFiles {
            result,
            env: serde_json::to_value(&self.environment)?,
            broker: running.conf().to_owned(),
            series: outcome.series,
            server: Some(seen.csv),
            events: outcome.events,
            latency_log: outcome.latency_log,
        })
    }

    /// Keeps a run, with its place in a comparison if it has one, and makes the index anew. Returns its folder; none when nothing is kept.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn keep(&self, files: &mut RunFiles, place: Option<Comparison>) -> io::Result<Option<PathBuf>> {
        files.result.comparison = place;
        let Some(results) = &self.results else { return Ok(None) };
        let folder = files.write(results, &self.environment.machine)?;
        write_index(results)?;
        Ok(Some(folder))
    }
}

/// Completes a result by what was seen; `cores` is how many processors the server may use.
fn tell(result: &mut RunResult, seen: &Seen, cores: usize) {
    let Some(used) = &seen.window else { return };
    let client = std::mem::take(&mut result.resources);
    let throughput = &result.throughput;
    let acked = throughput.acked_per_s > 0.0;
    let per_s = if acked { throughput.acked_per_s } else { throughput.sent_per_s };
    let records = per_s * result.window_s;
    let bytes = records * f64::from(result.scenario.producers.record_bytes);
    let server_cpu_s = used.server.map(|server| server.cpu.as_secs_f64());
    let written = used.server.map(|server| server.written_bytes);
    let per = |value: Option<f64>, unit: f64| value.filter(|_| unit > 0.0).map(|value| value / unit);
    result.resources = Resources {
        server_cpu_s,
        server_cpu_s_per_gb: per(server_cpu_s, bytes / 1e9),
        server_cpu_s_per_million: per(server_cpu_s, records / 1e6),
        server_rss_peak_bytes: seen.rss_peak_bytes,
        server_written_bytes: written,
        written_per_payload_byte: per(written.map(|bytes| bytes as f64), bytes),
        flushes_per_1000_acks: per(
            used.server.map(|_| used.machine.flushes as f64),
            if acked { records / 1e3 } else { 0.0 },
        ),
        server_core_share: used.server_cores().map(|share| share / cores as f64),
        kernel_cpu_s: Some(used.kernel_cpu.as_secs_f64()),
        disk_busy_share: Some(used.disk_busy_share()),
        steal_share: Some(used.steal_share()),
        foreign_cpu_share: used.server.map(|_| used.foreign_cpu_share()),
        ..client
    };
    judge(result, used);
}

/// Lowers the verdict by what the machine did besides. What others used is known only when the server's own share is.
fn judge(result: &mut RunResult, used: &Used) {
    let mut limit = |what: &str, share: f64, most: f64| {
        if share > most {
            let reason = format!("{what} {:.1} %, more than {:.0} %", share * 100.0, most * 100.0);
            result.validity.lower(Verdict::Suspect, reason);
        }
    };
    limit("the host took of the machine's time", used.steal_share(), STEAL_SHARE_MAX);
    if used.server.is_some() {
        limit("others used of a core", used.foreign_cpu_share(), FOREIGN_CPU_SHARE_MAX);
    }
}
