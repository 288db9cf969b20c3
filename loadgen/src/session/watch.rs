//! Watches server and machine while a run goes on: counters at both ends of the window, and a line a second for `server.csv`.

use std::fmt::Write;
use std::io;
use std::time::{Duration, Instant};

use crate::resources::{Counters, Used, procfs};
use crate::run::{Observer, Phase, Progress};

/// Between two lines of `server.csv`.
const EVERY: Duration = Duration::from_secs(1);

const HEADING: &str = "from_s,seconds,server_cores,client_cores,kernel_cores,foreign_cpu_share,steal_share,disk_busy_share,flushes,\
    disk_written_bytes,server_written_bytes,server_rss_bytes,cpu_pressure_share,io_pressure_share\n";

/// An observer between a run and who looks at it.
pub(super) struct Watch<'a> {
    viewer: &'a mut dyn Observer,
    pids: Vec<u32>,
    /// When the window began, and the counters then.
    began: Option<(Instant, Counters)>,
    /// When the last line ended, and the counters then.
    last: Option<(Instant, Counters)>,
    window: Option<Used>,
    lines: Vec<(Instant, Duration, String)>,
    fault: Option<io::Error>,
}

/// What was seen.
#[derive(Debug)]
pub(super) struct Seen {
    /// What the window used; none when it did not begin.
    pub(super) window: Option<Used>,
    /// The largest resident set of the server's processes, summed.
    pub(super) rss_peak_bytes: Option<u64>,
    /// `server.csv`.
    pub(super) csv: String,
    /// Why nothing more was seen: as a rule the server has ended.
    pub(super) fault: Option<io::Error>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(viewer: &'a mut dyn Observer, pids: Vec<u32>) -> Self {
        Self { viewer, pids, began: None, last: None, window: None, lines: Vec::new(), fault: None }
    }

    fn counters(&mut self) -> Option<(Instant, Counters)> {
        if self.fault.is_some() {
            return None;
        }
        match Counters::read(&self.pids) {
            Ok(counters) => Some((Instant::now(), counters)),
            Err(error) => {
                self.fault = Some(error);
                None
            }
        }
    }

    fn close_line(&mut self) {
        let Some((at, counters)) = self.counters() else { return };
        if let Some((from, before)) = &self.last {
            let used = counters.since(before);
            let rss = (!self.pids.is_empty()).then(|| sum(&self.pids, procfs::rss_bytes)).flatten();
            self.lines.push((*from, used.elapsed, line(&used, rss)));
        }
        self.last = Some((at, counters));
    }

    fn close_window(&mut self) {
        let Some((_, before)) = &self.began else { return };
        if self.window.is_none()
            && let Some((_, now)) = &self.last
        {
            self.window = Some(now.since(before));
        }
    }

    /// Ends it; a window that was cut short lasts until the last line.
    pub(super) fn finish(mut self) -> Seen {
        self.close_window();
        let zero = self.began.as_ref().map(|(at, _)| *at);
        let mut csv = HEADING.to_owned();
        for (from, length, figures) in &self.lines {
            let from_s = zero.map_or(0.0, |zero| {
                from.saturating_duration_since(zero).as_secs_f64() - zero.saturating_duration_since(*from).as_secs_f64()
            });
            let _ = writeln!(csv, "{from_s:.3},{:.3},{figures}", length.as_secs_f64());
        }
        let rss_peak_bytes = (!self.pids.is_empty()).then(|| sum(&self.pids, procfs::rss_peak_bytes)).flatten();
        Seen { window: self.window, rss_peak_bytes, csv, fault: self.fault }
    }
}

impl Observer for Watch<'_> {
    fn phase(&mut self, phase: Phase) {
        match phase {
            Phase::Window => {
                self.close_line();
                self.began = self.last.clone();
            }
            Phase::Drain | Phase::ReadBack | Phase::Done if self.began.is_some() && self.window.is_none() => {
                self.close_line();
                self.close_window();
            }
            _ => {}
        }
        self.viewer.phase(phase);
    }

    fn progress(&mut self, progress: Progress) {
        if self.last.as_ref().is_none_or(|(at, _)| at.elapsed() >= EVERY) {
            self.close_line();
        }
        self.viewer.progress(progress);
    }
}

fn sum(pids: &[u32], read: fn(u32) -> io::Result<u64>) -> Option<u64> {
    pids.iter().map(|pid| read(*pid).ok()).sum()
}

fn line(used: &Used, rss_bytes: Option<u64>) -> String {
    let share = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.4}"));
    let count = |value: Option<u64>| value.map_or(String::new(), |value| value.to_string());
    [
        share(used.server_cores()),
        share(Some(used.client_cores())),
        share(Some(used.kernel_cores())),
        share(Some(used.foreign_cpu_share())),
        share(Some(used.steal_share())),
        share(Some(used.disk_busy_share())),
        count(Some(used.machine.flushes)),
        count(Some(used.machine.disk_written_bytes)),
        count(used.server.map(|server| server.written_bytes)),
        count(rss_bytes),
        share(used.cpu_pressure.map(|time| used.of_elapsed(time))),
        share(used.io_pressure.map(|time| used.of_elapsed(time))),
    ]
    .join(",")
}
