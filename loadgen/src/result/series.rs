//! `series.csv`: a line a second.

use std::fmt::Write;

/// One interval of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Interval {
    /// Where it begins, in seconds from the window's start; before it negative.
    pub from_s: f64,
    /// Its length, in seconds.
    pub seconds: f64,
    /// `backlog`, `warm-up`, `window` or `drain`.
    pub phase: &'static str,
    /// Records due.
    pub offered: u64,
    /// Records handed to connections.
    pub sent: u64,
    /// Records acknowledged.
    pub acked: u64,
    /// Records delivered over all groups.
    pub delivered: u64,
    /// Bytes of acknowledged values.
    pub acked_bytes: u64,
    /// Bytes of delivered values.
    pub delivered_bytes: u64,
    /// Records that failed.
    pub errors: u64,
    /// Response latencies of what was acknowledged, in µs: p50, p99, p99.9, max; absent when nothing was.
    pub response_us: Option<[u64; 4]>,
    /// End-to-end latencies of what was delivered, in µs: p50, p99.
    pub e2e_us: Option<[u64; 2]>,
    /// Mean slip, in µs.
    pub slip_us: Option<f64>,
    /// How far each group is behind, in records.
    pub lag: Vec<u64>,
    /// The busiest worker's share of its core.
    pub client_core_share: Option<f64>,
    /// How late a sleeping thread woke at worst, in µs.
    pub jitter_max_us: Option<u64>,
}

/// The series with its heading; `groups` names the columns of lag.
pub fn series_csv(groups: &[String], intervals: &[Interval]) -> String {
    let mut csv = String::from(
        "from_s,seconds,phase,offered,sent,acked,delivered,acked_bytes,delivered_bytes,errors,\
         p50_us,p99_us,p999_us,max_us,e2e_p50_us,e2e_p99_us,slip_mean_us,client_core_share,jitter_max_us",
    );
    for group in groups {
        let _ = write!(csv, ",lag_{}", group.replace([',', '\n', '"'], "_"));
    }
    csv.push('\n');
    for interval in intervals {
        line(&mut csv, interval);
    }
    csv
}

fn line(csv: &mut String, interval: &Interval) {
    let Interval { from_s, seconds, phase, offered, sent, acked, delivered, .. } = interval;
    let Interval { acked_bytes, delivered_bytes, errors, .. } = interval;
    let _ = write!(csv, "{from_s:.3},{seconds:.3},{phase},{offered},{sent},{acked},{delivered}");
    let _ = write!(csv, ",{acked_bytes},{delivered_bytes},{errors}");
    numbers(csv, interval.response_us);
    numbers(csv, interval.e2e_us);
    field(csv, interval.slip_us.map(|mean| format!("{mean:.1}")));
    field(csv, interval.client_core_share.map(|share| format!("{share:.3}")));
    field(csv, interval.jitter_max_us);
    for lag in &interval.lag {
        field(csv, Some(lag));
    }
    csv.push('\n');
}

fn numbers<const N: usize>(csv: &mut String, values: Option<[u64; N]>) {
    for at in 0..N {
        field(csv, values.map(|values| values[at]));
    }
}

fn field(csv: &mut String, value: Option<impl std::fmt::Display>) {
    csv.push(',');
    if let Some(value) = value {
        let _ = write!(csv, "{value}");
    }
}
