//! The figures of a run that are worth a picture or a column, under one name each.

use crate::measure::LatencySummary;
use crate::result::RunResult;

use super::chart::Quantity;

/// Which figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Records acknowledged, a second.
    Acked,
    /// Records delivered over all groups, a second.
    Delivered,
    /// Megabytes acknowledged, a second.
    AckedMegabytes,
    /// Median of the response latency.
    ResponseP50,
    /// p99 of the response latency.
    ResponseP99,
    /// p99.9 of the response latency.
    ResponseP999,
    /// p99 of the service latency.
    ServiceP99,
    /// Median of the end-to-end latency.
    EndToEndP50,
    /// p99 of the end-to-end latency.
    EndToEndP99,
    /// The server's CPU.
    CpuPerGigabyte,
    /// The server's peak memory.
    Memory,
    /// Bytes written by byte of payload.
    WrittenPerByte,
    /// Flushes by thousand acknowledged records.
    Flushes,
    /// The load generator's own CPU by million records.
    ClientCpu,
}

impl Metric {
    /// In words.
    pub fn label(self) -> &'static str {
        match self {
            Metric::Acked => "records acknowledged",
            Metric::Delivered => "records delivered",
            Metric::AckedMegabytes => "megabytes acknowledged",
            Metric::ResponseP50 => "response p50",
            Metric::ResponseP99 => "response p99",
            Metric::ResponseP999 => "response p99.9",
            Metric::ServiceP99 => "service p99",
            Metric::EndToEndP50 => "end-to-end p50",
            Metric::EndToEndP99 => "end-to-end p99",
            Metric::CpuPerGigabyte => "server CPU per GB",
            Metric::Memory => "server peak memory",
            Metric::WrittenPerByte => "bytes written per payload byte",
            Metric::Flushes => "flushes per 1000 acknowledged",
            Metric::ClientCpu => "client CPU per million records",
        }
    }

    /// What its numbers are.
    pub fn quantity(self) -> Quantity {
        match self {
            Metric::Acked | Metric::Delivered => Quantity::PerSecond,
            Metric::AckedMegabytes => Quantity::MegabytesPerSecond,
            Metric::CpuPerGigabyte => Quantity::CpuSecondsPerGigabyte,
            Metric::Memory => Quantity::Bytes,
            Metric::WrittenPerByte => Quantity::Times,
            Metric::Flushes => Quantity::Count,
            Metric::ClientCpu => Quantity::Seconds,
            _ => Quantity::Microseconds,
        }
    }

    /// The figure of a run, if it was measured and means something: a rate that nobody asked of it is no figure.
    pub fn of(self, result: &RunResult) -> Option<f64> {
        let (latency, resources) = (&result.latency, &result.resources);
        let us = |summary: &Option<LatencySummary>, read: fn(&LatencySummary) -> Option<u64>| {
            summary.as_ref().and_then(read).map(|us| us as f64)
        };
        let value = match self {
            Metric::Acked => Some(result.throughput.acked_per_s),
            Metric::Delivered => Some(result.throughput.delivered_per_s),
            Metric::AckedMegabytes => Some(result.throughput.acked_mb_per_s),
            Metric::ResponseP50 => us(&latency.response, |summary| Some(summary.p50_us)),
            Metric::ResponseP99 => us(&latency.response, |summary| Some(summary.p99_us)),
            Metric::ResponseP999 => us(&latency.response, |summary| summary.p999_us),
            Metric::ServiceP99 => us(&latency.service, |summary| Some(summary.p99_us)),
            Metric::EndToEndP50 => us(&latency.e2e, |summary| Some(summary.p50_us)),
            Metric::EndToEndP99 => us(&latency.e2e, |summary| Some(summary.p99_us)),
            Metric::CpuPerGigabyte => resources.server_cpu_s_per_gb,
            Metric::Memory => resources.server_rss_peak_bytes.map(|bytes| bytes as f64),
            Metric::WrittenPerByte => resources.written_per_payload_byte,
            Metric::Flushes => resources.flushes_per_1000_acks,
            Metric::ClientCpu => resources.client_cpu_s_per_million,
        };
        let is_rate = matches!(self, Metric::Acked | Metric::Delivered | Metric::AckedMegabytes);
        value.filter(|value| value.is_finite() && !(is_rate && *value == 0.0))
    }
}

/// The middle of some values; of an even number the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    let (last, first) = (values.get(values.len() / 2)?, values.get(values.len().saturating_sub(1) / 2)?);
    Some((first + last) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_of_what_is_finite() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![f64::NAN, 3.0]), Some(3.0));
        assert_eq!(median(vec![5.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median(vec![5.0, 1.0, 3.0, 4.0]), Some(3.5));
    }
}
