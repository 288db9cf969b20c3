//! Intervals of all workers, merged second by second: the series, the latency log, and the window's totals.

use std::collections::BTreeMap;
use std::io;

use super::Phase;
use crate::engine::clock::{Clock, Nanos};
use crate::engine::recorder::{Recorded, Window};
use crate::measure::Latencies;
use crate::result::Interval;
use crate::result::hlog::{Entry, LatencyLog};
use std::time::Duration;

const SECOND: Nanos = 1_000_000_000;

/// One second of all workers.
#[derive(Debug, Default)]
struct Bucket {
    from: Nanos,
    to: Nanos,
    recorded: Recorded,
    reports: usize,
    /// The busiest worker's share of its core.
    share: f64,
}

/// The sums of a run.
#[derive(Debug)]
pub(super) struct Tally {
    workers: usize,
    window: Option<Window>,
    buckets: BTreeMap<i64, Bucket>,
    log: LatencyLog,
    /// A line a second.
    pub(super) series: Vec<Interval>,
    /// What was due in the window: its latencies, whenever they came; counts of what happened within it.
    pub(super) total: Recorded,
    /// Counts of the whole run.
    pub(super) whole: Recorded,
    /// CPU of the busiest worker in the window, in ns.
    pub(super) busiest_share: f64,
    /// The last second's response and end-to-end latencies.
    pub(super) latest: Option<Recorded>,
}

impl Tally {
    pub(super) fn new(workers: usize, clock: Clock) -> io::Result<Tally> {
        Ok(Tally {
            workers,
            window: None,
            buckets: BTreeMap::new(),
            log: LatencyLog::new(clock.origin())?,
            series: Vec::new(),
            total: Recorded::default(),
            whole: Recorded::default(),
            busiest_share: 0.0,
            latest: None,
        })
    }

    /// From now on seconds are counted from the window's start.
    pub(super) fn set_window(&mut self, window: Window, lag: &[u64]) -> io::Result<()> {
        self.flush(lag)?;
        self.window = Some(window);
        Ok(())
    }

    /// Takes one worker's interval.
    pub(super) fn add(&mut self, from: Nanos, to: Nanos, recorded: Recorded, lag: &[u64]) -> io::Result<()> {
        let base = self.window.map_or(0, |window| window.from) as i64;
        // By its beginning: intervals are cut at or right behind whole seconds, however late they end.
        let key = (from as i64 - base).div_euclid(SECOND as i64);
        let bucket = self.buckets.entry(key).or_default();
        let share = recorded.cpu_ns as f64 / (to - from).max(1) as f64;
        bucket.share = bucket.share.max(share);
        bucket.from = if bucket.reports == 0 { from } else { bucket.from.min(from) };
        bucket.to = bucket.to.max(to);
        bucket.reports += 1;
        bucket.recorded.merge(&recorded);
        let whole = bucket.reports >= self.workers;
        if whole {
            // A worker that was late for an older second will not be waited for.
            let later = self.buckets.split_off(&(key + 1));
            let ready = std::mem::replace(&mut self.buckets, later);
            for bucket in ready.into_values() {
                self.finish(bucket, lag)?;
            }
        }
        Ok(())
    }

    /// Takes what is there as it is.
    pub(super) fn flush(&mut self, lag: &[u64]) -> io::Result<()> {
        for bucket in std::mem::take(&mut self.buckets).into_values() {
            self.finish(bucket, lag)?;
        }
        Ok(())
    }

    fn phase(&self, bucket: &Bucket) -> Phase {
        match self.window {
            None => Phase::Backlog,
            Some(window) if bucket.from < window.from => Phase::WarmUp,
            Some(window) if bucket.from < window.to => Phase::Window,
            Some(_) => Phase::Drain,
        }
    }

    fn finish(&mut self, bucket: Bucket, lag: &[u64]) -> io::Result<()> {
        let phase = self.phase(&bucket);
        let Bucket { from, to, recorded, share, .. } = bucket;
        let seconds = (to - from) as f64 / 1e9;
        self.series.push(self.interval(phase, from, seconds, &recorded, share, lag));
        let (start, length) = (Duration::from_nanos(from), Duration::from_nanos(to - from));
        let entry = |tag, latencies| Entry { tag, from: start, length, latencies };
        if matches!(phase, Phase::Window | Phase::Drain) {
            self.log.write(&[
                entry("response", &recorded.response),
                entry("service", &recorded.service),
                entry("slip", &recorded.slip),
                entry("e2e", &recorded.e2e),
                entry("request", &recorded.request),
            ])?;
        }
        self.whole.merge_counts(&recorded);
        match phase {
            Phase::Window => {
                self.total.merge(&recorded);
                self.busiest_share = self.busiest_share.max(share);
            }
            Phase::Drain => self.total.merge_latencies(&recorded),
            _ => {}
        }
        self.latest = Some(recorded);
        Ok(())
    }

    fn interval(
        &self,
        phase: Phase,
        from: Nanos,
        seconds: f64,
        recorded: &Recorded,
        share: f64,
        lag: &[u64],
    ) -> Interval {
        let base = self.window.map_or(from, |window| window.from);
        let has = |latencies: &Latencies| latencies.samples() > 0;
        let percentiles = |latencies: &Latencies| {
            let at = |percentile| latencies.percentile_us(percentile);
            [at(50.0), at(99.0), at(99.9), latencies.max_us()]
        };
        Interval {
            from_s: (from as i64 - base as i64) as f64 / 1e9,
            seconds,
            phase: phase.name(),
            offered: recorded.offered,
            sent: recorded.sent,
            acked: recorded.acked,
            delivered: recorded.delivered,
            acked_bytes: recorded.acked_bytes,
            delivered_bytes: recorded.delivered_bytes,
            errors: recorded.errors.values().sum(),
            response_us: has(&recorded.response).then(|| percentiles(&recorded.response)),
            e2e_us: has(&recorded.e2e).then(|| {
                let [p50, p99, ..] = percentiles(&recorded.e2e);
                [p50, p99]
            }),
            slip_us: has(&recorded.slip).then(|| recorded.slip.mean_us()),
            lag: lag.to_vec(),
            client_core_share: Some(share),
            jitter_max_us: None,
        }
    }

    /// Seconds from the window's start; without one from the origin.
    pub(super) fn seconds(&self, at: Nanos) -> f64 {
        (at as i64 - self.window.map_or(0, |window| window.from) as i64) as f64 / 1e9
    }

    /// The latency log's bytes.
    pub(super) fn log_bytes(&self) -> Vec<u8> {
        self.log.as_bytes().to_vec()
    }
}
